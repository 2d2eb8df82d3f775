"""Executions as the socket tells them: each once, corrections noticed, commissions that come later paid.

Lives here: what a told execution means. Not here: executions that are asked for (finder.py).
"""

import logging
from time import time_ns

from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.finder import Finder
from workbench.brokers.ibkr.parse import TradeRow, execution_of
from workbench.brokers.ibkr.words import optional_e8
from workbench.brokers.pool.tracker import Tracker
from workbench.model.reports import CashMoved

__all__ = ["Fills"]

logger = logging.getLogger(__name__)


class Fills:
    """The executions of one account. `corrections` counts those the venue has corrected."""

    def __init__(self, tracker: Tracker, finder: Finder, client: IbkrClient) -> None:
        self._tracker, self._finder, self._client = tracker, finder, client
        self._seen = finder.executions
        self.corrections = 0

    def told(self, row: TradeRow) -> None:
        """One execution."""
        tracked = self._finder.owner(row.order_ref, row.number)
        if tracked is None:
            return
        execution = execution_of(row)
        known = self._seen.first(execution.exec_id)
        if known != execution.exec_id:
            # money that was booked is not booked again; the comparison of the books shows what the correction changed
            self.corrections += 1
            logger.error("ibkr: execution %s of %s was corrected to %s", known, tracked.client_id, execution)
            return
        if row.commission in (None, "") and execution.exec_id not in tracked.exec_ids:
            self._seen.owe(execution.exec_id)
        if row.number:
            self._finder.numbered(tracked, row.number)
        self._tracker.fill(tracked, execution, row.number)

    async def pay(self) -> int:
        """Ask for commissions that were not told with their execution; returns how many were found and reported."""
        unpaid = self._seen.unpaid
        for exec_id in self._seen.overdue():
            logger.error("ibkr: no commission of %s was told in a day: none is in the books", exec_id)
        if not unpaid:
            return 0
        paid = 0
        for row in await self._client.trades():
            fee_e8 = abs(optional_e8(row.commission, "commission"))
            if fee_e8 and unpaid.pop(row.execution_id or "", None) is not None:
                ts_ns = (row.trade_time_r or 0) * 1_000_000 or time_ns()
                reason = f"commission of {row.execution_id}"
                self._tracker.tell(CashMoved(ts_ns, f"fee-{row.execution_id}", -fee_e8, -1, reason))
                paid += 1
        return paid
