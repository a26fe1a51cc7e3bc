"""What all tests share."""

import signal

import pytest
from hypothesis import settings

from streams.kernel_cache import use_fresh_kernels

use_fresh_kernels()  # here, before any test module imports a kernel

# A run that began in a shell's background inherits that Ctrl-C is ignored, as would its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The first call of a kernel may compile it for seconds; pytest's timeout guards what hangs.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the kernels once, before the whole suite's processes would each compile them."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    is_child = hasattr(config, "workerinput")
    if is_whole and config.getoption("numprocesses") and not is_child:
        from models.detector import Detector  # noqa: PLC0415 - imports kernels
        from streams.worker.compiling import compile_kernels  # noqa: PLC0415 - as above
        from tests.factories import batch_of, order  # noqa: PLC0415 - as above
        from tests.models.alerts.suspects import plain_model  # noqa: PLC0415 - as above

        model = plain_model()
        compile_kernels(model)
        Detector(model).observe(batch_of([order()]))
