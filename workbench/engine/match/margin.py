"""What the account's terms come to: which orders are refused for want of money or stock, and what a day costs.

Lives here: the sums. Not here: the terms (terms.py), orders (orders.py), booking (books.py).

Worst cases count. On each side of an instrument all open orders are added up, of a group only the largest, of exits
what their entry has filled. The exposure of an instrument is the larger of what would then be long and what would be
short, at the last price, and at the order's own price where that is higher.
"""

from collections.abc import Iterator
from typing import Final

from workbench.engine.match.complaints import Complaint
from workbench.engine.match.orders import Desk
from workbench.engine.match.resting import Resting
from workbench.engine.match.terms import Terms
from workbench.model.effects import Submit
from workbench.model.orders import BUY, LIMIT, SELL, STOP, STOP_LIMIT
from workbench.model.reports import Cancelled, CashMoved, Report
from workbench.model.scale import SCALE, from_e8, notional_e8

__all__ = ["charge_days", "on_margin_call", "refusal"]

_NONE: Final = (0, 0)
_YEAR: Final = 360  # days, as money markets and stock lenders count them

type Claims = dict[int, tuple[int, int]]


def refusal(desk: Desk, terms: Terms, order: Submit, instead_of: Resting | None = None) -> Complaint | None:
    """Why the account cannot carry an order (in place of one that it amends); None when it can."""
    parent = desk.orders.get(order.parent_id) if order.parent_id else None
    if parent is not None and _covers(order, parent) and not parent.filled_e8:
        return None  # an exit, placed with its entry: it covers what that will fill
    qty_e8 = order.qty_e8 - (instead_of.filled_e8 if instead_of is not None else 0)
    with_it = _claims(desk, instead_of, (order, qty_e8))
    held_e8, for_sale_e8 = desk.positions.get(order.iid, 0), with_it[order.iid][1]
    if order.side == SELL and not terms.may_short(order.iid) and held_e8 < for_sale_e8:
        sold, held, claimed = from_e8(qty_e8), from_e8(held_e8), from_e8(for_sale_e8 - qty_e8)
        text = f"selling {sold:g} with {held:g} held and {claimed:g} for sale already is short"
        return "NOT_SHORTABLE", text
    if terms.account == "unchecked":
        return None
    px_e8 = _price_e8(desk, order)
    if px_e8 <= 0:
        return "NO_PRICE", "no price has been seen to value the order at: wait for one, or give a limit"
    if terms.account == "cash":
        return _cash_refusal(desk, order, px_e8, qty_e8, instead_of)
    return _margin_refusal(desk, terms, order, px_e8, with_it, instead_of)


def _cash_refusal(
    desk: Desk, order: Submit, px_e8: int, qty_e8: int, instead_of: Resting | None
) -> Complaint | None:
    if order.side != BUY:
        return None
    reserved_e8 = sum(
        notional_e8(_price_e8(desk, bought), qty_e8)
        for bought, qty_e8 in _open(desk, instead_of)
        if bought.side == BUY
    )
    free_e8 = desk.cash_e8 - reserved_e8
    resting = instead_of if instead_of is not None else Resting(order, 0, 0)
    needs_e8 = notional_e8(px_e8, qty_e8) + desk.fee_of(resting, px_e8, qty_e8, order.ts_ns)
    was_e8 = notional_e8(_price_e8(desk, resting.order), resting.open_e8) if instead_of is not None else 0
    if needs_e8 <= max(free_e8, was_e8):
        return None
    needs, free = from_e8(needs_e8), from_e8(free_e8)
    return "INSUFFICIENT_BUYING_POWER", f"the order needs {needs:.2f} in cash, {free:.2f} is free"


