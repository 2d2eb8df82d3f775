"""What the account can afford at Alpaca: buying power, holdings, wash trades, and the account's own figures.

Lives here: checks of an order against the books. Not here: its form (tickets.py).
"""

from typing import Final, NamedTuple

from workbench.model.orders import BUY, LIMIT, MARKET, STOP, STOP_LIMIT, TRAILING
from workbench.model.scale import SCALE, notional_e8
from workbench.testbed.alpaca.bodies import value_e8
from workbench.testbed.alpaca.refusals import Refusal, malformed, refused_value
from workbench.testbed.alpaca.words import text
from workbench.testbed.exchange import Exchange
from workbench.testbed.orders import Ticket, VenueOrder

__all__ = ["MULTIPLIER", "Figures", "check_means", "figures_of"]

MULTIPLIER: Final = 2
_LEAST_VALUE_E8: Final = 10 * SCALE
_SHORT_MARKUP: Final = 1.03


class Figures(NamedTuple):
    """The account in 1e-8 units of money."""

    cash: int
    long_value: int
    short_value: int
    equity: int
    held: int
    buying_power: int
    cash_power: int


def figures_of(exchange: Exchange) -> Figures:
    """The account as it stands: a margin account with twice the equity for stocks, cash alone for crypto."""
    cash, held = exchange.cash_e8, exchange.holdings.held_cash_e8
    long_value, short_value = value_e8(exchange, 1), value_e8(exchange, -1)
    equity = cash + long_value + short_value
    power = max(0, MULTIPLIER * equity - long_value + short_value - held)
    return Figures(cash, long_value, short_value, equity, held, power, max(0, cash - held))


def check_means(ticket: Ticket, exchange: Exchange, replacing: VenueOrder | None = None) -> None:
    """Refuse an order the account cannot carry.

    Raises:
        Refusal: as Alpaca words it, with its figures.
    """
    exchange.settle()  # orders taken in before this one are where they are: a filled one is in nobody's way
    if replacing is None or replacing.client_id != ticket.client_id:
        if ticket.client_id in exchange.by_client_id:  # used once for ever
            raise malformed("client_order_id must be unique")
    _wash(ticket, exchange, replacing)
    listing = ticket.listing
    held_e8 = exchange.position_e8(listing.iid)
    if ticket.side == BUY:
        if held_e8 < 0:
            _closing(ticket, -held_e8, _open_e8(exchange, ticket, replacing), listing.symbol)
        else:
            _affordable(ticket, exchange, replacing)
        return
    if listing.always_open:
        _crypto_sell(ticket, exchange, held_e8, replacing)
    elif held_e8 > 0:
        _closing(ticket, held_e8, _open_e8(exchange, ticket, replacing), listing.symbol)
    else:
        _short(ticket, exchange, replacing)


def _open_e8(exchange: Exchange, ticket: Ticket, replacing: VenueOrder | None) -> int:
    """What open orders on the same side hold already."""
    if ticket.side == BUY:
        mine = exchange.sided.get((ticket.listing.iid, BUY), {}).values()
        total = sum(order.open_e8 for order in mine if order.state != "held")
    else:
        total = exchange.holdings.held_sells_e8.get(ticket.listing.iid, 0)
    if replacing is not None:
        total -= replacing.open_e8 if ticket.side == BUY else replacing.hold_e8
    return total


def _wanted_e8(ticket: Ticket, replacing: VenueOrder | None) -> int:
    return ticket.qty_e8 - (replacing.filled_e8 if replacing is not None else 0)


def _closing(ticket: Ticket, owned_e8: int, held_e8: int, symbol: str) -> None:
    """An order that closes a position may not go beyond what is free of it."""
    free_e8 = owned_e8 - held_e8
    if ticket.qty_e8 > free_e8:
        message = f"insufficient qty available for order (requested: {text(ticket.qty_e8)}, available: {text(free_e8)})"
        raise Refusal(
            403,
            40310000,
            message,
            available=text(free_e8),
            existing_qty=text(owned_e8),
            held_for_orders=text(held_e8),
            symbol=symbol,
        )


