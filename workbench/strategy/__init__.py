"""Strategies: the contract, the programs that run them, where they come from. No engine, no order, no clock.

Importing this room does not import numba: that happens when the first program is built.
"""

from workbench.kernels.indicator import Indicator
from workbench.strategy.base import Strategy, is_event, make, parameters_of
from workbench.strategy.checks import CheckResult, check_strategy
from workbench.strategy.event_program import EventProgram
from workbench.strategy.events import (
    AmendRequest,
    CancelRequest,
    Context,
    Fill,
    OpenOrder,
    OrderRequest,
    Signal,
)
from workbench.strategy.library import find_strategy, strategies
from workbench.strategy.loader import find_strategies, load_strategy
from workbench.strategy.program import Program, Programs, code_hash, program_for
from workbench.strategy.provenance import StrategySource, strategy_source

__all__ = [
    "AmendRequest",
    "CancelRequest",
    "CheckResult",
    "Context",
    "EventProgram",
    "Fill",
    "Indicator",
    "OpenOrder",
    "OrderRequest",
    "Program",
    "Programs",
    "Signal",
    "Strategy",
    "StrategySource",
    "check_strategy",
    "code_hash",
    "find_strategies",
    "find_strategy",
    "is_event",
    "load_strategy",
    "make",
    "parameters_of",
    "program_for",
    "strategies",
    "strategy_source",
]
