"""Indicators as small records moved one bar at a time, and the compiler that fuses them. No strategy, no order.

Importing this room does not import numba: formulas are plain Python until a program is built.
"""

from workbench.kernels.atr import Atr
from workbench.kernels.batch import batch
from workbench.kernels.bollinger import Bollinger
from workbench.kernels.ema import Ema
from workbench.kernels.extremes import Highest, Lowest
from workbench.kernels.indicator import Indicator
from workbench.kernels.rsi import Rsi
from workbench.kernels.sma import Sma
from workbench.kernels.stddev import StdDev

__all__ = ["Atr", "Bollinger", "Ema", "Highest", "Indicator", "Lowest", "Rsi", "Sma", "StdDev", "batch"]
