from benchmarks.timing import in_turn


def test_every_job_is_called_once_before_and_then_in_each_round() -> None:
    calls: list[str] = []

    def job(name: str) -> None:
        calls.append(name)
        sum(range(500_000))  # long enough to be timed alone

    took = in_turn({"left": lambda: job("left"), "right": lambda: job("right")}, runs=3)
    assert set(took) == {"left", "right"}
    assert min(took.values()) > 0.0
    assert calls[:1] == ["left"]
    assert calls.count("left") > 3
    assert calls[-1] == "right"
