"""Alpaca's bodies: orders, positions, assets, fills, as its clients parse them.

Lives here: from the books to plain values. Not here: routes, streams.
"""

from typing import Any, Final

from workbench.model.orders import BUY, LIMIT, STOP, STOP_LIMIT, TRAILING
from workbench.model.scale import SCALE
from workbench.testbed.alpaca.words import KINDS, SIDES, TIFS, asset_id, rfc3339, text, text_px
from workbench.testbed.exchange import Exchange
from workbench.testbed.listing import Listing
from workbench.testbed.market import Board
from workbench.testbed.orders import Execution, VenueOrder

__all__ = ["asset_body", "fill_body", "order_body", "order_status", "position_body"]

_SIDE_WORDS: Final = {value: word for word, value in SIDES.items()}
_KIND_WORDS: Final = {value: word for word, value in KINDS.items()}
_TIF_WORDS: Final = {value: word for word, value in TIFS.items()}
_STATES: Final = {
    "filled": "filled",
    "cancelled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "replaced": "replaced",
}


def order_status(order: VenueOrder) -> str:
    """Alpaca's word for where an order stands."""
    state = order.state
    ended = _STATES.get(state)
    if ended is not None:
        return ended
    if order.cancel_asked_ns:
        return "pending_cancel"
    if state == "pending":
        return "held" if order.parent is not None else "pending_new"
    if state == "held":
        return "held" if order.parent is not None else "accepted"
    if order.filled_e8:
        return "partially_filled"
    if order.group and not order.extra.get("leads", True):
        return "held"  # the stop of a pair waits beside the limit until it is triggered
    return "new"


def order_body(order: VenueOrder, exchange: Exchange, *, nested: bool = False) -> dict[str, Any]:
    """An order; `nested`: with its legs inside."""
    ticket = order.ticket
    kind = ticket.kind
    listing = ticket.listing
    ended = order.state
    ended_at = rfc3339(order.ended_ns) if order.ended_ns else None
    best, stop_e8 = exchange.trail_of(order) if kind == TRAILING else (0.0, order.stop_px_e8)
    return {
        "id": order.venue_id,
        "client_order_id": ticket.client_id,
        "created_at": rfc3339(order.created_ns),
        "updated_at": rfc3339(order.updated_ns),
        "submitted_at": rfc3339(order.accepted_ns or order.created_ns),
        "filled_at": ended_at if ended == "filled" else None,
        "expired_at": ended_at if ended == "expired" else None,
        "canceled_at": ended_at if ended == "cancelled" else None,
        "failed_at": ended_at if ended == "rejected" else None,
        "replaced_at": ended_at if ended == "replaced" else None,
        "replaced_by": order.replaced_by.venue_id if order.replaced_by is not None else None,
        "replaces": order.replaces.venue_id if order.replaces is not None else None,
        "asset_id": asset_id(listing.symbol),
        "symbol": listing.symbol,
        "asset_class": "crypto" if listing.always_open else "us_equity",
        "notional": text(ticket.value_e8) if ticket.value_e8 else None,
        "qty": None if ticket.value_e8 else text(order.qty_e8),
        "filled_qty": text(order.filled_e8),
        "filled_avg_price": text_px(order.average_px) if order.filled_e8 else None,
        "order_class": order.extra.get("order_class", ""),
        "order_type": _KIND_WORDS[kind],
        "type": _KIND_WORDS[kind],
        "side": _SIDE_WORDS[ticket.side],
        "position_intent": order.extra.get("position_intent"),
        "time_in_force": _TIF_WORDS[ticket.tif],
        "limit_price": text(order.limit_px_e8) if kind in (LIMIT, STOP_LIMIT) else None,
        "stop_price": text(stop_e8) if kind in (STOP, STOP_LIMIT, TRAILING) else None,
        "status": order_status(order),
        "extended_hours": order.extra.get("extended_hours", False),
        "legs": [order_body(leg, exchange) for leg in order.legs] if nested and order.legs else None,
        "trail_percent": text(ticket.trail_rate_e8 * 100) if ticket.trail_rate_e8 else None,
        "trail_price": text(ticket.trail_e8) if ticket.trail_e8 else None,
        "hwm": text_px(best) if best else None,
        "subtag": None,
        "source": order.extra.get("source", "access_key"),
        "expires_at": None,
        **({"reject_reason": order.reason} if ended == "rejected" else {}),
    }


