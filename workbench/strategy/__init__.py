"""Strategies: the contract, the programs that run them, where they come from. No engine, no order, no clock.

Importing this room does not import numba: that happens when the first program is built.
"""

from workbench.kernels.indicator import Indicator
from workbench.strategy.base import Strategy, is_event, make, parameters_of
from workbench.strategy.events import Context, OrderRequest, Signal
from workbench.strategy.program import Program, Programs, code_hash, program_for

__all__ = [
    "Context",
    "Indicator",
    "OrderRequest",
    "Program",
    "Programs",
    "Signal",
    "Strategy",
    "code_hash",
    "is_event",
    "make",
    "parameters_of",
    "program_for",
]
