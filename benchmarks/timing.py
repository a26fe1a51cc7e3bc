"""Timing: jobs in turn, so that whatever else the machine does meets all of them alike.

Measured is CPU time of the whole process, every thread of it: on a shared machine it says what a
job costs, where wall time says who else was there.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

Job = Callable[[], object]

SHORTEST_S: Final = 0.02  # a run repeats its job until it takes as long
MOST_CALLS: Final = 4096


def in_turn(jobs: Mapping[str, Job], runs: int) -> dict[str, float]:
    """Give the CPU seconds of one call of each job: medians over `runs` rounds through all.

    A first call of each, in which kernels compile and caches fill, is not counted.
    """
    calls = {name: _calls(job) for name, job in jobs.items()}
    took: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            took[name].append(cpu_seconds(job, calls[name]) / calls[name])
    return {name: median(seconds) for name, seconds in took.items()}


def cpu_seconds(job: Job, calls: int = 1) -> float:
    """CPU time of some calls in a row, s."""
    began = time.process_time()
    for _ in range(calls):
        job()
    return time.process_time() - began


def _calls(job: Job) -> int:
    """Give how often a job must be called for its time to be measurable."""
    job()
    calls = 1
    while calls < MOST_CALLS and cpu_seconds(job, calls) < SHORTEST_S:
        calls *= 2
    return calls
