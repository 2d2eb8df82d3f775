"""Orders on their way to Binance: over the WebSocket API while it is up, else over REST; each sent once.

Lives here: the methods by both their names, and which way they go. Not here: the ways themselves (sockets.py, the
pool's rest.py), what answers mean (broker.py).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from workbench.brokers.binance.bodies import ListBody, OrderBody, ReplaceBody
from workbench.brokers.binance.client import BinanceClient, query_of
from workbench.brokers.binance.parse import Params
from workbench.brokers.binance.refusals import ClockOff
from workbench.brokers.binance.sockets import OrderSocket
from workbench.brokers.binance.words import VENUE
from workbench.brokers.pool import CANCEL, ENTRY, Route, decode
from workbench.errors import VenueDown, VenueRefused

__all__ = ["Trading"]


class _Way(NamedTuple):
    method: str
    verb: str
    path: str


_PLACE: Final = _Way("order.place", "POST", "/api/v3/order")
_CANCEL: Final = _Way("order.cancel", "DELETE", "/api/v3/order")
_CANCEL_ALL: Final = _Way("openOrders.cancelAll", "DELETE", "/api/v3/openOrders")
_REPLACE: Final = _Way("order.cancelReplace", "POST", "/api/v3/order/cancelReplace")
_AMEND: Final = _Way("order.amend.keepPriority", "PUT", "/api/v3/order/amend/keepPriority")
_PAIR: Final = _Way("orderList.place.oco", "POST", "/api/v3/orderList/oco")
_BRACKET: Final = _Way("orderList.place.otoco", "POST", "/api/v3/orderList/otoco")
_EXIT: Final = _Way("orderList.place.oto", "POST", "/api/v3/orderList/oto")
_CANCEL_WAIT_S: Final = 30.0
_NONE_OPEN: Final = "-2011"

type Called = Callable[[int], None] | None


class Trading:
    """One account's orders. `socket` None: by REST alone."""

    def __init__(self, client: BinanceClient, socket: OrderSocket | None = None) -> None:
        self.client, self.routes, self.socket = client, client.routes, socket

    async def place(self, params: Params, lane: int = ENTRY, called: Called = None) -> OrderBody:
        """Send an order, once."""
        body = await self._send(_PLACE, self.routes.order, params, lane, called)
        return decode(VENUE, body, OrderBody, what="an order", deepest=0)

    async def place_pair(self, params: Params, lane: int = ENTRY, called: Called = None) -> ListBody:
        """Send two orders of which one cancels the other, once."""
        return await self._list(_PAIR, self.routes.pair, params, lane, called)

    async def place_bracket(
        self, params: Params, exits: int, lane: int = ENTRY, called: Called = None
    ) -> ListBody:
        """Send an entry with its exits, once."""
        way, route = (_EXIT, self.routes.pair) if exits == 1 else (_BRACKET, self.routes.bracket)
        return await self._list(way, route, params, lane, called)

    async def _list(self, way: _Way, route: Route, params: Params, lane: int, called: Called) -> ListBody:
        body = await self._send(way, route, params, lane, called)
        return decode(VENUE, body, ListBody, what="an order list", deepest=0)

    async def cancel(self, symbol: str, order_id: str) -> OrderBody | ListBody:
        """Take an order out of the book; of a list every order goes with it."""
        params = [("symbol", symbol), ("orderId", order_id)]
        body = await self._send(_CANCEL, self.routes.cancel, params, CANCEL, None, _CANCEL_WAIT_S)
        if b'"orderReports"' in body:
            return decode(VENUE, body, ListBody, what="a cancel", deepest=0)
        return decode(VENUE, body, OrderBody, what="a cancel", deepest=0)

    async def cancel_all(self, symbol: str) -> int:
        """Take every open order of a symbol out, ours or not; how many there were."""
        params = [("symbol", symbol)]
        try:
            body = await self._send(_CANCEL_ALL, self.routes.cancel, params, CANCEL, None, _CANCEL_WAIT_S)
        except VenueRefused as error:
            if error.code == _NONE_OPEN:  # the last one has ended meanwhile
                return 0
            raise
        return len(decode(VENUE, body, list[dict[str, object]], what="the cancels"))

    async def replace(self, params: Params) -> ReplaceBody:
        """Cancel an order and place another."""
        body = await self._send(_REPLACE, self.routes.replace, params, ENTRY, None)
        return decode(VENUE, body, ReplaceBody, what="a replaced order", deepest=0)

    async def amend(self, params: Params) -> None:
        """Make an order smaller where it stands."""
        await self._send(_AMEND, self.routes.amend, params, ENTRY, None)

    async def _send(
        self, way: _Way, route: Route, params: Params, lane: int, called: Called, most_wait_s: float = 5.0
    ) -> bytes:
        """Once; again only when the venue says that it did nothing because of the time on it."""
        try:
            return await self._once(way, route, params, lane, called, most_wait_s)
        except ClockOff:
            await self.client.clock_again()
            return await self._once(way, route, params, lane, called, most_wait_s)

    async def _once(
        self, way: _Way, route: Route, params: Params, lane: int, called: Called, most_wait_s: float
    ) -> bytes:
        socket = self.socket
        if socket is not None and socket.is_live:
            try:
                return await socket.request(
                    route, way.method, params, lane=lane, called=called, most_wait_s=most_wait_s
                )
            except VenueDown:  # it went down in this moment: nothing was sent
                pass
        answer = await self.client.rest.send(
            way.verb, route, way.path, query_of(params), lane=lane, called=called, most_wait_s=most_wait_s
        )
        return answer.body
