"""An Apache Kafka that lets nobody in unseen: TLS, SCRAM and PLAIN, and rights by user."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives import serialization

from streams.kafka.broker import HOST
from streams.settings import Settings
from tests.streams.kafka.cluster import KafkaCluster

USER: Final = "desk"
GUEST: Final = "guest"  # is let in, and may do nothing
PASSWORD: Final = "correct horse = 7 units"  # noqa: S105 - of the test's own broker
# The first is the broker's own, for what it has to tell itself.
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
RIGHTS: Final = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:ANONYMOUS;User:{USER}",
    "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/",
}
LOGIN_MODULES: Final = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Secured:
    """The broker, and the files that a client of it needs, all PEM."""

    cluster: KafkaCluster
    authority: Path
    other_authority: Path  # not that of the broker's certificate
    certificate: Path  # of a client
    key: Path

    def values(self, protocol: str = "SASL_SSL", **more: str) -> dict[str, str]:
        """Give the values of the settings that lead in; `more` replaces some."""
        values = {"brokers": self.cluster.address_of(protocol), "security_protocol": protocol}
        if protocol.startswith("SASL"):
            values |= {"sasl_username": USER, "sasl_password": PASSWORD}
        if protocol.endswith("SSL"):
            values["ssl_cafile"] = str(self.authority)
        if protocol == "SSL":
            values |= {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        return values | more

    def settings(self, protocol: str = "SASL_SSL", **more: str) -> Settings:
        """Give the settings that lead in; `more` replaces some."""
        return Settings.model_validate(self.values(protocol, **more))


@contextmanager
def secured_cluster(folder: Path) -> Iterator[Secured]:
    """Run it, with certificates that are made for it in `folder`."""
    authority, other = trustme.CA(), trustme.CA()
    authorities = folder / "authority.pem", folder / "other.pem"
    for issuer, path in zip((authority, other), authorities, strict=True):
        issuer.cert_pem.write_to_path(str(path))
    server = _issue(folder, "server", authority.issue_cert(HOST, "localhost"))
    client = _issue(folder, "client", authority.issue_cert("client.test", common_name=USER))
    store = folder / "server.store"
    store.write_bytes(server[1].read_bytes() + server[0].read_bytes())
    users = [
        f"{mechanism}=[name={name},password={PASSWORD}]"
        for mechanism in MECHANISMS
        if mechanism.startswith("SCRAM")
        for name in (USER, GUEST)
    ]
    properties = {**_logins(), **_tls(store, authorities[0]), **RIGHTS}
    with KafkaCluster(PROTOCOLS, properties, users) as cluster:
        yield Secured(cluster, *authorities, *client)


def _issue(folder: Path, name: str, issued: trustme.LeafCert) -> tuple[Path, Path]:
    """Write certificate chain and key, the key as Kafka reads it, PKCS #8."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    loaded = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    key.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key


def _logins() -> dict[str, str]:
    properties = {"sasl.enabled.mechanisms": ",".join(MECHANISMS)}
    for listener in ("sasl_plaintext", "sasl_ssl"):
        for mechanism in MECHANISMS:
            module = "scram.ScramLoginModule required"
            if mechanism == "PLAIN":
                module = f'plain.PlainLoginModule required user_{USER}="{PASSWORD}"'
            name = f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config"
            properties[name] = f"{LOGIN_MODULES}.{module};"
    return properties


def _tls(store: Path, authority: Path) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "listener.name.ssl.ssl.client.auth": "required",
    }
