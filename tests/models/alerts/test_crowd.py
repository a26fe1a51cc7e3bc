from math import exp, log
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alerts.crowd import PAID, Around, Crowd
from models.alerts.followers import COMPANY, SPELL
from models.entities import saved
from models.keys.state import F_PAY_UP, FEATURES, TOLD, USUAL_FILLS
from models.market.state import ADVERSE_MOVE, APP_BUYERS, BUYERS, CONTEXT, CROWD_MS, DAY
from models.rows import Rows
from models.score.evidence import chance
from models.score.parts import ACTIVITY_WEIGHT, ENOUGH
from tests.factories import TS, Event, at_home, bare_order, batch_of, rows_at

OF_STAGES = ("odds", "buyers", "activity", "home", "stranger")
homes = st.sampled_from([None, None, "x", "y", "z"])
steps = st.sampled_from([0, 1, 5_000, 60_000, 900_000, 7_200_000, DAY])


@st.composite
def suspects(draw: st.DrawFn) -> list[Event]:
    ts, tape = TS, []
    if draw(st.booleans()):  # keys of one app stood together before
        together = "abcabc"[: draw(st.integers(2, 6))]
        tape = [suspect(n, ts, key, "A", odds=40.0) for n, key in enumerate(together)]
        ts += draw(st.sampled_from([SPELL, SPELL + 1, DAY]))
    for n in range(len(tape), len(tape) + draw(st.integers(1, 25))):
        ts += draw(steps)
        key, symbol = draw(st.sampled_from("abcde")), draw(st.sampled_from(["A", "B"]))
        side = draw(st.sampled_from(["buy", "buy", "buy", "sell"]))
        tape.append(suspect(n, ts, key, symbol, side=side, odds=draw(st.floats(0, 12))))
        tape[-1] |= {"buyers": draw(st.integers(0, 9)), "activity": draw(st.floats(-12, 6))}
        tape[-1] |= {"maker": draw(st.booleans()), "home": draw(homes)}
        tape[-1]["stranger"] = tape[-1]["home"] is None and draw(st.booleans())
    return tape


def suspect(
    number: int, ts: int, key: str, symbol: str, *, odds: float, side: str = "buy"
) -> Event:
    app = {"a": "x", "b": "x", "c": "x", "d": "y"}.get(key)
    order = bare_order(
        event_id=f"e-{number}", ts=ts, api_key=key, app=app, symbol=symbol, side=side, maker=False
    )
    return order | {"odds": odds, "buyers": 0, "activity": 0.0, "home": None}


def rows_of(tape: list[Event]) -> Rows:
    times = np.array([event["ts"] for event in tape])
    context = np.zeros((len(tape), len(CONTEXT)), np.float32)
    context[:, BUYERS] = [event["buyers"] for event in tape]
    context[:, APP_BUYERS] = context[:, BUYERS] / 2
    events = [{k: v for k, v in e.items() if k not in OF_STAGES} for e in tape]
    return rows_at(
        at_home(batch_of(events, int(times[-1])), [event.get("home") for event in tape]),
        times,
        TOLD,
        activity=[event.get("activity", 0.0) for event in tape],
        stranger=[event.get("stranger", False) for event in tape],
        odds=[event["odds"] for event in tape],
        context=context,
    )


def takes(event: Event) -> bool:
    return event["side"] == "buy" and not event["maker"]


class Met(NamedTuple):
    """A purchase, and what it adds to the rogue buyers that one must expect."""

    event: Event
    expected: float
    unusual: float


