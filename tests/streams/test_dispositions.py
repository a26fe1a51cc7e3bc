from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alerts.envelope import AlertType
from streams.dispositions import (
    Disposition,
    DispositionError,
    Outcome,
    dispositions_on,
    read_dispositions,
    standing,
)
from streams.kafka.broker import EmbeddedBroker
from streams.tapes.topic import TopicTape
from tests.streams.conftest import Produce

CONFIRMED = Disposition(alert_id="a1", subject="k1", disposition=Outcome.CONFIRMED)
FALSE = Disposition(alert_id="a1", subject="k1", disposition=Outcome.FALSE_ALARM)
WITHDRAWN = Disposition(alert_id="a1", subject="k1", disposition=Outcome.WITHDRAWN)
OTHER = Disposition(alert_id="a2", subject="k2", disposition=Outcome.CONFIRMED)

names = st.text(min_size=1)
times = st.none() | st.integers(0, 2**62)


@given(
    st.builds(
        Disposition,
        alert_id=names,
        subject=names,
        disposition=st.sampled_from(Outcome),
        type=st.sampled_from(AlertType),
        event_ts=times,
        from_ts=times,
        decided_ts=times,
        analyst=st.none() | st.text(),
        note=st.none() | st.text(),
    )
)
def test_a_disposition_is_read_as_it_was_written(disposition: Disposition) -> None:
    assert Disposition.decode(disposition.encode()) == disposition


def test_only_alert_subject_and_decision_are_required_and_unknown_fields_are_ignored() -> None:
    record = b'{"alert_id":"a1","subject":"k1","disposition":"confirmed","mood":"grim"}'
    assert Disposition.decode(record) == CONFIRMED


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (b'{"subject":"k","disposition":"confirmed"}', "alert_id"),
        (b'{"alert_id":"","subject":"k","disposition":"confirmed"}', "alert_id"),
        (b'{"alert_id":"a","subject":"k","disposition":"maybe"}', "maybe"),
        (b'{"alert_id":"a","subject":"k","disposition":"confirmed","event_ts":-1}', "event_ts"),
        (b"\xff", "JSON"),
        (b"", "truncated"),
    ],
)
def test_what_is_no_disposition_is_refused_with_the_reason(record: bytes, what: str) -> None:
    with pytest.raises(DispositionError, match=what):
        Disposition.decode(record)


def test_a_file_is_refused_by_the_line_that_is_no_disposition(tmp_path: Path) -> None:
    path = tmp_path / "decided.jsonl"
    path.write_bytes(CONFIRMED.encode() + b"\n\n" + OTHER.encode() + b"\n")
    assert read_dispositions(path) == [CONFIRMED, OTHER]
    path.write_bytes(CONFIRMED.encode() + b"\n\n{}\n")
    with pytest.raises(DispositionError, match=r"decided\.jsonl, line 3: .*alert_id"):
        read_dispositions(path)


def test_of_one_alert_the_last_decision_stands_unless_it_takes_all_back() -> None:
    assert standing([CONFIRMED, OTHER, FALSE]) == [FALSE, OTHER]
    assert standing([CONFIRMED, OTHER, WITHDRAWN]) == [OTHER]
    assert standing([CONFIRMED, WITHDRAWN, CONFIRMED]) == [CONFIRMED]


def test_a_topic_is_read_to_its_end_and_what_is_no_disposition_is_counted(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 0, [CONFIRMED.encode(), b"?", FALSE.encode()])
    produce(orders, 2, [OTHER.encode()])
    with TopicTape([broker.address], orders) as tape:
        assert dispositions_on(tape) == ([CONFIRMED, FALSE, OTHER], 1)
