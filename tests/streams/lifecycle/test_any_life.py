"""Whatever owners, orders, notifier, exchange and crashes do, nobody loses a key unfairly."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from models.lifecycle.policy import DAY_MS
from streams.exchange.wire import Answer
from streams.lifecycle.entries import Kind
from streams.lifecycle.store import HOUR_MS
from tests.streams.lifecycle.worlds import BUSY, DONE, REFUSED, KilledError, World

KEYS = st.sampled_from(["k0", "k1", "k2"])
ANSWERS = st.sampled_from([DONE, DONE, DONE, BUSY, REFUSED])


class AnyLife(RuleBasedStateMachine):
    """A world in which anything may come next."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        # Signs of life by key: when they were, and when they came to the topic.
        self.signs: dict[str, list[tuple[int, int]]] = {f"k{n}": [] for n in range(3)}

    @initialize()
    def every_key_is_used_once(self) -> None:
        for key in self.signs:
            self.use(key, 0, 0)
        self.world.run()

    @rule(key=KEYS, hours_ago=st.integers(0, 30), partition=st.integers(0, 1))
    def use(self, key: str, hours_ago: int, partition: int) -> None:
        self.world.now += 1  # not at the very time of a removal
        at = self.world.now - hours_ago * HOUR_MS
        self.world.use(key, at, partition=partition)
        self.signs[key].append((at, self.world.now))

    @rule(key=KEYS, bound=st.booleans())
    def bind(self, key: str, bound: bool) -> None:
        self.world.now += 1  # at the very same time, bound wins
        self.world.record("ip_bound" if bound else "ip_unbound", key)
        if not bound:
            self.signs[key].append((self.world.now, self.world.now))

    @rule(notifier=ANSWERS, exchange=ANSWERS)
    def the_others_change(self, notifier: Answer, exchange: Answer) -> None:
        self.world.outside.notifier = notifier
        self.world.outside.exchange = exchange

    @rule(days=st.sampled_from([0.1, 1, 1, 3, 5]), dies_in=st.integers(0, 5))
    def a_few_days_go_by(self, days: float, dies_in: int) -> None:
        self.go_on(days, dies_in)

    @rule(days=st.integers(28, 35), dies_in=st.integers(0, 5))
    def a_month_goes_by(self, days: float, dies_in: int) -> None:
        self.go_on(days, dies_in)

    def go_on(self, days: float, dies_in: int) -> None:
        """Run after some days; killed after so many calls, if there are as many, and restarted."""
        outside = self.world.outside
        outside.dies_at = outside.calls + dies_in
        try:
            self.world.after(days=days)
        except KilledError:
            outside.dies_at = -1
            self.world.restart()
            self.world.run()

    @invariant()
    def a_removed_key_was_idle_and_its_owner_had_been_told_long_before(self) -> None:
        policy = self.world.rules.policy
        for removed_at, key in self.world.outside.removed.values():
            signs = [at for at, come in self.signs[key] if come <= removed_at]
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


AnyLife.TestCase.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestAnyLife = AnyLife.TestCase
