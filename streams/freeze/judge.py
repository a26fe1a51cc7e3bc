"""What the policy says to one alert: freeze, ask, or leave it, and by which rule."""

from dataclasses import dataclass
from typing import Final

from models.alerts.envelope import Action, AlertType
from streams.freeze.actions import Act, Mode, Outcome, Rule
from streams.freeze.cases import Case, State
from streams.freeze.intake import HeardAlert
from streams.freeze.outbox import BREAKER, Outbox
from streams.freeze.policy import APP_APPROVERS, Policy

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_RECOMMENDED: Final = {
    Act.FREEZE_KEY: Action.FREEZE_KEY,
    Act.FREEZE_APP: Action.FREEZE_APP,
    Act.HOLD_WITHDRAWALS: Action.HOLD_WITHDRAWALS,
}
_SPARED: Final = (State.UNFROZEN, State.UNFREEZE_FAILED, State.REJECTED)  # by a person, mostly


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about an alert."""

    outcome: Outcome  # REFUSED, WOULD, PENDING or INTENDED
    why: str
    rule: Rule | None = None
    needs: int = 0  # approvers
    trips: bool = False  # the breaker


def refusal(rule: Rule, why: str) -> Verdict:
    """Leave the alert."""
    return Verdict(Outcome.REFUSED, why, rule)


def judge(
    alert: HeardAlert, policy: Policy, outbox: Outbox, now_ms: int, *, stopped: bool
) -> Verdict:
    """Decide on an alert that was not decided on before; changes nothing."""
    refused = _refused(alert, policy, now_ms, stopped=stopped) or _known(
        alert, policy, outbox, now_ms
    )
    if refused:
        return refused
    verdict = _earnest(alert, policy, outbox, now_ms)
    case = outbox.open_case(alert.subject, alert.act)
    if case is not None and is_proposal(case) and verdict.outcome != Outcome.INTENDED:
        return _same_incident(case)  # somebody is being asked already
    if policy.mode != Mode.DRY_RUN or verdict.outcome == Outcome.REFUSED:
        return verdict
    what = "freeze" if verdict.outcome == Outcome.INTENDED else "ask"
    return Verdict(Outcome.WOULD, f"dry run: would {what}; {verdict.why}", verdict.rule)


def _refused(alert: HeardAlert, policy: Policy, now_ms: int, *, stopped: bool) -> Verdict | None:
    """Refuse by what the alert says of itself."""
    if stopped:
        return refusal(Rule.KILL_SWITCH, "the kill switch is on")
    if policy.mode == Mode.OFF:
        return refusal(Rule.MODE, "the hook is off")
    if alert.type not in policy.alert_types:
        return refusal(Rule.ALERT_TYPE, f"{alert.type} is not among the types taken")
    return (
        _too_old(alert, policy, now_ms)
        or _protected(alert, policy, now_ms)
        or _too_weak(alert, policy)
    )


def _too_old(alert: HeardAlert, policy: Policy, now_ms: int) -> Verdict | None:
    age_s, most = (now_ms - alert.data.event_ts) / 1000, policy.max_event_age_s
    if abs(age_s) <= most:
        return None
    where = f"{age_s:.0f} s old" if age_s > 0 else f"{-age_s:.0f} s in the future"
    return refusal(Rule.EVENT_AGE, f"the order is {where}; at most {most:g} s are taken")


def _protected(alert: HeardAlert, policy: Policy, now_ms: int) -> Verdict | None:
    data = alert.data
    if line := policy.allowed(data.api_key, data.account, data.app, now_ms / 1000):
        return refusal(Rule.ALLOW_LIST, line.why)
    return None


def _too_weak(alert: HeardAlert, policy: Policy) -> Verdict | None:
    if alert.data.recommended_action != _RECOMMENDED[alert.act]:
        recommended = alert.data.recommended_action
        return refusal(Rule.RECOMMENDATION, f"the alert recommends {recommended}")
    if alert.severity < policy.least_severity:
        return refusal(Rule.SEVERITY, f"severity {alert.data.severity} is below {policy.severity}")
    if alert.data.score < policy.score:
        return refusal(Rule.SCORE, f"score {alert.data.score:g} is below {policy.score:g}")
    kinds = len(alert.families)
    if alert.type == AlertType.LEAKED_KEY and kinds < policy.families:
        return refusal(
            Rule.CORROBORATION, f"{kinds} kinds of evidence; at least {policy.families} are needed"
        )
    return None


def _known(alert: HeardAlert, policy: Policy, outbox: Outbox, now_ms: int) -> Verdict | None:
    """Refuse by what is known of the key, app or account."""
    case = outbox.open_case(alert.subject, alert.act)
    if case is not None and not outbox.is_given_up(case) and not replaces(alert, case):
        return _same_incident(case)
    since = now_ms - round(1000 * policy.cool_down_s)
    over = outbox.last_case(alert.subject, alert.act, *_SPARED)
    if over and over.changed_ts > since:
        return refusal(Rule.COOL_DOWN, f"case {over.id} was {over.state} a short while ago")
    if policy.mode == Mode.DRY_RUN:
        before = outbox.last_case(alert.subject, alert.act, State.WOULD)
        if before and before.changed_ts > since:
            return refusal(Rule.OPEN_CASE, f"case {before.id} of the same incident is a dry run")
    return None


def _same_incident(case: Case) -> Verdict:
    return refusal(Rule.OPEN_CASE, f"case {case.id} of the same incident is {case.state}")


def is_proposal(case: Case) -> bool:
    """Whether a person asks for it, and nobody has answered."""
    return case.by_hand and case.state == State.PENDING


def replaces(alert: HeardAlert, case: Case) -> bool:
    """Whether an alert may take the place of a case that nobody has approved yet.

    One of an app may that names more keys: else people would approve less than is known; with an
    approval given, more than was approved. One of a key may where a person only proposed: what the
    hook freezes by itself does not wait for an answer.
    """
    if is_proposal(case):
        return True
    grows = not set(alert.data.keys) <= set(case.keys)
    waits = case.state == State.PENDING and not case.approvers
    return alert.act == Act.FREEZE_APP and waits and grows


def _earnest(alert: HeardAlert, policy: Policy, outbox: Outbox, now_ms: int) -> Verdict:
    """Freeze or ask."""
    if alert.act == Act.FREEZE_APP:
        why = f"an app-wide freeze needs {APP_APPROVERS} different approvers"
        return _ask(policy, outbox, Rule.APPROVERS, why, APP_APPROVERS)
    if alert.act == Act.HOLD_WITHDRAWALS:
        return _ask(policy, outbox, Rule.APPROVERS, "a hold of withdrawals needs an approver")
    return _freeze_or_ask(alert, policy, outbox, now_ms)


def _freeze_or_ask(alert: HeardAlert, policy: Policy, outbox: Outbox, now_ms: int) -> Verdict:
    if policy.mode == Mode.APPROVE:
        return _ask(policy, outbox, Rule.MODE, "the hook asks about every freeze")
    if outbox.is_on(BREAKER):
        return _ask(policy, outbox, Rule.BREAKER, "the breaker is open")
    dry = policy.mode == Mode.DRY_RUN
    if full := _full_budget(policy, outbox, now_ms, dry=dry):
        return _ask(policy, outbox, Rule.BUDGET, full, trips=True)
    if full := _full_app_budget(policy, outbox, now_ms, alert.data.app, dry=dry):
        return _ask(policy, outbox, Rule.BUDGET, full)
    kinds = ", ".join(sorted(alert.families))
    strength = f"severity {alert.data.severity}, score {alert.data.score:g}"
    return Verdict(Outcome.INTENDED, f"{strength}, evidence: {kinds}")


def _full_app_budget(
    policy: Policy, outbox: Outbox, now_ms: int, app: str | None, *, dry: bool
) -> str | None:
    most = policy.budget.per_app_hour
    if not app or outbox.spent(now_ms - HOUR_MS, dry=dry, app=app) < most:
        return None
    return f"the budget of {most} freezes an hour of {app} is used up"


def _full_budget(policy: Policy, outbox: Outbox, now_ms: int, *, dry: bool) -> str | None:
    """Say which budget is used up, if any."""
    budget = policy.budget
    for most, span_ms, unit in (
        (budget.per_minute, MINUTE_MS, "minute"),
        (budget.per_hour, HOUR_MS, "hour"),
        (budget.per_day, DAY_MS, "day"),
    ):
        if outbox.spent(now_ms - span_ms, dry=dry) >= most:
            return f"the budget of {most} freezes a {unit} is used up"
    return None


def _ask(
    policy: Policy, outbox: Outbox, rule: Rule, why: str, needs: int = 1, *, trips: bool = False
) -> Verdict:
    if outbox.count(State.PENDING) >= policy.most_pending:
        return refusal(Rule.PENDING_LIMIT, f"{policy.most_pending} cases wait already; {why}")
    return Verdict(Outcome.PENDING, why, rule, needs, trips)
