"""Binance.US against Binance's emulator, for the shared broker checks: the bridge's rig with another exchange.

Lives here: that choice. Not here: the rig (ccxt.py).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from workbench.brokers.rig import BrokerRig
from workbench.testbed.rigs import ccxt

__all__ = ["make_rig"]


@asynccontextmanager
async def make_rig(**settings: Any) -> AsyncIterator[BrokerRig]:
    """A connected broker; orders fill at the next print, never by themselves."""
    async with ccxt.make_rig("binanceus", **settings) as rig:
        yield rig
