from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.alerts.envelope import AlertType
from streams.dashboard.alert_rows import read_alert
from streams.dashboard.charts import BARS, MOST_FILLS, MOST_SELLERS, Chart, draw
from streams.evidence.order_window import WindowOrder
from tests.streams.dashboard.samples import KEY, NOW, alert


def order(ts: int, price: float = 1.0, **fields: Any) -> WindowOrder:
    usual: dict[str, Any] = {
        "event_id": str(ts), "venue": "binance", "symbol": "AXSUSDT", "account": "somebody",
        "side": "buy", "qty": 2.0,
    }  # fmt: skip
    return WindowOrder(ts=ts, price=price, **(usual | fields))


def drawn(orders: list[WindowOrder], profiteers: set[str] | None = None) -> Chart:
    one = read_alert(alert(1, key=KEY).encode())
    return draw(one, orders, profiteers or set(), NOW, NOW + 240_000, complete=True)


@given(st.lists(st.tuples(st.integers(0, 240_000), st.floats(0.5, 2.0)), max_size=60))
def test_bars_hold_the_range_the_last_price_and_all_that_was_traded(
    fills: list[tuple[int, float]],
) -> None:
    orders = [order(NOW + ts, price) for ts, price in sorted(fills)]
    chart = drawn(orders)
    assert len(chart.bars) <= BARS + 1
    assert chart.bars == sorted(chart.bars)
    assert abs(sum(bar[4] for bar in chart.bars) - sum(2 * price for _, price in fills)) < 0.02 * (
        len(chart.bars) + 1
    )
    for start, low, high, last, _ in chart.bars:
        within = [o.price or 0.0 for o in orders if start <= o.ts < start + chart.width]
        assert (low, high, last) == (min(within), max(within), within[-1])


def test_the_suspect_keys_fills_and_who_sold_to_them_are_marked() -> None:
    chart = drawn(
        [
            order(NOW + 1, api_key=KEY, account="victim", counterparty="thief"),
            order(NOW + 1, side="sell", account="thief"),
            order(NOW + 2, side="sell", account="maker"),
            order(NOW + 3, side="sell", api_key=KEY, account="victim"),
            order(NOW + 4, api_key="another", account="else", counterparty="maker"),
        ]
    )
    assert [fill[0] for fill in chart.buys] == [NOW + 1]
    assert [fill[0] for fill in chart.sells] == [NOW + 3]
    assert chart.sellers == ["thief"]
    assert [(fill[0], fill[3]) for fill in chart.taken] == [(NOW + 1, 0)]


def test_known_profiteers_are_marked_where_counterparties_are_not_told() -> None:
    orders = [order(NOW + 1, api_key=KEY), order(NOW + 2, side="sell", account="thief")]
    assert drawn(orders).sellers == []
    assert drawn(orders, {"thief", "absent"}).sellers == ["thief"]


def test_a_chart_is_bounded_whatever_happens_in_its_window() -> None:
    orders = [
        order(NOW + n, api_key=KEY, account="victim", counterparty=f"s{n % 50}", qty=float(n))
        for n in range(1, 5000)
    ]
    orders += [order(NOW + n, side="sell", account=f"s{n % 50}") for n in range(5000)]
    chart = drawn(sorted(orders, key=lambda one: one.ts))
    assert len(chart.buys) == MOST_FILLS
    assert min(fill[2] for fill in chart.buys) > 1.0
    assert len(chart.sellers) == MOST_SELLERS


def test_an_apps_chart_marks_all_keys_that_it_names() -> None:
    leak = read_alert(alert(1, type=AlertType.APP_LEAK, keys=["a", "b"]).encode())
    orders = [order(NOW + n, api_key=key) for n, key in enumerate("abc")]
    chart = draw(leak, orders, set(), NOW, NOW + 1000, complete=True)
    assert len(chart.buys) == 2
