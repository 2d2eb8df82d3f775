"""The risk rules: plain functions `(intent, risk) -> None | (code, text, numbers)`, run in this order, first no wins.

    KILLED PAUSED FROZEN GRID HOURS STALE SIZE NOTIONAL COLLAR
    POSITION GROSS CREDIT DUPLICATE SELF_CROSS DAILY_LOSS REPEAT RATE

All positions are worst cases: everything open, UNKNOWN included, is taken as filled on the side that hurts. An order
whose worst case does not pass zero can only make the account's position smaller: POSITION, GROSS, CREDIT and DAILY_LOSS
let it through; so do they an exit that waits for its entry, and an amendment that asks for no more. A rule reads; it
changes nothing. Market hours proper (holidays, half days) belong to the feed's calendar; HOURS is a plain daily window.
"""

from typing import TYPE_CHECKING, Final

from workbench.engine.grid import grid
from workbench.engine.seats import Intent, Seat, Verdict
from workbench.model.orders import BUY, CLS, MARKET, OPG, SELL, STOP_LIMIT, TRAILING
from workbench.model.scale import SCALE, from_e8

if TYPE_CHECKING:
    from workbench.engine.exposure import Line
    from workbench.engine.orders import OrderTable
    from workbench.engine.risk import Risk

__all__ = ["first_no", "first_no_to_amend", "plainly_fine", "waits_at"]

_E16: Final = SCALE * SCALE
_DAY_NS: Final = 86_400_000_000_000
_AUCTIONS: Final = (OPG, CLS)


def killed(intent: Intent, risk: "Risk") -> Verdict | None:
    """KILLED: the kill switch blocks every new order."""
    if not risk.killed:
        return None
    return "KILLED", f"the kill switch is on ({risk.kill_reason}): arm the desk to trade again", ()


def paused(intent: Intent, risk: "Risk") -> Verdict | None:
    """PAUSED: a strategy that does not run sends nothing."""
    placed = intent.seat.placed
    if placed.running or intent.closing:
        return None
    text = f"strategy {placed.strategy_id} {placed.name} is {placed.state} ({placed.reason}): resume it first"
    return "PAUSED", text, (("strategy_id", float(placed.strategy_id)),)


def frozen(intent: Intent, risk: "Risk") -> Verdict | None:
    """FROZEN: nothing that could enlarge a position on which desk and broker do not agree."""
    if intent.iid not in risk.frozen or intent.closing or intent.worst_e8 <= 0:
        return None
    symbol = intent.seat.instrument.symbol
    text = f"{symbol} is frozen ({risk.frozen[intent.iid]}): only reducing orders pass; thaw it when the books agree"
    return "FROZEN", text, ()


def hours(intent: Intent, risk: "Risk") -> Verdict | None:
    """HOURS: inside the daily window."""
    window = risk.hours_ns
    if window is None:
        return None
    now = risk.ts_ns % _DAY_NS
    if window[0] <= now < window[1]:
        return None
    now_s, from_s, to_s = now / 1e9, window[0] / 1e9, window[1] / 1e9
    text = f"outside the trading window: {now_s:.0f} s of the UTC day, window {from_s:.0f} to {to_s:.0f} s"
    return "HOURS", text, (("now_s", now_s), ("from_s", from_s), ("to_s", to_s))


def stale(intent: Intent, risk: "Risk") -> Verdict | None:
    """STALE: there is a last good price, and it is young enough by the latest time that has been seen: a bar that comes
    late is old, whatever it says itself."""
    last_ns = risk.book.last_ts[intent.iid]
    age = risk.now_ns - last_ns
    if last_ns and age <= risk.max_age_ns:
        return None
    symbol, most_s = intent.seat.instrument.symbol, risk.max_age_ns / 1e9
    if not last_ns:
        return "STALE", f"no price of {symbol} has been seen yet: wait for its first data", ()
    text = f"the last price of {symbol} is {age / 1e9:.1f} s old, at most {most_s:g} s are allowed"
    return "STALE", text, (("age_s", age / 1e9), ("max_data_age_s", most_s))


def size(intent: Intent, risk: "Risk") -> Verdict | None:
    """SIZE: quantity of one order."""
    if intent.qty_e8 <= risk.max_qty_e8:
        return None
    qty, most = from_e8(intent.qty_e8), from_e8(risk.max_qty_e8)
    text = f"quantity {qty:g} is above the largest order of {most:g}"
    return "SIZE", text, (("quantity", qty), ("max_order_qty", most))


