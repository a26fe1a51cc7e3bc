"""The features of ours as one would write them in Python: rolling sums and means in dictionaries.

All 21 are there, in plainer form, which favours the peers: a key's past is one mean and variance
that forgets, where ours keeps apart the past, today and the running hour; crowds are decayed
counts; nothing is held back when time leaps, comes late or when a fill is suspect. Dictionaries of
numbers are what every framework can keep as its own kind of state.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

Order = dict[str, Any]
State = dict[str, Any]

MINUTE: Final = 60_000.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
FILLS: Final = {"filled", "partially_filled"}
MEMORY: Final = 200.0  # observations that a mean rests on
SELLERS: Final = 16  # of a market, remembered
SOLD: Final = 8  # markets, remembered of a key
PARTNERS: Final = 4  # of a pair, remembered
NETWORKS: Final = 4  # of a key, remembered
MARKET_WINDOWS: Final = (("10m", 10 * MINUTE), ("7d", 7 * DAY))
KEY_WINDOWS: Final = (("orders_10m", 10 * MINUTE), ("traded_1d", DAY), ("bought_1d", DAY))
BASELINES: Final = ("size", "accumulation", "rate", "turnover", "slippage", "breadth")


def is_keyed_fill(order: Order) -> bool:
    """Whether a fill of an API key: only these are measured and scored."""
    return order.get("api_key") is not None and order.get("status", "filled") in FILLS


def new_market() -> State:
    """Make the state of a market that has never been seen."""
    sums = {name: 0.0 for name, _ in MARKET_WINDOWS}
    references = {"price": 0.0, "hour": 0.0, "squared": 0.0}
    crowd = {"buyers": 0.0, "apps": {}, "sellers": {}, "sold_10m": 0.0}
    return {"time": 0} | sums | references | crowd


def new_key() -> State:
    """Make the state of a key that has never been seen."""
    sums = {name: 0.0 for name, _ in KEY_WINDOWS} | {"fills": 0.0, "taken": 0.0}
    baselines = {name: [0.0, 0.0, 0.0] for name in BASELINES}  # count, mean, sum of squares
    known: State = {"app": None, "networks": [], "sold": {}, "pairs": {}}
    return {"time": 0} | known | sums | baselines


class Past:
    """State of all markets and keys, in dictionaries."""

    def __init__(self) -> None:
        self._markets: dict[str, State] = {}
        self._keys: dict[str, State] = {}

    def measure(self, order: Order) -> list[float] | None:
        """Learn an event; gives the features of the fill of a key."""
        told = observe_market(self._markets.setdefault(order["symbol"], new_market()), order)
        if not is_keyed_fill(order):
            return None
        return measure_key(self._keys.setdefault(order["api_key"], new_key()), order, told)


def observe_market(market: State, order: Order) -> list[float]:
    """Learn an event in its market; gives what the market says of it, nothing where no fill."""
    now = max(order["ts"], market["time"])
    elapsed, market["time"] = now - market["time"], now
    for name, window in MARKET_WINDOWS:
        market[name] *= math.exp(-elapsed / window)
    fade = math.exp(-elapsed / (10 * MINUTE))
    market["buyers"] *= fade
    market["sold_10m"] *= fade
    market["squared"] *= math.exp(-elapsed / DAY)
    if order.get("status", "filled") not in FILLS:
        return []
    price, notional = order["price"], order.get("notional") or order["price"] * order["qty"]
    level, last = math.log(price), market["price"] or price
    daily = max(market["7d"] / 7, notional)
    told = [
        notional,
        abs(level - math.log(order.get("arrival_price") or last)),
        (level - market["hour"]) / max(math.sqrt(market["squared"]), 0.01)
        if market["price"]
        else 0.0,
        market["10m"],
        daily,
        market["buyers"],
        _app_buyers(market, order, now),
        _new_sellers(market, order, notional, now),
    ]
    for name, _ in MARKET_WINDOWS:
        market[name] += notional
    move = abs(level - math.log(last))
    market["squared"] += move * move
    kept = math.exp(-elapsed / HOUR) if market["price"] else 0.0
    market["hour"] += (level - market["hour"]) * (1.0 - kept)
    market["price"] = price
    return told


def _app_buyers(market: State, order: Order, now: float) -> float:
    """Count a purchase, in all and of its app; gives how many of that app came before it."""
    if order["side"] != "buy" or order.get("api_key") is None:
        return 0.0
    market["buyers"] += 1.0
    then, count = market["apps"].get(order.get("app") or "", (now, 0.0))
    count *= math.exp((then - now) / (10 * MINUTE))
    market["apps"][order.get("app") or ""] = (now, count + 1.0)
    return float(count)


def _new_sellers(market: State, order: Order, notional: float, now: float) -> float:
    """Learn who sells; gives the share of late sales by those who do not usually sell here."""
    sellers = market["sellers"]
    new = 0.0
    for then, recent, usual in sellers.values():
        flow = recent * math.exp((then - now) / (10 * MINUTE))
        new += flow * max(0.0, 1.0 - 10.0 * max(usual - flow, 0.0) / 1008 / max(flow, 1e-9))
    share = min(1.0, new / market["sold_10m"]) if market["sold_10m"] > 0.0 else 0.0
    seller = order["account"] if order["side"] == "sell" else order.get("counterparty")
    if seller is not None:
        then, recent, usual = sellers.pop(seller, (now, 0.0, 0.0))
        recent *= math.exp((then - now) / (10 * MINUTE))
        sellers[seller] = (now, recent + notional, usual + notional)
        if len(sellers) > SELLERS:
            del sellers[next(iter(sellers))]  # who has not sold for longest
        market["sold_10m"] += notional
    return share


def measure_key(key: State, order: Order, told: Sequence[float]) -> list[float]:
    """Measure a fill against its key's past, then learn it; gives its 21 features."""
    notional, slippage, hour, v10m, daily, buyers, app_buyers, new = told
    now = max(order["ts"], key["time"])
    elapsed, key["time"] = now - key["time"] if key["time"] else 0, now
    for name, window in KEY_WINDOWS:
        key[name] *= math.exp(-elapsed / window)
    pair = key["pairs"].setdefault(order["symbol"], _new_pair(now))
    _fade(pair, now)
    sold = {name: sale for name, sale in key["sold"].items() if now - sale[0] < HOUR}
    seen = {
        "size": math.log(max(notional, 0.01)),
        "accumulation": math.log(max(pair["accumulation"] + notional, notional, 0.01)),
        "rate": math.log1p(key["orders_10m"]),
        "turnover": math.log(max(key["traded_1d"] + notional, 0.01)),
        "slippage": math.log1p(1e4 * slippage),
        "breadth": math.log1p(len(sold)),
    }
    sign = 1.0 if order["side"] == "buy" else -1.0
    app, network = order.get("app"), order.get("network")
    taken = key["taken"] / max(key["fills"], 1.0)
    features = [
        -math.log((pair["fills"] + 0.5) / (key["fills"] + 5.0)),
        -math.log1p((now - pair["first"]) / HOUR),
        *(_deviation(key[name], value) for name, value in seen.items()),
        pair["push"],
        (pair["bought_1h"] + notional) / daily,
        math.log1p(144 * v10m / max(daily, 1.0)),
        sign * hour,
        sum(sale[1] for sale in sold.values()) / max(key["bought_1d"] + notional, 1.0),
        app_buyers / max(buyers, 1.0),
        new,
        _concentration(pair),
        pair["lost"] / max(key["traded_1d"], 1.0),
        pair["losses"] / (pair["losses"] + pair["gains"] + 1.0),
        float(network is not None and network not in key["networks"]),
        float(key["app"] is not None and app != key["app"]),
        float(not order.get("maker")) - taken,
    ]
    _learn_key(key, pair, order, seen, sold, notional)
    _learn_pair(pair, order, notional, sign * slippage)
    return features


