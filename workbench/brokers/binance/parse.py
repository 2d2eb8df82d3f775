"""Binance's payloads and ours, both ways, as pure functions of plain values.

Lives here: parameters of orders, what a commission does, evidence. Not here: shapes (bodies.py), sending (client.py,
sockets.py), single words (words.py), market data (market.py).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from workbench.brokers.binance.bodies import Event, OrderBody
from workbench.brokers.binance.words import (
    KINDS,
    SIDES,
    TIFS,
    e8,
    number_text,
    own_id,
    state_of,
    whole,
)
from workbench.brokers.pool.tracker import Evidence, Execution
from workbench.model.effects import Amend, Submit
from workbench.model.orders import BUY, LIMIT, PARTIAL, REJECTED, STOP, STOP_LIMIT, TRAILING, WORKING
from workbench.model.scale import SCALE, notional_e8

__all__ = [
    "Commission",
    "Params",
    "bracket_params",
    "commission_of",
    "event_order",
    "evidence_of",
    "order_params",
    "pair_params",
    "replace_params",
    "side_of",
    "trade_id",
]

type Params = list[tuple[str, str]]

_BIPS_E8: Final = SCALE // 10_000


# -- ours to theirs ------------------------------------------------------------------------------------------------


def _prices(order: Submit, prefix: str = "") -> Params:
    def name(field: str) -> str:
        return prefix + field[0].upper() + field[1:] if prefix else field

    found: Params = []
    if order.kind in (LIMIT, STOP_LIMIT):
        found.append((name("price"), number_text(order.limit_px_e8)))
    if order.kind in (STOP, STOP_LIMIT):
        found.append((name("stopPrice"), number_text(order.stop_px_e8)))
    if order.kind == TRAILING:
        found.append((name("trailingDelta"), str(order.trail_rate_e8 // _BIPS_E8)))
    return found


def order_params(order: Submit, symbol: str) -> Params:
    """The parameters of a single order.

    >>> order_params(Submit(0, 5, 7, 1, 0, 1, LIMIT, 1, 10**7, 5_000_000_000_000, 0), "BTCUSDT")[3:6]
    [('quantity', '0.1'), ('price', '50000'), ('timeInForce', 'GTC')]
    """
    found: Params = [
        ("symbol", symbol),
        ("side", SIDES[order.side]),
        ("type", KINDS[order.kind]),
        ("quantity", number_text(order.qty_e8)),
        *_prices(order),
    ]
    if order.kind in (LIMIT, STOP_LIMIT):
        found.append(("timeInForce", TIFS[order.tif]))
    return [*found, ("newClientOrderId", order.client_id), ("newOrderRespType", "FULL")]


def _leg(order: Submit, prefix: str, *, maker: bool) -> Params:
    """One order of a list. A limit order among others is a maker's; a stop-limit order needs its time in force."""
    kind = "LIMIT_MAKER" if maker and order.kind == LIMIT else KINDS[order.kind]
    found: Params = [(f"{prefix}Type", kind), *_prices(order, prefix)]
    if kind in ("LIMIT", "STOP_LOSS_LIMIT"):
        found.append((f"{prefix}TimeInForce", TIFS[order.tif]))
    return [*found, (f"{prefix}ClientOrderId", order.client_id)]


def _by_price(orders: Sequence[Submit]) -> tuple[Submit, Submit]:
    """(above, below) of two orders; the market is between them."""
    one, other = orders
    top = (one.stop_px_e8 or one.limit_px_e8) > (other.stop_px_e8 or other.limit_px_e8)
    return (one, other) if top else (other, one)


def pair_params(orders: Sequence[Submit], symbol: str) -> Params:
    """The parameters of two orders of which one cancels the other."""
    above, below = _by_price(orders)
    return [
        ("symbol", symbol),
        ("side", SIDES[above.side]),
        ("quantity", number_text(above.qty_e8)),
        *_leg(above, "above", maker=True),
        *_leg(below, "below", maker=True),
        ("newOrderRespType", "RESULT"),
    ]


def bracket_params(entry: Submit, exits: Sequence[Submit], symbol: str, exit_qty_e8: int) -> Params:
    """The parameters of an entry with one exit, or with two of which one cancels the other. `exit_qty_e8` is what will
    be there once the entry has filled."""
    found: Params = [
        ("symbol", symbol),
        ("workingType", KINDS[entry.kind]),
        ("workingSide", SIDES[entry.side]),
        ("workingQuantity", number_text(entry.qty_e8)),
        ("workingPrice", number_text(entry.limit_px_e8)),
        ("workingTimeInForce", TIFS[entry.tif]),
        ("workingClientOrderId", entry.client_id),
        ("pendingSide", SIDES[exits[0].side]),
        ("pendingQuantity", number_text(exit_qty_e8)),
    ]
    if len(exits) == 1:
        found += _leg(exits[0], "pending", maker=False)
    else:
        above, below = _by_price(exits)
        found += [*_leg(above, "pendingAbove", maker=True), *_leg(below, "pendingBelow", maker=True)]
    return [*found, ("newOrderRespType", "RESULT")]


