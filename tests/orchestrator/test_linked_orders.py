"""Brackets, trailing orders, amendments and flatten by hand, over a recorded day at the built-in exchange."""

import pytest

from tests.orchestrator.conftest import OpenDesk
from tests.orchestrator.test_desk import eventually, placed, play_to, turns
from workbench.errors import BadValue, Refused, UnknownName
from workbench.model import Refusal
from workbench.model.snapshot import OrderRow
from workbench.orchestrator import Desk


def last_px(desk: Desk) -> float:
    return desk.engine.book.last_px[0]


async def proven(desk: Desk) -> None:
    """The books agree with the exchange's, and the journal replays to the same effects."""
    told = dict(await desk.reconcile())
    assert told.pop("differences") == []
    assert all(told.values()), told
    assert (await desk.replay_check())["equal"]


async def test_a_bracket_protects_from_its_fill_on(desk: Desk) -> None:
    await play_to(desk, 0.1)
    px = round(last_px(desk), 2)
    exits = {"take_profit_px": round(px + 30, 2), "stop_loss_px": round(px - 30, 2)}
    number = await placed(desk, "SPY", "buy", 5, **exits)
    rows = desk.orders()
    assert [(r.order_id, r.type, r.side, r.parent_id) for r in rows] == [
        (number, "market", "buy", 0),
        (number + 1, "limit", "sell", number),
        (number + 2, "stop", "sell", number),
    ]
    assert rows[1].group == rows[2].group > 0
    await play_to(desk, desk.market.progress + 0.02)
    assert desk.order(number).state == "filled"
    assert {desk.order(number + n).state for n in (1, 2)} == {"working"}
    await proven(desk)
    no = await desk.amend(number + 2, stop_px=round(last_px(desk) * 1.05, 2))  # above the market: sets it off
    assert no is None
    await play_to(desk, desk.market.progress + 0.02)
    assert desk.order(number + 2).state == "filled"
    assert desk.order(number + 1).state == "cancelled"
    assert desk.snapshot().positions[0].quantity == 0
    assert desk.engine.exposure.gross_e16 == 0
    assert not desk.engine.claims.by_order
    await proven(desk)


async def test_exits_go_with_an_entry_that_is_cancelled(desk: Desk) -> None:
    await play_to(desk, 0.1)
    number = await placed(desk, "SPY", "buy", 5, "limit", limit_px=350.0, stop_loss_px=345.0)
    await eventually(lambda: desk.order(number + 1).state == "working")
    await desk.cancel(number)
    await eventually(lambda: not desk.engine.orders.active)
    assert [desk.order(number + n).state for n in (0, 1)] == ["cancelled", "cancelled"]
    await proven(desk)


async def test_an_order_is_amended_and_the_row_says_so(desk: Desk) -> None:
    await play_to(desk, 0.1)
    number = await placed(desk, "SPY", "buy", 5, "limit", limit_px=350.0, tif="gtc")
    await eventually(lambda: desk.order(number).state == "working")
    assert await desk.amend(number, quantity=8, limit_px=351.0) is None
    assert desk.order(number).amending
    await eventually(lambda: not desk.order(number).amending)
    row = desk.order(number)
    assert (row.quantity, row.limit_px, row.state) == (8.0, 351.0, "working")
    refusal = await desk.amend(number, quantity=20_000)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SIZE"
    await desk.cancel(number)
    await eventually(lambda: desk.order(number).state == "cancelled")
    refusal = await desk.amend(number, quantity=3)
    assert isinstance(refusal, Refusal)
    assert "is cancelled: only a working order can be amended" in refusal.text
    with pytest.raises(UnknownName):
        await desk.amend(99, quantity=3)
    with pytest.raises(BadValue, match="give a quantity, limit_px or stop_px"):
        await desk.amend(number)
    await proven(desk)


async def test_a_trailing_order_follows_and_sells(desk: Desk) -> None:
    await play_to(desk, 0.1)
    await placed(desk, "SPY", "buy", 5)
    await play_to(desk, desk.market.progress + 0.02)
    number = await placed(desk, "SPY", "sell", 5, "trailing", trail_percent=0.05, tif="gtc")
    assert desk.order(number).trail_percent == pytest.approx(0.05)
    await play_to(desk, 0.9)
    assert desk.order(number).state == "filled"
    await proven(desk)


async def test_flatten_closes_everything_and_leaves_the_desk_alive(desk: Desk) -> None:
    number = await turns(desk)
    await play_to(desk, 0.2)
    resting = await placed(desk, "SPY", "buy", 1, "limit", limit_px=350.0, tif="gtc")
    while not desk.engine.ledger.held_e8(number, 0):
        await play_to(desk, desk.market.progress + 0.01)
    report = await desk.flatten("going home", "me")
    assert report.paused == [number]
    assert report.cancels >= 1
    assert (report.refused, report.waiting) == ([], [])
    [closing] = report.orders
    assert isinstance(closing, OrderRow)
    assert (closing.side, closing.type, closing.why) == ("sell", "market", "flatten: going home")
    assert desk.order(resting).state == "cancelled"
    await play_to(desk, desk.market.progress + 0.02)
    assert desk.snapshot().positions[0].quantity == 0
    [strategy] = desk.snapshot().strategies
    assert (strategy.state, strategy.reason) == ("paused", "flatten by me: going home")
    assert desk.snapshot().session.state == "running"
    await proven(desk)


async def test_flatten_knows_its_symbols_and_waits_for_an_arm(desk: Desk) -> None:
    with pytest.raises(UnknownName, match="SPX"):
        await desk.flatten("why", "me", "SPX")
    await desk.kill("enough", "me")
    with pytest.raises(Refused, match="arm the desk, then flatten"):
        await desk.flatten("why", "me")
    await desk.arm("me")
    assert (await desk.flatten("why", "me", "SPY")).orders == []


async def test_linked_orders_come_back_after_a_restart(desk: Desk, open_desk: OpenDesk) -> None:
    await play_to(desk, 0.1)
    px = round(last_px(desk), 2)
    number = await placed(
        desk, "SPY", "buy", 5, take_profit_px=round(px + 30, 2), stop_loss_px=round(px - 30, 2)
    )
    await play_to(desk, desk.market.progress + 0.02)
    await desk.amend(number + 1, quantity=4)
    await eventually(lambda: desk.order(number + 1).quantity == 4)
    before = desk.engine.digest()
    folder = desk.folder
    await desk.broker.close()
    desk.journal.close()
    for task in desk._tasks:
        task.cancel()
    again = await open_desk()
    assert again.folder == folder
    assert again.order(number + 1).quantity == 4.0
    assert again.engine.exposure.lines[0].sells_e8 == 5 * 10**8
    assert again.engine.claims.behind.keys() == {number}
    assert again.engine.digest() != before  # a new epoch
    await proven(again)
