from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from streams.dashboard.access import COOKIE, CSRF_HEADER, Access, Role, User, read_tokens
from streams.settings import ConfigError, Settings
from tests.streams.dashboard.samples import SECRET

TOKENS = "# who may enter\nanna analyst 0123456789abcdef\nbert approver fedcba9876543210\n"


def request(client: str = "127.0.0.1", **headers: str) -> Request:
    sent = {"host": "127.0.0.1:8780"} | {k.replace("_", "-").lower(): v for k, v in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    return Request({"type": "http", "headers": raw, "client": (client, 1), "method": "POST"})


def access(tmp_path: Path, tokens: str = "", **settings: Any) -> Access:
    if tokens:
        (tmp_path / "tokens").write_text(tokens)
        settings["dashboard_tokens"] = str(tmp_path / "tokens")
    return Access.checked(Settings(**settings), SECRET)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "dashboard.example"])  # noqa: S104 - refused
def test_it_refuses_to_be_open_to_others(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="needs dashboard_tokens"):
        access(tmp_path, dashboard_host=host)
    assert not access(tmp_path, TOKENS, dashboard_host=host).is_open
    assert not access(tmp_path, dashboard_host=host, dashboard_user_header="X-User").is_open


def test_on_loopback_whoever_uses_the_machine_may_do_everything(tmp_path: Path) -> None:
    assert access(tmp_path).user_of(request()) == User("local", Role.APPROVER)


def test_a_name_of_others_that_points_to_loopback_opens_nothing(tmp_path: Path) -> None:
    assert access(tmp_path).user_of(request(host="evil.example:8780")) is None


def test_with_tokens_loopback_needs_one_too(tmp_path: Path) -> None:
    guarded = access(tmp_path, TOKENS)
    assert guarded.user_of(request()) is None
    user = guarded.user_of(request(authorization="Bearer 0123456789abcdef"))
    assert user == User("anna", Role.ANALYST, by_cookie=False)
    assert guarded.user_of(request(authorization="Bearer wrong")) is None
    assert guarded.user_of(request(authorization="Basic 0123456789abcdef")) is None


def test_a_cookie_stands_for_the_token_until_it_is_taken_out_of_the_file(tmp_path: Path) -> None:
    guarded = access(tmp_path, TOKENS)
    entered = guarded.enter("fedcba9876543210")
    assert entered is not None
    cookie = f"{COOKIE}={entered[1]}"
    assert guarded.user_of(request(cookie=cookie)) == User("bert", Role.APPROVER)
    without = access(tmp_path, TOKENS.replace("bert approver fedcba9876543210\n", ""))
    assert without.user_of(request(cookie=cookie)) is None
    assert guarded.enter("0") is None


@pytest.mark.parametrize("forged", ["", "x", "1.2.3", "99999999999.abc.sig", "a.b.c.d", "é.é.é"])
def test_a_forged_cookie_opens_nothing(tmp_path: Path, forged: str) -> None:
    assert access(tmp_path, TOKENS).user_of(request(cookie=f"{COOKIE}={forged}")) is None


def test_only_the_proxy_may_name_the_user(tmp_path: Path) -> None:
    settings = {
        "dashboard_user_header": "X-User",
        "dashboard_role_header": "X-Roguekey-Role",
        "dashboard_proxies": "10.1.1.1,10.1.1.2",
    }
    guarded = access(tmp_path, dashboard_host="10.0.0.7", **settings)
    named = {"x_user": "carl", "x_roguekey_role": "analyst"}
    assert guarded.user_of(request("10.1.1.2", **named)) == User("carl", Role.ANALYST)
    assert guarded.user_of(request("10.9.9.9", **named)) is None
    assert guarded.user_of(request("10.1.1.1", x_user="dora")) == User("dora", Role.VIEWER)
    assert guarded.user_of(request("10.1.1.1")) is None


def test_a_role_that_no_proxy_is_said_to_give_is_not_believed(tmp_path: Path) -> None:
    guarded = access(tmp_path, dashboard_host="10.0.0.7", dashboard_user_header="X-User")
    named = {"x_user": "carl", "x_roguekey_role": "approver", "": "approver"}
    assert guarded.user_of(request("127.0.0.1", **named)) == User("carl", Role.VIEWER)


def test_what_changes_something_must_come_from_our_own_page(tmp_path: Path) -> None:
    rules = access(tmp_path)
    user = User("local", Role.APPROVER)
    token = {CSRF_HEADER: rules.csrf_of(user)}
    assert rules.is_meant(request(**token), user)
    assert rules.is_meant(request(origin="http://127.0.0.1:8780", **token), user)
    assert not rules.is_meant(request(), user)
    assert not rules.is_meant(request(**{CSRF_HEADER: "x"}), user)
    assert not rules.is_meant(request(origin="http://evil.example", **token), user)
    assert not rules.is_meant(request(**token), User("bert", Role.APPROVER))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("anna analyst\n", "line 1"),
        ("\nanna admin 0123456789abcdef\n", "line 2"),
        ("anna analyst short\n", "16 characters"),
        ("# nobody\n", "holds no token"),
    ],
)
def test_a_wrong_file_of_tokens_is_refused_without_showing_any(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(ConfigError, match=says) as refused:
        read_tokens(tmp_path / "tokens")
    assert "0123456789abcdef" not in str(refused.value)
