"""Executions as the socket tells them: each once, corrections noticed, commissions that come later paid.

Lives here: what a told execution means. Not here: executions that are asked for (finder.py).
"""

import logging
from collections import OrderedDict
from typing import Final

from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.finder import Finder
from workbench.brokers.ibkr.parse import TradeRow, base_of, execution_of
from workbench.brokers.ibkr.words import optional_e8
from workbench.brokers.pool.tracker import Tracker
from workbench.model.reports import CashMoved

__all__ = ["Fills"]

logger = logging.getLogger(__name__)

_KEPT: Final = 50_000


class Fills:
    """The executions of one account. `corrections` counts those the venue has corrected, `unpaid` are those whose
    commission is not known yet."""

    def __init__(self, tracker: Tracker, finder: Finder, client: IbkrClient) -> None:
        self._tracker, self._finder, self._client = tracker, finder, client
        self._ids: OrderedDict[str, str] = OrderedDict()  # without the pair that counts corrections -> whole
        self.unpaid: set[str] = set()
        self.corrections = 0

    def told(self, row: TradeRow) -> None:
        """One execution."""
        tracked = self._finder.owner(row.order_ref, row.number)
        if tracked is None:
            return
        execution = execution_of(row)
        base = base_of(execution.exec_id)
        known = self._ids.get(base)
        if known is not None and known != execution.exec_id:
            # money that was booked is not booked again; the comparison of the books shows what the correction changed
            self.corrections += 1
            logger.error("ibkr: execution %s of %s was corrected to %s", known, tracked.client_id, execution)
            return
        if known is None:
            self._ids[base] = execution.exec_id
            if len(self._ids) > _KEPT:
                self._ids.popitem(last=False)
        if row.commission in (None, "") and execution.exec_id not in tracked.exec_ids:
            self.unpaid.add(execution.exec_id)
        if row.number:
            self._finder.numbered(tracked, row.number)
        self._tracker.fill(tracked, execution, row.number)

    async def pay(self) -> int:
        """Ask for commissions that were not told with their execution; returns how many were found and reported."""
        if not self.unpaid:
            return 0
        paid = 0
        for row in await self._client.trades():
            fee_e8 = abs(optional_e8(row.commission, "commission"))
            if row.execution_id in self.unpaid and fee_e8:
                self.unpaid.discard(row.execution_id)
                ts_ns = (row.trade_time_r or 0) * 1_000_000
                reason = f"commission of {row.execution_id}"
                self._tracker.tell(CashMoved(ts_ns, f"fee-{row.execution_id}", -fee_e8, -1, reason))
                paid += 1
        return paid
