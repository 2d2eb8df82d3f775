"""Watch lists: lists of contracts the user keeps under an id and a name.

Lives here: the lists and their routes. Not here: what a contract is (contracts.py).
"""

from typing import Any

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.asked import json_object
from workbench.testbed.ibkr.contracts import Contracts
from workbench.testbed.ibkr.refusals import Refusal, unavailable

__all__ = ["WatchLists"]


class WatchLists:
    """The lists of one user."""

    def __init__(self, exchange: Exchange, contracts: Contracts) -> None:
        self.exchange, self._contracts = exchange, contracts
        self._lists: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/iserver/watchlists", self.listed),
            Route("POST", "/iserver/watchlist", self.create),
            Route("GET", "/iserver/watchlist", self.one),
            Route("DELETE", "/iserver/watchlist", self.delete),
        ]

    def listed(self, call: Call) -> Answer:
        rows = [
            {
                "is_open": False,
                "read_only": False,
                "name": kept["name"],
                "modified": kept["modified"],
                "id": kept["id"],
                "type": "watchlist",
            }
            for kept in self._lists.values()
        ]
        data = {"scanners_only": False, "show_scanners": False, "bulk_delete": False, "user_lists": rows}
        return Answer({"data": data, "action": "content", "MID": "1"})

    def create(self, call: Call) -> Answer:
        """Keep a list; one with the same id is replaced."""
        said = json_object(call.body)
        list_id, name, rows = said.get("id"), said.get("name"), said.get("rows", [])
        if not isinstance(list_id, str) or not list_id.isdigit():
            raise Refusal("Bad Request: id must be a number in quotes", 400)
        if not isinstance(name, str) or not name or not isinstance(rows, list):
            raise Refusal("Bad Request: name and rows are required", 400)
        instruments: list[dict[str, Any]] = []
        for row in rows:
            if not isinstance(row, dict) or not ("C" in row or "H" in row):
                raise Refusal("Bad Request: a row holds C or H", 400)
            instruments.append(self._instrument(row["C"]) if "C" in row else {"H": str(row["H"])})
        now_ms = self.exchange.clock.shown_ns() // 1_000_000
        self._lists[list_id] = {
            "id": list_id,
            "hash": f"{now_ms:x}",
            "name": name,
            "modified": now_ms,
            "instruments": instruments,
        }
        return Answer({**self._body(self._lists[list_id]), "instruments": []})

    def _instrument(self, given: Any) -> dict[str, Any]:
        board = self._contracts.board(given)
        symbol, conid = board.listing.symbol, self._contracts.conids[board.listing.iid]
        return {
            "ST": "STK",
            "C": str(conid),
            "conid": conid,
            "name": board.listing.name.upper(),
            "fullName": symbol,
            "assetClass": "STK",
            "ticker": symbol,
            "chineseName": None,
        }

    @staticmethod
    def _body(kept: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": kept["id"],
            "hash": kept["hash"],
            "name": kept["name"],
            "readOnly": False,
            "instruments": kept["instruments"],
        }

    def _found(self, call: Call) -> dict[str, Any]:
        """The list of an id in the query, or in the body, where some clients put what they ask with."""
        said = call.query if "id" in call.query else json_object(call.body)
        kept = self._lists.get(str(said.get("id", "")))
        if kept is None:
            raise unavailable()
        return kept

    def one(self, call: Call) -> Answer:
        return Answer(self._body(self._found(call)))

    def delete(self, call: Call) -> Answer:
        list_id = self._found(call)["id"]
        del self._lists[list_id]
        return Answer({"data": {"deleted": list_id}, "action": "context", "MID": "1"})
