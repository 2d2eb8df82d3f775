"""Alpaca for `bench brokers`: the adapter at an emulator, and what a bare client would post there."""

from collections.abc import Mapping
from typing import Any

from workbench.brokers.alpaca.broker import AlpacaBroker
from workbench.brokers.alpaca.parse import order_body
from workbench.brokers.pool import encode
from workbench.config import BrokerSettings
from workbench.model import Instrument, Submit, to_e8

NAME = "alpaca"
ALLOWANCE = "trading"  # the limiter's name for what `real limits` uses up
PX = 300.0  # far below the market: it rests


def open_broker(facts: Mapping[str, Any], limits: Mapping[str, int]) -> AlpacaBroker:
    """The adapter for an emulator's facts."""
    addresses = {
        "rest": facts["rest"],
        "stream": facts["ws"],
        "data": facts["rest"],
        "data_stream": facts["ws_root"],
    }
    settings = BrokerSettings(
        venue="alpaca", credentials="env:BENCH", addresses=addresses, limits=dict(limits)
    )
    keys = {"BENCH_KEY": facts["key"], "BENCH_SECRET": facts["secret"]}
    return AlpacaBroker(settings, [Instrument(0, "SPY")], environ=keys)


def order(order_id: int, epoch: int) -> Submit:
    """An order that rests."""
    return Submit(order_id, order_id, epoch, 1, 0, 1, 1, 0, to_e8(1), to_e8(PX), 0)


def market_order(order_id: int, epoch: int) -> Submit:
    """An order that fills at once."""
    return Submit(order_id, order_id, epoch, 1, 0, 1, 0, 0, to_e8(1), 0, 0)


def bare(facts: Mapping[str, Any], submit: Submit) -> tuple[str, dict[str, str], bytes]:
    """The same order for a bare client: address, headers, body."""
    headers = {
        "APCA-API-KEY-ID": facts["key"],
        "APCA-API-SECRET-KEY": facts["secret"],
        "Content-Type": "application/json",
    }
    return f"{facts['rest']}/v2/orders", headers, encode(order_body([submit], "SPY"))


async def cleared(broker: AlpacaBroker) -> None:
    """Cancel everything, so that every turn begins with an empty book."""
    await broker.client.cancel_all()
