"""Live against backtest: the same strategy over the same bars must have wanted the same orders."""

from collections.abc import Sequence

import msgspec

from workbench.research.result import Decision

__all__ = ["ParityReport", "parity"]


class ParityReport(msgspec.Struct, frozen=True):
    """`same` decisions agree in time, symbol, side and quantity; `largest_px_gap` is over their fills."""

    same: int
    only_live: list[Decision]
    only_backtest: list[Decision]
    largest_px_gap: float

    @property
    def equal(self) -> bool:
        """Whether every decision has its twin."""
        return not self.only_live and not self.only_backtest

    def __repr__(self) -> str:
        word = "equal" if self.equal else "DIFFERENT"
        return (
            f"<Parity {word}: {self.same} decisions agree, {len(self.only_live)} only live, "
            f"{len(self.only_backtest)} only in the backtest, largest price gap {self.largest_px_gap:g}>"
        )


def parity(live: Sequence[Decision], backtest: Sequence[Decision]) -> ParityReport:
    """Pair decisions by time, symbol, side and quantity.

    >>> one = Decision(1, "SPY", "buy", 10.0, "filled", 367.0)
    >>> parity([one], [one]).equal
    True
    """
    waiting: dict[tuple[int, str, str, float], list[Decision]] = {}
    for decision in backtest:
        waiting.setdefault(_key(decision), []).append(decision)
    same, gap = 0, 0.0
    only_live: list[Decision] = []
    for decision in live:
        twins = waiting.get(_key(decision))
        if not twins:
            only_live.append(decision)
            continue
        twin = twins.pop(0)
        same += 1
        if decision.average_px and twin.average_px:
            gap = max(gap, abs(decision.average_px - twin.average_px))
    rest = sorted(decision for twins in waiting.values() for decision in twins)
    return ParityReport(same, only_live, rest, gap)


def _key(decision: Decision) -> tuple[int, str, str, float]:
    return decision.ts_ns, decision.symbol, decision.side, decision.quantity
