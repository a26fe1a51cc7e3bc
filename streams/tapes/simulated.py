"""Simulated tapes and what is known about them, as files."""

import json
from pathlib import Path

from models.simulation import Tape, json_lines
from streams.tapes.files import TapeError, new_tape


def write_orders(tape: Tape, path: Path) -> None:
    """Write the events as JSON lines, compressed as the name says; a `TapeError` says why not."""
    try:
        with new_tape(path) as file:
            file.writelines(json_lines(tape))
    except OSError as error:  # as from a full disk
        raise TapeError(f"{path} cannot be written: {error.strerror}") from None


def write_labels(tape: Tape, path: Path) -> None:
    """Write what is known: leaked keys with their rogue fills, incidents, hard negatives."""
    path.write_text(json.dumps(tape.labels) + "\n", encoding="utf-8")