def notional(intent: Intent, risk: "Risk") -> Verdict | None:
    """NOTIONAL: value of one order."""
    if intent.notional_e16 <= risk.max_notional_e16:
        return None
    value, most = intent.notional_e16 / _E16, risk.max_notional_e16 / _E16
    text = f"order value {value:,.2f} is above the largest of {most:,.2f}"
    return "NOTIONAL", text, (("notional", value), ("max_order_notional", most))


def collar(intent: Intent, risk: "Risk") -> Verdict | None:
    """COLLAR: limit and stop prices and trails near the last price; no market order on a price that has just jumped."""
    book, iid = risk.book, intent.iid
    last = book.last_px[iid]
    if intent.kind == MARKET:
        before = book.previous_px[iid]
        if (
            -risk.max_jump * before <= last - before <= risk.max_jump * before
            or not before
            or not risk.max_jump
        ):
            return None
        text = f"the last price jumped from {before:g} to {last:g}, more than {risk.max_jump:.0%}: send a limit order"
        return "COLLAR", text, (("last", last), ("before", before), ("max_jump", risk.max_jump))
    for name, px_e8 in (("limit", intent.limit_px_e8), ("stop", intent.stop_px_e8)):
        px = from_e8(px_e8)
        if px_e8 and abs(px - last) > risk.collar * last:
            text = f"{name} price {px:g} is more than {risk.collar:.0%} away from the last price {last:g}"
            return "COLLAR", text, ((name, px), ("last", last), ("price_collar", risk.collar))
    if intent.kind == TRAILING:
        trail = from_e8(intent.trail_e8) or from_e8(intent.trail_rate_e8) * last
        if trail > risk.collar * last:
            text = f"trail {trail:g} is more than {risk.collar:.0%} of the last price {last:g}"
            return "COLLAR", text, (("trail", trail), ("last", last), ("price_collar", risk.collar))
    return None


def position(intent: Intent, risk: "Risk") -> Verdict | None:
    """POSITION: worst-case size in one instrument, and no short position where none is allowed."""
    worst = intent.worst_e8
    if worst <= risk.max_position_e8 and (risk.short or intent.side > 0 or worst <= 0):
        return None
    if intent.side == SELL and worst > 0 and not risk.short:
        symbol = intent.seat.instrument.symbol
        text = f"worst case short {from_e8(worst):g} {symbol}: short positions are not allowed"
        return "POSITION", text, (("worst", -from_e8(worst)), ("allow_short", 0.0))
    size_, most = from_e8(worst), from_e8(risk.max_position_e8)
    text = f"worst-case position {size_:g} {intent.seat.instrument.symbol} is above {most:g}"
    return "POSITION", text, (("worst", size_), ("max_position_qty", most))


def gross(intent: Intent, risk: "Risk") -> Verdict | None:
    """GROSS: worst-case exposure of the whole account."""
    more = intent.worst_e8 - intent.seat.line.worst_e8
    if more <= 0:
        return None
    total = risk.exposure.gross_e16 + more * intent.px_e8
    if total <= risk.max_gross_e16:
        return None
    value, most = total / _E16, risk.max_gross_e16 / _E16
    text = f"worst-case gross exposure {value:,.2f} would pass {most:,.2f}"
    return "GROSS", text, (("gross", value), ("max_gross", most))


def credit(intent: Intent, risk: "Risk") -> Verdict | None:
    """CREDIT: cash after all open purchases and this one, plus the credit line, stays at zero or above."""
    if intent.side < 0:
        return None
    after_e16 = (risk.ledger.cash_e8 + risk.credit_e8) * SCALE - risk.exposure.buys_e16
    after_e16 -= intent.more_e8 * intent.px_e8
    if after_e16 >= 0 or intent.worst_e8 <= 0:
        return None
    cash, line = from_e8(risk.ledger.cash_e8), from_e8(risk.credit_e8)
    short, value = -after_e16 / _E16, intent.notional_e16 / _E16
    text = f"cash {cash:,.2f} with open purchases does not cover {value:,.2f}: {short:,.2f} short"
    return "CREDIT", text, (("cash", cash), ("notional", value), ("credit", line), ("short_by", short))


