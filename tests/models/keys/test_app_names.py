from collections.abc import Sequence

import pytest

from models.keys import app_names
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.market.state import HOUR, MINUTE
from models.orders.batch import Names
from models.rows import Rows
from models.score.evidence import NOTABLE, blank_scale
from tests.factories import TS, Event, bare_order, batch_of
from tests.models.keys.test_stage import LATEST, NERVOUS


def orders(count: int, app: str | None, **changes: object) -> list[Event]:
    """Small purchases of one key through an app, one an hour."""
    usual: Event = {"api_key": "k", "app": app} | changes
    start = usual.pop("start", 0)
    return [
        bare_order(event_id=f"{app}-{start}-{n}", ts=TS + (start + n) * HOUR, **usual)
        for n in range(count)
    ]


def told(stage: KeyStage, tape: Sequence[Event]) -> Rows:
    return stage.assess(MarketStage().observe(batch_of(tape, LATEST)))


def homes_of(rows: Rows) -> list[str | None]:
    return rows.orders.apps.spelled(rows.orders.home)


def theft(app: str | None) -> list[Event]:
    return orders(1, app, start=80, qty=9e4, symbol="DEEPUSDT")


@pytest.mark.parametrize("tag", ["thieftool", None])
def test_a_notable_fill_tells_the_app_that_its_key_usually_uses_whatever_it_uses_now(
    tag: str | None,
) -> None:
    stage = KeyStage(blank_scale())
    told(stage, orders(60, "größe"))
    stage._scale = NERVOUS
    rows = told(stage, theft(tag))
    assert rows.told["odds"][-1] > NOTABLE
    assert homes_of(rows)[-1] == "größe"


def test_purchases_under_another_tag_on_the_day_of_the_theft_do_not_accuse_that_app() -> None:
    stage = KeyStage(blank_scale())
    told(stage, orders(60, "usual"))
    bait = orders(60, "bystander", start=80)
    told(stage, [order | {"ts": order["ts"] - n * 59 * MINUTE} for n, order in enumerate(bait)])
    stage._scale = NERVOUS
    assert homes_of(told(stage, theft("bystander")))[-1] == "usual"


def test_a_key_without_a_past_tells_no_app_for_the_tag_may_be_the_thiefs() -> None:
    rows = told(KeyStage(NERVOUS), theft("thieftool"))
    assert rows.told["odds"][-1] > NOTABLE
    assert homes_of(rows) == [None]


def test_only_notable_fills_tell_an_app() -> None:
    rows = told(KeyStage(blank_scale()), orders(60, "usual"))
    assert (rows.told["odds"] <= NOTABLE).all()
    assert not any(homes_of(rows))


def test_the_names_are_known_after_a_restart() -> None:
    stage, restarted = KeyStage(blank_scale()), KeyStage(NERVOUS)
    told(stage, orders(60, "usual"))
    saved = stage.snapshot()
    records = {name: kept.array.copy() for name, kept in saved.records.items()}
    restarted.restore(records, saved.values)
    assert homes_of(told(restarted, theft(None))) == ["usual"]


def test_names_are_forgotten_by_number_and_known_anew_by_the_next_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app_names, "MOST_NAMES", 10)
    names = app_names.AppNames()
    for n in range(100):
        names.learn(batch_of(orders(1, f"app{n}"), LATEST))
    assert len(names.save()) == 10
    names.learn(batch_of(orders(1, "app0"), LATEST))
    known, codes = names.at(Names.of(["app0", "app50", "app0"]).hashes)
    assert known.spelled(codes) == ["app0", None, "app0"]