def _new_pair(now: float) -> State:
    rolling = {"fills": 0.0, "bought_1h": 0.0, "accumulation": 0.0, "push": 0.0}
    closed = {"lost": 0.0, "losses": 0.0, "gains": 0.0}
    holding: State = {"position": 0.0, "cost": 0.0, "partners": {}}
    return {"time": now, "first": now} | rolling | closed | holding


def _fade(pair: State, now: float) -> None:
    elapsed, pair["time"] = now - pair["time"], now
    pair["fills"] *= math.exp(-elapsed / (30 * DAY))
    pair["bought_1h"] *= math.exp(-elapsed / HOUR)
    pair["push"] *= math.exp(-elapsed / (10 * MINUTE))
    fade = math.exp(-elapsed / DAY)
    for name in ("accumulation", "lost", "losses", "gains"):
        pair[name] *= fade


def _deviation(baseline: list[float], value: float) -> float:
    count, mean, squares = baseline
    return (value - mean) / max(math.sqrt(squares / count), 0.3) if count > 1.0 else 0.0


def _concentration(pair: State) -> float:
    """Give the Herfindahl index of who was on the other side."""
    flows = pair["partners"].values()
    total = sum(flows)
    return sum(flow * flow for flow in flows) / (total * total) if total > 0.0 else 0.0


def _learn_key(
    key: State, pair: State, order: Order, seen: State, sold: State, notional: float
) -> None:
    for name, value in seen.items():
        count, mean, squares = key[name]
        count = min(count + 1.0, MEMORY)
        off = value - mean
        mean += off / count
        key[name] = [count, mean, squares * (1 - 1 / MEMORY) + off * (value - mean)]
    key["orders_10m"] += 1.0
    key["traded_1d"] += notional
    key["fills"] += 1.0
    key["taken"] += not order.get("maker")
    if order["side"] == "buy":
        key["bought_1d"] += notional
    else:
        then = sold.pop(order["symbol"], [0, 0.0])
        sold[order["symbol"]] = [pair["time"], then[1] + notional]
    key["sold"] = dict(list(sold.items())[-SOLD:])
    key["app"] = order.get("app") or key["app"]
    network = order.get("network")
    if network is not None and network not in key["networks"]:
        key["networks"] = [*key["networks"][1 - NETWORKS :], network]


def _learn_pair(pair: State, order: Order, notional: float, push: float) -> None:
    price, qty = order["price"], order["qty"]
    pair["fills"] += 1.0
    pair["push"] += push
    pair["accumulation"] += notional if order["side"] == "buy" else -notional
    if order["side"] == "buy":
        pair["bought_1h"] += notional
        held = pair["position"] + qty
        pair["cost"] += (price - pair["cost"]) * qty / held
        pair["position"] = held
    elif pair["position"] > 0.0:
        closed = min(qty, pair["position"])
        pair["position"] -= closed
        gain = (price / pair["cost"] - 1.0) * notional * closed / qty
        pair["lost"] += max(0.0, -gain)
        pair["losses" if gain < 0.0 else "gains"] += 1.0
    partner = order.get("counterparty")
    if partner is not None:
        partners = pair["partners"]
        partners[partner] = partners.get(partner, 0.0) + notional
        if len(partners) > PARTNERS:
            del partners[min(partners, key=partners.__getitem__)]