def duplicate(intent: Intent, risk: "Risk") -> Verdict | None:
    """DUPLICATE: equal in everything to the order sent just before by the same strategy. An order that is sized as
    the difference to what is held and working cannot be one."""
    if intent.sized:
        return None
    seat = intent.seat
    if (
        seat.last_side != intent.side
        or seat.last_qty_e8 != intent.qty_e8
        or seat.last_kind != intent.kind
        or seat.last_px_e8 != intent.told_px_e8
        or risk.now_ns - seat.last_ns >= risk.duplicate_ns
    ):
        return None
    age, window = (risk.now_ns - seat.last_ns) / 1e9, risk.duplicate_ns / 1e9
    text = f"the same order was sent {age:.3f} s ago: repeat it after {window:g} s if it is meant"
    return "DUPLICATE", text, (("age_s", age), ("duplicate_window_s", window))


def self_cross(intent: Intent, risk: "Risk") -> Verdict | None:
    """SELF_CROSS: a limit order must not meet our own resting limit on the other side."""
    limit_px = intent.limit_px_e8
    if not limit_px or (intent.linked and intent.kind == STOP_LIMIT):
        return None  # a linked stop is not in the book: its own entry stands on the other side
    line = intent.seat.line
    if intent.side == BUY:
        own = min(line.asks.values(), default=0)
        meets = bool(own) and limit_px >= own
    else:
        own = max(line.bids.values(), default=0)
        meets = bool(own) and limit_px <= own
    if not meets:
        return None
    own = _met(intent, line, risk.orders)
    if not own:
        return None
    text = f"limit {from_e8(limit_px):g} would trade with our own resting order at {from_e8(own):g}"
    return "SELF_CROSS", text, (("limit", from_e8(limit_px)), ("own", from_e8(own)))


def _met(intent: Intent, line: "Line", orders: "OrderTable") -> int:
    """The nearest of our own limits that a limit order would trade with, or 0.

    A stop-limit order stands in no book before its stop is met, and what stands nearer to the market than its stop has
    filled by then: a purchase above a protective stop, or two stops around the price, never meet. At the stop itself
    others may stand before us; of an amendment under way either version may hold; and an order for an auction waits for
    that, whatever the price does before.
    """
    side, limit_px = intent.side, intent.limit_px_e8
    mine = 0
    if not intent.stands:
        mine = waits_at(side, intent.kind, limit_px, intent.stop_px_e8, line.mark_e8)
    met = 0
    for number, px in (line.asks if side == BUY else line.bids).items():
        if side * (limit_px - px) < 0:
            continue
        order = orders.active[number]
        stop_px = 0 if order.filled_e8 else order.stop_px_e8
        theirs = waits_at(-side, order.kind, px, stop_px, line.mark_e8)
        apart = not mine or (side * (px - mine) < 0 and order.tif not in _AUCTIONS)
        if theirs:
            apart = apart and side * (limit_px - theirs) > 0 and intent.tif not in _AUCTIONS
        if (mine or theirs) and apart and number not in orders.amending:
            continue
        met = px if not met or side * (px - met) < 0 else met
    return met


def waits_at(side: int, kind: int, limit_px_e8: int, stop_px_e8: int, mark_e8: int) -> int:
    """The stop that a stop-limit order surely still waits for, or 0: the last price is short of both its prices."""
    if kind != STOP_LIMIT or not stop_px_e8 or not mark_e8:
        return 0
    if side == BUY:
        return stop_px_e8 if mark_e8 < min(stop_px_e8, limit_px_e8) else 0
    return stop_px_e8 if mark_e8 > max(stop_px_e8, limit_px_e8) else 0


def daily_loss(intent: Intent, risk: "Risk") -> Verdict | None:
    """DAILY_LOSS: realized and unrealized, fees included, since the day's first event."""
    loss = risk.day_equity_e8 - risk.ledger.cash_e8 - risk.exposure.value_e16 // SCALE
    if loss < risk.max_loss_e8 or intent.worst_e8 <= 0:
        return None
    lost, most = from_e8(loss), from_e8(risk.max_loss_e8)
    text = f"the day's loss of {lost:,.2f} has reached {most:,.2f}: only reducing orders pass"
    return "DAILY_LOSS", text, (("loss", lost), ("max_daily_loss", most))


def repeat(intent: Intent, risk: "Risk") -> Verdict | None:
    """REPEAT: one strategy sends again and again on one side of one instrument."""
    seat = intent.seat
    if seat.repeats < risk.max_repeats or seat.last_side != intent.side:
        return None
    if risk.now_ns - seat.repeats_from_ns >= risk.repeat_ns:
        return None
    within = risk.repeat_ns / 1e9
    text = f"{seat.repeats} orders on one side of {seat.instrument.symbol} within {within:g} s: the limit is reached"
    return "REPEAT", text, (("orders", float(seat.repeats)), ("max_repeats", float(risk.max_repeats)))


