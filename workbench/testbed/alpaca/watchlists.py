"""Alpaca's watch lists: named lists of assets that the account keeps.

Lives here: the lists and their routes. Not here: assets (bodies.py).
"""

from typing import Any

from workbench.testbed.alpaca.bodies import asset_body
from workbench.testbed.alpaca.orders import json_object
from workbench.testbed.alpaca.refusals import malformed, not_found
from workbench.testbed.alpaca.tickets import board_of
from workbench.testbed.alpaca.words import rfc3339
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange

__all__ = ["WatchLists"]


class _List:
    __slots__ = ("created_ns", "id", "name", "symbols", "updated_ns")

    def __init__(self, list_id: str, name: str, now_ns: int) -> None:
        self.id, self.name = list_id, name
        self.symbols: list[str] = []
        self.created_ns = self.updated_ns = now_ns


class WatchLists:
    """The watch lists of one account."""

    def __init__(self, exchange: Exchange, account_id: str) -> None:
        self.exchange = exchange
        self.account_id = account_id
        self._lists: dict[str, _List] = {}

    def routes(self) -> list[Route]:
        found = [
            Route("GET", "/v2/watchlists", self.listed),
            Route("POST", "/v2/watchlists", self.create),
            Route("DELETE", "/v2/watchlists/{list_id}/{symbol}", self.remove),
        ]
        for path in ("/v2/watchlists/{list_id}", "/v2/watchlists:by_name"):
            found += [
                Route("GET", path, self.one),
                Route("PUT", path, self.change),
                Route("POST", path, self.add),
                Route("DELETE", path, self.delete),
            ]
        return found

    def listed(self, call: Call) -> Answer:
        return Answer([self._body(kept, assets=False) for kept in self._lists.values()])

    def create(self, call: Call) -> Answer:
        said = json_object(call.body)
        name = _name(said.get("name"))
        if any(kept.name == name for kept in self._lists.values()):
            raise malformed("watchlist name must be unique")
        symbols = self._symbols(said.get("symbols"))
        kept = _List(self.exchange.new_id(), name, self.exchange.clock.shown_ns())
        kept.symbols = symbols
        self._lists[kept.id] = kept
        return Answer(self._body(kept))

    def one(self, call: Call) -> Answer:
        return Answer(self._body(self._found(call)))

    def change(self, call: Call) -> Answer:
        """Another name, other assets; what is left out stays."""
        kept, said = self._found(call), json_object(call.body)
        name = _name(said["name"]) if said.get("name") is not None else kept.name
        kept.symbols = self._symbols(said["symbols"]) if said.get("symbols") is not None else kept.symbols
        kept.name = name
        return self._changed(kept)

    def add(self, call: Call) -> Answer:
        kept = self._found(call)
        [symbol] = self._symbols([json_object(call.body).get("symbol")])
        if symbol in kept.symbols:
            raise malformed("duplicate symbol")
        kept.symbols.append(symbol)
        return self._changed(kept)

    def remove(self, call: Call) -> Answer:
        kept = self._found(call)
        [symbol] = self._symbols([call.path["symbol"]])
        if symbol not in kept.symbols:
            raise not_found(f"symbol not found in watchlist: {symbol}")
        kept.symbols.remove(symbol)
        return self._changed(kept)

    def delete(self, call: Call) -> Answer:
        del self._lists[self._found(call).id]
        return Answer(status=204)

    def _changed(self, kept: _List) -> Answer:
        kept.updated_ns = self.exchange.clock.shown_ns()
        return Answer(self._body(kept))

    def _found(self, call: Call) -> _List:
        list_id, name = call.path.get("list_id"), call.query.get("name")
        for kept in self._lists.values():
            if kept.id == list_id if list_id is not None else kept.name == name:
                return kept
        raise not_found("watchlist not found")

    def _symbols(self, given: Any) -> list[str]:
        """The assets named, each once, as they are listed."""
        if given is None:
            return []
        if not isinstance(given, list):
            raise malformed("symbols must be a list")
        found: list[str] = []
        for name in given:
            board = board_of(self.exchange, name) if isinstance(name, str) else None
            if board is None:
                raise malformed(f"symbol is invalid: {name}")
            if board.listing.symbol not in found:
                found.append(board.listing.symbol)
        return found

    def _body(self, kept: _List, *, assets: bool = True) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": kept.id,
            "account_id": self.account_id,
            "created_at": rfc3339(kept.created_ns),
            "updated_at": rfc3339(kept.updated_ns),
            "name": kept.name,
        }
        if assets:
            boards = (board_of(self.exchange, symbol) for symbol in kept.symbols)
            body["assets"] = [asset_body(board.listing) for board in boards if board is not None]
        return body


def _name(given: Any) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= 64:
        raise malformed("watchlist name must have 1 to 64 characters")
    return given
