from pathlib import Path

import pytest

from streams.kafka.broker import EmbeddedBroker
from streams.replay.replay import AlertFile, Replayed, replay, replay_topic
from streams.tapes.files import DeadLetterFile, TapeError, read_tape
from streams.tapes.intake import Intake
from streams.tapes.topic import TopicTape
from tests.streams.conftest import Produce, Trained, put_on_topic


def replayed(
    trained: Trained, out: Path, tapes: list[Path], *warmup: Path
) -> tuple[Replayed, bytes]:
    with AlertFile(out) as alerts:
        found = replay(tapes, trained.model, alerts, Intake(), warmup=warmup)
    return found, out.read_bytes()


def halves(trained: Trained, folder: Path) -> list[Path]:
    lines = trained.tape.read_bytes().splitlines(keepends=True)
    paths = [folder / "1.jsonl", folder / "2.jsonl"]
    for path, half in zip(paths, (lines[: len(lines) // 2], lines[len(lines) // 2 :]), strict=True):
        path.write_bytes(b"".join(half))
    return paths


def test_the_same_tape_gives_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    first, alerts = replayed(trained, tmp_path / "a.jsonl", [trained.tape])
    second, again = replayed(trained, tmp_path / "b.jsonl", [trained.tape])
    assert alerts == again
    assert first.alerts == second.alerts == alerts.count(b"\n") > 0
    assert first.events == len(trained.tape.read_bytes().splitlines())


def test_a_tape_in_two_files_is_the_same_tape(trained: Trained, tmp_path: Path) -> None:
    _, whole = replayed(trained, tmp_path / "a.jsonl", [trained.tape])
    _, parts = replayed(trained, tmp_path / "b.jsonl", halves(trained, tmp_path))
    assert whole == parts


def test_a_history_is_learned_but_not_alerted(trained: Trained, tmp_path: Path) -> None:
    first, second = halves(trained, tmp_path)
    cold, _ = replayed(trained, tmp_path / "a.jsonl", [second])
    warm, alerts = replayed(trained, tmp_path / "b.jsonl", [second], first)
    whole, _ = replayed(trained, tmp_path / "c.jsonl", [trained.tape])
    assert cold.events == warm.events < whole.events
    assert warm.first_ts == cold.first_ts
    assert all(ts >= (warm.first_ts or 0) for _, ts in warm.alerted)
    assert alerts != (tmp_path / "a.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_alerts_are_compressed_as_the_name_of_their_file_says(
    trained: Trained, tmp_path: Path, name: str
) -> None:
    _, plain = replayed(trained, tmp_path / "a.jsonl", [trained.tape])
    replayed(trained, tmp_path / name, [trained.tape])
    read = [line for chunk in read_tape(tmp_path / name) for line in chunk.lines]
    assert read == plain.splitlines()


def test_alerts_that_cannot_be_written_are_an_error_by_name(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"x/a\.jsonl cannot be written: No such file"):
        AlertFile(tmp_path / "x" / "a.jsonl")


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_topic_gives_the_same_alerts_as_the_file_that_was_put_there(
    trained: Trained, broker: EmbeddedBroker, tmp_path: Path, partitions: int
) -> None:
    put_on_topic(broker, trained.tape, partitions)
    with TopicTape([broker.address], "orders") as tape, AlertFile(tmp_path / "a.jsonl") as alerts:
        found = replay_topic(tape, trained.model, alerts, Intake())
    whole, expected = replayed(trained, tmp_path / "b.jsonl", [trained.tape])
    assert (tmp_path / "a.jsonl").read_bytes() == expected
    assert (found.events, found.refused, found.alerts) == (whole.events, 0, whole.alerts)


def test_a_topic_is_warmed_like_a_file(
    trained: Trained, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    first, second = halves(trained, tmp_path)
    put_on_topic(broker, second, 4)
    with TopicTape([broker.address], "orders") as tape, AlertFile(tmp_path / "a.jsonl") as alerts:
        replay_topic(tape, trained.model, alerts, Intake(), warmup=[first])
    _, expected = replayed(trained, tmp_path / "b.jsonl", [second], first)
    assert (tmp_path / "a.jsonl").read_bytes() == expected


def test_refused_events_of_a_topic_are_named_by_partition_and_offset(
    trained: Trained, broker: EmbeddedBroker, orders: str, produce: Produce, tmp_path: Path
) -> None:
    produce(orders, 2, [b"bad"])
    with (
        DeadLetterFile(tmp_path / "dead.jsonl") as dead,
        TopicTape([broker.address], orders) as tape,
        AlertFile(tmp_path / "a.jsonl") as alerts,
    ):
        found = replay_topic(tape, trained.model, alerts, Intake(dead))
    assert (found.events, found.refused) == (1, 1)
    assert b'"source":"orders[2]","offset":0' in dead.reasons_path.read_bytes()