def rate(intent: Intent, risk: "Risk") -> Verdict | None:
    """RATE: orders in any sliding second, of the strategy and of the account."""
    now = risk.now_ns
    window = intent.seat.placed.window
    if now >= window.free_ns and now >= risk.account_window.free_ns:
        return None
    if not window.room(now):
        who = intent.seat.placed.strategy_id
        text = f"strategy {who} sent {window.most} orders within a second: the limit is reached"
        return "RATE", text, (("orders_per_s_strategy", float(window.most)),)
    window = risk.account_window
    text = f"the account sent {window.most} orders within a second: the limit is reached"
    return "RATE", text, (("orders_per_s_account", float(window.most)),)


def _fine_to_grow(side: int, notional_e16: int, risk: "Risk") -> bool:
    """The part of `plainly_fine` that an order which can only make a position smaller need not pass."""
    cash_e8 = risk.ledger.cash_e8
    if side > 0:
        if (cash_e8 + risk.credit_e8) * SCALE < risk.exposure.buys_e16 + notional_e16:
            return False
    elif not risk.short:
        return False
    return risk.day_equity_e8 - cash_e8 - risk.exposure.value_e16 // SCALE < risk.max_loss_e8


def plainly_fine(seat: Seat, side: int, qty_e8: int, worst_e8: int, risk: "Risk") -> bool:
    """Whether every rule says yes to the commonest intent, a market order sized from a target and valued at the mark:
    the rules' conditions in one expression, which spares the hot path a call for each. False only means: ask the rules.
    A property test holds the two together, so a rule that is changed must be changed here too."""
    line, book, iid, now_ns = seat.line, risk.book, seat.iid, risk.now_ns
    placed, before = seat.placed, book.previous_px[iid]
    jump, notional_e16 = risk.max_jump * before, qty_e8 * line.mark_e8
    return (
        placed.running
        and not risk.killed
        and not risk.frozen
        and risk.hours_ns is None
        and -jump <= book.last_px[iid] - before <= jump
        and 0 < book.last_ts[iid] >= now_ns - risk.max_age_ns
        and qty_e8 <= risk.max_qty_e8
        and notional_e16 <= risk.max_notional_e16
        and worst_e8 <= risk.max_position_e8
        and (
            worst_e8 <= line.worst_e8
            or risk.exposure.gross_e16 + (worst_e8 - line.worst_e8) * line.mark_e8 <= risk.max_gross_e16
        )
        and (worst_e8 <= 0 or _fine_to_grow(side, notional_e16, risk))
        and (seat.repeats < risk.max_repeats or seat.last_side != side)
        and now_ns >= placed.window.free_ns
        and now_ns >= risk.account_window.free_ns
    )


def first_no_to_amend(intent: Intent, risk: "Risk") -> Verdict | None:
    """The same for an order that is to be changed: no repetition of anything, and what does not grow passes POSITION,
    GROSS, CREDIT and DAILY_LOSS (its `worst_e8` is 0)."""
    return (
        killed(intent, risk)
        or paused(intent, risk)
        or frozen(intent, risk)
        or grid(intent, risk)
        or hours(intent, risk)
        or stale(intent, risk)
        or size(intent, risk)
        or notional(intent, risk)
        or collar(intent, risk)
        or position(intent, risk)
        or gross(intent, risk)
        or credit(intent, risk)
        or self_cross(intent, risk)
        or daily_loss(intent, risk)
        or rate(intent, risk)
    )


def first_no(intent: Intent, risk: "Risk") -> Verdict | None:
    """The verdict of the first rule that says no, or None. Written out, because a loop over functions costs the hot
    path a fifth more than calls by name."""
    return (
        killed(intent, risk)
        or paused(intent, risk)
        or frozen(intent, risk)
        or grid(intent, risk)
        or hours(intent, risk)
        or stale(intent, risk)
        or size(intent, risk)
        or notional(intent, risk)
        or collar(intent, risk)
        or position(intent, risk)
        or gross(intent, risk)
        or credit(intent, risk)
        or duplicate(intent, risk)
        or self_cross(intent, risk)
        or daily_loss(intent, risk)
        or repeat(intent, risk)
        or rate(intent, risk)
    )
