"""What event strategies ask for beside plain orders: brackets, groups, cancels, amendments; and what they are told."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.conftest import Bench
from workbench.engine import Engine
from workbench.errors import BadValue, UnknownName
from workbench.model import (
    Accepted,
    AddStrategy,
    Amend,
    Amended,
    Cancel,
    Cancelled,
    Effect,
    Filled,
    PauseStrategy,
    Rejected,
    Submit,
    Timer,
    Trade,
    to_e8,
)
from workbench.model.orders import LIMIT, STATE_NAMES, STOP, TRAILING
from workbench.strategy import AmendRequest, CancelRequest, Context, OrderRequest

HEAD = "from workbench.strategy import *\n"

type Place = Callable[..., Bench]


@pytest.fixture
def place() -> Place:
    """A desk with the real strategy room, a price of 100 and one strategy whose `on_trade` is the given text."""

    def placed(body: str, more: str = "", symbols: tuple[str, ...] = ("SPY", "QQQ")) -> Bench:
        bench = Bench(symbols=symbols)
        bench.engine = Engine()
        for event in bench.events.copy():
            bench.do(event)
        source = f"{HEAD}class Asker(Strategy):\n    def on_trade(self, ctx, trade):\n        {body}\n{more}"
        iids = tuple(range(len(symbols)))
        bench.do(AddStrategy(bench.ts_ns, 1, "Asker", source, "", (), iids, "quantity", to_e8(10)))
        for iid in iids:
            bench.bar(100.0, iid)
        return bench

    return placed


def ask(bench: Bench, iid: int = 0, px: float = 100.0) -> list[Effect]:
    """A print, which makes the strategy ask."""
    bench.ts_ns += 10**9
    return bench.do(Trade(bench.ts_ns, iid, px))


def submits(effects: list[Effect]) -> list[Submit]:
    return [e for e in effects if isinstance(e, Submit)]


def fill(bench: Bench, number: int, quantity: float, px: float = 100.0) -> list[Effect]:
    count = len(bench.engine.orders.executions)
    return bench.do(Filled(bench.ts_ns, number, f"x{count}", to_e8(px), to_e8(quantity), to_e8("0.25")))


def test_a_request_with_exits_is_a_bracket(place: Place) -> None:
    bench = place("return OrderRequest('buy', 10, take_profit_px=105, stop_loss_px=98, why='dip')")
    entry, profit, stop = submits(ask(bench))
    assert (profit.parent_id, stop.parent_id) == (entry.order_id, entry.order_id)
    assert (profit.limit_px_e8, stop.stop_px_e8) == (to_e8(105), to_e8(98))
    assert (profit.why, stop.why) == ("take profit: dip", "stop loss: dip")


def test_a_trailing_request_names_its_distance(place: Place) -> None:
    bench = place("return OrderRequest('sell', 10, type='trailing', trail_percent=1.5, tif='gtc')")
    (order,) = submits(ask(bench))
    assert (order.kind, order.trail_e8, order.trail_rate_e8) == (TRAILING, 0, to_e8("0.015"))


def test_one_label_is_one_group_and_one_request_alone_is_none(place: Place) -> None:
    bench = place(
        "return [OrderRequest('sell', 10, type='limit', limit_px=105, oco='exit'),"
        " OrderRequest('sell', 1, type='limit', limit_px=104, oco='alone'),"
        " OrderRequest('sell', 12, type='stop', stop_px=98, oco='exit')]"
    )
    first, second, alone = submits(ask(bench))
    assert first.group == second.group == first.order_id
    assert (first.kind, second.kind) == (LIMIT, STOP)
    assert (first.parent_id, alone.group) == (0, 0)
    assert bench.engine.exposure.lines[0].sells_e8 == to_e8(13)  # the larger of the group, and the one alone
    assert bench.engine.host.seats[1, 0].working_e8 == -to_e8(11)


def test_of_a_group_all_are_sent_or_none(place: Place) -> None:
    bench = place(
        "return [OrderRequest('sell', 10, type='limit', limit_px=105, oco='x'),"
        " OrderRequest('sell', 10, type='stop', stop_px=20, oco='x')]"
    )
    assert submits(ask(bench)) == []
    assert bench.refusals("COLLAR")
    assert bench.engine.exposure.lines[0].sells_e8 == 0


def test_a_group_in_two_symbols_halts_with_its_reason(place: Place) -> None:
    bench = place("return [OrderRequest('sell', 1, symbol=s, oco='x') for s in ('SPY', 'QQQ')]")
    ask(bench)
    assert "must be in one symbol, not in SPY, QQQ" in bench.halts()[0].text


def test_working_orders_are_seen_and_cancelled_by_number(place: Place) -> None:
    bench = place(
        "return [CancelRequest(o.order_id) for o in ctx.orders] or "
        "OrderRequest('buy', 2, type='limit', limit_px=99, why='bid')"
    )
    (order,) = submits(ask(bench))
    assert ask(bench, iid=1)[0].iid == 1  # type: ignore[union-attr]  # its orders in SPY are not QQQ's
    bench.do(Accepted(bench.ts_ns, order.order_id, "v1"))
    assert ask(bench) == [Cancel(bench.ts_ns, order.order_id)]
    assert ask(bench) == []  # asked for already
    bench.do(Cancelled(bench.ts_ns, order.order_id))
    assert len(submits(ask(bench))) == 1


def test_all_of_a_symbol_are_cancelled_at_once(place: Place) -> None:
    bench = place(
        "return CancelRequest(all='SPY') if len(ctx.orders) == 2 else "
        "[OrderRequest('buy', q, type='limit', limit_px=98 + q, symbol='SPY') for q in (0.5 + 0.5, 1.5 + 0.5)]"
        " if not ctx.orders else None"
    )
    assert len(submits(ask(bench))) == 2
    assert [type(e) for e in ask(bench)] == [Cancel, Cancel]


def test_a_timer_sees_the_orders_of_all_symbols(place: Place) -> None:
    more = "    def on_timer(self, ctx, timer):\n        return [CancelRequest(o.order_id) for o in ctx.orders]\n"
    bench = place("return OrderRequest('buy', 1, type='limit', limit_px=99)", more)
    ask(bench, 0)
    ask(bench, 1)
    assert [e.order_id for e in bench.do(Timer(bench.ts_ns, "t"))] == [1, 2]  # type: ignore[union-attr]


def test_amendments_go_through_the_rules(place: Place) -> None:
    bench = place(
        "return AmendRequest(ctx.orders[0].order_id, quantity=7, limit_px=trade.px - 1) if ctx.orders else "
        "OrderRequest('buy', 2, type='limit', limit_px=99)"
    )
    ask(bench)
    bench.do(Accepted(bench.ts_ns, 1, "v1"))
    assert ask(bench, px=99.5) == [Amend(bench.ts_ns, 1, to_e8(7), to_e8(98.5), 0)]
    bench.do(Amended(bench.ts_ns, 1, to_e8(7), to_e8(98.5), 0))
    ask(bench, px=99.505)
    assert bench.refusals("GRID")


def test_only_its_own_orders_are_touched(place: Place) -> None:
    bench = place("return [CancelRequest(1), AmendRequest(1, quantity=3)]")
    bench.buy(5, kind=LIMIT, limit_px_e8=to_e8(99))
    ask(bench)
    assert [r.code for r in bench.refusals()] == ["CANCEL", "AMEND"]
    assert "order 1 is not this strategy's: open are none" in bench.refusals()[0].text


def test_a_paused_strategy_changes_nothing(place: Place) -> None:
    bench = place(
        "return [CancelRequest(o.order_id) for o in ctx.orders] or OrderRequest('buy', 2, type='limit', limit_px=99)"
    )
    ask(bench)
    bench.do(PauseStrategy(bench.ts_ns, 1, "look"))
    ask(bench)
    assert bench.refusals()[-1].code == "PAUSED"
    assert STATE_NAMES[bench.last_order.state] == "new"


def test_fills_are_told_in_words_and_units(place: Place) -> None:
    more = "    def on_fill(self, ctx, fill):\n        names = [*fill.__struct_fields__]\n"
    more += "        self.seen = [names, [getattr(fill, name) for name in names], ctx.position]\n"
    bench = place("return OrderRequest('buy', 10)", more)
    ask(bench)
    fill(bench, 1, 4, 100.5)
    program = bench.engine.host.strategies[1].event_program
    assert program is not None
    names, values, position = vars(program._rows[0].strategy)["seen"]
    assert dict(zip(names, values, strict=True)) == {
        "symbol": "SPY",
        "side": "buy",
        "quantity": 4.0,
        "px": 100.5,
        "fee": 0.25,
        "order_id": 1,
        "ts_ns": bench.ts_ns,
    }
    assert position == 4.0


def test_what_became_of_an_order_is_told(place: Place) -> None:
    more = "    def on_order(self, ctx, order):\n        self.heard = getattr(self, 'heard', [])\n"
    more += "        self.heard.append((order.order_id, order.state, order.reason, len(ctx.orders)))\n"
    bench = place("return OrderRequest('buy', 10, type='limit', limit_px=99)", more)
    ask(bench)
    bench.do(Accepted(bench.ts_ns, 1, "v1"))
    bench.do(Amended(bench.ts_ns, 1, to_e8(6), to_e8(99), 0))
    bench.do(Cancelled(bench.ts_ns, 1, "end of day"))
    ask(bench)
    bench.do(Rejected(bench.ts_ns, 2, "FUNDS", "too dear"))
    program = bench.engine.host.strategies[1].event_program
    assert program is not None
    assert vars(program._rows[0].strategy)["heard"] == [
        (1, "working", "", 1),
        (1, "working", "", 1),
        (1, "cancelled", "end of day", 0),
        (2, "rejected", "FUNDS: too dear", 0),
    ]


def test_a_signal_after_an_exit_opens_again(place: Place) -> None:
    """What the exits sold is no longer the target's: the same signal buys anew."""
    bench = place("return Signal(1.0) if ctx.flat and not ctx.orders else None")
    assert submits(ask(bench))[0].qty_e8 == to_e8(10)
    fill(bench, 1, 10)
    bench.engine.order(bench.engine.host.seats[1, 0], -1, 0, 0, to_e8(10), 0, 0, "by hand")
    fill(bench, 2, 10)
    assert submits(ask(bench))[0].qty_e8 == to_e8(10)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (OrderRequest, {"side": "buy", "quantity": 1, "type": "trailing"}, "OrderRequest.trail"),
        (
            OrderRequest,
            {"side": "buy", "quantity": 1, "type": "trailing", "trail": 1, "trail_percent": 1},
            "one of",
        ),
        (OrderRequest, {"side": "buy", "quantity": 1, "trail": 1}, "takes none"),
        (OrderRequest, {"side": "buy", "quantity": 1, "type": "trailing", "trail": -1}, "above 0"),
        (OrderRequest, {"side": "buy", "quantity": 1, "take_profit_px": float("nan")}, "above 0"),
        (OrderRequest, {"side": "buy", "quantity": 1, "stop_loss_limit_px": 5}, "stop_loss_px"),
        (OrderRequest, {"side": "buy", "quantity": 1, "stop_loss_px": 5, "oco": "a"}, "oco"),
        (CancelRequest, {}, "one of the two"),
        (CancelRequest, {"order_id": 1, "all": "SPY"}, "one of the two"),
        (AmendRequest, {"order_id": 1}, "say what to change"),
        (AmendRequest, {"order_id": 1, "quantity": -1}, "above 0"),
    ],
)
def test_requests_that_cannot_be(kind: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        kind(**given)


def test_words_answer_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'trailing'"):
        OrderRequest("buy", 1, type="trailling")
    with pytest.raises(UnknownName, match="did you mean 'opg'"):
        OrderRequest("buy", 1, tif="opn")


def test_orders_are_looked_up_once_and_only_when_asked_for() -> None:
    looked: list[str] = []

    def look(symbol: str) -> tuple[Any, ...]:
        looked.append(symbol)
        return ()

    ctx = Context(1, "SPY", 0.0, 100.0, orders=look)
    assert looked == []
    assert ctx.orders == ctx.orders == ()
    assert looked == ["SPY"]
    assert Context(1, "SPY", 0.0, 100.0).orders == ()
