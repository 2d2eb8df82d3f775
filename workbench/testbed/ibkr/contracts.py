"""Contracts: what a symbol is called, where it trades, which orders and steps it takes.

Lives here: the contract routes and the look-up by number. Not here: orders in them (tickets.py), prices (data.py).
"""

from typing import Any, Final

from workbench.model.scale import SCALE
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.asked import json_object, truth
from workbench.testbed.ibkr.refusals import Refusal
from workbench.testbed.ibkr.words import conid_of, foreign_conid, number, qty_text
from workbench.testbed.market import Board

__all__ = ["INCREMENTS", "Contracts", "increment_e8"]

INCREMENTS: Final = ((0.0, 0.0001), (1.0, 0.01))
"""Price bands: from this price on, steps of this size."""
_EXCHANGES: Final = "SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,NASDAQ,DRCTEDGE,BEX,BATS,EDGEA,BYX,IEX,EDGX,PEARL"
_FUNDS: Final = frozenset({"SPY", "QQQ", "IWM"})
_MOST: Final = 200


def increment_e8(px_e8: int) -> int:
    """The step of prices around one.

    >>> increment_e8(230 * SCALE), increment_e8(SCALE // 2)
    (1000000, 10000)
    """
    return round(max(step for edge, step in INCREMENTS if px_e8 >= edge * SCALE) * SCALE)


