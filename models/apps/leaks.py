"""Apps that leak: too many of one app's keys are being misused at a time for it to be chance.

A scan statistic: of an app with m active keys, m / 10^r should reach the rank r within a day, since
that is what ranks mean. Of as many as there are at each rank, the least likely count (its Poisson
tail) says how unlikely the day is, so that an app with two keys and one with twenty thousand are
measured alike. Followers of one signal are not independent, however, so chance alone does not
convict: the keys must also do what they never did, or stand out far beyond an alert, which
followers who buy at their usual size do not. And they must belong together, by a market or by the
hour: keys robbed here and there share an app by chance. A theft across apps meets keys of each: of
those misused there and then an app must have more than its part of all active keys makes one
expect.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import fsum, log
from typing import ClassVar, Final, TypeAlias

from models.market.state import DAY, MINUTE
from models.snapshot import Remembering

WINDOW_MS: Final = DAY
FEWEST: Final = 2  # keys; one misused key says nothing about its app
CHANCE: Final = 3.5  # -log10 of the chance from which an app is said to leak
STRANGENESS: Final = 5.0  # mean of what is strange about the keys from which an app is
PER_RANK: Final = 2.0  # surprises that a rank beyond the threshold is worth
TOGETHER_MS: Final = 30 * MINUTE  # between what belongs to one theft
BESIDE: Final = 3.0  # -log10 of the chance of its share of the keys misused there and then
OTHERS: Final = 50.0  # keys of others, half of one misused, that count beside those known
HEARD: Final = 0.25  # share of an app's active keys that the alert stage hears of within a day
NEWS: Final = 64  # an app is weighed again when a 64th of what is known of its misused keys is new

Fill: TypeAlias = tuple[str | None, str, int]  # app that the key usually uses, the key, time (ms)


@dataclass(frozen=True, slots=True)
class Misuse:
    """One alerted key of an app."""

    time: int  # ms
    rank: float
    conduct: float  # surprise in what it does
    since: int  # its first suspect fill, ms
    market: str = ""


@dataclass(slots=True)
class App:
    """What is known of one app."""

    heard: dict[str, int] = field(default_factory=dict)  # key: when it last was notable, ms
    misused: dict[str, Misuse] = field(default_factory=dict)
    told: int = 0  # keys that the last alert named
    news: int = 0  # alerts on its keys since it was weighed

    def note(self, key: str, misuse: Misuse) -> None:
        """Take in an alert on a key; of those within the window, the one of the highest rank."""
        known = self.misused.get(key)
        if known is not None and known.time <= misuse.time - WINDOW_MS:
            known = None
        if known is None or misuse.rank > known.rank:
            since = misuse.since if known is None else min(known.since, misuse.since)
            self.misused[key] = replace(misuse, since=since)
        self.news += 1

    def forget(self, now: int) -> None:
        """Drop what is older than the window."""
        start = now - WINDOW_MS
        self.heard = {key: time for key, time in self.heard.items() if time > start}
        self.misused = {key: m for key, m in self.misused.items() if m.time > start}
        self.told = min(self.told, len(self.misused))


@dataclass(frozen=True, slots=True)
class AppLeak:
    """An app of which too many keys are misused."""

    app: str
    keys: list[str]  # those misused, the worst first
    since: int  # the first suspect fill of any of them, ms
    expected: float  # falsely alerted keys that a day would show
    chance: float  # -log10 of the chance to see as many
    conduct: float  # mean surprise in what they do


class AppLeaks(Remembering):
    """The apps of the last day."""

    remembered: ClassVar = {"_apps": dict[str, App], "_swept": int}

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold  # rank from which a key counts as misused
        self._apps: dict[str, App] = {}
        self._swept = 0

    def hear(self, fills: Iterable[Fill]) -> None:
        """Note which keys of which apps are notable, fill by fill: an app's size."""
        for home, key, time in fills:
            if home:
                app = self._apps.setdefault(home, App())
                app.heard[key] = time
            if abs(time - self._swept) > WINDOW_MS // 24:  # also after a leap was taken back
                self._sweep(time)

    def misuse(self, name: str, key: str, misuse: Misuse) -> AppLeak | None:
        """Note an alerted key of an app; gives the leak if it makes one, or one half larger.

        The app is the one that the key usually uses: that one leaked it, whatever is used now.
        """
        app = self._apps.setdefault(name, App())
        app.note(key, misuse)
        if NEWS * app.news < len(app.misused):  # else each of a hundred thousand keys weighs all
            return None
        app.news = 0
        app.forget(misuse.time)
        together = _together(app.misused)
        leak = _leak(name, app, together, self._threshold)
        if leak is not None and self._is_met_by_all(name, together):
            return None
        if leak is None or app.told >= len(leak.keys) or 2 * len(leak.keys) < 3 * app.told:
            return None
        app.told = len(leak.keys)
        return leak

    def _is_met_by_all(self, name: str, together: Mapping[str, Misuse]) -> bool:
        """Whether the theft meets the keys of other apps no less: then the app does not leak."""
        app, others = self._apps[name], [a for n, a in self._apps.items() if n != name]
        thefts = _thefts(together)
        misused = sum(_is_of(m, thefts) for a in others for m in a.misused.values())
        active = sum(len(other.heard) for other in others)
        expected = len(app.heard) * (misused + 0.5) / (active + OTHERS)
        return surprise_of(len(together), expected) < BESIDE

    def _sweep(self, now: int) -> None:
        for app in self._apps.values():
            app.forget(now)
        self._apps = {name: app for name, app in self._apps.items() if app.heard or app.misused}
        self._swept = now


