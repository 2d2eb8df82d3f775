"""Binance.US, spot, by way of ccxt: its interface is Binance's, its addresses, keys and listings are its own.

Symbols as ccxt writes them (BTC/USD). The bridge and what it cannot promise: brokers/ccxt, docs/brokers.md.
"""

from workbench.brokers.ccxt.preset import Preset

__all__ = ["find_instruments", "open_broker", "open_feed"]

_HERE = Preset("binanceus", exchange="binanceus")
open_broker, open_feed, find_instruments = _HERE.open_broker, _HERE.open_feed, _HERE.find_instruments
