"""Alpaca's position routes: what is held, and closing it.

Lives here: positions and their closing orders. Not here: other orders (orders.py).
"""

from typing import Any

from workbench.model.orders import BUY, DAY, GTC, MARKET, SELL
from workbench.model.scale import SCALE
from workbench.testbed.alpaca.bodies import order_body, position_body, share_e8
from workbench.testbed.alpaca.refusals import Refusal, malformed, not_found
from workbench.testbed.alpaca.rules import check_means
from workbench.testbed.alpaca.tickets import board_of, intent_of
from workbench.testbed.alpaca.words import asset_id, number
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.market import Board
from workbench.testbed.orders import Ticket, VenueOrder

__all__ = ["Positions"]


class Positions:
    """The position routes over one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/positions", self.listed),
            Route("DELETE", "/v2/positions", self.close_all),
            Route("GET", "/v2/positions/{symbol}", self.one),
            Route("DELETE", "/v2/positions/{symbol}", self.close),
        ]

    def _held(self) -> list[Board]:
        exchange = self.exchange
        return [board for iid, board in exchange.market.boards.items() if exchange.position_e8(iid)]

    def _board(self, symbol: str) -> Board:
        for board in self.exchange.market.boards.values():
            if asset_id(board.listing.symbol) == symbol:
                symbol = board.listing.symbol
        found = board_of(self.exchange, symbol)
        if found is None:
            raise not_found(f"symbol not found: {symbol}")
        if not self.exchange.position_e8(found.listing.iid):
            raise not_found("position does not exist")
        return found

    def listed(self, call: Call) -> Answer:
        return Answer([position_body(board, self.exchange) for board in self._held()])

    def one(self, call: Call) -> Answer:
        return Answer(position_body(self._board(call.path["symbol"]), self.exchange))

    def close(self, call: Call) -> Answer:
        """Close a position, or a part of it."""
        board = self._board(call.path["symbol"])
        held_e8 = abs(self.exchange.position_e8(board.listing.iid))
        qty, percentage = call.query.get("qty"), call.query.get("percentage")
        if qty and percentage:
            raise malformed("only one of qty or percentage is accepted")
        wanted_e8 = held_e8
        if qty:
            units = number(qty)
            if units is None or units <= 0:
                raise malformed("qty must be > 0")
            wanted_e8 = units
        elif percentage:
            share = share_e8(percentage)
            if share is None:
                raise malformed("percentage must be > 0 and <= 100")
            wanted_e8 = board.listing.instrument.floor_qty(held_e8 * share // SCALE)
        return Answer(order_body(self._closing(board, wanted_e8), self.exchange))

    def _closing(self, board: Board, qty_e8: int) -> VenueOrder:
        listing, exchange = board.listing, self.exchange
        side = SELL if exchange.position_e8(listing.iid) > 0 else BUY
        ticket = Ticket(
            listing,
            side,
            qty_e8,
            MARKET,
            GTC if listing.always_open else DAY,
            client_id=exchange.new_id(),
            extra={
                "order_class": "",
                "extended_hours": False,
                "position_intent": intent_of(side, closing=True),
            },
        )
        check_means(ticket, exchange)
        return exchange.place(ticket)

    def close_all(self, call: Call) -> Answer:
        """Close everything; with `cancel_orders` the open orders go first."""
        exchange = self.exchange
        if call.query.get("cancel_orders", "").lower() == "true":
            exchange.settle()
            for order in list(exchange.open.values()):
                exchange.cancel(order)
            exchange.settle()
        done: list[dict[str, Any]] = []
        for board in self._held():
            symbol = board.listing.symbol.replace("/", "")
            try:
                order = self._closing(board, abs(exchange.position_e8(board.listing.iid)))
                body: dict[str, Any] = order_body(order, exchange)
                done.append({"symbol": symbol, "status": 200, "body": body})
            except Refusal as refusal:
                body = {"code": refusal.code, "message": refusal.message, **refusal.extra}
                done.append({"symbol": symbol, "status": refusal.status, "body": body})
        return Answer(done, 207)
