"""The account at the brokerage session: which there are, its summary, its profit and loss.

Lives here: the `/iserver` account routes. Not here: positions and ledger (portfolio.py), orders (orders.py).
"""

from typing import Any

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.asked import json_object
from workbench.testbed.ibkr.money import money_of
from workbench.testbed.ibkr.refusals import Refusal
from workbench.testbed.ibkr.session import SERVER, Session
from workbench.testbed.ibkr.words import amount

__all__ = ["Account"]


class Account:
    """One paper account; it is always the selected one."""

    def __init__(self, exchange: Exchange, session: Session, account: str) -> None:
        self.exchange, self.session, self.account = exchange, session, account
        self.opening_e8 = money_of(exchange).net

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/iserver/accounts", self.accounts),
            Route("POST", "/iserver/account", self.switch),
            Route("GET", "/iserver/account/pnl/partitioned", self.pnl),
            Route("GET", "/iserver/account/{account}/summary", self.summary),
        ]

    def check(self, given: str) -> None:
        """Refuse an account that is not this one."""
        if given != self.account:
            raise Refusal(f"Account {given} is not available", 400)

    def accounts(self, call: Call) -> Answer:
        """The accounts; to be asked for before orders and snapshots."""
        self.session.accounts_asked = True
        return Answer(self.body())

    def body(self) -> dict[str, Any]:
        """What `/iserver/accounts` and the socket's `act` say."""
        account = self.account
        return {
            "accounts": [account],
            "acctProps": {
                account: {
                    "hasChildAccounts": False,
                    "supportsCashQty": True,
                    "liteUnderPro": False,
                    "noFXConv": False,
                    "isProp": False,
                    "supportsFractions": False,
                    "allowCustomerTime": False,
                    "autoFx": False,
                }
            },
            "aliases": {account: account},
            "allowFeatures": {"showGFIS": True, "allowFXConv": True, "snapshotRefreshTimeout": 30},
            "chartPeriods": {"STK": ["*"]},
            "groups": [],
            "profiles": [],
            "selectedAccount": account,
            "serverInfo": SERVER,
            "sessionId": self.session.number[:8],
            "isFT": False,
            "isPaper": True,
        }

    def switch(self, call: Call) -> Answer:
        given = json_object(call.body).get("acctId")
        self.check(str(given))
        return Answer({"success": "Account already set"})

    def summary(self, call: Call) -> Answer:
        self.check(call.path["account"])
        money = money_of(self.exchange)
        currency = self.currency
        return Answer(
            {
                "accountType": "",
                "status": "",
                "balance": amount(money.net),
                "SMA": amount(money.available),
                "buyingPower": amount(money.buying_power),
                "availableFunds": amount(money.available),
                "excessLiquidity": amount(money.net - money.margin),
                "netLiquidationValue": amount(money.net),
                "equityWithLoanValue": amount(money.net),
                "regTLoan": 0.0,
                "securitiesGVP": amount(money.gross),
                "totalCashValue": amount(money.cash),
                "accruedInterest": 0.0,
                "regTMargin": amount(money.margin),
                "initialMargin": amount(money.margin),
                "maintenanceMargin": amount(money.margin // 2),
                "cashBalances": [
                    {
                        "currency": currency,
                        "balance": amount(money.cash),
                        "settledCash": amount(money.cash),
                    },
                    {
                        "currency": f"Total (in {currency})",
                        "balance": amount(money.cash),
                        "settledCash": amount(money.cash),
                    },
                ],
            }
        )

    @property
    def currency(self) -> str:
        return next(iter(self.exchange.market.boards.values())).listing.instrument.currency

    def pnl(self, call: Call) -> Answer:
        return Answer({"upnl": self.pnl_row()})

    def pnl_row(self) -> dict[str, Any]:
        """Profit and loss of the account by its partitions: there is one."""
        money = money_of(self.exchange)
        row = {
            "rowType": 1,
            "dpl": round(amount(money.net - self.opening_e8), 2),
            "nl": round(amount(money.net), 2),
            "upl": round(amount(money.unrealised), 2),
            "uel": round(amount(money.net - money.margin), 2),
            "el": round(amount(money.net - money.margin), 2),
            "mv": round(amount(money.stock), 2),
        }
        return {f"{self.account}.Core": row}
