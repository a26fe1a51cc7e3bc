"""Who may enter, and what they may do.

On loopback, without tokens, whoever uses the machine is trusted. Anywhere else it takes a token, or
a proxy that names the user. A token is shown once, at the door; from there on a signed cookie
that scripts cannot read stands for it.
"""

import base64
import hmac
import ipaddress
import time
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from streams.settings import ConfigError, Settings

COOKIE: Final = "roguekey"
CSRF_HEADER: Final = "X-CSRF-Token"
SESSION_S: Final = 12 * 3600
SHORTEST_TOKEN: Final = 16
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class Role(IntEnum):
    """What one may do; each may do what those before it may."""

    VIEWER = 1  # look
    ANALYST = 2  # claim, decide, snooze
    APPROVER = 3  # freeze, approve, reject, unfreeze


@dataclass(frozen=True, slots=True)
class User:
    """Who it is."""

    name: str
    role: Role
    by_cookie: bool = True  # the browser says so by itself: what changes anything needs a token


def _role(text: str) -> Role | None:
    return Role.__members__.get(text.strip().upper())


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_tokens(path: Path) -> dict[str, User]:
    """Read lines of NAME ROLE TOKEN; users by the SHA-256 of their tokens."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"dashboard_tokens: {path} cannot be read: {error}") from None
    users: dict[str, User] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split()
        role = _role(words[1]) if len(words) == 3 else None
        if role is None:
            rule = "must be NAME ROLE TOKEN, the role viewer, analyst or approver"
            raise ConfigError(f"dashboard_tokens: line {number} of {path} {rule}")
        if len(words[2]) < SHORTEST_TOKEN:
            rule = f"must have {SHORTEST_TOKEN} characters or more"
            raise ConfigError(f"dashboard_tokens: the token on line {number} of {path} {rule}")
        users[_digest(words[2])] = User(words[0], role)
    if not users:
        raise ConfigError(f"dashboard_tokens: {path} holds no token")
    return users


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


class Access:
    """The rules of one dashboard."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"roguekey dashboard session", sha256)
        self._tokens = (
            read_tokens(Path(settings.dashboard_tokens)) if settings.dashboard_tokens else {}
        )
        self._user_header = settings.dashboard_user_header
        self._role_header = settings.dashboard_role_header
        self._proxies = {part.strip() for part in settings.dashboard_proxies.split(",")}
        self._host = settings.dashboard_host

    @classmethod
    def checked(cls, settings: Settings, secret: bytes) -> Self:
        """Refuse to be open to others without a token or a proxy."""
        guarded = settings.dashboard_tokens or settings.dashboard_user_header
        if not guarded and not is_loopback(settings.dashboard_host):
            raise ConfigError(
                f"dashboard_host is {settings.dashboard_host!r}; anything but loopback needs "
                "dashboard_tokens, or dashboard_user_header behind a proxy"
            )
        return cls(settings, secret)

    @property
    def is_open(self) -> bool:
        """Whether whoever uses the machine is trusted."""
        return not self._tokens and not self._user_header

    def user_of(self, request: HTTPConnection) -> User | None:
        """Tell who asks; None: somebody who must show a token first."""
        if self.is_open:
            return User("local", Role.APPROVER) if self.is_own_name(request) else None
        return self._proxied(request) or self._bearer(request) or self._by_cookie(request)

    def is_own_name(self, request: HTTPConnection) -> bool:
        """Whether the page was asked for by a name of this machine, not one that points here."""
        if not self.is_open:
            return True
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        return name in LOCAL_NAMES or name == self._host

    def is_https(self, request: HTTPConnection) -> bool:
        """Whether the browser came by https, as far as a trusted proxy says so."""
        peer = request.client.host if request.client else ""
        told = request.headers.get("x-forwarded-proto", "") if peer in self._proxies else ""
        return request.url.scheme == "https" or told == "https"

    def enter(self, token: str) -> tuple[User, str] | None:
        """Give who holds the token, and the value of the cookie that will stand for it."""
        digest = _digest(token)
        user = self._tokens.get(digest)
        if user is None:
            return None
        until = int(time.time()) + SESSION_S
        body = f"{until}.{digest[:16]}"
        return user, f"{body}.{self._sign(body)}"

    def csrf_of(self, user: User) -> str:
        """Give the token that this user's page must send with everything that changes anything."""
        return self._sign(f"csrf {user.name} {user.role}")

    def is_meant(self, request: HTTPConnection, user: User) -> bool:
        """Whether a request that changes something comes from our own page."""
        if not user.by_cookie:
            return True
        origin = request.headers.get("origin")
        ours = (None, request.headers.get("host"))
        # A proxy may have changed the host's name: then the token alone tells.
        if not self._user_header and (origin and urlsplit(origin).netloc) not in ours:
            return False
        sent = request.headers.get(CSRF_HEADER, "")
        return hmac.compare_digest(sent.encode(), self.csrf_of(user).encode())

    def _proxied(self, request: HTTPConnection) -> User | None:
        if not self._user_header or not request.client or request.client.host not in self._proxies:
            return None
        name = request.headers.get(self._user_header, "").strip()
        told = request.headers.get(self._role_header, "") if self._role_header else ""
        return User(name[:100], _role(told) or Role.VIEWER) if name else None

    def _bearer(self, request: HTTPConnection) -> User | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        user = self._tokens.get(_digest(token.strip())) if kind.lower() == "bearer" else None
        return User(user.name, user.role, by_cookie=False) if user else None

    def _by_cookie(self, request: HTTPConnection) -> User | None:
        body, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        until, _, digest = body.partition(".")
        if int(until) < time.time():
            return None
        # A token that was taken out of the file since opens nothing any more.
        return next((user for key, user in self._tokens.items() if key[:16] == digest), None)

    def _sign(self, text: str) -> str:
        digest = hmac.digest(self._secret, text.encode(), sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