class Expected:
    """What the purchases before add up to, from the list of them all."""

    def __init__(self) -> None:
        self._met: list[Met] = []
        self._crowds: dict[tuple[str, str], list[int]] = {}  # when each began for an app's key
        self._leads: dict[str, Event] = {}  # some event of each market's lead app
        self._through: dict[tuple[str, str], tuple[int, float]] = {}  # buyers of an app, and when

    def total(self, now: Event, *alike: str) -> tuple[float, float]:
        """Sums over those that are alike in some fields, faded since then: all, and the unusual."""
        faded = [
            (met, exp(-(now["ts"] - met.event["ts"]) / CROWD_MS))
            for met in self._met
            if all(met.event[name] == now[name] for name in alike)
        ]
        return sum(m.expected * left for m, left in faded), sum(
            m.unusual * left for m, left in faded
        )

    def told(
        self, now: Event, buyers: float, *alike: str, besides: float = 0.0
    ) -> tuple[float, float]:
        """Unusual rogue buyers among the others alike, but for so many, and their weight."""
        expected, unusual = self.total(now, *alike)
        rogue = max(0.0, unusual - self.total(now, "symbol", "api_key")[1] - besides)
        others = max(0.0, buyers - (expected - unusual))
        return rogue, log(1 + rogue) * min(1.0, rogue / (others + 0.5))

    def others(self, now: Event) -> float:
        """Buyers in the market but for the rogue ones."""
        expected, unusual = self.total(now, "symbol")
        return float(max(0.0, now["buyers"] - (expected - unusual)))

    def through(self, now: Event) -> float:
        """Buyers through the app of a purchase's key, as they were last told of, faded."""
        place = now["symbol"], now["origin"]
        if now["app"] == now["origin"]:
            self._through[place] = now["ts"], now["buyers"] / 2
        ts, buyers = self._through.get(place, (now["ts"], 0.0))
        return float(buyers * exp(-(now["ts"] - ts) / CROWD_MS))

    def led(self, now: Event) -> float:
        """Unusual rogue buyers of the app of which there are most in the market."""
        lead = self._leads.get(now["symbol"])
        return self.total(lead | {"ts": now["ts"]}, "symbol", "origin")[1] if lead else 0.0

    def is_led(self, now: Event) -> bool:
        """Whether it is of that app."""
        lead = self._leads.get(now["symbol"], {"origin": None})
        return bool(lead["origin"] == now["origin"])

    def follows(self, now: Event) -> bool:
        """Whether its key stood in company before; notes that it does now."""
        if now["origin"] is None:
            return False
        crowds = self._crowds.setdefault((now["origin"], now["api_key"]), [])
        earlier = [began for began in crowds if now["ts"] - began > SPELL or began != crowds[-1]]
        fellows = self.total(now, "symbol", "origin")[0] - self.total(now, "symbol", "api_key")[0]
        if fellows >= COMPANY and (not crowds or now["ts"] - crowds[-1] > SPELL):
            crowds.append(now["ts"])
        return bool(earlier)

    def add(self, now: Event, *, follows: bool) -> None:
        """Count it: of each key and market as much as its most rogue purchase, faded."""
        itself = chance(float(np.float32(now["odds"])), np.zeros(len(FEATURES), np.float32))
        more = max(0.0, itself - self.total(now, "symbol", "api_key")[0])
        self._met.append(Met(now, more, 0.0 if follows else more))
        led = self.led(now)
        if now["origin"] and self.total(now, "symbol", "origin")[1] > led:
            self._leads[now["symbol"]] = now


@settings(max_examples=60)
@given(suspects())
def test_a_fill_is_told_of_the_others_each_counted_once_and_never_of_itself(
    tape: list[Event],
) -> None:
    around, expected = Crowd().meet(rows_of(tape)), Expected()
    for n, told in enumerate(tape):
        event = told | {"origin": told["home"] or told["app"]}
        itself = ACTIVITY_WEIGHT * (log(USUAL_FILLS) - event["activity"])
        share = min(1.0, max(0.0, itself / ENOUGH)) if takes(event) else 0.0
        assert around.share[n] == pytest.approx(share, rel=1e-4, abs=1e-6)
        whole = fellows = (0.0, 0.0)
        if takes(event):
            speaks = expected.is_led(event) or event.get("stranger", False)
            besides = 0.0 if speaks else expected.led(event)
            whole = expected.told(event, event["buyers"], "symbol", besides=besides)
            if event["origin"] is not None:
                through = expected.through(event)
                fellows = expected.told(event, through, "symbol", "origin")
            others = expected.others(event)
            expected.add(event, follows=expected.follows(event))
            rest = max(0.0, expected.total(event, "symbol")[1] - expected.led(event))
            own = expected.total(event, "symbol", "api_key")[1]
            assert around.besides[n].tolist() == pytest.approx((rest, others), rel=1e-3, abs=1e-5)
            assert around.own[n] == pytest.approx(own, rel=1e-3, abs=1e-5)
        for which, (rogue, weight) in enumerate((whole, fellows)):
            assert around.rogue[n, which] == pytest.approx(rogue, rel=1e-4, abs=1e-5)
            assert around.weight[n, which] == pytest.approx(weight, rel=1e-3, abs=1e-5)


