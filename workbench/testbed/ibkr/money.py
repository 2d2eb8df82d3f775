"""The account's money: net liquidation, margin, what is available, and whether an order can be carried.

Lives here: the figures. Not here: routes that show them (account.py, portfolio.py).

A margin account: half of what is held (long or short) is bound as initial margin, so twice the equity can be held.
"""

from typing import Final, NamedTuple

from workbench.model.orders import BUY
from workbench.model.scale import SCALE, notional_e8
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.words import grouped
from workbench.testbed.orders import Ticket, VenueOrder

__all__ = ["Money", "complaint", "money_of"]

_MARGIN_DIVISOR: Final = 2
_LEVERAGE: Final = 2


class Money(NamedTuple):
    """The account in 1e-8 units of its currency."""

    cash: int
    stock: int
    gross: int
    net: int
    margin: int
    held: int
    unrealised: int

    @property
    def available(self) -> int:
        return self.net - self.margin - self.held // _MARGIN_DIVISOR

    @property
    def buying_power(self) -> int:
        return max(0, self.available) * _LEVERAGE


def money_of(exchange: Exchange) -> Money:
    """The account as it stands."""
    stock = gross = unrealised = 0
    for iid, qty_e8 in exchange.match.positions.items():
        if qty_e8:
            board = exchange.market.boards[iid]
            value = notional_e8(round(board.last * SCALE), qty_e8)
            stock += value
            gross += abs(value)
            unrealised += value - exchange.holdings.costs_e8.get(iid, 0)
    net = exchange.cash_e8 + stock
    held = exchange.holdings.held_cash_e8
    return Money(exchange.cash_e8, stock, gross, net, gross // _MARGIN_DIVISOR, held, unrealised)


def complaint(exchange: Exchange, ticket: Ticket, px_e8: int, replacing: VenueOrder | None = None) -> str:
    """Why the account cannot carry an order at a price; "" when it can. Only what makes a position larger counts."""
    held_e8 = exchange.position_e8(ticket.listing.iid)
    closing = min(ticket.qty_e8, max(0, -held_e8 * ticket.side))
    opening_e8 = ticket.qty_e8 - closing - (replacing.filled_e8 if replacing is not None else 0)
    if opening_e8 <= 0:
        return ""
    money = money_of(exchange)
    needed = notional_e8(px_e8, opening_e8) // _MARGIN_DIVISOR
    available = money.available
    if replacing is not None and replacing.side == BUY:
        available += replacing.hold_e8 // _MARGIN_DIVISOR
    if needed <= available:
        return ""
    currency = ticket.listing.instrument.currency
    equity, margin = grouped(money.net, 2), grouped(money.margin + money.held // _MARGIN_DIVISOR + needed, 2)
    return (
        "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE "
        f"[{equity} {currency}] MUST EXCEED THE INITIAL MARGIN [{margin} {currency}]"
    )
