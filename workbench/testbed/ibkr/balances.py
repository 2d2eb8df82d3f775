"""The account's summary and ledger as the socket tells them: a list of rows with a key each.

Lives here: those rows. Not here: the figures (summary.py, portfolio.py), when they are told (socket.py).
"""

from typing import Any, Final

from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.portfolio import Portfolio
from workbench.testbed.ibkr.summary import capitals, summary_of

__all__ = ["chosen", "ledger_rows", "summary_rows"]

_ALWAYS: Final = "AccountCode"
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
_KEPT: Final = frozenset({"key", "timestamp", "value", "acctcode"})


def summary_rows(exchange: Exchange, account: Account) -> list[dict[str, Any]]:
    """Every figure of the summary: money with its currency, anything else as a text."""
    rows: list[dict[str, Any]] = []
    for name, row in summary_of(exchange, account).items():
        shown = {"key": capitals(name), "timestamp": row["timestamp"], "severity": 0}
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
    """The rows and fields a client asked for, a field's name in any letters; it always hears whose account it is.

    >>> chosen([{"key": "A", "x": 1, "y": 2}, {"key": "B", "x": 3}], {"keys": ["A"], "fields": ["x"]})
    [{'key': 'A', 'x': 1}]
    """
    keys, fields = said.get("keys"), said.get("fields")
    if isinstance(keys, list):
        rows = [row for row in rows if row["key"] in (*keys, _ALWAYS)]
    if isinstance(fields, list):
        kept = _KEPT | {str(name).lower() for name in fields}
        rows = [{k: v for k, v in row.items() if k.lower() in kept} for row in rows]
    return rows
