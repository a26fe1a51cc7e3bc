"""The wall clock."""

import time


def now_ms() -> int:
    """Tell the time, ms since the Unix epoch."""
    return time.time_ns() // 1_000_000