def replace_params(order: Submit, wanted: Amend, symbol: str, old_id: str, new_client_id: str) -> Params:
    """The parameters of another order in the place of one that has not filled at all; the venue refuses when it has."""
    changed = msgspec.structs.replace(
        order, qty_e8=wanted.qty_e8, limit_px_e8=wanted.limit_px_e8, stop_px_e8=wanted.stop_px_e8
    )
    usual = [(name, value) for name, value in order_params(changed, symbol) if name != "newClientOrderId"]
    return [
        *usual,
        ("newClientOrderId", new_client_id),
        ("cancelReplaceMode", "STOP_ON_FAILURE"),
        ("cancelOrderId", old_id),
        ("cancelRestrictions", "ONLY_NEW"),
    ]


# -- theirs to ours ------------------------------------------------------------------------------------------------


class Commission(msgspec.Struct, frozen=True):
    """What an execution did to the books: the quantity that really moved, the fee in the quote asset, and the part of
    it that another asset paid (`amount_e8` of `asset`)."""

    qty_e8: int
    fee_e8: int
    asset: str = ""
    amount_e8: int = 0


def commission_of(
    side: int, px_e8: int, qty_e8: int, amount_e8: int, asset: str, base: str, quote: str
) -> Commission:
    """How a commission is booked. Paid in the quote asset it is the fee. Paid in the base asset, less is bought (or
    more is given) than was traded: the quantity is what moved, and the fee what the difference was worth, so that cash
    and position are right to the last unit.

    >>> commission_of(BUY, 60_000 * SCALE, SCALE, SCALE // 1000, "BTC", "BTC", "USDT")
    Commission(qty_e8=99900000, fee_e8=6000000000, asset='', amount_e8=0)
    """
    if not amount_e8 or asset == quote:
        return Commission(qty_e8, amount_e8)
    if asset != base:
        return Commission(qty_e8, 0, asset, amount_e8)
    moved_e8 = qty_e8 - side * amount_e8
    worth_e8 = notional_e8(px_e8, qty_e8) - notional_e8(px_e8, moved_e8)
    return Commission(moved_e8, side * worth_e8)


def event_order(event: Event) -> tuple[str, int]:
    """(our order's id, which version of it) an event is about; a cancel carries an id of its own."""
    return own_id(event.C or event.c)


def evidence_of(
    chain: Sequence[OrderBody],
    client_id: str,
    fills: Iterable[Execution] | None = None,
    *,
    moved_e8: int = 0,
) -> Evidence:
    """What the venue shows of one order of ours; `chain` is it and the orders that replaced it, oldest first.
    `moved_e8` is by how much commissions have changed the quantities of its fills."""
    newest = chain[-1]
    earlier_e8 = sum(body.filled_e8 for body in chain[:-1])
    filled_e8 = newest.filled_e8 + earlier_e8 + moved_e8
    state = state_of(newest.status)
    if state == WORKING and filled_e8:
        state = PARTIAL
    gross_e8 = newest.qty_e8 + earlier_e8
    executions = None if fills is None else tuple(fills)
    terms = None
    if len(chain) > 1 or moved_e8:
        limit_e8, stop_e8 = e8(newest.price, "price"), e8(newest.stop_price, "stopPrice")
        terms = (gross_e8 + moved_e8, limit_e8, stop_e8)
    return Evidence(
        client_id,
        newest.venue_id,
        state,
        gross_e8,
        filled_e8,
        newest.at_ns,
        executions,
        "REJECTED" if state == REJECTED else "",
        newest.status.lower(),
        chain[0].venue_id if len(chain) > 1 else "",
        terms,
    )


def trade_id(symbol: str, number: int | str) -> str:
    """The id of an execution, the same in stream and history.

    >>> trade_id("BTCUSDT", 28457)
    'BTCUSDT-28457'
    """
    return f"{symbol}-{whole(number, 'tradeId')}"


def side_of(word: str) -> int:
    """A side's number; a buy unless it says otherwise."""
    return -BUY if word == "SELL" else BUY
