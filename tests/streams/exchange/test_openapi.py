"""The description that others build by, held against the code."""

from pathlib import Path

from streams.exchange.wire import Operation

TEXT = (Path(__file__).parents[3] / "deploy" / "exchange.openapi.yaml").read_text()


def test_every_operation_is_described_under_its_path_and_type() -> None:
    for operation in Operation:
        assert f"\n  {operation.path}:\n" in TEXT
        assert operation in TEXT


def test_nothing_is_described_that_does_not_exist() -> None:
    described = {line.strip(" :") for line in TEXT.splitlines() if line.startswith("  /v1/")}
    assert described == {operation.path for operation in Operation}
