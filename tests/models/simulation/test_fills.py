import numpy as np

from models.orders.batch import Status
from tests.models.simulation.worlds import attacked_tape, small_tape


def test_nobody_trades_with_himself() -> None:
    tape = small_tape()
    assert (tape.account != tape.counterparty).all()


def test_both_sides_of_a_fill_agree_where_a_venue_shows_both() -> None:
    tape = attacked_tape("drip")
    fill = np.flatnonzero(tape.is_fill)
    taker, maker = fill[~tape.maker[fill]], fill[tape.maker[fill]]
    assert len(taker) == len(maker)

    def told(
        rows: np.ndarray, own: np.ndarray, other: np.ndarray, sign: int
    ) -> list[tuple[float, ...]]:
        columns = (tape.ts, tape.market, tape.qty, tape.price, own, other, sign * tape.side)
        return sorted(zip(*(column[rows].tolist() for column in columns), strict=True))

    assert told(taker, tape.account, tape.counterparty, 1) == told(
        maker, tape.counterparty, tape.account, -1
    )


def test_an_order_that_eats_the_book_fills_at_ever_worse_prices_in_one_millisecond() -> None:
    tape = attacked_tape("blitz")
    takes = np.flatnonzero(tape.is_fill & ~tape.maker)
    orders, sizes = np.unique(tape.order[takes], return_counts=True)
    assert (sizes > 2).any()
    for order in orders[sizes > 2][:200]:
        rows = takes[tape.order[takes] == order]
        assert len(np.unique(tape.ts[rows])) == 1
        assert (np.diff(tape.price[rows]) * tape.side[rows[0]] >= 0).all()
        assert tape.status[rows].tolist() == [Status.PARTIALLY_FILLED] * (len(rows) - 1) + [
            Status.FILLED
        ]


def test_an_order_id_belongs_to_one_key_one_market_and_one_side() -> None:
    tape = attacked_tape("drip")
    traits = np.stack([tape.order, tape.account, tape.market, tape.side])
    assert len(np.unique(traits, axis=1).T) == len(np.unique(tape.order))


def test_takers_pay_at_least_about_the_mid() -> None:
    tape = attacked_tape("blitz")
    takes = tape.is_fill & ~tape.maker
    paid = tape.side[takes] * np.log(tape.price[takes] / tape.arrival[takes])
    assert np.median(paid) > 0
    assert np.quantile(paid, 0.05) > -0.05


def test_impact_on_the_tape_grows_about_with_the_square_root_of_size() -> None:
    tape = attacked_tape("blitz")
    takes = np.flatnonzero(tape.is_fill & ~tape.maker & np.isfinite(tape.arrival))
    volume = np.bincount(tape.market[takes], tape.notional[takes], minlength=len(tape.symbols))
    _, first, order = np.unique(tape.order[takes], return_index=True, return_inverse=True)
    usd = np.bincount(order, tape.notional[takes])
    last = np.zeros(len(first))
    np.maximum.at(last, order, np.abs(np.log(tape.price[takes] / tape.price[takes[first]][order])))
    share = usd / volume[tape.market[takes[first]]]
    moved = (last > 1e-5) & (share > 3e-4) & (share < 3e-2)
    slope = np.polyfit(np.log(share[moved]), np.log(last[moved]), 1)[0]
    assert 0.3 < slope < 0.9
