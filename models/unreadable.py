"""What decoders raise on bytes that somebody else wrote."""

from typing import Final

import msgspec

# Of the last: values nested a thousand deep, which cost their writer two kilobytes.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
