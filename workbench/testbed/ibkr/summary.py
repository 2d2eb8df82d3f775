"""The summary of the account: every figure by its name, of the whole, of securities (-s) and of commodities (-c).

Lives here: the figures and texts with their names, in lower case and as the socket writes them. Not here: routes
(portfolio.py), what the socket tells (balances.py).
"""

from typing import Any, Final

from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.money import money_of
from workbench.testbed.ibkr.words import amount

__all__ = ["capitals", "summary_of"]

_CAPITALS: Final = {
    name.lower(): name
    for name in [
        "AccountCode",
        "AccountReady",
        "AccountType",
        "AccruedCash",
        "AvailableFunds",
        "BuyingPower",
        "Cushion",
        "EquityWithLoanValue",
        "ExcessLiquidity",
        "FullAvailableFunds",
        "FullExcessLiquidity",
        "FullInitMarginReq",
        "FullMaintMarginReq",
        "GrossPositionValue",
        "InitMarginReq",
        "Leverage",
        "LookAheadAvailableFunds",
        "LookAheadExcessLiquidity",
        "LookAheadInitMarginReq",
        "LookAheadMaintMarginReq",
        "MaintMarginReq",
        "NetLiquidation",
        "PreviousDayEquityWithLoanValue",
        "RegTEquity",
        "RegTMargin",
        "SegmentTitle",
        "SettledCash",
        "SMA",
        "TotalCashValue",
    ]
}
_OF_BOTH: Final = frozenset(
    {"accruedcash", "availablefunds", "equitywithloanvalue", "excessliquidity", "fullavailablefunds",
     "fullexcessliquidity", "fullinitmarginreq", "fullmaintmarginreq", "initmarginreq", "lookaheadavailablefunds",
     "lookaheadexcessliquidity", "lookaheadinitmarginreq", "lookaheadmaintmarginreq", "maintmarginreq",
     "netliquidation", "totalcashvalue"}
)  # fmt: skip
_OF_SECURITIES: Final = frozenset(
    {"grosspositionvalue", "previousdayequitywithloanvalue", "regtequity", "regtmargin", "sma"}
)


def capitals(name: str) -> str:
    """A name as the socket writes it.

    >>> capitals("netliquidation-s"), capitals("sma")
    ('NetLiquidation-S', 'SMA')
    """
    plain, dash, segment = name.partition("-")
    return _CAPITALS[plain] + dash + segment.upper()


def summary_of(exchange: Exchange, account: Account) -> dict[str, dict[str, Any]]:
    """Rows by their lower-case names: `amount` of money, or a text as `value`."""
    money = money_of(exchange)
    now_ms = exchange.clock.now_ns() // 1_000_000
    excess, kept = money.net - money.margin, money.margin // 2
    needs = {"availablefunds": money.available, "excessliquidity": excess}
    needs |= {"initmarginreq": money.margin, "maintmarginreq": kept}
    figures = {
        "netliquidation": money.net,
        "totalcashvalue": money.cash,
        "settledcash": money.cash,
        "buyingpower": money.buying_power,
        "equitywithloanvalue": money.net,
        "previousdayequitywithloanvalue": account.opening_e8,
        "grosspositionvalue": money.gross,
        "regtequity": money.net,
        "regtmargin": money.margin,
        "sma": money.available,
        "accruedcash": 0,
        **needs,
        **{f"full{name}": units_e8 for name, units_e8 in needs.items()},
        **{f"lookahead{name}": units_e8 for name, units_e8 in needs.items()},
    }
    for name, units_e8 in list(figures.items()):
        if name in _OF_BOTH or name in _OF_SECURITIES:
            figures[f"{name}-s"] = units_e8
        if name in _OF_BOTH:
            figures[f"{name}-c"] = 0
    leverage = f"{money.gross / money.net:.2f}" if money.net else "0.00"
    texts = {
        "accountcode": account.account,
        "accounttype": "INDIVIDUAL",
        "accountready": "true",
        "cushion": f"{excess / money.net:.6g}" if money.net else "0",
        "leverage": leverage,
        "leverage-s": leverage,
        "segmenttitle-s": "US Securities",
        "segmenttitle-c": "US Commodities",
    }

    def row(units_e8: int, value: str | None) -> dict[str, Any]:
        return {
            "amount": amount(units_e8),
            "currency": account.currency if value is None else None,
            "isNull": False,
            "timestamp": now_ms,
            "value": value,
            "severity": 0,
        }

    return {name: row(units_e8, None) for name, units_e8 in figures.items()} | {
        name: row(0, text) for name, text in texts.items()
    }
