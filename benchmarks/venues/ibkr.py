"""Interactive Brokers for `bench brokers`: the adapter at an emulated gateway, and what a bare client would post there.

Limits far from the market are asked about once a session: the adapter suppresses that question when it connects, for
itself and for the bare client. It sends as many orders at once as are handed over; BENCH_IBKR_AT_ONCE=1 is its usual
way, one after another.
"""

import os
from collections.abc import Mapping
from typing import Any

from workbench.brokers.ibkr.broker import IbkrBroker
from workbench.brokers.ibkr.tickets import tickets
from workbench.brokers.pool import encode
from workbench.config import BrokerSettings
from workbench.model import Instrument, Submit, to_e8
from workbench.model.orders import BUY, DAY, LIMIT, MARKET
from workbench.testbed.ibkr import adapter_addresses

NAME = "ibkr"
ALLOWANCE = "gateway"  # the limiter's name for what `real limits` uses up
PX = 300.0  # far below the market: it rests
SPY = 756_733
_JSON = {"Content-Type": "application/json"}


def open_broker(facts: Mapping[str, Any], limits: Mapping[str, int]) -> IbkrBroker:
    """The adapter for an emulator's facts."""
    at_once = int(os.environ.get("BENCH_IBKR_AT_ONCE", "256"))
    settings = BrokerSettings(
        venue="ibkr",
        addresses=adapter_addresses(facts),
        limits=dict(limits),
        options={"answers": "o163=yes", "suppress": True, "orders_at_once": at_once},
    )
    return IbkrBroker(settings, [Instrument(0, "SPY")])


def _submit(order_id: int, epoch: int, kind: int, px: float) -> Submit:
    return Submit(order_id, order_id, epoch, 1, 0, BUY, kind, DAY, to_e8(1), to_e8(px), 0)


def order(order_id: int, epoch: int) -> Submit:
    """An order that rests."""
    return _submit(order_id, epoch, LIMIT, PX)


def market_order(order_id: int, epoch: int) -> Submit:
    """An order that fills at once."""
    return _submit(order_id, epoch, MARKET, 0.0)


def bare(facts: Mapping[str, Any], submit: Submit) -> tuple[str, dict[str, str], bytes]:
    """The same order for a bare client: address, headers, body."""
    body = encode({"orders": tickets([submit], facts["account"], SPY)})
    return f"{facts['rest']}/iserver/account/{facts['account']}/orders", _JSON, body


async def prepared(session: Any, facts: Mapping[str, Any]) -> None:
    """What a bare client has to ask before its first order."""
    async with session.get(f"{facts['rest']}/iserver/accounts") as answer:
        await answer.read()


async def cleared(broker: IbkrBroker) -> None:
    """Cancel everything, so that every turn begins with an empty book."""
    await broker.cancel_all()
