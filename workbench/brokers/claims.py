"""Checks of what a broker may claim beyond market and day limit orders; each runs over those that claim its word.

Lives here: the checks and the word each needs (see `contract.CAPABILITIES`). Not here: what every broker must do
(checks.py). "opg" and "cls" have none: a rig's market opens and closes no session.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from workbench.brokers.rig import ENDS, BrokerRig, hold, kinds_of
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.orders import BUY, FOK, GTC, IOC, LIMIT, SELL, STOP, STOP_LIMIT, TRAILING
from workbench.model.reports import Amended, AmendRefused, Cancelled, Expired, Filled, Report
from workbench.model.scale import SCALE

__all__ = ["CLAIMS"]


def _filled(rig: BrokerRig, order: Submit) -> int:
    return sum(fill.qty_e8 for fill in rig.fills(order))


def _last(rig: BrokerRig, order: Submit) -> Report | None:
    reports = rig.of(order)
    return reports[-1] if reports else None


def _px(rig: BrokerRig, factor: float) -> float:
    return round(rig.market.px * factor, 2)


async def amend_resting(rig: BrokerRig) -> None:
    """A resting order takes another quantity and price, says so, and trades by them."""
    order = rig.order(kind=LIMIT, limit=_px(rig, 0.97))
    await rig.submit(order)
    limit = _px(rig, 0.99)
    await rig.amend(order, 12, limit)
    hold(kinds_of(rig.of(order)) == ["Accepted", "Amended"], "not amended", rig)
    said = _last(rig, order)
    told = (said.qty_e8, said.limit_px_e8) if isinstance(said, Amended) else ()
    hold(told == (12 * SCALE, round(limit * SCALE)), "amended to something else", rig)
    hold(order.order_id in (await rig.broker.account()).open_orders, "an amended order is not listed", rig)
    await rig.move(limit)
    hold(_filled(rig, order) == 12 * SCALE, f"filled {_filled(rig, order)} of 12", rig)


async def amend_what_is_not(rig: BrokerRig) -> None:
    """The amendment of an unknown or an ended order is refused with code and text, and changes nothing."""
    unknown = rig.order(kind=LIMIT, limit=_px(rig, 0.99))
    ended = rig.order(kind=LIMIT, limit=_px(rig, 0.99))
    await rig.submit(ended)
    await rig.move(_px(rig, 0.99))
    before = await rig.broker.account()
    for order in (unknown, ended):
        await rig.amend(order, 15, _px(rig, 1.01))
        answer = _last(rig, order)
        said = isinstance(answer, AmendRefused) and bool(answer.code and answer.text)
        hold(said, "an amendment of nothing was not refused with code and text", rig)
    await rig.move(rig.market.px)
    hold(await rig.broker.account() == before, "a refused amendment changed the account", rig)


async def amend_races_fill(rig: BrokerRig) -> None:
    """Amendment and fill at the same time, in either order: the reports agree on which came first."""
    for amend_first in (False, True):
        limit = _px(rig, 0.99)
        order = rig.order(kind=LIMIT, limit=limit)
        await rig.submit(order)
        rig.ts_ns += 1
        wanted = Amend(rig.ts_ns, order.order_id, 14 * SCALE, order.limit_px_e8, 0)
        if amend_first:
            rig.broker.amend(wanted)
        rig.market.print_at(limit)
        if not amend_first:
            rig.broker.amend(wanted)
        await rig.market.settle()
        if "Amended" in kinds_of(rig.of(order)):
            await rig.move(limit)  # what the amendment added may have missed the print
            hold(_filled(rig, order) == 14 * SCALE, "amended, and not filled as amended", rig)
        else:
            hold(_filled(rig, order) == order.qty_e8, "neither amended nor filled", rig)
            hold("AmendRefused" in kinds_of(rig.of(order)), "an amendment was not answered", rig)


async def stop_waits(rig: BrokerRig) -> None:
    """A stop order does nothing before its price, and trades there."""
    stop = _px(rig, 1.01)
    order = rig.order(side=BUY, kind=STOP, stop=stop)
    await rig.submit(order)
    await rig.move(_px(rig, 0.995))
    hold(kinds_of(rig.of(order)) == ["Accepted"], "a stop did something before its price", rig)
    await rig.move(stop)
    hold(_filled(rig, order) == order.qty_e8, "a stop at its price was not filled", rig)


async def stop_limit_rests(rig: BrokerRig) -> None:
    """A triggered stop-limit order trades at its limit or better, and else rests there."""
    limit, stop = _px(rig, 1.005), _px(rig, 1.01)
    order = rig.order(side=BUY, kind=STOP_LIMIT, stop=stop, limit=limit)
    await rig.submit(order)
    await rig.move(rig.market.px)
    hold(not rig.fills(order), "filled before its stop", rig)
    await rig.move(stop)
    hold(not rig.fills(order), "filled beyond its limit", rig)
    await rig.move(limit)
    prices = [fill.px_e8 for fill in rig.fills(order)]
    hold(_filled(rig, order) == order.qty_e8 and max(prices) <= order.limit_px_e8, "not filled", rig)


async def trailing_follows(rig: BrokerRig) -> None:
    """A trailing stop follows the market up, not down, and trades when it is met."""
    start = rig.market.px
    order = rig.order(side=SELL, kind=TRAILING, trail=_px(rig, 0.02))
    await rig.submit(order)
    for px in (start, round(start * 1.03, 2), round(start * 1.015, 2)):
        await rig.move(px)
    hold(kinds_of(rig.of(order)) == ["Accepted"], "a trailing stop was met before its distance", rig)
    await rig.move(round(start * 1.005, 2))
    hold(_filled(rig, order) == order.qty_e8, "a trailing stop did not follow", rig)


async def one_cancels_other(rig: BrokerRig) -> None:
    """Of two orders of a group one fills, the other ends and never trades."""
    low = rig.order(side=BUY, kind=LIMIT, limit=_px(rig, 0.98), group=1, tif=GTC)
    high = rig.order(side=BUY, kind=STOP, stop=_px(rig, 1.02), group=1, tif=GTC)
    rig.broker.submit(low)
    await rig.submit(high)
    await rig.move(low.limit_px_e8 / SCALE)
    hold(_filled(rig, low) == low.qty_e8, "the order that was met has not filled", rig)
    hold(isinstance(_last(rig, high), Cancelled | Expired), "the other has not ended", rig)
    await rig.move(high.stop_px_e8 / SCALE)
    hold(not rig.fills(high), "the other has filled too", rig)
    hold(not (await rig.broker.account()).open_orders, "something is still listed as open", rig)


def _bracket(rig: BrokerRig, entry: float) -> tuple[Submit, Submit, Submit]:
    parent = rig.order(side=BUY, kind=LIMIT, limit=entry, tif=GTC)
    up, down, number = round(entry * 1.02, 2), round(entry * 0.97, 2), parent.order_id
    take = rig.order(SELL, LIMIT, limit=up, tif=GTC, parent=number, group=number)
    loss = rig.order(SELL, STOP, stop=down, tif=GTC, parent=number, group=number)
    for order in (parent, take, loss):
        rig.broker.submit(order)
    return parent, take, loss


async def exits_wait(rig: BrokerRig) -> None:
    """A bracket's exits do nothing before the entry fills; then one of them closes it, the other ends."""
    held = (await rig.broker.account()).positions.get(rig.market.iid, 0)
    entry = _px(rig, 0.99)
    parent, take, loss = _bracket(rig, entry)
    await rig.market.settle()
    await rig.move(round(entry * 1.021, 2))
    hold(not rig.fills(take) and not rig.fills(loss), "an exit has filled before its entry", rig)
    await rig.move(entry)
    hold(_filled(rig, parent) == parent.qty_e8, "the entry has not filled", rig)
    await rig.move(take.limit_px_e8 / SCALE)
    hold(_filled(rig, take) == take.qty_e8, "the exit at a profit has not filled", rig)
    hold(isinstance(_last(rig, loss), Cancelled | Expired), "the other exit has not ended", rig)
    after = (await rig.broker.account()).positions.get(rig.market.iid, 0)
    hold(after == held, f"held {held} before the bracket and {after} after it", rig)


