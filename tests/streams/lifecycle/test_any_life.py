"""Whatever owners, orders, notifier, exchange and crashes do, nobody loses a key unfairly."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from models.lifecycle.policy import DAY_MS
from streams.lifecycle.entries import Kind
from streams.lifecycle.store import HOUR_MS
from tests.streams.lifecycle.worlds import BUSY, DONE, REFUSED, KilledError, World

KEYS = st.sampled_from(["k0", "k1", "k2"])
ANSWERS = st.sampled_from([DONE, DONE, BUSY, REFUSED])


class AnyLife(RuleBasedStateMachine):
    """A world in which anything may come next."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.signs: dict[str, list[int]] = {f"k{n}": [] for n in range(3)}  # of life, by key
        self.bound: set[str] = set()

    @initialize()
    def every_key_is_used_once(self) -> None:
        for key in self.signs:
            self.use(key, 0, 0)
        self.run_it()

    @rule(key=KEYS, hours_ago=st.integers(0, 30), partition=st.integers(0, 1))
    def use(self, key: str, hours_ago: int, partition: int) -> None:
        at = self.world.now - hours_ago * HOUR_MS
        self.world.use(key, at, partition=partition)
        self.signs[key].append(at)

    @rule(key=KEYS)
    def bind(self, key: str) -> None:
        self.world.record("ip_bound", key)
        self.bound.add(key)

    @rule(key=KEYS)
    def unbind(self, key: str) -> None:
        self.world.now += 1  # at the very same time, bound wins
        self.world.record("ip_unbound", key)
        self.bound.discard(key)
        self.signs[key].append(self.world.now)

    @rule(hours=st.sampled_from([1, 7, 24, 49, 24 * 7, 24 * 30]))
    def time_goes_by(self, hours: int) -> None:
        self.world.now += hours * HOUR_MS

    @rule(notifier=ANSWERS, exchange=ANSWERS)
    def the_others_change(self, notifier: object, exchange: object) -> None:
        self.world.outside.notifier = notifier  # type: ignore[assignment]  # both are answers
        self.world.outside.exchange = exchange  # type: ignore[assignment]

    @rule(dies_in=st.integers(0, 3))
    def run_it(self, dies_in: int = 0) -> None:
        """Run; with `dies_in` the process is killed after that many calls, and started again."""
        outside = self.world.outside
        outside.dies_at = outside.calls + dies_in
        try:
            self.world.run()
        except KilledError:
            outside.dies_at = -1
            self.world.restart()
            self.world.run()

    @invariant()
    def a_removed_key_was_idle_and_its_owner_had_been_told_long_before(self) -> None:
        policy = self.world.rules.policy
        for removed_at, key in self.world.outside.removed.values():
            signs = [at for at in self.signs[key] if at <= removed_at]
            told = [
                at
                for at, _ in self.world.outside.letters(Kind.NOTICE, key)
                if at >= max(signs) + 30 * DAY_MS and policy.removal_due(at) <= removed_at
            ]
            confirmed = self.world.outside.letters(Kind.CONFIRMATION, key)
            assert told
            assert any(at <= removed_at for at, _ in confirmed)

    @invariant()
    def a_key_is_removed_once_for_each_time_that_it_was_idle(self) -> None:
        removed = [key for _, key in self.world.outside.removed.values()]
        for key in removed:
            notices = self.world.outside.letters(Kind.NOTICE, key)
            assert removed.count(key) <= len(notices)

    @override
    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()


AnyLife.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestAnyLife = AnyLife.TestCase
