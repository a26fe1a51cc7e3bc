"""Handles: what stands for an API key in addresses, so that no address ever holds a full key."""

import hmac
import os
import secrets
import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Final

from streams.settings import ConfigError

SECRET_BYTES: Final = 32
HANDLE_CHARS: Final = 20  # 80 bits


def load_secret(path: Path) -> bytes:
    """Read this installation's secret; make it where there is none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = secrets.token_bytes(SECRET_BYTES)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secret)
    except OSError as error:
        raise ConfigError(f"dashboard_data: {path} cannot be used: {error.strerror}") from None
    if len(secret) < SECRET_BYTES:
        raise ConfigError(f"{path} holds {len(secret)} bytes; must hold {SECRET_BYTES} or more")
    return secret


class Handles:
    """Handles of keys, the same in this installation for ever, meaningless outside of it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"roguekey key handle", sha256)

    def of(self, api_key: str) -> str:
        """Give the handle of a key."""
        return hmac.digest(self._secret, api_key.encode(), sha256).hex()[:HANDLE_CHARS]

    def note(self, db: sqlite3.Connection, api_keys: list[str]) -> None:
        """Remember the handles of keys, so that they can be looked up."""
        rows = [(key, self.of(key)) for key in api_keys]
        db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", rows)


def key_of(db: sqlite3.Connection, handle: str) -> str | None:
    """Look up whose handle this is."""
    row = db.execute("SELECT api_key FROM keys WHERE handle = ?", (handle,)).fetchone()
    return str(row[0]) if row else None
