"""Binance for `bench brokers`: the adapter at an emulator, and what a bare client would post there.

The bare client posts over REST, signed beforehand; ours signs as it goes and sends over the WebSocket API, unless
BENCH_BINANCE_ORDERS=rest.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from workbench.brokers.binance.broker import BinanceBroker
from workbench.brokers.binance.client import query_of
from workbench.brokers.binance.parse import order_params
from workbench.brokers.binance.signer import signer_of
from workbench.brokers.pool import Credentials
from workbench.config import BrokerSettings
from workbench.model import Instrument, Submit, to_e8
from workbench.model.orders import BUY, GTC, IOC, LIMIT, MARKET
from workbench.testbed.binance import adapter_addresses

NAME = "binance"
ALLOWANCE = "orders_10s"  # the limiter's name for what `real limits` uses up
PX = 30_000.0  # far below the market: it rests
_LIFTED = ("weight", "raw", "orders_10s", "orders_1d")


def open_broker(facts: Mapping[str, Any], limits: Mapping[str, int]) -> BinanceBroker:
    """The adapter for an emulator's facts."""
    settings = BrokerSettings(
        venue="binance",
        credentials="env:BENCH",
        addresses=adapter_addresses(facts),
        limits=dict.fromkeys(_LIFTED, max(limits.values())) if limits else {},
        options={"orders": os.environ.get("BENCH_BINANCE_ORDERS", "ws")},
    )
    keys = {"BENCH_KEY": facts["key"], "BENCH_SECRET": facts["secret"]}
    return BinanceBroker(settings, [Instrument(0, "BTCUSDT", "BINANCE", "USDT")], environ=keys)


def _submit(order_id: int, epoch: int, kind: int, tif: int, px: float) -> Submit:
    return Submit(order_id, order_id, epoch, 1, 0, BUY, kind, tif, to_e8(1), to_e8(px), 0)


def order(order_id: int, epoch: int) -> Submit:
    """An order that rests."""
    return _submit(order_id, epoch, LIMIT, GTC, PX)


def limited_order(order_id: int, epoch: int) -> Submit:
    """An order that uses the allowance up and leaves nothing behind: two hundred may rest, no more."""
    return _submit(order_id, epoch, LIMIT, IOC, PX)


def market_order(order_id: int, epoch: int) -> Submit:
    """An order that fills at once."""
    return _submit(order_id, epoch, MARKET, GTC, 0.0)


def bare(facts: Mapping[str, Any], submit: Submit) -> tuple[str, dict[str, str], bytes]:
    """The same order for a bare client: address, headers, body."""
    sign = signer_of(Credentials(facts["key"], SecretStr(facts["secret"])))
    dated = [
        *order_params(submit, "BTCUSDT"),
        ("recvWindow", "60000"),
        ("timestamp", str(time.time_ns() // 10**6)),
    ]
    query = query_of(dated)
    body = f"{query}&signature={sign(query.encode())}".encode()
    headers = {"X-MBX-APIKEY": facts["key"], "Content-Type": "application/x-www-form-urlencoded"}
    return f"{facts['rest']}/api/v3/order", headers, body


async def cleared(broker: BinanceBroker) -> None:
    """Cancel everything, so that every turn begins with an empty book."""
    await broker.trading.cancel_all("BTCUSDT")
