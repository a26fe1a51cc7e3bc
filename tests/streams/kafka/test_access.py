import socket

import pytest

from streams.kafka.access import check_access, greet
from streams.kafka.broker import EmbeddedBroker
from streams.settings import ConfigError, Settings
from tests.streams.kafka.secured import GUEST, MECHANISMS, PASSWORD, PROTOCOLS, Secured

SILENT = "127.0.0.1:1"


def test_a_broker_that_asks_nothing_is_open_to_all(broker: EmbeddedBroker) -> None:
    check_access(Settings(brokers=broker.address))


def test_every_broker_is_greeted_and_one_that_lets_us_in_is_enough(broker: EmbeddedBroker) -> None:
    settings = Settings(brokers=f"{SILENT},{broker.address}")
    silent, welcome = greet(settings)
    assert str(silent) == f"{SILENT}: Connection refused"
    assert silent.silent
    assert welcome.welcome
    check_access(settings)


def test_whoever_is_silent_is_left_to_those_who_wait() -> None:
    check_access(Settings(brokers=SILENT))


def test_a_port_that_never_speaks_is_silent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.access.ANSWER_MS", 50)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        [greeting] = greet(Settings(brokers=f"127.0.0.1:{mute.getsockname()[1]}"))
    assert greeting.silent
    assert greeting.reason.startswith("no answer within")


def test_tls_with_a_broker_that_has_none_is_refused(broker: EmbeddedBroker) -> None:
    with pytest.raises(ConfigError, match="hangs up; security_protocol is SSL, its own may be"):
        check_access(Settings(brokers=broker.address, security_protocol="SSL"))


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_right_settings_open_every_listener(secured: Secured, protocol: str) -> None:
    check_access(secured.settings(protocol))


@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_user_is_known_by_every_mechanism(secured: Secured, mechanism: str) -> None:
    check_access(secured.settings(sasl_mechanism=mechanism))


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("speaking", "to", "rule"),
    [
        ("PLAINTEXT", "SASL_SSL", "hangs up; security_protocol is PLAINTEXT"),
        ("PLAINTEXT", "SASL_PLAINTEXT", "hangs up; security_protocol is PLAINTEXT"),
        ("SASL_PLAINTEXT", "SASL_SSL", "hangs up; security_protocol is SASL_PLAINTEXT"),
        ("SASL_SSL", "PLAINTEXT", "hangs up; security_protocol is SASL_SSL"),
        ("SASL_PLAINTEXT", "PLAINTEXT", "wants no user; security_protocol is SASL_PLAINTEXT"),
    ],
)
def test_a_protocol_that_is_not_the_listeners_is_named(
    secured: Secured, speaking: str, to: str, rule: str
) -> None:
    address = secured.cluster.address_of(to)
    with pytest.raises(ConfigError, match=f"^brokers: {address}: {rule}"):
        check_access(secured.settings(speaking, brokers=address))


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (
            {"sasl_password": "guessed"},
            "refuses user 'desk': wrong password, or not known to SCRAM",
        ),
        ({"sasl_username": "nobody"}, "refuses user 'nobody': wrong password"),
        (
            {"sasl_mechanism": "PLAIN", "sasl_username": GUEST},
            "refuses user 'guest': wrong password, or not known to PLAIN",
        ),
    ],
)
def test_a_user_whom_the_broker_does_not_know_is_named(
    secured: Secured, wrong: dict[str, str], rule: str
) -> None:
    with pytest.raises(ConfigError, match=rule) as caught:
        check_access(secured.settings(**wrong))
    assert PASSWORD not in str(caught.value)


@pytest.mark.kafka
def test_a_certificate_of_another_authority_is_not_trusted(secured: Secured) -> None:
    with pytest.raises(ConfigError, match=r"certificate is not trusted: .*\(ssl_cafile\)"):
        check_access(secured.settings(ssl_cafile=str(secured.other_authority)))


@pytest.mark.kafka
def test_a_broker_that_asks_for_our_certificate_is_said_to(secured: Secured) -> None:
    values = secured.values("SSL")
    without = {name: values[name] for name in ("brokers", "security_protocol", "ssl_cafile")}
    with pytest.raises(ConfigError, match=r"or it wants a certificate of ours \(ssl_certfile\)"):
        check_access(Settings.model_validate(without))
