"""What is remembered of executions whichever way they were told: the id each was told under first, and which of them
wait for their commission.

Lives here: that memory, bounded. Not here: reading rows (parse.py), what an execution does to an order (fills.py).

A correction repeats an execution under an id with another last pair. Money that was booked is not booked again, so the
id that was told first stays its name.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

from workbench.brokers.ibkr.parse import base_of

__all__ = ["Executions"]

_KEPT: Final = 50_000
_OWED_S: Final = 86_400.0  # the list of trades that is asked for commissions goes no further back


class Executions:
    """One account's. `unpaid` holds ids whose commission is not known yet, and since when.

    >>> seen = Executions()
    >>> seen.first("0000e0d5.65a1.01.01"), seen.first("0000e0d5.65a1.01.02"), seen.first("0000e0d5.65a2.01.01")
    ('0000e0d5.65a1.01.01', '0000e0d5.65a1.01.01', '0000e0d5.65a2.01.01')
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.unpaid: OrderedDict[str, float] = OrderedDict()
        self._first: OrderedDict[str, str] = (
            OrderedDict()
        )  # without the pair that counts corrections -> whole
        self._clock = clock

    def first(self, exec_id: str) -> str:
        """The id an execution was told under first: another one than `exec_id` when that corrects it."""
        known = self._first.setdefault(base_of(exec_id), exec_id)
        if len(self._first) > _KEPT:
            self._first.popitem(last=False)
        return known

    def owe(self, exec_id: str) -> None:
        """It was booked without its commission."""
        self.unpaid.setdefault(exec_id, self._clock())

    def overdue(self) -> list[str]:
        """Forget those whose commission nobody will be told any more, and name them."""
        oldest_s, gone = self._clock() - _OWED_S, list[str]()
        while self.unpaid and next(iter(self.unpaid.values())) < oldest_s:
            gone.append(self.unpaid.popitem(last=False)[0])
        return gone
