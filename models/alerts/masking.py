"""API keys as people may see them: enough to tell two apart, too little to name one."""

from typing import Final

SHOWN: Final = 4  # characters of each end, at most


def masked(key: str) -> str:
    """Give the ends of a key id; of a short one less, so that a third or more stays hidden.

    >>> masked("abcdefghijklmnopqrstuvwxyz")
    'abcd…wxyz'
    >>> masked("k43545")
    'k4…45'
    >>> masked("ab")
    '…'
    """
    shown = min(SHOWN, len(key) // 3)
    return f"{key[:shown]}…{key[len(key) - shown :]}"
