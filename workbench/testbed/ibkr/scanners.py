"""Scanners: the listings by how they move and trade, and what a scanner can be asked for.

Lives here: the two scanner routes. Not here: a contract's figures (fields.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.asked import json_object
from workbench.testbed.ibkr.contracts import Contracts, listing_exchange
from workbench.testbed.ibkr.fields import Fields
from workbench.testbed.ibkr.refusals import Refusal
from workbench.testbed.market import Board

__all__ = ["Scanners"]

_STOCKS: Final = "STK"
_PLACES: Final = ("STK.US.MAJOR", "STK.NASDAQ", "STK.ARCA", "STK.US")


class Scanners:
    """The scanners of one gateway: stocks in the United States."""

    def __init__(self, exchange: Exchange, contracts: Contracts, fields: Fields) -> None:
        self.exchange, self._contracts, self._fields = exchange, contracts, fields
        self._kinds: dict[str, tuple[str, str, Callable[[Board], float], bool]] = {
            "TOP_PERC_GAIN": ("Top % Gainers", "Chg%", self._change, True),
            "TOP_PERC_LOSE": ("Top % Losers", "Chg%", self._change, False),
            "MOST_ACTIVE": ("Most Active", "Volume", self._volume, True),
            "HOT_BY_VOLUME": ("Hot by Volume", "Volume", self._volume, True),
        }

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/iserver/scanner/params", self.params),
            Route("POST", "/iserver/scanner/run", self.run),
        ]

    def _change(self, board: Board) -> float:
        close = self._fields.days[board.listing.iid].close
        return 100 * (board.last / close - 1)

    def _volume(self, board: Board) -> float:
        return self._fields.days[board.listing.iid].volume

    def params(self, call: Call) -> Answer:
        """Everything a scanner can be asked for."""
        kinds = [
            {"display_name": said, "code": code, "instruments": [_STOCKS]}
            for code, (said, *_) in self._kinds.items()
        ]
        places: list[dict[str, Any]] = [
            {"display_name": place, "type": place, "locations": []} for place in _PLACES
        ]
        return Answer(
            {
                "scan_type_list": kinds,
                "instrument_list": [
                    {"display_name": "US Stocks", "type": _STOCKS, "filters": ["priceAbove"]}
                ],
                "filter_list": [
                    {
                        "group": "priceAbove",
                        "display_name": "Price Above",
                        "code": "priceAbove",
                        "type": "non-range",
                    }
                ],
                "location_tree": [{"display_name": "US Stocks", "type": _STOCKS, "locations": places}],
            }
        )

    def run(self, call: Call) -> Answer:
        """The listings a scanner finds, best first."""
        said = json_object(call.body)
        if said.get("instrument") != _STOCKS or said.get("location") not in _PLACES:
            return Answer({"contracts": [], "scan_data_column_name": ""})
        kind = self._kinds.get(str(said.get("type")))
        if kind is None:
            raise Refusal(f"Bad Request: type {said.get('type')} is not valid", 400)
        _, column, figure, falling = kind
        place = str(said["location"])
        boards = [
            board
            for board in self.exchange.market.boards.values()
            if place in ("STK.US.MAJOR", "STK.US") or place.endswith(listing_exchange(board.listing.symbol))
        ]
        boards = [board for board in boards if _above(said.get("filter"), board.last)]
        boards.sort(key=figure, reverse=falling)
        rows = [self._row(at, board, column, figure(board)) for at, board in enumerate(boards)]
        return Answer({"contracts": rows, "scan_data_column_name": column})

    def _row(self, at: int, board: Board, column: str, figure: float) -> dict[str, Any]:
        conid = self._contracts.conids[board.listing.iid]
        return {
            "server_id": str(at),
            "column_name": column,
            "symbol": board.listing.symbol,
            "conidex": str(conid),
            "con_id": conid,
            "available_chart_periods": "#R|1",
            "company_name": board.listing.name.upper(),
            "scan_data": f"{figure:+.2f}%" if column == "Chg%" else f"{figure:.0f}",
            "contract_description_1": board.listing.symbol,
            "listing_exchange": listing_exchange(board.listing.symbol),
            "sec_type": _STOCKS,
        }


def _above(filters: Any, px: float) -> bool:
    """Whether a price passes the filters asked for. Others than the one there is count for nothing."""
    for wanted in filters if isinstance(filters, list) else ():
        if isinstance(wanted, dict) and wanted.get("code") == "priceAbove":
            least = wanted.get("value")
            if not isinstance(least, int | float) or px <= least:
                return False
    return True
