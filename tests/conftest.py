"""What all tests share."""

from hypothesis import settings

from streams.kernel_cache import use_fresh_kernels

use_fresh_kernels()  # here, before any test module imports a kernel

# The first call of a kernel may compile it for seconds; pytest's timeout guards what hangs.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")
