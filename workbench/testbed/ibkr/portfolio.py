"""The portfolio: accounts, summary, ledger, positions.

Lives here: the `/portfolio` routes. Not here: what the account can carry (money.py).
"""

from typing import Any, Final

from workbench.model.scale import SCALE
from workbench.testbed.call import Answer, Call, Reply, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.contracts import Contracts
from workbench.testbed.ibkr.money import money_of
from workbench.testbed.ibkr.quirks import Quirks
from workbench.testbed.ibkr.refusals import Refusal
from workbench.testbed.ibkr.session import Session
from workbench.testbed.ibkr.summary import summary_of
from workbench.testbed.ibkr.words import amount
from workbench.testbed.market import Board

__all__ = ["Portfolio"]

_PAGE: Final = 100
_ZEROS: Final = (
    "commoditymarketvalue", "futuremarketvalue", "stockoptionmarketvalue", "futuresonlypnl", "funds",
    "interest", "moneyfunds", "dividends", "cashbalancefxsegment", "warrantsmarketvalue",
    "tbondsmarketvalue", "tbillsmarketvalue", "corporatebondsmarketvalue", "futureoptionmarketvalue",
    "issueroptionsmarketvalue", "cryptocurrencyvalue",
)  # fmt: skip


class Portfolio:
    """The portfolio routes of one account."""

    def __init__(
        self, exchange: Exchange, session: Session, account: Account, contracts: Contracts, quirks: Quirks
    ) -> None:
        self.exchange, self.session = exchange, session
        self._account, self._contracts, self._quirks = account, contracts, quirks
        self._cached: list[dict[str, Any]] | None = None

    def routes(self) -> list[Route]:
        later = self._after_accounts
        return [
            Route("GET", "/portfolio/accounts", self.accounts),
            Route("GET", "/portfolio/subaccounts", self.accounts),
            Route("GET", "/portfolio/subaccounts2", self.accounts_by_page),
            Route("GET", "/portfolio/allocation", later(self.allocation)),
            Route("POST", "/portfolio/allocation", later(self.allocation)),
            Route("GET", "/portfolio/{account}/meta", later(self.meta)),
            Route("GET", "/portfolio/{account}/summary", later(self.summary)),
            Route("GET", "/portfolio/{account}/ledger", later(self.ledger)),
            Route("GET", "/portfolio/{account}/allocation", later(self.allocation)),
            Route("GET", "/portfolio/{account}/positions", later(self.positions)),
            Route("GET", "/portfolio/{account}/positions/{page}", later(self.positions)),
            Route("GET", "/portfolio/{account}/position/{conid}", later(self.position)),
            Route("POST", "/portfolio/{account}/positions/invalidate", later(self.invalidate)),
            Route("GET", "/portfolio2/{account}/positions", later(self.positions_now)),
            Route("GET", "/portfolio/positions/{conid}", later(self.position_anywhere)),
        ]

    def _after_accounts(self, reply: Reply) -> Reply:
        """Nothing goes before `/portfolio/accounts` was asked for."""

        def guarded(call: Call) -> Any:
            if not self.session.portfolio_asked:
                raise Refusal("Please query /portfolio/accounts first", 500)
            if "account" in call.path:
                self._account.check(call.path["account"])
            return reply(call)

        return guarded

    def accounts(self, call: Call) -> Answer:
        self.session.portfolio_asked = True
        return Answer([self._meta()])

    def accounts_by_page(self, call: Call) -> Answer:
        """The same accounts as large organisations ask for them; there is one, on the first page."""
        self.session.portfolio_asked = True
        page = call.query.get("page", "0")
        found = [self._meta()] if page == "0" else []
        number = int(page) if page.isascii() and page.isdigit() else 0
        return Answer({"metadata": {"total": 1, "pageSize": 20, "pageNum": number}, "subaccounts": found})

    def meta(self, call: Call) -> Answer:
        return Answer(self._meta())

    def _meta(self) -> dict[str, Any]:
        account = self._account.account
        return {
            "id": account,
            "PrepaidCrypto-Z": False,
            "PrepaidCrypto-P": False,
            "brokerageAccess": True,
            "accountId": account,
            "accountVan": account,
            "accountTitle": "Emulated account",
            "displayName": "Emulated account",
            "accountAlias": None,
            "accountStatus": self.session.login_ns // 1_000_000,
            "currency": self._account.currency,
            "type": "DEMO",
            "tradingType": "STKNOPT",
            "businessType": "INDEPENDENT",
            "ibEntity": "IBLLC-US",
            "faclient": False,
            "clearingStatus": "O",
            "covestor": False,
            "noClientTrading": False,
            "trackVirtualFXPortfolio": False,
            "acctCustType": "INDIVIDUAL",
            "parent": {
                "mmc": [],
                "accountId": "",
                "isMParent": False,
                "isMChild": False,
                "isMultiplex": False,
            },
            "desc": account,
        }

    def summary(self, call: Call) -> Answer:
        return Answer(summary_of(self.exchange, self._account))

    def ledger(self, call: Call) -> Answer:
        return Answer(self.ledger_rows())

    def ledger_rows(self) -> dict[str, dict[str, Any]]:
        """Balances by currency, and all of them together as BASE."""
        currency = self._account.currency
        return {currency: self._ledger_row(currency), "BASE": self._ledger_row("BASE")}

    def _ledger_row(self, name: str) -> dict[str, Any]:
        money = money_of(self.exchange)
        return {
            **dict.fromkeys(_ZEROS, 0.0),
            "netliquidationvalue": amount(money.net),
            "cashbalance": amount(money.cash),
            "settledcash": amount(money.cash),
            "stockmarketvalue": amount(money.stock),
            "unrealizedpnl": amount(money.unrealised),
            "realizedpnl": amount(self.exchange.holdings.realised_e8),
            "exchangerate": 1,
            "currency": name,
            "key": "LedgerList",
            "secondkey": name,
            "acctcode": self._account.account,
            "sessionid": 1,
            "severity": 0,
            "timestamp": self.exchange.clock.now_ns() // 1_000_000_000,
        }

    def allocation(self, call: Call) -> Answer:
        money = money_of(self.exchange)
        shares = {"STK": amount(money.stock), "CASH": amount(money.cash)}
        return Answer(
            {
                "assetClass": {
                    "long": {name: value for name, value in shares.items() if value >= 0},
                    "short": {name: value for name, value in shares.items() if value < 0},
                },
                "sector": {"long": {}, "short": {}},
                "group": {"long": {}, "short": {}},
            }
        )

    # -- positions -------------------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Every position as it stands."""
        boards = self.exchange.market.boards
        return [
            self.row(boards[iid], qty_e8)
            for iid, qty_e8 in sorted(self.exchange.match.positions.items())
            if qty_e8
        ]

    def row(self, board: Board, qty_e8: int) -> dict[str, Any]:
        """One position."""
        listing = board.listing
        average = round(self.exchange.holdings.average_px(listing.iid, qty_e8), 8)
        definition = self._contracts.definition(board)
        return {
            **definition,
            "acctId": self._account.account,
            "contractDesc": listing.symbol,
            "position": amount(qty_e8),
            "mktPrice": board.last,
            "mktValue": round(board.last * qty_e8 / SCALE, 2),
            "avgCost": average,
            "avgPrice": average,
            "realizedPnl": 0.0,
            "unrealizedPnl": round(
                self.exchange.holdings.profit(listing, qty_e8, board.last),
                2,
            ),
            "exchs": None,
            "exerciseStyle": None,
            "conExchMap": [],
            "model": "",
            "time": 1,
            "allExchanges": "SMART",
            "pageSize": _PAGE,
            "isEventContract": False,
        }

    def positions(self, call: Call) -> Answer:
        """One page; the first one when none is named.

        With the quirk `cached_positions` it is what was true when somebody asked first.
        """
        page = call.path.get("page", "0")
        if not (page.isascii() and page.isdigit()):
            raise Refusal("Bad Request: page must be a number", 400)
        if self._cached is None or not self._quirks.hit("cached_positions"):
            self._cached = self.rows()
        return Answer(self._cached[int(page) * _PAGE : (int(page) + 1) * _PAGE])

    def invalidate(self, call: Call) -> Answer:
        self._cached = None
        return Answer({"message": "success"})

    def positions_now(self, call: Call) -> Answer:
        return Answer(self.rows())

    def position(self, call: Call) -> Answer:
        board = self._contracts.board(call.path["conid"])
        qty_e8 = self.exchange.position_e8(board.listing.iid)
        return Answer([self.row(board, qty_e8)] if qty_e8 else [])

    def position_anywhere(self, call: Call) -> Answer:
        board = self._contracts.board(call.path["conid"])
        qty_e8 = self.exchange.position_e8(board.listing.iid)
        return Answer({self._account.account: [self.row(board, qty_e8)] if qty_e8 else []})