def _together(misused: Mapping[str, Misuse]) -> dict[str, Misuse]:
    """Give the keys that are misused where, or about when, another one is."""
    markets = Counter(misuse.market for misuse in misused.values())
    ends = sorted(misuse.time for misuse in misused.values())
    around = [ends[0] - WINDOW_MS, *ends, ends[-1] + WINDOW_MS]
    triples = zip(around, ends, around[2:], strict=False)
    beside = {now: min(now - before, after - now) for before, now, after in triples}
    return {
        key: misuse
        for key, misuse in misused.items()
        if markets[misuse.market] >= FEWEST or beside[misuse.time] <= TOGETHER_MS
    }


def _thefts(together: Mapping[str, Misuse]) -> dict[str, tuple[int, int]]:
    """Give the markets of some misused keys, and from when to when those were misused there."""
    spans: dict[str, tuple[int, int]] = {}
    for misuse in together.values():
        begin, end = spans.get(misuse.market, (misuse.since, misuse.time))
        spans[misuse.market] = min(begin, misuse.since), max(end, misuse.time)
    return {m: (begin - TOGETHER_MS, end + TOGETHER_MS) for m, (begin, end) in spans.items()}


def _is_of(misuse: Misuse, thefts: Mapping[str, tuple[int, int]]) -> bool:
    """Whether a key of another app is misused in one of these markets at its time."""
    begin, end = thefts.get(misuse.market, (misuse.time + 1, misuse.time))
    return begin <= misuse.time <= end


def _leak(name: str, app: App, misused: Mapping[str, Misuse], threshold: float) -> AppLeak | None:
    """Judge an app by those of its misused keys that belong together."""
    count = len(misused)
    if count < FEWEST:
        return None
    ranks = sorted((misuse.rank for misuse in misused.values()), reverse=True)
    conduct = fsum(misuse.conduct for misuse in misused.values()) / count
    strangeness = conduct + PER_RANK * (fsum(ranks) / count - threshold)
    if strangeness < STRANGENESS:
        return None
    active = len(app.heard) / HEARD
    chance = max(surprise_of(n, active * 10.0**-rank) for n, rank in enumerate(ranks, 1))
    if chance < CHANCE:
        return None
    keys = sorted(misused, key=lambda key: (-misused[key].rank, key))
    since = min(misuse.since for misuse in misused.values())
    return AppLeak(name, keys, since, active * 10.0**-threshold, chance, conduct)


def surprise_of(count: int, expected: float) -> float:
    """-log10 of the Poisson chance of so many or more where others are usual, by its bound.

    Chernoff: P(N >= n) <= exp(-e) (e x / n)^n with x expected and e Euler's number, for n > x.

    >>> surprise_of(1, 1.0), round(surprise_of(5, 0.1), 2)
    (0.0, 6.37)
    """
    if count <= expected:
        return 0.0
    return (count * log(count / max(expected, 1e-9)) - count + expected) / log(10.0)