def _margin_refusal(
    desk: Desk,
    terms: Terms,
    order: Submit,
    px_e8: int,
    with_it: Claims,
    instead_of: Resting | None,
) -> Complaint | None:
    equity_e8 = _equity_e8(desk)
    without = _claims(desk, None, None)
    before_e8 = after_e8 = 0
    for iid in sorted({*desk.positions, *without, *with_it}):
        mark_e8 = _mark_e8(desk, iid)
        held_e8 = desk.positions.get(iid, 0)
        before_e8 += _exposure_e8(held_e8, without.get(iid, _NONE), mark_e8)
        worst_e8 = max(mark_e8, px_e8) if iid == order.iid else mark_e8
        after_e8 += _exposure_e8(held_e8, with_it.get(iid, _NONE), worst_e8)
    if after_e8 <= before_e8:
        return None
    initial_e8 = round(terms.initial * SCALE)
    needed_e8 = maintenance_e8(desk, terms)
    if equity_e8 < needed_e8:
        equity, needed = from_e8(equity_e8), from_e8(needed_e8)
        return "MARGIN_CALL", f"equity {equity:.2f} is below the maintenance margin {needed:.2f}: only reduce"
    if notional_e8(after_e8, initial_e8) <= equity_e8:
        return None
    takes = from_e8(after_e8 - before_e8)
    free = from_e8(equity_e8 * SCALE // initial_e8 - before_e8)
    return "INSUFFICIENT_BUYING_POWER", f"the order takes {takes:.2f} of buying power, {free:.2f} is free"


def _exposure_e8(held_e8: int, claims: tuple[int, int], px_e8: int) -> int:
    buys_e8, sells_e8 = claims
    return notional_e8(px_e8, max(held_e8 + buys_e8, sells_e8 - held_e8, 0))


def _equity_e8(desk: Desk) -> int:
    return desk.cash_e8 + sum(notional_e8(_mark_e8(desk, iid), qty) for iid, qty in desk.positions.items())


def _mark_e8(desk: Desk, iid: int) -> int:
    return round(max(desk.tape(iid).px, 0.0) * SCALE)


def maintenance_e8(desk: Desk, terms: Terms) -> int:
    """The equity below which the account is called, for what it holds now."""
    total_e8 = 0
    for iid, qty_e8 in desk.positions.items():
        value_e8 = notional_e8(_mark_e8(desk, iid), abs(qty_e8))
        rate = terms.maintenance if qty_e8 >= 0 else terms.maintenance_short
        total_e8 += notional_e8(round(rate * SCALE), value_e8)
    return total_e8


def _price_e8(desk: Desk, order: Submit) -> int:
    if order.kind in (LIMIT, STOP_LIMIT):
        return order.limit_px_e8
    if order.kind == STOP:
        return order.stop_px_e8
    return _mark_e8(desk, order.iid)


def _covers(order: Submit, parent: Resting) -> bool:
    """Whether an order behind a parent is its exit."""
    return parent.order.side != order.side and parent.order.iid == order.iid


def _open(desk: Desk, but: Resting | None) -> Iterator[tuple[Submit, int]]:
    """Open orders and their quantities; exits with what their entry has filled."""
    for tape in desk.tapes.values():
        for resting in tape.orders.values():
            if resting is not but:
                parent = resting.parent
                exits = parent is not None and _covers(resting.order, parent)
                yield resting.order, resting.workable_e8 if exits else resting.open_e8


def _claims(desk: Desk, but: Resting | None, plus: tuple[Submit, int] | None) -> Claims:
    """By instrument: (quantity that open orders may buy, that they may sell), with one more order and its quantity; of
    a group the largest counts."""
    sums: dict[int, list[int]] = {}
    largest: dict[tuple[int, int, int], int] = {}
    for order, qty_e8 in (*_open(desk, but), *(() if plus is None else (plus,))):
        side = 0 if order.side == BUY else 1
        place = sums.setdefault(order.iid, [0, 0])
        if order.group:
            key = (order.iid, side, order.group)
            largest[key] = max(largest.get(key, 0), qty_e8)
        else:
            place[side] += qty_e8
    for (iid, side, _), qty_e8 in largest.items():
        sums[iid][side] += qty_e8
    return {iid: (buys, sells) for iid, (buys, sells) in sums.items()}


def on_margin_call(desk: Desk, terms: Terms, ts_ns: int, reports: list[Report]) -> None:
    """Cancel what would enlarge an account whose equity is below its maintenance margin."""
    equity_e8, needed_e8 = _equity_e8(desk), maintenance_e8(desk, terms)
    if equity_e8 >= needed_e8:
        return
    why = f"margin call: equity {from_e8(equity_e8):.2f} is below {from_e8(needed_e8):.2f}"
    for resting in [r for tape in desk.tapes.values() for r in tape.orders.values()]:
        order = resting.order
        if resting.parent is not None:
            continue  # it goes with its entry, or covers what that has filled
        held_e8 = desk.positions.get(order.iid, 0)
        if held_e8 * order.side >= 0 and resting.state == "open":
            at_ns = max(ts_ns, order.ts_ns + resting.ack_ns)
            reports.append(Cancelled(at_ns, order.order_id, why))
            desk.end(resting, "cancelled", ts_ns, reports)


def charge_days(desk: Desk, terms: Terms, ts_ns: int, day: int, days: int, reports: list[Report]) -> None:
    """Charge the `days` nights up to `day`: borrowed stock at its last value, and cash below 0."""
    for iid, qty_e8 in sorted(desk.positions.items()):
        rate = terms.borrow_rates.get(iid, terms.borrow_rate)
        if qty_e8 >= 0 or not rate:
            continue
        value_e8 = notional_e8(_mark_e8(desk, iid), -qty_e8)
        reason = f"borrowed stock: {days} days of {from_e8(value_e8):.2f} at {rate:g} a year"
        _charge(desk, ts_ns, f"borrow-{day}-{iid}", _for_days(value_e8, rate, days), iid, reason, reports)
    if desk.cash_e8 < 0 and terms.debit_rate:
        owed_e8 = -desk.cash_e8
        reason = f"interest: {days} days of {from_e8(owed_e8):.2f} at {terms.debit_rate:g} a year"
        amount_e8 = _for_days(owed_e8, terms.debit_rate, days)
        _charge(desk, ts_ns, f"interest-{day}", amount_e8, -1, reason, reports)


def _charge(
    desk: Desk, ts_ns: int, move_id: str, amount_e8: int, iid: int, reason: str, reports: list[Report]
) -> None:
    if amount_e8:
        desk.move_cash(CashMoved(ts_ns, move_id, -amount_e8, iid, reason), reports)


def _for_days(value_e8: int, rate: float, days: int) -> int:
    """A yearly rate's share of so many days, to the nearest 1e-8 (halves up)."""
    over = SCALE * _YEAR
    return (value_e8 * round(rate * SCALE) * days + over // 2) // over
