"""Cash that moves without a trade: dividends, interest, fees, transfers. Asked for now and then; no stream tells of it.

Lives here: the polling and what an entry means. Not here: trades (broker.py).

What is there at the first look is history: the account's cash holds it already. What comes later is reported, once.
What moved while nobody was connected shows as a difference when the books are compared.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from workbench.brokers.alpaca.client import AlpacaClient
from workbench.brokers.alpaca.words import Number, e8, ts_ns_of
from workbench.model.reports import CashMoved

__all__ = ["CashBody", "CashMoves", "cash_moved"]

logger = logging.getLogger(__name__)

_BACK: timedelta = timedelta(days=3)  # entries are dated by their day and may be booked late


class CashBody(msgspec.Struct):
    """One entry of the account's activities that is no trade."""

    id: str
    activity_type: str = ""
    net_amount: Number | None = None
    symbol: str | None = None
    date: str | None = None
    description: str | None = None


def cash_moved(body: CashBody, iid: int) -> CashMoved | None:
    """An entry as a report; None when no cash moved (a split, a trade).

    >>> cash_moved(CashBody("a1", "DIV", "1.02", "T", "2019-08-01"), 3)
    CashMoved(ts_ns=1564617600000000000, move_id='a1', amount_e8=102000000, iid=3, reason='DIV', order_id=0)
    """
    if body.activity_type == "FILL" or body.net_amount is None:
        return None
    amount_e8 = e8(body.net_amount, "net_amount")
    if not amount_e8:
        return None
    at_ns = ts_ns_of(f"{body.date}T00:00:00Z") if body.date else 0
    reason = f"{body.activity_type}: {body.description}" if body.description else body.activity_type
    return CashMoved(at_ns, body.id, amount_e8, iid, reason)


class CashMoves:
    """The entries seen so far. `iid_of` maps a symbol, `tell` takes the reports."""

    def __init__(
        self, client: AlpacaClient, iid_of: Callable[[str], int | None], tell: Callable[[CashMoved], None]
    ) -> None:
        self._client, self._iid_of, self._tell = client, iid_of, tell
        self._seen: set[str] | None = None  # of the days that are asked about
        self._after = ""

    async def look(self) -> int:
        """Ask once; returns how many entries were new and reported (the first time: none)."""
        # it never goes back, so what is not among the answers any more does not come again
        self._after = max(self._after, (datetime.now(UTC) - _BACK).strftime("%Y-%m-%dT%H:%M:%SZ"))
        entries = await self._client.cash_entries(self._after)
        first, seen, told = self._seen is None, self._seen or set(), 0
        for body in entries:
            if body.id in seen:
                continue
            seen.add(body.id)
            iid = self._iid_of(body.symbol) if body.symbol else None
            report = None if first else cash_moved(body, -1 if iid is None else iid)
            if report is not None:
                told += 1
                logger.info("alpaca: cash moved by %s (%s)", report.amount_e8 / 1e8, report.reason)
                self._tell(report)
        self._seen = {body.id for body in entries}
        return told
