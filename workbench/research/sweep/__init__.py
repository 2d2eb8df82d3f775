"""Sweeps: one strategy over many parameter sets, symbols and spans, as fast as the machine allows.

    sweeping   the call             axes, space   what is varied          markets, terms   what stays
    job        chunks of it         chunk, starts sets into lanes         lane_*           the compiled loop
    board      who does what        workers, cluster, search              other runners
    store      the results file     result, scores, guards, pictures      what is made of it

Not here: single backtests (research/backtest.py), walk-forward (research/walkforward.py), the formulas of the guards
(research/overfit.py, research/montecarlo.py).
"""

from workbench.research.sweep.result import SweepResult
from workbench.research.sweep.sweeping import sweep

__all__ = ["SweepResult", "sweep"]
