"""A desk at Binance that dies and comes back: open orders and fills are recovered once, to the last unit."""

from typing import Any

import pytest

from tests.flows.test_live_venues import House, all_true, books, held, house, last
from tests.orchestrator.test_desk import eventually
from workbench.orchestrator import Desk
from workbench.testbed import Emulator, Fault

__all__ = ["house"]  # the fixture

FEES = {"fee_rate": 0.001, "options": {"fee-asset": "received"}}


async def crash(desk: Desk) -> None:
    """As a crash leaves it: nothing is cancelled, the journal is simply closed."""
    for task in desk._tasks:
        task.cancel()
    desk.state = "stopped"
    await desk.market.close()
    await desk.driver.idle()
    desk.journal.close()


def print_at(venue: Emulator, px: float, size: float) -> None:
    venue.exchange.print_at(venue.exchange.market.board("BTCUSDT"), px, size)


async def placed(desk: Desk, venue: Emulator, px: float, qty: float) -> int:
    """A limit order to buy, once the desk has seen a price."""
    await eventually(lambda: desk.engine.book.last_px[0] > 0)
    number: Any = await desk.place("BTCUSDT", "buy", qty, type="limit", limit_px=px)
    assert isinstance(number, int), number
    return number


async def resting(desk: Desk, venue: Emulator, px: float, qty: float) -> int:
    number = await placed(desk, venue, px, qty)
    await eventually(lambda: desk.order(number).state == "working")
    return number


@pytest.mark.parametrize("fees", [{}, FEES], ids=["free", "fees in coins"])
async def test_a_desk_goes_on_where_it_died(house: House, fees: dict[str, Any]) -> None:
    """Half filled, filled while it was away, taken out while it was away, and still open."""
    venue = await house.venue("binance", speed=1, limits=False, **fees)
    desk = await house.desk(["BTCUSDT"])
    px = round(last(venue, "BTCUSDT") * 0.95, 2)
    part = await resting(desk, venue, px, 1)
    print_at(venue, px, 0.4)
    await eventually(lambda: desk.order(part).state == "partial")
    lower, taken_out = await resting(desk, venue, px - 900, 0.2), await resting(desk, venue, px - 1_000, 0.3)
    [there] = [o for o in venue.exchange.open.values() if o.qty_e8 == 30_000_000]
    fills = desk.engine.ledger.fills
    await crash(desk)
    print_at(venue, px, 1e6)
    venue.exchange.cancel(there)
    again = await house.desk(["BTCUSDT"])
    states = [again.order(number).state for number in (part, lower, taken_out)]
    assert states == ["filled", "working", "cancelled"]
    assert again.engine.ledger.fills == fills + 1
    assert held(again) == books(venue)
    await crash(again)
    third = await house.desk(["BTCUSDT"])  # and nothing is told once more
    assert third.engine.ledger.fills == fills + 1
    print_at(venue, px - 900, 1e6)
    await eventually(lambda: third.order(lower).state == "filled")
    assert held(third) == books(venue)
    verdict = await third.reconcile()
    assert all_true(verdict), verdict
    assert len(venue.exchange.orders) == 3
    assert (await third.replay_check())["equal"]


async def test_an_order_whose_answer_died_with_the_desk_is_one_order(house: House) -> None:
    venue = await house.venue("binance", speed=1, limits=False)
    desk = await house.desk(["BTCUSDT"])
    venue.faults.add(Fault(what="lost_reply", where="rest:WS order.place"))
    venue.faults.add(Fault(what="mute", where="stream:ws_api:*"))
    px = round(last(venue, "BTCUSDT") * 0.95, 2)
    sent = await placed(desk, venue, px, 0.5)
    await eventually(lambda: len(venue.exchange.orders) == 1)
    await crash(desk)
    venue.faults.clear()
    again = await house.desk(["BTCUSDT"])
    assert again.order(sent).state == "working"
    print_at(venue, px, 1e6)
    await eventually(lambda: again.order(sent).state == "filled")
    assert held(again) == books(venue) == {"BTCUSDT": 0.5}
    assert len(venue.exchange.orders) == 1
