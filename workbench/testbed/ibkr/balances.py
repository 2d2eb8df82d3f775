"""The account's summary and ledger as the socket tells them: a list of rows with a key each.

Lives here: those rows. Not here: the figures (portfolio.py), when they are told (socket.py).
"""

from typing import Any, Final

from workbench.testbed.ibkr.portfolio import Portfolio

__all__ = ["chosen", "ledger_rows", "summary_rows"]

_ALWAYS: Final = "AccountCode"
_CAPITALS: Final = {
    "netliquidation": "NetLiquidation",
    "totalcashvalue": "TotalCashValue",
    "settledcash": "SettledCash",
    "buyingpower": "BuyingPower",
    "availablefunds": "AvailableFunds",
    "excessliquidity": "ExcessLiquidity",
    "equitywithloanvalue": "EquityWithLoanValue",
    "grosspositionvalue": "GrossPositionValue",
    "initmarginreq": "InitMarginReq",
    "maintmarginreq": "MaintMarginReq",
    "accruedcash": "AccruedCash",
    "accountcode": _ALWAYS,
    "accounttype": "AccountType",
    "accountready": "AccountReady",
    "leverage": "Leverage",
}
_LEDGER: Final = {
    "acctCode": "acctcode",
    "secondKey": "secondkey",
    "cashbalance": "cashbalance",
    "settledCash": "settledcash",
    "netLiquidationValue": "netliquidationvalue",
    "stockMarketValue": "stockmarketvalue",
    "unrealizedPnl": "unrealizedpnl",
    "realizedPnl": "realizedpnl",
    "exchangeRate": "exchangerate",
    "severity": "severity",
    "timestamp": "timestamp",
}
_KEPT: Final = frozenset({"key", "timestamp", "value", "acctCode"})


def summary_rows(portfolio: Portfolio) -> list[dict[str, Any]]:
    """Every figure of the summary: money with its currency, anything else as a text."""
    rows: list[dict[str, Any]] = []
    for name, row in portfolio.summary_rows().items():
        shown = {"key": _CAPITALS.get(name, name), "timestamp": row["timestamp"], "severity": 0}
        if row["value"] is None:
            shown |= {"monetaryValue": row["amount"], "currency": row["currency"]}
        else:
            shown["value"] = row["value"]
        rows.append(shown)
    return rows


def ledger_rows(portfolio: Portfolio) -> list[dict[str, Any]]:
    """One row a currency, and one for all of them."""
    return [
        {"key": f"LedgerList{name}", **{theirs: row[ours] for theirs, ours in _LEDGER.items()}}
        for name, row in portfolio.ledger_rows().items()
    ]


def chosen(rows: list[dict[str, Any]], said: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows and fields a client asked for; whose account it is it hears in any case.

    >>> chosen([{"key": "A", "x": 1, "y": 2}, {"key": "B", "x": 3}], {"keys": ["A"], "fields": ["x"]})
    [{'key': 'A', 'x': 1}]
    """
    keys, fields = said.get("keys"), said.get("fields")
    if isinstance(keys, list):
        rows = [row for row in rows if row["key"] in (*keys, _ALWAYS)]
    if isinstance(fields, list):
        kept = _KEPT | set(fields)
        rows = [{k: v for k, v in row.items() if k in kept} for row in rows]
    return rows
