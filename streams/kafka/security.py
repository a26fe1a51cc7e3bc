"""How clients prove to the brokers who they are, and by what they know the brokers.

The names of Kafka's own settings are ours too. A broker's certificate must name the host that it
was reached by.
"""

import ssl
from pathlib import Path
from typing import Any

from streams.settings import ConfigError, Settings


def kafka_security(settings: Settings) -> dict[str, Any]:
    """Give the arguments that secure a client; those of kafka-python and aiokafka bear one name.

    Raises
    ------
    ConfigError
        If a file that a setting names cannot be read, or does not hold what it should.
    """
    if settings.security_protocol == "PLAINTEXT":
        return {}
    arguments: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if "SASL" in settings.security_protocol:
        arguments["sasl_mechanism"] = settings.sasl_mechanism
        arguments["sasl_plain_username"] = settings.sasl_username
        arguments["sasl_plain_password"] = _password(settings)
    if "SSL" in settings.security_protocol.split("_"):
        arguments["ssl_context"] = _tls(settings)
    return arguments


def _password(settings: Settings) -> str:
    path = settings.sasl_password_file
    if path is None:
        return settings.sasl_password.get_secret_value()
    try:
        password = path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"sasl_password_file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:  # whose text would show what is in the file
        raise ConfigError(f"sasl_password_file {path} must be UTF-8 text") from None
    if not password:
        raise ConfigError(f"sasl_password_file {path} is empty; must hold the password")
    return password


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ssl_cafile is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody else
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(settings.ssl_cafile)
        except OSError as error:
            raise _unusable("ssl_cafile", settings.ssl_cafile, "certificates", error) from error
    if settings.ssl_certfile is not None:
        try:
            # An encrypted key would be asked for on the terminal.
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, lambda: "")
        except OSError as error:
            what = f"a certificate that fits the key in {settings.ssl_keyfile}"
            raise _unusable("ssl_certfile", settings.ssl_certfile, what, error) from error
    return context


def _unusable(setting: str, path: Path, what: str, error: OSError) -> ConfigError:
    if isinstance(error, ssl.SSLError):
        return ConfigError(f"{setting} {path} must hold {what} in PEM, unencrypted")
    return ConfigError(f"{setting} {path} cannot be read: {error.strerror}")
