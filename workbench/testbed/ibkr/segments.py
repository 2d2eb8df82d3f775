"""The account by its segments, as text for people: funds, balances, margins, market value; and who owns it.

Lives here: those routes. Not here: the figures (money.py), the account as numbers (account.py, portfolio.py).
"""

from typing import Any, Final

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.money import Money, money_of
from workbench.testbed.ibkr.words import grouped

__all__ = ["Segments"]

_OTHERS: Final = ("Crypto at Paxos", "commodities")
_NO_VALUE: Final = (
    "options", "futures", "future_options", "funds", "dividends_receivable", "mutual_funds", "money_market", "bonds",
    "Govt Bonds", "t_bills", "warrants", "issuer_option", "commodity", "Notional CFD", "crypto",
)  # fmt: skip


class Segments:
    """Everything is in securities: the other segments are there and hold nothing."""

    def __init__(self, exchange: Exchange, account: Account) -> None:
        self.exchange, self._account = exchange, account

    def routes(self) -> list[Route]:
        below = "/iserver/account/{account}/summary"
        return [
            Route("GET", f"{below}/available_funds", self.funds),
            Route("GET", f"{below}/balances", self.balances),
            Route("GET", f"{below}/margins", self.margins),
            Route("GET", f"{below}/market_value", self.market_value),
            Route("GET", "/acesws/{account}/signatures-and-owners", self.owners),
        ]

    def _money(self, call: Call) -> Money:
        self._account.check(call.path["account"])
        return money_of(self.exchange)

    def _by_segment(
        self, figures: dict[str, int], total: dict[str, str], securities: dict[str, str]
    ) -> Answer:
        """The same figures of the whole and of securities, with more texts about each; zeros elsewhere."""
        texts = {name: self._text(units_e8) for name, units_e8 in figures.items()}
        nothing = dict.fromkeys(figures, self._text(0))
        return Answer(
            {
                "total": {**texts, **total},
                **{name: dict(nothing) for name in _OTHERS},
                "securities": {**texts, **securities},
            }
        )

    def _text(self, units_e8: int) -> str:
        return f"{grouped(units_e8)} {self._account.currency}"

    def funds(self, call: Call) -> Answer:
        """What can be used, now and over night."""
        money = self._money(call)
        excess = money.net - money.margin // 2
        figures = {
            "current_available": money.available,
            "current_excess": excess,
            "Prdctd Pst-xpry Excss": 0,
            "Lk Ahd Avlbl Fnds": money.available,
            "Lk Ahd Excss Lqdty": excess,
            "overnight_available": money.available,
            "overnight_excess": excess,
        }
        total = {
            "SMA": self._text(money.available),
            "buying_power": self._text(money.buying_power),
            "leverage": "n/a",
            "Lk Ahd Nxt Chng": "@ 16:00:00",
            "day_trades_left": "Unlimited",
        }
        leverage = f"{money.gross / money.net:.2f}" if money.net else "0.00"
        return self._by_segment(figures, total, {"SMA": total["SMA"], "leverage": leverage})

    def balances(self, call: Call) -> Answer:
        """What the account is worth."""
        money = self._money(call)
        figures = {
            "net_liquidation": money.net,
            "equity_with_loan": money.net,
            "sec_gross_pos_val": money.gross,
            "cash": money.cash,
            "MTD Interest": 0,
            "Pndng Dbt Crd Chrgs": 0,
        }
        began = self._text(self._account.opening_e8)
        more = {"Prvs Dy Eqty Wth Ln Vl": began, "Rg T Eqty Wth Ln Vl": self._text(money.net)}
        return self._by_segment(figures, {"Nt Lqdtn Uncrtnty": self._text(0), **more}, more)

    def margins(self, call: Call) -> Answer:
        """What is bound."""
        money = self._money(call)
        kept = money.margin // 2
        figures = {
            "current_initial": money.margin,
            "Prdctd Pst-xpry Mrgn @ Opn": 0,
            "current_maint": kept,
            "projected_liquidity_inital_margin": money.margin,
            "Prjctd Lk Ahd Mntnnc Mrgn": kept,
            "projected_overnight_initial_margin": money.margin,
            "Prjctd Ovrnght Mntnnc Mrgn": kept,
        }
        bound = {"RegT Margin": self._text(money.margin)}
        return self._by_segment(figures, bound, bound)

    def market_value(self, call: Call) -> Answer:
        """What is held, by currency: there is one."""
        money = self._money(call)
        row = {
            "total_cash": grouped(money.cash),
            "settled_cash": grouped(money.cash),
            "MTD Interest": "0",
            "stock": grouped(money.stock),
            **dict.fromkeys(_NO_VALUE, "0"),
            "net_liquidation": grouped(money.net),
            "unrealized_pnl": grouped(money.unrealised),
            "realized_pnl": grouped(self.exchange.holdings.realised_e8),
            "Exchange Rate": "1.00",
        }
        currency = self._account.currency
        whole = {name: text for name, text in row.items() if name != "Exchange Rate"}
        return Answer({currency: row, f"Total (in {currency})": whole})

    def owners(self, call: Call) -> Answer:
        """Whose account it is."""
        account = call.path["account"]
        self._account.check(account)
        entity: dict[str, Any] = {
            "firstName": "Emulated",
            "lastName": "Owner",
            "entityType": "INDIVIDUAL",
            "entityName": "Emulated Owner",
        }
        owner = {"roleId": "OWNER", "hasRightCodeInd": True, "entity": entity}
        return Answer(
            {"accountId": account, "users": [owner], "applicant": {"signatures": [entity["entityName"]]}}
        )
