"""Live against backtest: the same strategy over the same bars must have wanted the same orders."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from workbench.engine import Sizing
from workbench.research.result import Decision

if TYPE_CHECKING:
    from workbench.api.session_views import StrategyHandle
    from workbench.strategy import Strategy

__all__ = ["ParityReport", "paired", "parity"]


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
        agree = "1 decision agrees" if self.same == 1 else f"{self.same} decisions agree"
        return (
            f"<Parity {word}: {agree}, {len(self.only_live)} only live, "
            f"{len(self.only_backtest)} only in the backtest, largest price gap {self.largest_px_gap:g}>"
        )


def parity(handle: "StrategyHandle", strategy: "Strategy | None" = None) -> ParityReport:
    """Backtest a placed strategy over the bars it has seen since it was placed, and pair the decisions.

    `strategy` is only needed when its class stands neither in a strategies folder nor in this notebook. Parameters
    changed on the way are not known to the backtest: compare before changing them.

    Raises:
        UnknownName: the class is not found here; give `strategy`.
    """
    from workbench.research.backtest import backtest
    from workbench.strategy import find_strategy, make

    row = handle.row
    shot = handle.session.snapshot()
    if strategy is None:
        kind = handle.kind or find_strategy(row.name)
        strategy = make(kind, tuple(row.parameters.items()))
    seen_to = shot.session.market_ts_ns
    result = backtest(
        strategy,
        shot.session.data,
        symbols=row.symbols,
        start=row.placed_ns + 1,
        end=seen_to,
        quantity=row.quantity,
        sizing=Sizing(row.sizing, **row.sizing_parameters),
        cash=shot.account.start_cash,
    )
    live = [
        Decision(o.ts_ns, o.symbol, o.side, o.quantity, o.state, o.average_px)
        for o in handle.session.client_orders(limit=10_000, strategy_id=handle.strategy_id)
        if o.ts_ns <= seen_to
    ]
    return paired(live, result.decisions)


def paired(live: Sequence[Decision], backtest: Sequence[Decision]) -> ParityReport:
    """Pair decisions by time, symbol, side and quantity.

    >>> one = Decision(1, "SPY", "buy", 10.0, "filled", 367.0)
    >>> paired([one], [one]).equal
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