@settings(max_examples=30)
@given(suspects(), st.integers(1, 10))
def test_a_crowd_does_not_depend_on_how_it_is_cut(tape: list[Event], cut: int) -> None:
    rows, crowd = rows_of(tape), Crowd()
    at_once = Crowd().meet(rows)
    parts: list[Around] = [
        crowd.meet(rows.take(np.arange(n, min(n + cut, len(tape)))))
        for n in range(0, len(tape), cut)
    ]
    for name in Around._fields:
        again = np.concatenate([getattr(part, name) for part in parts])
        assert again.tobytes() == getattr(at_once, name).tobytes()


def test_a_group_that_sells_at_a_loss_is_no_crowd() -> None:
    tape = [
        bare_order(event_id=f"e-{n}", ts=TS + n, api_key=f"k-{n}", app="x", side=side)
        | {"odds": 12.0, "buyers": 0}
        for n, side in enumerate(["sell"] * 20 + ["buy", "sell"])
    ]
    around = Crowd().meet(rows_of(tape))
    assert not around.rogue.any()
    assert not around.weight.any()


def test_a_resting_bid_that_others_hit_neither_joins_a_crowd_nor_is_judged_by_one() -> None:
    tape = [
        bare_order(event_id=f"e-{n}", ts=TS + n, api_key=f"k-{n}", app="x", maker=maker)
        | {"odds": 12.0, "buyers": 0, "activity": -9.0}
        for n, maker in enumerate([True] * 20 + [False] * 3 + [True])
    ]
    around = Crowd().meet(rows_of(tape))
    assert around.rogue[:21].max() == 0.0
    assert around.share[20:23].min() > 0.0
    assert around.share[:20].max() == around.share[23] == 0.0


def test_a_resting_bid_far_above_the_market_waits_for_no_dip_and_joins() -> None:
    tape = [
        bare_order(event_id=f"e-{n}", ts=TS + n, api_key=f"k-{n}", app="x", maker=True)
        | {"odds": 12.0, "buyers": 0, "activity": -9.0}
        for n in range(6)
    ]
    rows = rows_of(tape)
    rows.told["surprises"][:, F_PAY_UP] = PAID
    assert not Crowd().meet(rows).rogue.any()  # hit where the market is, as a market maker's bid
    rows.told["context"][:, ADVERSE_MOVE] = 0.001
    around = Crowd().meet(rows)
    assert around.rogue[5].min() > 2.0
    assert around.share.min() > 0.0


def test_one_key_that_trades_a_thousand_times_is_no_crowd() -> None:
    tape = [
        bare_order(event_id=f"e-{n}", ts=TS + n, app="x") | {"odds": 12.0, "buyers": 0}
        for n in range(1_000)
    ]
    around = Crowd().meet(rows_of(tape))
    assert around.rogue == pytest.approx(0.0, abs=1e-3)


def together(day: int, keys: int, app: str = "x") -> list[Event]:
    """Keys of an app that look rogue within a second, the last of them to be told of the others."""
    return [
        bare_order(event_id=f"{app}{day}-{n}", ts=TS + day * DAY + n, api_key=f"{app}-{n}", app=app)
        | {"odds": 40.0, "buyers": 0, "activity": -9.0}
        for n in range(keys)
    ]


