"""The built-in exchange with a market of prints, for the shared broker checks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from workbench.brokers.checks import BrokerRig
from workbench.brokers.sim.broker import SimBroker
from workbench.config import SimSettings
from workbench.model.instrument import Instrument
from workbench.model.market import Trade
from workbench.model.scale import SCALE

__all__ = ["make_rig"]


class _Prints:
    iid = 0

    def __init__(self, rig_broker: SimBroker) -> None:
        self.px = 367.5
        self._broker = rig_broker
        self.rig: BrokerRig

    def print_at(self, px: float) -> None:
        self.px = px
        self.rig.ts_ns += 1
        self._broker.on_market(Trade(self.rig.ts_ns, self.iid, px))

    async def settle(self) -> None:
        await self._broker.settled()


@asynccontextmanager
async def make_rig(settings: SimSettings | None = None) -> AsyncIterator[BrokerRig]:
    """A connected exchange with a million in cash and fees, so that they are counted too."""
    chosen = settings if settings is not None else SimSettings.model_validate({"fee_per_unit": 0.005})
    broker = SimBroker(chosen, cash_e8=1_000_000 * SCALE, instruments=[Instrument(0, "SPY")])
    market = _Prints(broker)
    rig = market.rig = BrokerRig(broker, market)
    await broker.connect(rig.reports.append)
    try:
        yield rig
    finally:
        await broker.close()
