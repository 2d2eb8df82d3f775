"""Research on the same engine that trades: backtest a strategy object, look at it, hold a live run against it.

Fast fused loops, sweeps and walk-forward will live here too; live trading never imports this room.
"""

from workbench.research.backtest import backtest
from workbench.research.lookahead import check
from workbench.research.parity import ParityReport, paired, parity
from workbench.research.result import Decision, Result

__all__ = ["Decision", "ParityReport", "Result", "backtest", "check", "paired", "parity"]
