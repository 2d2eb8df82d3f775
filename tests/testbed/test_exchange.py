"""An emulated exchange: arrival, fills against the levels, brackets and pairs, halts, holds, the books' sums."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.testbed.conftest import Floor
from workbench.model.orders import BUY, CLS, DAY, FOK, GTC, IOC, LIMIT, MARKET, OPG, SELL, STOP, TRAILING
from workbench.model.scale import SCALE, notional_e8, to_e8
from workbench.testbed.faults import Fault
from workbench.testbed.hours import Hours


def test_a_small_market_order_fills_at_once_at_the_best_price(floor: Floor) -> None:
    order = floor.place(BUY, 10)
    assert floor.kinds(order) == ["new", "fill"]
    assert order.state == "filled"
    book = floor.board().book
    assert order.executions[0].px_e8 == round(book.asks[0][0] * SCALE)
    assert floor.exchange.position_e8(0) == 10 * SCALE


def test_nothing_happens_before_it_is_settled(floor: Floor) -> None:
    order: Any = floor.exchange.place(floor.ticket())
    assert (order.state, floor.told) == ("pending", [])
    floor.exchange.settle()
    assert order.state == "filled"


def test_a_large_order_walks_the_levels_to_worse_prices(floor: Floor) -> None:
    order = floor.place(BUY, 4_000)
    prices = [execution.px_e8 for execution in order.executions]
    assert len(prices) > 1
    assert prices == sorted(prices)
    assert order.state == "filled"
    assert floor.told[-1] == ("fill", 1)


@pytest.mark.parametrize("tif", [IOC, FOK, DAY])
@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("kind", [MARKET, LIMIT])
def test_where_orders_walk_they_begin_at_the_best_price(floor: Floor, tif: int, side: int, kind: int) -> None:
    floor.exchange.walks = True
    book = floor.board().book
    best, _ = (book.asks if side == BUY else book.bids)[0]
    order = floor.place(side, 10, kind=kind, tif=tif, limit=best if kind == LIMIT else 0.0)
    assert order.state == "filled"
    assert [(e.px_e8, e.qty_e8) for e in order.executions] == [(round(best * SCALE), 10 * SCALE)]


@pytest.mark.parametrize("tif", [IOC, FOK])
def test_where_orders_walk_they_take_level_after_level(floor: Floor, tif: int) -> None:
    floor.exchange.walks = True
    order = floor.place(BUY, 4_000, tif=tif)
    best = floor.board().book.asks[0][0]
    assert (order.state, order.executions[0].px_e8) == ("filled", round(best * SCALE))
    assert len(prices := [execution.px_e8 for execution in order.executions]) > 1
    assert prices == sorted(prices)


def test_an_order_beyond_all_levels_fills_as_the_market_goes_on(floor: Floor) -> None:
    order = floor.place(BUY, 60_000)
    assert order.state == "working"
    assert 0 < order.filled_e8 < order.qty_e8
    for _ in range(200):
        floor.exchange.step(floor.board())
    assert order.state == "filled"


def test_a_limit_rests_until_the_market_reaches_it(floor: Floor) -> None:
    px = floor.board().px
    order = floor.place(BUY, 10, kind=LIMIT, limit=round(px * 0.99, 2))
    assert floor.kinds(order) == ["new"]
    floor.exchange.move(floor.board(), round(px * 0.985, 2))
    assert order.state == "filled"
    assert order.executions[0].maker
    assert order.executions[0].px_e8 <= order.limit_px_e8


def test_a_marketable_limit_never_pays_more_than_its_limit(floor: Floor) -> None:
    best = floor.board().book.asks[0][0]
    order = floor.place(BUY, 50_000, kind=LIMIT, limit=best + 0.02)
    assert order.executions
    assert all(execution.px_e8 <= order.limit_px_e8 for execution in order.executions)
    assert order.state == "working"


@pytest.mark.parametrize(
    ("tif", "qty", "state"), [(IOC, 10, "filled"), (IOC, 50_000, "cancelled"), (FOK, 50_000, "cancelled")]
)
def test_now_or_never(floor: Floor, tif: int, qty: float, state: str) -> None:
    order = floor.place(BUY, qty, kind=LIMIT, tif=tif, limit=floor.board().px + 5)
    assert order.state == state
    assert bool(order.filled_e8) == (tif == IOC)
    away = floor.place(BUY, 1, kind=LIMIT, tif=tif, limit=floor.board().px - 5)
    assert (away.state, away.filled_e8) == ("cancelled", 0)


def test_a_stop_waits_for_its_price(floor: Floor) -> None:
    floor.place(BUY, 10)
    px = floor.board().px
    order = floor.place(SELL, 10, kind=STOP, tif=GTC, stop=round(px - 2, 2))
    assert order.state == "working"
    floor.exchange.move(floor.board(), round(px - 3, 2))
    assert order.state == "filled"
    assert floor.exchange.position_e8(0) == 0


def test_a_trailing_stop_follows_and_fires(floor: Floor) -> None:
    floor.place(BUY, 10)
    px = floor.board().px
    order = floor.place(SELL, 10, kind=TRAILING, tif=GTC, trail_rate_e8=to_e8(0.02))
    floor.exchange.move(floor.board(), round(px * 1.1, 2))
    best, stop_e8 = floor.exchange.trail_of(order)
    assert best == pytest.approx(px * 1.1, rel=1e-3)
    assert stop_e8 / SCALE == pytest.approx(best * 0.98, rel=1e-6)
    floor.exchange.move(floor.board(), round(px * 1.07, 2))
    assert order.state == "filled"


def test_a_cancel_ends_an_order_and_nothing_comes_after(floor: Floor) -> None:
    order = floor.place(BUY, 10, kind=LIMIT, limit=1.0)
    assert floor.exchange.cancel(order)
    floor.exchange.settle()
    assert floor.kinds(order) == ["new", "cancelled"]
    assert not floor.exchange.cancel(order)
    floor.exchange.move(floor.board(), 0.5)
    assert order.filled_e8 == 0


def test_an_order_keeps_its_place_when_amended(floor: Floor) -> None:
    order = floor.place(BUY, 10, kind=LIMIT, limit=1.0)
    px_e8 = round((floor.board().px + 1) * SCALE)
    assert floor.exchange.amend(order, qty_e8=20 * SCALE, limit_px_e8=px_e8, stop_px_e8=0)
    floor.exchange.settle()
    assert floor.kinds(order) == ["new", "amended", "fill"]
    assert order.filled_e8 == 20 * SCALE
    assert not floor.exchange.amend(order, qty_e8=30 * SCALE, limit_px_e8=px_e8, stop_px_e8=0)


def test_a_replacement_takes_over(floor: Floor) -> None:
    old = floor.place(BUY, 10, kind=LIMIT, limit=1.0)
    new = floor.exchange.replace(old, floor.ticket(BUY, 4, kind=LIMIT, limit=2.0))
    assert new is not None
    floor.exchange.settle()
    assert (old.state, old.replaced_by, new.replaces, new.state) == ("replaced", new, old, "working")
    assert list(floor.exchange.open.values()) == [new]
    floor.exchange.move(floor.board(), 0.9)
    assert (old.filled_e8, new.filled_e8) == (0, 4 * SCALE)


def _bracket(floor: Floor) -> tuple[Any, Any, Any]:
    exchange, px = floor.exchange, floor.board().px
    parent = exchange.place(floor.ticket(BUY, 10, kind=LIMIT, limit=round(px * 0.99, 2)))
    group = exchange.new_group()
    take = exchange.place(
        floor.ticket(SELL, 10, kind=LIMIT, limit=round(px * 1.05, 2)), parent=parent, group=group
    )
    stop = exchange.place(
        floor.ticket(SELL, 10, kind=STOP, stop=round(px * 0.9, 2)), parent=parent, group=group, leads=False
    )
    exchange.settle()
    return parent, take, stop


def test_the_legs_of_a_bracket_wait_for_the_entry_and_end_one_another(floor: Floor) -> None:
    px = floor.board().px
    parent, take, stop = _bracket(floor)
    assert (parent.state, take.state, stop.state) == ("working", "held", "held")
    floor.exchange.move(floor.board(), round(px * 0.985, 2))
    assert (parent.state, take.state, stop.state) == ("filled", "working", "working")
    assert floor.exchange.holdings.held_sells_e8[0] == 10 * SCALE
    floor.exchange.move(floor.board(), round(px * 1.06, 2))
    assert (take.state, stop.state) == ("filled", "cancelled")
    assert floor.exchange.position_e8(0) == 0
    assert floor.exchange.holdings.held_sells_e8[0] == 0


def test_cancelling_an_entry_ends_its_legs(floor: Floor) -> None:
    parent, take, stop = _bracket(floor)
    floor.exchange.cancel(parent)
    floor.exchange.settle()
    assert {parent.state, take.state, stop.state} == {"cancelled"}
    assert floor.exchange.open == {}


def test_a_halt_holds_orders_until_trading_goes_on(floor: Floor) -> None:
    board = floor.board()
    board.halted = True
    order = floor.place(BUY, 10)
    assert floor.kinds(order) == ["held"]
    board.halted = False
    floor.exchange.reopen(board)
    assert floor.kinds(order) == ["held", "new", "fill"]


def test_a_closed_market_holds_stocks_and_not_pairs() -> None:
    hours = Hours("always")
    floor = Floor(hours=hours)
    hours.force(False)
    stock, coin = floor.place(BUY, 1), floor.place(BUY, 1, "BTC/USD", tif=GTC)
    assert (stock.state, coin.state) == ("held", "filled")


def test_an_opening_a_close_and_the_end_of_the_day() -> None:
    hours = Hours("always")
    floor = Floor(hours=hours)

    def force(is_open: bool) -> None:
        hours.force(is_open)
        floor.exchange.watch_hours()

    day = floor.place(BUY, 1, kind=LIMIT, limit=1.0)
    good = floor.place(BUY, 1, kind=LIMIT, limit=1.0, tif=GTC)
    at_close, at_open = floor.place(BUY, 2, tif=CLS), floor.place(BUY, 3, tif=OPG)
    low = floor.place(BUY, 3, kind=LIMIT, limit=1.0, tif=OPG)
    assert [o.state for o in (at_close, at_open, low)] == ["held"] * 3
    force(False)
    assert [o.state for o in (day, good, at_close, at_open)] == ["expired", "working", "filled", "held"]
    late = floor.place(BUY, 1)
    assert late.state == "held"
    force(True)
    assert [o.state for o in (at_open, low, late)] == ["filled", "cancelled", "filled"]


def test_latency_delays_acceptance_fill_and_cancel() -> None:
    floor = Floor(ack_s=1.0, fill_s=2.0)
    order = floor.place(BUY, 10)
    assert order.state == "pending"
    floor.wall_ns += 1_100_000_000
    floor.exchange.settle()
    assert (order.state, order.filled_e8) == ("working", 0)
    floor.exchange.cancel(order)
    floor.exchange.settle()
    assert order.state == "working"
    floor.wall_ns += 2_100_000_000
    floor.exchange.settle()
    assert order.state == "cancelled"  # the cancel was there before the fill


def test_faults_reject_part_fill_and_refuse_cancels(floor: Floor) -> None:
    floor.faults.add(Fault(what="reject", where="order:accept", count=1, text="no reason"))
    floor.faults.add(Fault(what="partial", where="order:fill", count=1, fraction=0.3))
    floor.faults.add(Fault(what="reject", where="order:cancel", count=1))
    assert floor.place(BUY, 10).state == "rejected"
    order = floor.place(BUY, 10)
    assert (order.state, order.filled_e8) == ("working", 3 * SCALE)
    floor.exchange.cancel(order)
    floor.exchange.settle()
    assert floor.kinds(order)[-1] == "cancel_refused"
    floor.exchange.step(floor.board())
    assert order.state == "filled"


def test_an_overfill_is_in_all_the_books(floor: Floor) -> None:
    floor.faults.add(Fault(what="overfill", where="order:fill", count=1, fraction=0.5))
    order = floor.place(BUY, 10)
    assert floor.kinds(order) == ["new", "fill", "fill"]
    assert (order.state, order.filled_e8, floor.exchange.position_e8(0)) == ("filled", 15 * SCALE, 15 * SCALE)
    spent = sum(notional_e8(e.px_e8, e.qty_e8) for e in floor.exchange.executions)
    assert floor.exchange.cash_e8 == to_e8(1_000_000) - spent


def test_a_split_keeps_the_value(floor: Floor) -> None:
    floor.place(BUY, 10)
    resting = floor.place(BUY, 5, kind=LIMIT, limit=1.0)
    px, cost = floor.board().px, floor.exchange.holdings.costs_e8[0]
    floor.exchange.split(floor.board(), 4, 1)
    assert floor.exchange.position_e8(0) == 40 * SCALE
    assert floor.board().px == pytest.approx(px / 4, abs=0.01)
    assert floor.exchange.holdings.costs_e8[0] == cost
    assert resting.state == "cancelled"


def test_the_same_seed_gives_the_same_day() -> None:
    def day() -> list[Any]:
        floor = Floor()
        out: list[Any] = []
        for _ in range(100):
            floor.place(BUY, 7)
            floor.exchange.step(floor.board())
            out.append((floor.board().px, floor.exchange.cash_e8, floor.exchange.executions[-1].exec_id))
        return out

    assert day() == day()


_step = st.tuples(
    st.sampled_from(["market", "limit", "cancel", "tick", "move"]),
    st.sampled_from([BUY, SELL]),
    st.integers(1, 3_000),
    st.floats(0.97, 1.03),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_step, max_size=40))
def test_books_add_up_whatever_happens(steps: list[tuple[str, int, int, float]]) -> None:
    """Position = sum of fills; cash = start - sum of value; an order never fills beyond its quantity or worse than its
    limit; holds are what is open."""
    floor = Floor()
    exchange, board = floor.exchange, floor.board()
    for what, side, qty, factor in steps:
        px = board.listing.round_px(board.px * factor)
        if what == "market":
            floor.place(side, qty, kind=MARKET)
        elif what == "limit":
            floor.place(side, qty, kind=LIMIT, limit=px, tif=GTC)
        elif what == "cancel" and exchange.open:
            exchange.cancel(next(iter(exchange.open.values())))
            exchange.settle()
        elif what == "tick":
            exchange.step(board)
        else:
            exchange.move(board, px)
        fills = exchange.executions
        signed = [exchange.orders[e.order_id].side * e.qty_e8 for e in fills]
        assert exchange.position_e8(0) == sum(signed)
        spent = sum(notional_e8(e.px_e8, q) for e, q in zip(fills, signed, strict=True))
        assert exchange.cash_e8 == to_e8(1_000_000) - spent
        for order in exchange.orders.values():
            assert order.filled_e8 == sum(e.qty_e8 for e in order.executions) <= order.qty_e8
            if order.kind == LIMIT:
                assert all((e.px_e8 - order.limit_px_e8) * order.side <= 0 for e in order.executions)
        sells = sum(o.open_e8 for o in exchange.open.values() if o.side == SELL)
        assert exchange.holdings.held_sells_e8.get(0, 0) == sells
        assert (exchange.holdings.held_cash_e8 > 0) == any(o.side == BUY for o in exchange.open.values())
        value = exchange.holdings.costs_e8.get(0, 0) - spent - exchange.holdings.realised_e8
        assert abs(value) <= len(fills) + 1  # what is held cost what was spent, but for what was realised
