import ssl
from pathlib import Path

import pytest
import trustme

from streams.kafka.security import kafka_security
from streams.settings import ConfigError, Settings, load_settings

SECRET = "correct-horse"  # noqa: S105 - of nothing
SASL = {"security_protocol": "SASL_SSL", "sasl_username": "desk"}


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def refused(**values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        kafka_security(load_settings(values))
    return str(caught.value)


def test_nothing_is_secured_where_nothing_is_set() -> None:
    assert kafka_security(Settings()) == {}


def test_credentials_go_to_every_client(authority: Path) -> None:
    settings = load_settings({**SASL, "sasl_password": SECRET, "ssl_cafile": str(authority)})
    arguments = kafka_security(settings)
    assert arguments["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("desk", SECRET)
    assert arguments["security_protocol"] == "SASL_SSL"


def test_tls_alone_needs_no_user(authority: Path) -> None:
    settings = Settings(security_protocol="SSL", ssl_cafile=authority)
    assert kafka_security(settings).keys() == {"security_protocol", "ssl_context"}


def test_brokers_are_known_by_the_given_authority_alone_and_by_their_names(authority: Path) -> None:
    settings = Settings(security_protocol="SSL", ssl_cafile=authority)
    context = kafka_security(settings)["ssl_context"]
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_password_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(f"{SECRET} \n")
    settings = load_settings({**SASL, "sasl_password_file": str(path)})
    assert kafka_security(settings)["sasl_plain_password"] == f"{SECRET} "


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_password_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert f"sasl_password_file {path} " in refused(**SASL, sasl_password_file=str(path))
    path.unlink()
    assert refused(**SASL, sasl_password_file=str(path)).endswith("No such file or directory")


def test_a_password_is_shown_nowhere(tmp_path: Path) -> None:
    settings = load_settings({**SASL, "sasl_password": SECRET})
    shown = [repr(settings), str(settings), settings.model_dump_json(), f"{settings.model_dump()}"]
    config = tmp_path / "roguekey.toml"
    for wrong in (f'sasl_password = ["{SECRET}"]\n', f'partitions = 0\nsasl_password = "{SECRET}"'):
        config.write_text(wrong)
        with pytest.raises(ConfigError) as caught:
            load_settings(config=config)
        shown += [str(caught.value), str(caught.value.__cause__)]
    assert not any(SECRET in text for text in shown)
    assert "sasl_password is ********" in "".join(shown)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"security_protocol": "SASL_SSL"}, "is SASL_SSL, which needs sasl_username"),
        (SASL, "which needs sasl_password or sasl_password_file"),
        ({"sasl_username": "desk"}, "protocol is PLAINTEXT; must be SASL_SSL or SASL_PLAINTEXT"),
        ({"sasl_password": SECRET}, "sasl_password is set, but security_protocol is PLAINTEXT"),
        ({"ssl_cafile": "ca.pem"}, "ssl_cafile is set, but security_protocol is PLAINTEXT"),
        ({"security_protocol": "SSL", "ssl_certfile": "our.pem"}, "go together"),
        ({**SASL, "sasl_password": "a", "sasl_password_file": "b"}, "both set; must be one"),
        ({"security_protocol": "TLS"}, "security_protocol is 'TLS'"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, str], rule: str) -> None:
    assert rule in refused(**values)


def test_a_file_without_certificates_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    assert refused(security_protocol="SSL", ssl_cafile=str(path)).endswith(
        "No such file or directory"
    )
    path.write_text("no certificate")
    said = refused(security_protocol="SSL", ssl_cafile=str(path))
    assert said == f"ssl_cafile {path} must hold certificates in PEM, unencrypted"


def test_a_certificate_of_our_own_must_fit_its_key(tmp_path: Path) -> None:
    certificate, key, other = (tmp_path / name for name in ("our.pem", "our.key", "other.key"))
    authority = trustme.CA()
    ours = authority.issue_cert("worker")
    ours.cert_chain_pems[0].write_to_path(str(certificate))
    ours.private_key_pem.write_to_path(str(key))
    authority.issue_cert("other").private_key_pem.write_to_path(str(other))
    files = {"security_protocol": "SSL", "ssl_certfile": str(certificate)}
    assert "ssl_context" in kafka_security(load_settings({**files, "ssl_keyfile": str(key)}))
    assert f"fits the key in {other}" in refused(**files, ssl_keyfile=str(other))