async def exits_go_with_entry(rig: BrokerRig) -> None:
    """Cancelling an entry that has not filled takes its exits along."""
    parent, take, loss = _bracket(rig, _px(rig, 0.97))
    await rig.market.settle()
    rig.ts_ns += 1
    rig.broker.cancel(Cancel(rig.ts_ns, parent.order_id))
    await rig.market.settle()
    for order in (parent, take, loss):
        hold(isinstance(_last(rig, order), ENDS), f"{order.client_id} has not ended", rig)
    hold(not (await rig.broker.account()).open_orders, "something is still listed as open", rig)


async def good_till_cancelled(rig: BrokerRig) -> None:
    """An order that is good till cancelled rests until it is."""
    order = rig.order(kind=LIMIT, limit=_px(rig, 0.97), tif=GTC)
    await rig.submit(order)
    await rig.move(rig.market.px)
    hold(kinds_of(rig.of(order)) == ["Accepted"], "it did not just rest", rig)
    await rig.cancel(order.order_id)
    hold(kinds_of(rig.of(order)) == ["Accepted", "Cancelled"], "not cancelled", rig)


async def _at_once(rig: BrokerRig, tif: int) -> None:
    away = rig.order(kind=LIMIT, limit=_px(rig, 0.97), tif=tif)
    await rig.submit(away)
    await rig.move(rig.market.px)
    last = _last(rig, away)
    hold(not rig.fills(away) and isinstance(last, Cancelled | Expired), "it waits, away from the market", rig)
    there = rig.order(kind=LIMIT, limit=_px(rig, 1.02), tif=tif)
    await rig.submit(there)
    await rig.move(rig.market.px)
    hold(_filled(rig, there) == there.qty_e8, "not filled where the market stands", rig)
    hold(isinstance(_last(rig, there), Filled), "something was reported after the end", rig)


async def immediate_or_cancel(rig: BrokerRig) -> None:
    """IOC fills at once or ends."""
    await _at_once(rig, IOC)


async def fill_or_kill(rig: BrokerRig) -> None:
    """FOK fills at once, as a whole, or ends."""
    await _at_once(rig, FOK)


CLAIMS: Final[tuple[tuple[str, Callable[[BrokerRig], Awaitable[None]]], ...]] = (
    ("amend", amend_resting),
    ("amend", amend_what_is_not),
    ("amend", amend_races_fill),
    ("stop", stop_waits),
    ("stop_limit", stop_limit_rests),
    ("trailing", trailing_follows),
    ("oco", one_cancels_other),
    ("bracket", exits_wait),
    ("bracket", exits_go_with_entry),
    ("gtc", good_till_cancelled),
    ("ioc", immediate_or_cancel),
    ("fok", fill_or_kill),
)
