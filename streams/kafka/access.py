"""Whether the brokers let us in with our settings, and if not, why, in one line.

Clients try for long and then say no more than that they could not connect, whether the password is
wrong, the certificate unknown, or TLS spoken to who does not.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest
from typing_extensions import override

from streams.kafka.security import kafka_security
from streams.settings import ConfigError, Settings

ANSWER_MS: Final = 5000
FAREWELL_S: Final = 0.25  # the other side need not answer it


@dataclass(frozen=True, slots=True)
class Greeting:
    """What came of greeting one broker."""

    server: str
    reason: str = ""  # why it did not let us in
    silent: bool = False  # nobody is there, which another time may be otherwise

    @property
    def welcome(self) -> bool:
        """Whether it let us in."""
        return not self.reason

    @override
    def __str__(self) -> str:
        return f"{self.server}: {self.reason}"


def greet(settings: Settings) -> list[Greeting]:
    """Greet all brokers of the settings at once; takes twice `ANSWER_MS` at most.

    Raises
    ------
    ConfigError
        If brokers are not set, or what secures the connection cannot be used.
    """
    security = kafka_security(settings)

    async def all_of_them() -> list[Greeting]:
        servers = settings.bootstrap_servers()
        return await asyncio.gather(*(_greet(server, settings, security) for server in servers))

    return asyncio.run(all_of_them())


def check_access(settings: Settings) -> None:
    """Refuse settings with which no broker lets us in.

    Brokers that are merely silent pass: whoever connects next may wait for them.

    Raises
    ------
    ConfigError
        If all brokers that answer refuse us; it tells the reason of the first.
    """
    answers = [greeting for greeting in greet(settings) if not greeting.silent]
    if answers and not any(greeting.welcome for greeting in answers):
        raise ConfigError(f"brokers: {answers[0]}")


async def _greet(server: str, settings: Settings, security: Mapping[str, Any]) -> Greeting:
    host, _, port = server.rpartition(":")
    if reason := await asyncio.to_thread(_why_silent, host.strip("[]"), int(port)):
        return Greeting(server, reason, silent=True)
    try:
        async with asyncio.timeout(ANSWER_MS / 1000):
            connection = AIOKafkaConnection(
                host.strip("[]"), int(port), request_timeout_ms=ANSWER_MS, **security
            )
            try:
                await connection.connect()
                # What versions it speaks it says to all; for this it wants to know us.
                await connection.send(MetadataRequest([]))
            finally:
                await asyncio.wait([connection.close()], timeout=FAREWELL_S)
    except TimeoutError:
        return Greeting(server, f"no answer within {ANSWER_MS // 1000} s", silent=True)
    except (ConnectionResetError, KafkaConnectionError, ssl.SSLError) as error:
        return Greeting(server, _why_it_hung_up(error, settings))
    except OSError as error:
        return Greeting(server, error.strerror or str(error), silent=True)
    except KafkaError as error:
        return Greeting(server, _why_it_refused(error, settings))
    return Greeting(server)


def _why_silent(host: str, port: int) -> str:
    """Say why nobody listens; empty where somebody does.

    Not by asyncio, which says it less well and in Python 3.11 leaves the socket open.
    """
    try:
        socket.create_connection((host, port), ANSWER_MS / 1000).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _why_it_hung_up(error: Exception, settings: Settings) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message} (ssl_cafile)"
    reason = f"hangs up; security_protocol is {settings.security_protocol}, its own may be another"
    if settings.security_protocol == "SSL" and settings.ssl_certfile is None:
        return f"{reason}, or it wants a certificate of ours (ssl_certfile)"
    return reason


def _why_it_refused(error: KafkaError, settings: Settings) -> str:
    if isinstance(error, SaslAuthenticationFailed):
        user, how = settings.sasl_username, settings.sasl_mechanism
        return f"refuses user {user!r}: wrong password, or not known to {how} (sasl_username)"
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"does not know sasl_mechanism {settings.sasl_mechanism}"
    if isinstance(error, IllegalSaslStateError):
        return f"wants no user; security_protocol is {settings.security_protocol}"
    return str(error)
