import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.market.company import name_of
from models.market.stage import MarketStage
from models.market.state import COMPANY, CROWD_MS, DAY, MINUTE
from models.orders.batch import NONE
from models.orders.hashing import stable_hashes
from tests.factories import TS, Event, bare_order, batch_of, market_tapes
from tests.reference import names_in, restate

LATEST = TS + 400 * DAY


def met(tape: list[Event]) -> list[set[int]]:
    """Names of those whom each event of a key meets."""
    rows = MarketStage().observe(batch_of(tape, LATEST))
    told = rows.told["company"][rows.orders.key != NONE].tolist()
    return [names_in(packed) for packed in told]


def names(*keys: str) -> set[int]:
    return {name_of(hashed) for hashed in stable_hashes(list(keys))}


def purchase(number: int, ts: int, key: str, app: str = "x", symbol: str = "thin") -> Event:
    return bare_order(event_id=f"e-{number}", ts=TS + ts, symbol=symbol, api_key=key, app=app)


@st.composite
def crowds(draw: st.DrawFn) -> list[Event]:
    """Purchases by more keys of two apps than a sample holds, in bursts and after gaps."""
    steps = st.sampled_from([0, MINUTE, MINUTE, 4 * MINUTE, CROWD_MS, CROWD_MS + 1])
    ts, tape = 0, []
    for n in range(draw(st.integers(1, 60))):
        ts += draw(steps)
        key = f"k{draw(st.integers(0, 11))}"
        tape.append(purchase(n, ts, key, draw(st.sampled_from("xxy"))))
    return tape


@given(st.one_of(crowds(), market_tapes()))
def test_those_met_equal_their_restatement(tape: list[Event]) -> None:
    markets, _ = restate(tape)
    left = {name: iter(market.met) for name, market in markets.items()}
    expected = [next(left[event["symbol"]]) for event in tape]
    assert met(tape) == [
        others for event, others in zip(tape, expected, strict=True) if event["api_key"]
    ]


def test_whoever_buys_with_the_same_many_is_told_of_the_same_few() -> None:
    random = np.random.default_rng(5)
    tape: list[Event] = []
    for symbol in ("one", "two", "three"):
        for key in random.permutation(40):
            tape.append(purchase(len(tape), len(tape) * 1_000, f"k{key}", symbol=symbol))
        tape.append(purchase(len(tape), len(tape) * 1_000, "last", symbol=symbol))
    told = met(tape)
    assert told[40] == told[81] == told[122]
    assert told[40] == set(sorted(names(*(f"k{key}" for key in range(40))))[:COMPANY])


def test_only_buyers_of_ones_own_app_and_market_are_met_and_only_for_a_while() -> None:
    tape = [
        purchase(0, 0, "a"),
        purchase(1, 0, "b", app="y"),
        purchase(2, 0, "c", symbol="deep"),
        purchase(3, 0, "d") | {"side": "sell"},
        purchase(4, CROWD_MS, "e"),
        purchase(5, CROWD_MS + 1, "f"),
    ]
    assert met(tape) == [set(), set(), set(), set(), names("a"), names("e")]


def test_a_time_far_ahead_that_is_taken_back_leaves_nobody_in_the_company_for_ever() -> None:
    tape = [purchase(0, 0, "a"), purchase(1, 300 * DAY, "b"), purchase(2, 1_000, "c")]
    tape += [purchase(3, 2_000, "c"), purchase(4, CROWD_MS + 2_001, "d")]
    assert met(tape)[-1] == set()