def _cost_e8(ticket: Ticket, exchange: Exchange, replacing: VenueOrder | None) -> int:
    if ticket.value_e8:
        return ticket.value_e8
    quote = exchange.market.boards[ticket.listing.iid].quote
    px_e8 = ticket.limit_px_e8 or ticket.stop_px_e8 or round(quote.ask * SCALE)
    return notional_e8(px_e8, _wanted_e8(ticket, replacing))


def _affordable(ticket: Ticket, exchange: Exchange, replacing: VenueOrder | None) -> None:
    figures = figures_of(exchange)
    freed_e8 = replacing.hold_e8 if replacing is not None else 0
    cost_e8 = _cost_e8(ticket, exchange, replacing)
    if ticket.listing.always_open:
        if cost_e8 < _LEAST_VALUE_E8:
            raise Refusal(
                403, 40310000, "cost basis must be >= minimal amount of order 10", cost_basis=text(cost_e8)
            )
        free_e8 = figures.cash_power + freed_e8
        if cost_e8 > free_e8:
            raise _short_of(ticket.listing.instrument.currency, cost_e8, free_e8, figures.cash)
        return
    if cost_e8 > figures.buying_power + freed_e8:
        power = text((figures.buying_power + freed_e8) // 1_000_000 * 1_000_000)
        raise Refusal(
            403, 40310000, "insufficient buying power", buying_power=power, cost_basis=text(cost_e8)
        )


def _short_of(currency: str, wanted_e8: int, free_e8: int, balance_e8: int) -> Refusal:
    text_free = text(free_e8)
    return Refusal(
        403,
        40310000,
        f"insufficient balance for {currency} (requested: {text(wanted_e8)}, available: {text_free})",
        available=text_free,
        balance=text(balance_e8),
        symbol=currency,
    )


def _crypto_sell(ticket: Ticket, exchange: Exchange, held_e8: int, replacing: VenueOrder | None) -> None:
    free_e8 = held_e8 - _open_e8(exchange, ticket, replacing)
    if ticket.qty_e8 > free_e8:
        raise _short_of(ticket.listing.asset, ticket.qty_e8, max(0, free_e8), held_e8)


def _short(ticket: Ticket, exchange: Exchange, replacing: VenueOrder | None) -> None:
    """A short sale: whole shares, and worth at most the buying power at 3 % above the ask."""
    if not ticket.listing.shortable:
        raise refused_value(f'asset "{ticket.listing.symbol}" cannot be sold short')
    if ticket.value_e8 or ticket.qty_e8 % SCALE:
        raise refused_value("fractional orders cannot be sold short")
    quote = exchange.market.boards[ticket.listing.iid].quote
    px_e8 = max(ticket.limit_px_e8, round(quote.ask * _SHORT_MARKUP * SCALE))
    cost_e8 = notional_e8(px_e8, _wanted_e8(ticket, replacing))
    figures = figures_of(exchange)
    if cost_e8 > figures.buying_power:
        raise Refusal(
            403,
            40310000,
            "insufficient buying power",
            buying_power=text(figures.buying_power),
            cost_basis=text(cost_e8),
        )


def _wash(ticket: Ticket, exchange: Exchange, replacing: VenueOrder | None) -> None:
    """Refuse an order that could trade against one of the account's own; brackets, pairs and trails are exempt."""
    if ticket.listing.always_open or ticket.extra.get("order_class") or ticket.kind == TRAILING:
        return
    for order in exchange.sided.get((ticket.listing.iid, -ticket.side), {}).values():
        if (
            order is replacing
            or order.extra.get("order_class")
            or order.kind == TRAILING
            or order.cancel_asked_ns
        ):
            continue
        if _could_meet(ticket, order):
            words = {MARKET: "market", LIMIT: "limit", STOP: "market/stop", STOP_LIMIT: "stop_limit"}
            raise Refusal(
                403,
                40310000,
                "potential wash trade detected. use complex orders",
                existing_order_id=order.venue_id,
                reject_reason=f"opposite side {words[order.kind]} order exists",
            )


def _could_meet(ticket: Ticket, order: VenueOrder) -> bool:
    """Two orders with limits meet only when these cross; any other two may."""
    if ticket.kind not in (LIMIT, STOP_LIMIT) or order.kind not in (LIMIT, STOP_LIMIT):
        return True
    buy, sell = (ticket, order) if ticket.side == BUY else (order, ticket)
    return buy.limit_px_e8 >= sell.limit_px_e8
