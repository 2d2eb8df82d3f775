"""Research on the same engine that trades: backtest a strategy object, look at it, hold a live run against it, sweep
its parameters.

    arguments -> Plan -> a loop (compiled, events, engine) -> Run -> Result -> figures, pictures, report

Live trading never imports this room.
"""

from workbench.research.backtest import Part, backtest
from workbench.research.compare import Comparison, compare
from workbench.research.lookahead.check import check
from workbench.research.parity import ParityReport, paired, parity
from workbench.research.result import Decision, Result
from workbench.research.statistics import FIGURES
from workbench.research.sweep import SweepResult, sweep
from workbench.research.walkforward import WalkForward, walk_forward

__all__ = [
    "FIGURES",
    "Comparison",
    "Decision",
    "ParityReport",
    "Part",
    "Result",
    "SweepResult",
    "WalkForward",
    "backtest",
    "check",
    "compare",
    "paired",
    "parity",
    "sweep",
    "walk_forward",
]