class Contracts:
    """The contracts of one exchange's listings."""

    def __init__(self, exchange: Exchange, account: str) -> None:
        self.exchange, self.account = exchange, account
        self.boards = {conid_of(b.listing.symbol): b for b in exchange.market.boards.values()}
        self.conids = {b.listing.iid: conid for conid, b in self.boards.items()}
        self._abroad = {foreign_conid(b.listing.symbol): b for b in exchange.market.boards.values()}

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/trsrv/stocks", self.stocks),
            Route("GET", "/trsrv/secdef", self.definitions),
            Route("POST", "/trsrv/secdef", self.definitions),
            Route("GET", "/trsrv/all-conids", self.all_of_an_exchange),
            Route("GET", "/trsrv/secdef/schedule", self.schedule),
            Route("GET", "/iserver/secdef/search", self.search),
            Route("POST", "/iserver/secdef/search", self.search),
            Route("GET", "/iserver/secdef/info", self.secdef_info),
            Route("GET", "/iserver/contract/{conid}/info", self.info),
            Route("GET", "/iserver/contract/{conid}/info-and-rules", self.info_and_rules),
            Route("GET", "/iserver/contract/{conid}/algos", self.algos),
            Route("POST", "/iserver/contract/rules", self.rules),
        ]

    def board(self, given: object) -> Board:
        """The board of a contract number, as a number or a text, an exchange behind it or not.

        Raises:
            Refusal: there is no such contract, or not for this account.
        """
        digits = str(given).partition("@")[0]
        conid = int(digits) if digits.isascii() and digits.isdigit() else -1
        if conid in self._abroad:
            raise Refusal("No trading permissions.")
        board = self.boards.get(conid)
        if board is None:
            raise Refusal(f"Contract {given} is not available", 404)
        return board

    def stocks(self, call: Call) -> Answer:
        """Stocks by symbol, at home and abroad; a symbol nobody knows has none."""
        symbols = [s for s in call.query.get("symbols", "").split(",") if s]
        if not symbols:
            raise Refusal("Bad Request: symbols is required", 400)
        return Answer({symbol: self._instruments(symbol) for symbol in symbols})

    def _instruments(self, symbol: str) -> list[dict[str, Any]]:
        board = self.boards.get(conid_of(symbol))
        if board is None or board.listing.symbol != symbol:
            return []
        at_home = {"conid": conid_of(symbol), "exchange": listing_exchange(symbol), "isUS": True}
        abroad = {"conid": foreign_conid(symbol), "exchange": "MEXI", "isUS": False}
        return [
            {
                "name": board.listing.name.upper(),
                "chineseName": None,
                "assetClass": "STK",
                "contracts": [at_home, abroad],
            }
        ]

    def search(self, call: Call) -> Answer:
        """Contracts by symbol or company name. The number is a text here."""
        said: dict[str, Any] = dict(call.query) if call.request.method == "GET" else json_object(call.body)
        wanted = str(said.get("symbol") or "")
        if not wanted:
            raise Refusal("Bad Request: symbol is required", 400)
        by_name = said.get("name") in (True, "true", "True")
        found = [
            board
            for board in self.boards.values()
            if board.listing.symbol == wanted.upper()
            or (by_name and wanted.lower() in board.listing.name.lower())
        ]
        if not found:
            return Answer({"error": "No symbol found"})
        return Answer([self._hit(board) for board in found])

    def _hit(self, board: Board) -> dict[str, Any]:
        symbol, name = board.listing.symbol, board.listing.name.upper()
        where = listing_exchange(symbol)
        return {
            "conid": str(conid_of(symbol)),
            "companyHeader": f"{name} - {where}",
            "companyName": name,
            "symbol": symbol,
            "description": where,
            "restricted": None,
            "sections": [{"secType": "STK", "exchange": "SMART;"}],
        }

    def definitions(self, call: Call) -> Answer:
        """Definitions by number."""
        given: list[Any] = [c for c in call.query.get("conids", "").split(",") if c]
        if call.request.method == "POST":
            asked = json_object(call.body).get("conids")
            given = asked if isinstance(asked, list) else []
        if not given or len(given) > _MOST:
            raise Refusal(f"Bad Request: conids takes 1 to {_MOST} numbers", 400)
        return Answer({"secdef": [self.definition(self.board(conid)) for conid in given]})

    def all_of_an_exchange(self, call: Call) -> Answer:
        """Every contract listed at an exchange."""
        where = call.query.get("exchange", "")
        if not where:
            raise Refusal("Bad Request: exchange is required", 400)
        symbols = [board.listing.symbol for board in self.boards.values()]
        rows = [
            {"ticker": symbol, "conid": conid_of(symbol), "exchange": listing_exchange(symbol)}
            for symbol in symbols
            if listing_exchange(symbol) == where.upper()
        ]
        return Answer(rows)

    def schedule(self, call: Call) -> Answer:
        """The trading hours of a usual week, by day; its days are those of the first week of 2000."""
        symbol = call.query.get("symbol", "")
        board = self.boards.get(conid_of(symbol)) if symbol else None
        if board is None or call.query.get("assetClass", "STK") != "STK":
            raise Refusal("No contract found", 404)
        where = call.query.get("exchange") or listing_exchange(symbol)
        return Answer(
            [
                {
                    "id": f"p{conid_of(symbol)}",
                    "tradeVenueId": f"v{conid_of(symbol)}",
                    "exchange": where,
                    "description": where,
                    "timezone": "America/New_York",
                    "schedules": [_day_schedule(day) for day in range(3, 8)],
                }
            ]
        )

    def definition(self, board: Board) -> dict[str, Any]:
        """What positions and definitions say of a contract."""
        symbol = board.listing.symbol
        return {
            "conid": conid_of(symbol),
            "currency": board.listing.instrument.currency,
            "name": board.listing.name.upper(),
            "assetClass": "STK",
            "expiry": None,
            "lastTradingDay": None,
            "group": None,
            "putOrCall": None,
            "sector": None,
            "sectorGroup": None,
            "strike": "0",
            "ticker": symbol,
            "undConid": 0,
            "multiplier": 0.0,
            "type": "ETF" if symbol in _FUNDS else "COMMON",
            "hasOptions": True,
            "fullName": symbol,
            "isUS": True,
            "incrementRules": [{"lowerEdge": edge, "increment": step} for edge, step in INCREMENTS],
            "listingExchange": listing_exchange(symbol),
            "countryCode": "US",
        }

    def secdef_info(self, call: Call) -> Answer:
        """One contract by its number alone; asked for by its kind as well, the list of those that match."""
        board = self.board(call.query.get("conid"))
        symbol = board.listing.symbol
        row = {
            "conid": conid_of(symbol),
            "ticker": symbol,
            "secType": "STK",
            "listingExchange": listing_exchange(symbol),
            "exchange": "SMART",
            "companyName": board.listing.name.upper(),
            "currency": board.listing.instrument.currency,
            "validExchanges": _EXCHANGES,
            "priceRendering": None,
            "maturityDate": None,
            "right": "?",
            "strike": 0.0,
        }
        return Answer([row] if any(name.lower() == "sectype" for name in call.query) else row)

    def info(self, call: Call) -> Answer:
        return Answer(self._info(self.board(call.path["conid"])))

    def _info(self, board: Board) -> dict[str, Any]:
        symbol = board.listing.symbol
        return {
            "cfi_code": "",
            "symbol": symbol,
            "cusip": None,
            "expiry_full": None,
            "con_id": conid_of(symbol),
            "maturity_date": None,
            "industry": "",
            "instrument_type": "STK",
            "trading_class": symbol,
            "valid_exchanges": _EXCHANGES,
            "allow_sell_long": False,
            "is_zero_commission_security": False,
            "local_symbol": symbol,
            "contract_clarification_type": None,
            "contract_month": None,
            "classifier": None,
            "currency": board.listing.instrument.currency,
            "text": None,
            "underlying_con_id": 0,
            "r_t_h": True,
            "multiplier": None,
            "underlying_issuer": None,
            "company_name": board.listing.name.upper(),
            "smart_available": True,
            "exchange": "SMART",
            "category": "",
        }

    def info_and_rules(self, call: Call) -> Answer:
        board = self.board(call.path["conid"])
        return Answer({**self._info(board), "rules": self._rules(board)})

    def algos(self, call: Call) -> Answer:
        self.board(call.path["conid"])
        return Answer({"algos": []})

    def rules(self, call: Call) -> Answer:
        said = json_object(call.body)
        if number(said.get("conid")) is None:
            raise Refusal("Bad Request: conid is required", 400)
        return Answer(self._rules(self.board(said["conid"]), sells=not truth(str(said.get("isBuy", True)))))

    def _rules(self, board: Board, *, sells: bool = False) -> dict[str, Any]:
        quote = board.quote
        px = quote.ask if sells else quote.bid
        lot = qty_text(board.listing.instrument.lot_e8)
        return {
            "algoEligible": False,
            "overnightEligible": False,
            "costReport": False,
            "canTradeAcctIds": [self.account],
            "error": None,
            "orderTypes": [
                "limit", "midprice", "market", "stop", "stop_limit", "trailing_stop",
                "marketonclose", "limitonclose",
            ],
            "ibAlgoTypes": [],
            "fraqTypes": [],
            "forceOrderPreview": False,
            "cqtTypes": ["limit", "market", "stop", "stop_limit", "trailing_stop"],
            "orderDefaults": {"LMT": {"LP": f"{px:.2f}"}},
            "orderTypesOutside": ["limit", "stop_limit"],
            "defaultSize": 100,
            "cashSize": 0.0,
            "sizeIncrement": int(lot) if lot.isdigit() else 1,
            "tifTypes": ["IOC/MARKET,LIMIT/a", "GTC/o,a", "OPG/LIMIT,MARKET/a", "DAY/o,a"],
            "tifDefaults": {"TIF": "DAY", "SIZE": "100.00"},
            "limitPrice": px,
            "stopprice": px,
            "orderOrigination": None,
            "preview": True,
            "displaySize": None,
            "fraqInt": 0,
            "cashCcy": board.listing.instrument.currency,
            "cashQtyIncr": 500,
            "priceMagnifier": None,
            "negativeCapable": False,
            "incrementType": 1,
            "incrementRules": [{"lowerEdge": edge, "increment": step} for edge, step in INCREMENTS],
            "hasSecondary": True,
            "increment": increment_e8(round(px * SCALE)) / SCALE,
            "incrementDigits": 2,
        }  # fmt: skip


def listing_exchange(symbol: str) -> str:
    """Where a stock is listed, as far as it matters here."""
    return "ARCA" if symbol in _FUNDS else "NASDAQ"


def _day_schedule(day: int) -> dict[str, Any]:
    return {
        "clearingCycleEndTime": "0000",
        "tradingScheduleDate": f"200001{day:02d}",
        "sessions": [{"openingTime": "0930", "closingTime": "1600", "prop": "LIQUID"}],
        "tradingtimes": [{"openingTime": "0400", "closingTime": "2000", "cancelDayOrders": "Y"}],
    }
