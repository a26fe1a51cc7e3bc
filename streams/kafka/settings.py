"""Settings of how to speak to the brokers; `streams.settings.Settings` takes them in."""

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

_OF_SASL: Final = ("sasl_username", "sasl_password", "sasl_password_file")
_OF_TLS: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
_WITH: Final = {"SASL": ("SASL_SSL", "SASL_PLAINTEXT"), "SSL": ("SASL_SSL", "SSL")}


class SecuritySettings(BaseSettings):
    """What an operator can set of who we are to the brokers, and they to us."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how to speak to the brokers; SSL stands for TLS"
    )
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="SCRAM-SHA-512", description="how to prove to the brokers who we are"
    )
    sasl_username: str = Field(default="", description="user on the brokers")
    sasl_password: SecretStr = Field(default=SecretStr(""), description="password of that user")
    sasl_password_file: Path | None = Field(
        default=None, description="file that holds the password, instead of sasl_password"
    )
    ssl_cafile: Path | None = Field(
        default=None, description="certificates to trust brokers by (PEM); without, the system's"
    )
    ssl_certfile: Path | None = Field(
        default=None, description="our own certificate, where brokers ask for one (PEM)"
    )
    ssl_keyfile: Path | None = Field(
        default=None, description="private key of our own certificate, not encrypted (PEM)"
    )

    @model_validator(mode="after")
    def _security_is_whole(self) -> Self:
        protocol, passwords = self.security_protocol, [self.sasl_password, self.sasl_password_file]
        if "SASL" in protocol and not (self.sasl_username and any(passwords)):
            missing = (
                "sasl_password or sasl_password_file" if self.sasl_username else "sasl_username"
            )
            raise ValueError(f"security_protocol is {protocol}, which needs {missing}")
        if all(passwords):
            raise ValueError("sasl_password and sasl_password_file are both set; must be one")
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            raise ValueError("ssl_certfile and ssl_keyfile go together; one of them is not set")
        for part, names in {"SASL": _OF_SASL, "SSL": _OF_TLS}.items():
            unused = [name for name in names if getattr(self, name)]
            if unused and part not in protocol.split("_"):
                raise ValueError(
                    f"{unused[0]} is set, but security_protocol is {protocol};"
                    f" must be {' or '.join(_WITH[part])}"
                )
        return self