def position_body(board: Board, exchange: Exchange) -> dict[str, Any]:
    """An open position; a pair loses its slash here."""
    listing = board.listing
    qty_e8 = exchange.position_e8(listing.iid)
    cost_e8 = exchange.holdings.costs_e8.get(listing.iid, 0)
    px = board.last
    value_e8 = round(px * qty_e8)
    profit_e8 = value_e8 - cost_e8
    sign = 1 if qty_e8 > 0 else -1
    yesterday = board.days[-1].close
    held_e8 = exchange.holdings.held_sells_e8.get(listing.iid, 0) if qty_e8 > 0 else 0
    share = profit_e8 / abs(cost_e8) if cost_e8 else 0.0
    return {
        "asset_id": asset_id(listing.symbol),
        "symbol": listing.symbol.replace("/", ""),
        "exchange": exchange_of(listing),
        "asset_class": "crypto" if listing.always_open else "us_equity",
        "asset_marginable": not listing.always_open,
        "qty": text(qty_e8),
        "avg_entry_price": text_px(exchange.holdings.average_px(listing.iid, qty_e8)),
        "side": "long" if qty_e8 > 0 else "short",
        "market_value": text(value_e8),
        "cost_basis": text(cost_e8),
        "unrealized_pl": text(profit_e8),
        "unrealized_plpc": text_px(share),
        "unrealized_intraday_pl": text(profit_e8),
        "unrealized_intraday_plpc": text_px(share),
        "current_price": text_px(px),
        "lastday_price": text_px(yesterday),
        "change_today": text_px(px / yesterday - 1),
        "qty_available": text(qty_e8 - sign * held_e8),
    }


def exchange_of(listing: Listing) -> str:
    """The exchange an asset is listed at."""
    if listing.always_open:
        return "CRYPTO"
    return "ARCA" if "ETF" in listing.name or "Trust" in listing.name else "NASDAQ"


def asset_body(listing: Listing) -> dict[str, Any]:
    """An asset."""
    crypto = listing.always_open
    body: dict[str, Any] = {
        "id": asset_id(listing.symbol),
        "class": "crypto" if crypto else "us_equity",
        "exchange": exchange_of(listing),
        "symbol": listing.symbol,
        "name": listing.name,
        "status": "active",
        "tradable": True,
        "marginable": not crypto,
        "maintenance_margin_requirement": 100 if crypto else 30,
        "margin_requirement_long": "100" if crypto else "30",
        "margin_requirement_short": "100" if crypto else "30",
        "shortable": listing.shortable,
        "easy_to_borrow": listing.shortable,
        "fractionable": listing.fractional,
        "attributes": [] if crypto else ["fractional_eh_enabled"],
    }
    if crypto:
        body["min_order_size"] = text(listing.min_qty_e8)
        body["min_trade_increment"] = text(listing.instrument.lot_e8)
        body["price_increment"] = text(listing.instrument.tick_e8)
    return body


def fill_body(execution: Execution, order: VenueOrder, account_id: str) -> dict[str, Any]:
    """A fill as the account's activities tell of it."""
    done = execution.filled_e8 >= order.qty_e8
    return {
        "id": activity_id(execution),
        "account_id": account_id,
        "activity_type": "FILL",
        "transaction_time": rfc3339(execution.ts_ns),
        "type": "fill" if done else "partial_fill",
        "price": text(execution.px_e8),
        "qty": text(execution.qty_e8),
        "side": "sell_short" if order.side != BUY and execution.position_e8 < 0 else _SIDE_WORDS[order.side],
        "symbol": order.listing.symbol,
        "leaves_qty": text(max(0, order.qty_e8 - execution.filled_e8)),
        "order_id": order.venue_id,
        "cum_qty": text(execution.filled_e8),
        "order_status": "filled" if done else "partially_filled",
        "swap_rate": "1",
    }


def activity_id(execution: Execution) -> str:
    """The id of a fill among the activities: its time to the millisecond, then its own id."""
    stamp = rfc3339(execution.ts_ns // 1_000_000_000 * 1_000_000_000)
    digits = "".join(c for c in stamp if c.isdigit())
    return f"{digits}{execution.ts_ns // 1_000_000 % 1_000:03d}::{execution.exec_id}"


def value_e8(exchange: Exchange, side: int) -> int:
    """Market value of all long (side 1) or short (side -1) positions, signed."""
    total = 0.0
    for iid, board in exchange.market.boards.items():
        qty_e8 = exchange.position_e8(iid)
        if qty_e8 * side > 0:
            total += board.last * qty_e8
    return round(total)


def share_e8(given: str) -> int | None:
    """A percentage as sent ("50" or "12.5"), as a fraction in 1e-8; None when it is none from above 0 to 100."""
    from workbench.testbed.alpaca.words import number

    units = number(given)
    if units is None or not 0 < units <= 100 * SCALE:
        return None
    return units // 100
