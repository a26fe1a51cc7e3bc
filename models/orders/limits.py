"""What the values of an order event may be."""

from datetime import UTC, datetime
from typing import Final

EARLIEST_MS: Final = int(datetime(2009, 1, 3, tzinfo=UTC).timestamp() * 1000)  # the first block
MAX_AHEAD_MS: Final = 5 * 60_000  # how far an honest clock may be ahead of ours
MAX_NAME: Final = 256
MIN_AMOUNT: Final = 1e-12
MAX_PRICE: Final = 1e12
MAX_QTY: Final = 1e15
MAX_NOTIONAL: Final = 1e12
