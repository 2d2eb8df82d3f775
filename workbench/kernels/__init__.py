"""Indicators as small records moved one bar at a time, and the compiler that fuses them. No strategy, no order.

Importing this room does not import numba: formulas are plain Python until a program is built.
"""

from workbench.kernels.adx import Adx
from workbench.kernels.aroon import Aroon
from workbench.kernels.atr import Atr
from workbench.kernels.batch import batch
from workbench.kernels.bollinger import Bollinger
from workbench.kernels.cci import Cci
from workbench.kernels.checks import check_indicator
from workbench.kernels.donchian import Donchian, Highest, Lowest, RollingMax, RollingMin
from workbench.kernels.ema import Dema, Ema, Tema
from workbench.kernels.indicator import Indicator, PairIndicator
from workbench.kernels.keltner import Keltner
from workbench.kernels.macd import Macd
from workbench.kernels.momentum import Momentum, Roc
from workbench.kernels.money_flow import Mfi, Obv
from workbench.kernels.pairs import Correlation, KalmanHedge, PairSlope
from workbench.kernels.regression import Slope, Wma
from workbench.kernels.rsi import CutlerRsi, Rsi
from workbench.kernels.sar import ParabolicSar
from workbench.kernels.session import OpeningRange, Vwap
from workbench.kernels.sma import Sma
from workbench.kernels.stddev import StdDev, ZScore
from workbench.kernels.stochastic import Stochastic, WilliamsR
from workbench.kernels.stream import Stream
from workbench.kernels.supertrend import SuperTrend
from workbench.kernels.volatility import EwmaVolatility

__all__ = [
    "Adx",
    "Aroon",
    "Atr",
    "Bollinger",
    "Cci",
    "Correlation",
    "CutlerRsi",
    "Dema",
    "Donchian",
    "Ema",
    "EwmaVolatility",
    "Highest",
    "Indicator",
    "KalmanHedge",
    "Keltner",
    "Lowest",
    "Macd",
    "Mfi",
    "Momentum",
    "Obv",
    "OpeningRange",
    "PairIndicator",
    "PairSlope",
    "ParabolicSar",
    "Roc",
    "RollingMax",
    "RollingMin",
    "Rsi",
    "Slope",
    "Sma",
    "StdDev",
    "Stochastic",
    "Stream",
    "SuperTrend",
    "Tema",
    "Vwap",
    "WilliamsR",
    "Wma",
    "ZScore",
    "batch",
    "check_indicator",
]
