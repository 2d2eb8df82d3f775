"""From the parameters of a new order at Binance to a ticket: its form, its symbol's filters, what the market says.

Lives here: whether an order is one, and may be one now. Not here: whether the account can pay (balances.py), what
becomes of it (orders.py), lists (list_methods.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.model.orders import BUY, GTC, IOC, LIMIT, MARKET
from workbench.model.scale import SCALE, notional_e8
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.filters import Filters
from workbench.testbed.binance.refusals import (
    Refusal,
    bad_symbol,
    missing,
    not_required,
    rejected,
)
from workbench.testbed.binance.shapes import average_px
from workbench.testbed.binance.triggers import would_trigger
from workbench.testbed.binance.words import ALGO, ALWAYS_LIMIT, SIDES, TIFS, TYPES
from workbench.testbed.exchange import Exchange
from workbench.testbed.market import Board
from workbench.testbed.orders import Ticket

__all__ = ["Rules", "plain", "prefixed"]

STP: Final = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")
_PEGGED: Final = ("pegPriceType", "pegOffsetValue", "pegOffsetType")

type Names = Callable[[str], str]


def plain(field: str) -> str:
    """The name a field has for a single order."""
    return "newClientOrderId" if field == "clientOrderId" else field


def prefixed(prefix: str) -> Names:
    """Names of the fields of one order of a list.

    >>> prefixed("above")("stopPrice")
    'aboveStopPrice'
    """
    return lambda field: prefix + field[0].upper() + field[1:]


class Rules:
    """What may be ordered. `lifted`: there may be any number of open orders."""

    def __init__(self, exchange: Exchange, filters: dict[int, Filters]) -> None:
        self.exchange, self.filters = exchange, filters
        self.lifted = False
        self._boards = {board.listing.symbol: board for board in exchange.market.boards.values()}

    def board(self, symbol: str) -> Board:
        """The board of a symbol."""
        board = self._boards.get(symbol)
        if board is None:
            raise bad_symbol()
        return board

    def boards(self, symbols: list[str] | None) -> list[Board]:
        """The boards of symbols; all of them without."""
        return list(self._boards.values()) if symbols is None else [self.board(one) for one in symbols]

    # -- one order ---------------------------------------------------------------------------------------------------

    def ticket(
        self,
        asked: Asked,
        names: Names = plain,
        *,
        side: int | None = None,
        qty_e8: int | None = None,
        waits: bool = False,
        kinds: tuple[str, ...] = TYPES,
    ) -> Ticket:
        """The ticket of an order. `side` and `qty_e8` are given where a list says them for several; one that `waits`
        for another is not compared with the market yet.

        Raises:
            Refusal: it is no order, or may not be one.
        """
        board = self.board(asked.symbol())
        if any(asked.has(names(field)) for field in _PEGGED):
            raise Refusal(-1020, "This operation is not supported.")
        kind = asked.need(names("type"))
        if kind not in TYPES:
            raise Refusal(-1116, "Invalid orderType.")
        if kind not in kinds:
            raise Refusal(-1158, "Order type not supported in OCO.")
        if side is None:
            side = self.side(asked, names("side"))
        tif_word = self._tif(asked, names, kind)
        limit_e8, stop_e8, trail = self._prices(asked, names, kind)
        quote_e8 = asked.amount(names("quoteOrderQty")) if kind == "MARKET" else 0
        if qty_e8 is None:
            qty_e8 = self._quantity(asked, names("quantity"), kind, quote_e8, board, side)
        iceberg_e8 = asked.amount(names("icebergQty"))
        filters = self.filters[board.listing.iid]
        self._filtered(filters, board, kind, side, qty_e8, limit_e8, stop_e8, trail, quote_e8)
        if iceberg_e8:
            if tif_word != "GTC" or kind not in ALWAYS_LIMIT:
                raise Refusal(-1106, f"Parameter '{names('icebergQty')}' sent when not required.")
            filters.check_iceberg(qty_e8, iceberg_e8)
        client_id = asked.client_id(names("clientOrderId"))
        if client_id:
            known = self.exchange.by_client_id.get(client_id)
            if known is not None and known.is_open:
                raise rejected("Duplicate order sent.")
        if board.halted:
            raise rejected("Market is closed.")
        if not waits:
            self._against_market(board, kind, side, limit_e8, stop_e8, trail)
        self._counts(filters, board, kind, side, qty_e8)
        extra: dict[str, Any] = {
            "type": kind,
            "tif": tif_word or "GTC",
            "client_id": client_id or self._own_id(),
            "quote_e8": quote_e8,
            "iceberg_e8": iceberg_e8,
            "trail": trail,
            "stp": asked.one_of(
                "selfTradePreventionMode",
                STP,
                "EXPIRE_MAKER",
                Refusal(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid."),
            ),
            "strategyId": asked.whole(names("strategyId"), 0),
            "strategyType": asked.whole(names("strategyType"), 0),
        }
        if extra["strategyType"] and extra["strategyType"] < 1_000_000:
            raise Refusal(-1134, "`strategyType` was less than 1000000.")
        is_limit = kind in ALWAYS_LIMIT
        tif = TIFS[tif_word] if tif_word else (GTC if is_limit else IOC)
        shape = LIMIT if is_limit else MARKET
        return Ticket(
            board.listing, side, qty_e8, shape, tif, limit_e8, stop_e8, 0, 0, extra["client_id"], 0, extra
        )

    def _own_id(self) -> str:
        return self.exchange.new_id().replace("-", "")[:22]

    @staticmethod
    def side(asked: Asked, name: str = "side") -> int:
        """The side of an order."""
        side = SIDES.get(asked.need(name))
        if side is None:
            raise Refusal(-1117, "Invalid side.")
        return side

    @staticmethod
    def _tif(asked: Asked, names: Names, kind: str) -> str:
        name = names("timeInForce")
        if kind in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
            word = asked.need(name)
            if word not in TIFS:
                raise Refusal(-1115, "Invalid timeInForce.")
            return word
        if asked.has(name) and kind != "LIMIT_MAKER":
            raise not_required(name)
        return ""

    @staticmethod
    def _prices(asked: Asked, names: Names, kind: str) -> tuple[int, int, int]:
        price, stop, delta = names("price"), names("stopPrice"), names("trailingDelta")
        limit_e8, stop_e8 = asked.amount(price), asked.amount(stop)
        trail = asked.whole(delta, 0)
        if kind in ALWAYS_LIMIT:
            if not limit_e8:
                raise missing(price)
        elif asked.has(price):
            raise not_required(price)
        if kind in ALGO:
            if not stop_e8 and not trail:
                raise Refusal(-1102, f"Param '{stop}' or '{delta}' must be sent, but both were empty/null!")
        elif asked.has(stop):
            raise not_required(stop)
        elif asked.has(delta):
            raise not_required(delta)
        return limit_e8, stop_e8, trail

    @staticmethod
    def _quantity(asked: Asked, name: str, kind: str, quote_e8: int, board: Board, side: int) -> int:
        if kind == "MARKET" and asked.has("quoteOrderQty"):
            if asked.has(name):
                raise not_required("quoteOrderQty")
            if not quote_e8:
                raise missing("quoteOrderQty")
            px = board.book.asks[0][0] if side == BUY else board.book.bids[0][0]
            return board.listing.instrument.floor_qty(quote_e8 * SCALE // round(px * SCALE))
        if not asked.has(name):
            raise missing(name)
        return asked.amount(name)

    def _filtered(
        self,
        filters: Filters,
        board: Board,
        kind: str,
        side: int,
        qty_e8: int,
        limit_e8: int,
        stop_e8: int,
        trail: int,
        quote_e8: int,
    ) -> None:
        average_e8 = round(average_px(board, filters.avg_minutes) * SCALE)
        if limit_e8:
            filters.check_price(limit_e8)
            filters.check_percent(side, limit_e8, average_e8)
        if stop_e8:
            filters.check_price(stop_e8)
        if trail:
            filters.check_trail(trail)
        market = kind == "MARKET"
        if quote_e8:
            filters.check_value(quote_e8, market=True)
        filters.check_quantity(qty_e8, market=market)
        filters.check_value(quote_e8 or notional_e8(limit_e8 or stop_e8 or average_e8, qty_e8), market=market)

    @staticmethod
    def _against_market(board: Board, kind: str, side: int, limit_e8: int, stop_e8: int, trail: int) -> None:
        if kind == "LIMIT_MAKER":
            px = board.book.asks[0][0] if side == BUY else board.book.bids[0][0]
            px_e8 = round(px * SCALE)
            if limit_e8 >= px_e8 if side == BUY else limit_e8 <= px_e8:
                raise rejected("Order would immediately match and take.")
        elif kind in ALGO and not trail and would_trigger(kind, side, stop_e8, round(board.last * SCALE)):
            raise rejected("Order would trigger immediately.")

    def _counts(self, filters: Filters, board: Board, kind: str, side: int, qty_e8: int) -> None:
        exchange, iid = self.exchange, board.listing.iid
        buys, sells = (exchange.sided.get((iid, s), {}) for s in (BUY, -BUY))
        if not self.lifted:
            if len(buys) + len(sells) >= filters.most_orders:
                raise rejected("Filter failure: MAX_NUM_ORDERS")
            if kind in ALGO:
                waiting = sum(o.extra.get("type") in ALGO for o in (*buys.values(), *sells.values()))
                if waiting >= filters.most_algo:
                    raise rejected("Filter failure: MAX_NUM_ALGO_ORDERS")
        if filters.most_position_e8:
            bought_e8 = sum(order.open_e8 for order in buys.values())
            filters.check_position(side, qty_e8, exchange.position_e8(iid), bought_e8)
