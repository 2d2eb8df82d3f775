"""An order that rests at the venue, and what the venue then says of it: for the tests of what changes under one."""

from tests.engine.conftest import Bench
from workbench.model import Accepted, AmendOrder, Filled, to_e8
from workbench.model.orders import LIMIT


def resting(desk: Bench, quantity: float = 10, px: float = 99) -> int:
    """A limit order to buy that the venue holds; its number."""
    desk.buy(quantity, kind=LIMIT, limit_px_e8=to_e8(px))
    number = desk.last_order.order_id
    desk.do(Accepted(desk.ts_ns, number, f"v{number}"))
    return number


def amend(desk: Bench, number: int, quantity: float = 0, limit: float = 0, stop: float = 0) -> list[object]:
    return list(desk.do(AmendOrder(desk.ts_ns, number, to_e8(quantity), to_e8(limit), to_e8(stop))))


def fill(desk: Bench, number: int, quantity: float, px: float = 100.0, fee_e8: int = 0) -> None:
    count = len(desk.engine.orders.executions)
    desk.do(Filled(desk.ts_ns, number, f"x{count}", to_e8(px), to_e8(quantity), fee_e8))


def buys(desk: Bench) -> float:
    return desk.engine.exposure.lines[0].buys_e8 / 1e8
