"""Running totals since the engine started, by kind and code: a dictionary increment an event.

Only our own class names and risk codes become keys, so the number of series is bounded.
"""

from collections import Counter

from workbench.model.effects import Refusal, StrategyHalted
from workbench.model.records import Record

__all__ = ["Tally"]


class Tally:
    """Counts events and effects by class name, refusals and halts also by code.

    >>> from workbench.model.effects import Cancel
    >>> tally = Tally()
    >>> tally.count(Cancel(0, 1))
    >>> tally.kinds["Cancel"]
    1
    """

    __slots__ = ("halts", "kinds", "refusals")

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.halts: Counter[str] = Counter()

    def count(self, record: Record) -> None:
        """Count one event or effect."""
        self.kinds[type(record).__name__] += 1
        if isinstance(record, Refusal):
            self.refusals[record.code] += 1
        elif isinstance(record, StrategyHalted):
            self.halts[record.code] += 1
