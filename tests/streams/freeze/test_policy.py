from pathlib import Path

import pytest

from streams.freeze.actions import Mode
from streams.freeze.policy import Policy, PolicyError, explain, load_policy

ALLOW = 'until = 2026-01-01T00:00:00Z\nby = "eva"\nreason = "market maker"\n'
DAY_BEFORE = 1_767_139_200.0
DAY_AFTER = DAY_BEFORE + 2 * 86_400


def policy_of(text: str, tmp_path: Path) -> Policy:
    path = tmp_path / "freeze.toml"
    path.write_text(text)
    return load_policy(path)


def test_without_a_file_it_is_a_dry_run_with_all_guards() -> None:
    policy = load_policy(None)
    assert (policy.mode, policy.max_event_age_s, policy.families) == (Mode.DRY_RUN, 120, 2)
    assert policy.calls.retry_at_s == (0, 1, 2, 5, 15, 30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('mode = "manual"', "mode is 'manual': must be off, dry-run, approve, auto"),
        ("score = 1.5", "score is 1.5: input should be less than or equal to 1"),
        ('severity = "awful"', "severity is 'awful': input should be 'low'"),
        ("max_event_age_s = 0", "max_event_age_s is 0: input should be greater than 0"),
        ("sevrity = 1", "sevrity is no field of a policy"),
        ("[budget]\nper_minute = -1", "budget.per_minute is -1: "),
        ("[calls]\nretry_at_s = []", "calls.retry_at_s is []: must be one or more waits"),
        ('[[allow]]\napp = "a"\nby = "eva"\nreason = "r"', "allow.0.until is missing"),
        (f"[[allow]]\n{ALLOW}", "must name exactly one of api_key, account and app"),
        (f'[[allow]]\n{ALLOW}app = "a"\naccount = "b"', "must name exactly one of"),
        ("[[allow]]\nuntil = 2026-01-01T00:00:00", "allow.0.until is"),
        ("mode = ", "is not TOML"),
    ],
)
def test_a_policy_that_breaks_a_rule_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as raised:
        policy_of(text, tmp_path)
    assert words in str(raised.value)
    assert str(tmp_path / "freeze.toml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_policy_is_not_the_default_one(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("line", "protected"),
    [
        ('api_key = "k1"', True),
        ('api_key = "k2"', False),
        ('account = "a1"', True),
        ('app = "p1"', True),
        ('app = "p2"', False),
    ],
)
def test_the_allow_list_protects_a_key_an_account_or_an_app(
    line: str, protected: bool, tmp_path: Path
) -> None:
    policy = policy_of(f"[[allow]]\n{ALLOW}{line}", tmp_path)
    assert (policy.allowed("k1", "a1", "p1", DAY_BEFORE) is not None) is protected
    assert policy.allowed(None, None, None, DAY_BEFORE) is None


def test_a_line_of_the_allow_list_ends_on_its_day(tmp_path: Path) -> None:
    policy = policy_of(f'[[allow]]\n{ALLOW}app = "p1"', tmp_path)
    assert policy.allowed("k", "a", "p1", DAY_BEFORE) is not None
    assert policy.allowed("k", "a", "p1", DAY_AFTER) is None
    assert "(expired)" not in explain(policy, DAY_BEFORE)[-1]
    assert "(expired)" in explain(policy, DAY_AFTER)[-1]


def test_the_explanation_names_who_is_protected_but_no_full_key(tmp_path: Path) -> None:
    policy = policy_of(f'[[allow]]\n{ALLOW}api_key = "abcdefghijklmnop"', tmp_path)
    last = explain(policy, DAY_BEFORE)[-1]
    assert "abcdefghijklmnop" not in last
    assert "by eva: market maker" in last


def test_the_same_content_has_the_same_id(tmp_path: Path) -> None:
    one = policy_of('mode = "auto"\nscore = 0.99', tmp_path)
    assert one.id == policy_of('score = 0.990\nmode = "auto"', tmp_path).id
    assert one.id != policy_of('score = 0.98\nmode = "auto"', tmp_path).id


def test_the_example_shows_the_defaults() -> None:
    assert load_policy(Path(__file__).parents[3] / "deploy" / "freeze.toml") == Policy()
