"""What every broker must do, as checks that run against any of them: the contract, executable.

Lives here: the checks of what all must do. Not here: the rig they run over (rig.py), what only some can do (claims.py),
the test that runs them over all brokers (tests/contracts).

    async with make_rig() as rig:
        result = await run_check("cancel_resting", rig)
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from workbench.brokers.claims import CLAIMS
from workbench.brokers.contract import capabilities_of
from workbench.brokers.rig import (
    ENDS,
    EPOCH,
    BrokerRig,
    ContractBroken,
    MakeRig,
    Market,
    hold,
    kinds_of,
)
from workbench.errors import UnknownName
from workbench.model.effects import Cancel
from workbench.model.orders import BUY, CANCELLED, FILLED, LIMIT, SELL, WORKING
from workbench.model.reports import Accepted, CancelRefused, Filled, Rejected, Report
from workbench.model.scale import SCALE, notional_e8

__all__ = ["CHECKS", "BrokerRig", "ContractBroken", "MakeRig", "Market", "run_check"]

_DEADLINE_S: Final = 10.0


async def market_order(rig: BrokerRig) -> None:
    """A market order is accepted, then filled in full at the next print; nothing comes after its end."""
    order = rig.order()
    await rig.submit(order)
    hold(kinds_of(rig.of(order)) == ["Accepted"], "a market order was not accepted, and only that", rig)
    await rig.move(rig.market.px)
    kinds = kinds_of(rig.of(order))
    hold(kinds[0] == "Accepted" and set(kinds[1:]) == {"Filled"}, "not accepted first and filled then", rig)
    filled = sum(fill.qty_e8 for fill in rig.fills(order))
    hold(filled == order.qty_e8, f"filled {filled} of {order.qty_e8}", rig)
    await rig.move(rig.market.px)
    hold(kinds_of(rig.of(order)) == kinds, "something was reported after the end", rig)


async def limit_rests(rig: BrokerRig) -> None:
    """A limit order away from the market rests, is listed as open, and fills at its limit or better."""
    limit = round(rig.market.px * 0.99, 2)
    order = rig.order(kind=LIMIT, limit=limit)
    await rig.submit(order)
    await rig.move(rig.market.px)
    hold(kinds_of(rig.of(order)) == ["Accepted"], "a limit order below the market did not just rest", rig)
    hold(order.order_id in (await rig.broker.account()).open_orders, "a resting order is not listed", rig)
    await rig.move(limit)
    prices = [fill.px_e8 for fill in rig.fills(order)]
    hold(bool(prices) and max(prices) <= order.limit_px_e8, "not filled at the limit or better", rig)
    hold(not (await rig.broker.account()).open_orders, "a filled order is still listed as open", rig)


async def impossible_order(rig: BrokerRig) -> None:
    """An order of nothing is rejected with code and text, and changes nothing."""
    before = await rig.broker.account()
    order = rig.order(quantity=0)
    await rig.submit(order)
    answers = rig.of(order)
    hold(kinds_of(answers) == ["Rejected"], "an order of nothing was not rejected", rig)
    answer = answers[0]
    said = isinstance(answer, Rejected) and answer.code and answer.text
    hold(bool(said), "a rejection without code or text", rig)
    await rig.move(rig.market.px)
    hold(await rig.broker.account() == before, "a rejected order changed the account", rig)


async def client_id_twice(rig: BrokerRig) -> None:
    """A client id used again makes no second order, and is not answered by a proof that the first is not live."""
    order = rig.order(kind=LIMIT, limit=round(rig.market.px * 0.99, 2))
    await rig.submit(order)
    await rig.submit(order)
    hold(not any(isinstance(r, ENDS) for r in rig.of(order)), "the first order was reported as ended", rig)
    await rig.move(order.limit_px_e8 / SCALE)
    filled = sum(fill.qty_e8 for fill in rig.fills(order))
    hold(filled == order.qty_e8, f"a repeated client id traded {filled} for an order of {order.qty_e8}", rig)
    await rig.submit(order)
    await rig.move(order.limit_px_e8 / SCALE)
    hold(sum(fill.qty_e8 for fill in rig.fills(order)) == filled, "a filled order was traded again", rig)


async def cancel_resting(rig: BrokerRig) -> None:
    """A resting order is cancelled once, and never fills afterwards."""
    order = rig.order(kind=LIMIT, limit=round(rig.market.px * 0.99, 2))
    await rig.submit(order)
    await rig.cancel(order.order_id)
    hold(kinds_of(rig.of(order)) == ["Accepted", "Cancelled"], "not cancelled", rig)
    await rig.move(order.limit_px_e8 / SCALE)
    await rig.cancel(order.order_id)
    hold(kinds_of(rig.of(order))[2:] == ["CancelRefused"], "a cancelled order did something else", rig)
    hold(not (await rig.broker.account()).open_orders, "a cancelled order is listed as open", rig)


async def cancel_unknown(rig: BrokerRig) -> None:
    """The cancel of an order the venue has never seen is refused with code and text."""
    order = rig.order()
    await rig.cancel(order.order_id)
    answers = rig.of(order)
    hold(kinds_of(answers) == ["CancelRefused"], "the cancel of an unknown order was not refused", rig)
    answer = answers[0]
    hold(isinstance(answer, CancelRefused) and bool(answer.code and answer.text), "without code or text", rig)


async def cancel_races_fill(rig: BrokerRig) -> None:
    """Cancel and fill at the same time, in either order: one of them wins, and the reports agree on which."""
    for cancel_first in (False, True):
        order = rig.order(kind=LIMIT, limit=round(rig.market.px * 0.99, 2))
        await rig.submit(order)
        rig.ts_ns += 1
        if cancel_first:
            rig.broker.cancel(Cancel(rig.ts_ns, order.order_id))
        rig.market.print_at(order.limit_px_e8 / SCALE)
        if not cancel_first:
            rig.broker.cancel(Cancel(rig.ts_ns, order.order_id))
        await rig.market.settle()
        kinds = kinds_of(rig.of(order))
        filled = sum(fill.qty_e8 for fill in rig.fills(order))
        if "Cancelled" in kinds:
            hold(kinds[-1] == "Cancelled" and filled < order.qty_e8, "cancelled, and filled after it", rig)
        else:
            hold(filled == order.qty_e8, "neither filled nor cancelled", rig)
            hold(
                kinds[-1] == "CancelRefused",
                "a cancel that came too late was not refused after the fill",
                rig,
            )


async def account_equals_fills(rig: BrokerRig) -> None:
    """Cash and position move by exactly what the reported executions say, fees included."""
    before = await rig.broker.account()
    sides: dict[int, int] = {}
    for step, (side, quantity) in enumerate(((BUY, 10), (BUY, 3), (SELL, 20), (BUY, 7), (SELL, 1))):
        order = rig.order(side=side, quantity=quantity)
        sides[order.order_id] = side
        await rig.submit(order)
        await rig.move(round(rig.market.px + 0.01 * step, 2))
    cash_e8, held = before.cash_e8, before.positions.get(rig.market.iid, 0)
    for fill in rig.fills():
        side = sides[fill.order_id]
        cash_e8 -= notional_e8(fill.px_e8, side * fill.qty_e8) + fill.fee_e8
        held += side * fill.qty_e8
    after = await rig.broker.account()
    hold(after.positions.get(rig.market.iid, 0) == held, f"holds {after.positions}, fills say {held}", rig)
    hold(after.cash_e8 == cash_e8, f"cash {after.cash_e8}, fills say {cash_e8}", rig)


async def executions_count_once(rig: BrokerRig) -> None:
    """Every execution has an id of its own; the same id is the same execution in every field."""
    for _ in range(4):
        await rig.submit(rig.order(quantity=2))
        await rig.move(rig.market.px)
    by_id: dict[str, Report] = {}
    for report in rig.reports:
        if isinstance(report, Filled):
            hold(
                by_id.setdefault(report.exec_id, report) == report, f"{report.exec_id} means two things", rig
            )
            hold(report.qty_e8 > 0 and report.px_e8 > 0, "an execution of nothing", rig)
    hold(len(by_id) >= 4, f"{len(by_id)} executions of 4 orders", rig)


async def ask_for_order(rig: BrokerRig) -> None:
    """An order can be asked for by its client id through its whole life; an unknown id is nothing."""
    order = rig.order(kind=LIMIT, limit=round(rig.market.px * 0.99, 2))
    hold(await rig.broker.order(order.client_id) is None, "an order is known before it was sent", rig)
    await rig.submit(order)
    known = await rig.broker.order(order.client_id)
    hold(known is not None and known.state == WORKING and not known.filled_e8, f"resting, but {known}", rig)
    await rig.move(order.limit_px_e8 / SCALE)
    known = await rig.broker.order(order.client_id)
    hold(known is not None and known.state == FILLED and known.filled_e8 == order.qty_e8, f"but {known}", rig)
    told = {r.exec_id for r in known.reports if isinstance(r, Filled)} if known is not None else set()
    hold(told == {fill.exec_id for fill in rig.fills(order)}, f"other executions than reported: {told}", rig)
    other = rig.order(kind=LIMIT, limit=round(rig.market.px * 0.9, 2))
    await rig.submit(other)
    await rig.cancel(other.order_id)
    known = await rig.broker.order(other.client_id)
    hold(known is not None and known.state == CANCELLED, f"cancelled, but {known}", rig)
    for unknown in (f"wb-{EPOCH + 1}-{order.order_id}", "", "no-such-order"):
        hold(await rig.broker.order(unknown) is None, f"an order answers to '{unknown}'", rig)


async def hand_over_only(rig: BrokerRig) -> None:
    """`submit` and `cancel` come back before any report is delivered."""
    order = rig.order(kind=LIMIT, limit=round(rig.market.px * 0.99, 2))
    rig.broker.submit(order)
    hold(not rig.of(order), "a report was delivered from within submit", rig)
    rig.broker.cancel(Cancel(rig.ts_ns + 1, order.order_id))
    hold(not rig.of(order), "a report was delivered from within cancel", rig)
    await rig.market.settle()
    ends = [report for report in rig.of(order) if isinstance(report, ENDS)]
    hold(len(ends) == 1, "a cancel right behind the submit did not end the order once", rig)
    hold(isinstance(rig.of(order)[0], Accepted | Rejected), "the first report is no answer to the order", rig)


async def reports_name_orders(rig: BrokerRig) -> None:
    """Many orders of both sides at once: every report names one of ours, every order is answered, each in its own
    order. Buys rest below the market and sells above it: orders that could meet each other are refused at some venues
    (a wash trade), rightly."""
    low, high = round(rig.market.px * 0.99, 2), round(rig.market.px * 1.01, 2)
    orders = [
        rig.order(BUY if n % 2 else SELL, LIMIT, quantity=1 + n % 5, limit=low if n % 2 else high)
        for n in range(40)
    ]
    for order in orders:
        rig.broker.submit(order)
    await rig.market.settle()
    for px in (low, high):
        await rig.move(px)
    ids = {order.order_id for order in orders}
    hold(all(report.order_id in ids for report in rig.reports), "a report names no order of ours", rig)
    for order in orders:
        kinds = kinds_of(rig.of(order))
        hold(kinds[:1] == ["Accepted"] and kinds.count("Accepted") == 1, f"{order.client_id} {kinds}", rig)
        filled = sum(fill.qty_e8 for fill in rig.fills(order))
        hold(filled == order.qty_e8, f"{order.client_id} filled {filled} of {order.qty_e8}", rig)


async def close_twice(rig: BrokerRig) -> None:
    """Closing is harmless when repeated; what is handed over afterwards is proven never to have been sent."""
    resting = rig.order(kind=LIMIT, limit=round(rig.market.px * 0.99, 2))
    await rig.submit(resting)
    await rig.broker.close()
    await rig.broker.close()
    late = rig.order()
    rig.broker.submit(late)
    rig.broker.cancel(Cancel(rig.ts_ns + 1, resting.order_id))
    deadline = asyncio.get_running_loop().time() + _DEADLINE_S
    while not (rig.of(late) and len(rig.of(resting)) > 1):
        hold(asyncio.get_running_loop().time() < deadline, "no answer after the close", rig)
        await asyncio.sleep(0)
    hold(kinds_of(rig.of(late)) == ["Unsent"], "an order after the close was not answered by Unsent", rig)
    hold(kinds_of(rig.of(resting)) == ["Accepted", "CancelRefused"], "a cancel after the close acted", rig)


CHECKS: Final[dict[str, Callable[[BrokerRig], Awaitable[None]]]] = {
    check.__name__: check
    for check in (
        market_order,
        limit_rests,
        impossible_order,
        client_id_twice,
        cancel_resting,
        cancel_unknown,
        cancel_races_fill,
        account_equals_fills,
        executions_count_once,
        ask_for_order,
        hand_over_only,
        reports_name_orders,
        close_twice,
    )
} | {check.__name__: check for _, check in CLAIMS}

_NEEDS: Final = {check.__name__: word for word, check in CLAIMS}


async def run_check(name: str, rig: BrokerRig) -> bool:
    """Run one check over a fresh rig; False when the broker does not claim what it is about.

    Raises:
        ContractBroken: naming the broker, what it did, and its last reports. UnknownName: no such check.
    """
    if name not in CHECKS:
        raise UnknownName("check", name, CHECKS)
    if name in _NEEDS and _NEEDS[name] not in capabilities_of(rig.broker):
        return False
    await CHECKS[name](rig)
    return True