def last_told(*groups: list[Event]) -> tuple[float, float]:
    """Rogue buyers around the last of them, and of its app."""
    tape = [event for group in groups for event in group]
    market, fellows = Crowd().meet(rows_of(tape)).rogue[-1]
    return float(market), float(fellows)


def test_who_stood_in_company_before_is_no_company_to_anybody() -> None:
    assert last_told(together(0, 20), together(9, 20))[1] < 1.0
    assert last_told(together(0, 20), together(9, 20))[0] < 1.0


def test_one_and_the_same_crowd_makes_no_followers() -> None:
    day = together(9, 20)
    assert last_told(day, day) == pytest.approx(last_told(day), rel=1e-3)


def test_followers_do_not_cover_the_victims_among_them() -> None:
    victims = together(9, 40)[20:]
    alone = last_told(victims)
    assert last_told(together(0, 20), together(9, 20), victims) == pytest.approx(alone, abs=1.0)


def test_who_followed_through_one_app_does_not_follow_through_another() -> None:
    moved = [event | {"app": "y"} for event in together(9, 20)]
    assert last_told(together(0, 20), moved) == pytest.approx(last_told(moved))


def test_a_theft_from_one_app_speaks_against_its_other_keys_and_not_against_bystanders() -> None:
    victims = together(9, 10)
    fellow, bystander = together(9, 11)[10:], together(9, 1, "y")
    assert last_told(victims, fellow)[0] > 9.0
    assert last_told(victims, bystander)[0] == pytest.approx(0.0, abs=0.01)
    assert last_told(victims, [bystander[0] | {"app": None}])[0] == pytest.approx(0.0, abs=0.01)


def test_a_theft_speaks_against_a_key_that_never_bought_whatever_app_it_uses() -> None:
    stranger = together(9, 1, "thieftool")[0] | {"stranger": True}
    for app in ("thieftool", None):
        assert last_told(together(9, 10), [stranger | {"app": app}])[0] > 9.0


def test_a_theft_from_several_apps_speaks_against_all_of_them() -> None:
    diluted = [together(9, 3, app) for app in "stuvwx"]
    assert last_told(*diluted, together(9, 1, "y"))[0] > 14.0


def test_a_key_belongs_to_the_app_that_it_usually_uses_whatever_its_orders_say() -> None:
    victims = [event | {"home": "x", "app": "thieftool"} for event in together(9, 10)]
    fellow, bystander = together(9, 11)[10:], together(9, 1, "thieftool")
    assert last_told(victims, fellow)[1] > 9.0
    assert last_told(victims, [bystander[0] | {"home": "y"}]) == pytest.approx((0.0, 0.0), abs=0.01)


def test_followers_dilute_no_other_crowd() -> None:
    followers = together(0, 20), together(9, 20)
    victims = [event | {"buyers": n} for n, event in enumerate(together(9, 20, "y"))]
    beside = [event | {"buyers": n + 20} for n, event in enumerate(together(9, 20, "y"))]
    alone = Crowd().meet(rows_of(victims)).weight[-1, 0]
    tape = [event for group in (*followers, beside) for event in group]
    assert Crowd().meet(rows_of(tape)).weight[-1, 0] == pytest.approx(alone, rel=0.1)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.integers(1, 30))
def test_followers_do_not_depend_on_how_the_tape_is_cut(days: list[int], cut: int) -> None:
    tape = [event for n, day in enumerate(sorted(days)) for event in together(day, 3 + n)]
    rows, crowd, at_once = rows_of(tape), Crowd(), Crowd()
    whole = at_once.meet(rows).weight
    parts = [
        crowd.meet(rows.take(np.arange(n, min(n + cut, len(tape))))).weight
        for n in range(0, len(tape), cut)
    ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert saved(crowd.followers).array.tobytes() == saved(at_once.followers).array.tobytes()
