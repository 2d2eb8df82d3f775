"""The rig that the shared broker checks run over: a connected broker, and a market that can be moved.

Lives here: the rig, and how a check complains. Not here: the checks (checks.py, claims.py), any venue's rig (`rig.py`
in its folder). The built-in exchange has a market in process, a venue has its emulator's.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from workbench.brokers.contract import Broker
from workbench.errors import WorkbenchError
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.orders import BUY, DAY, MARKET
from workbench.model.reports import Cancelled, Expired, Filled, Rejected, Report, Unsent
from workbench.model.scale import to_e8

__all__ = ["ENDS", "EPOCH", "BrokerRig", "ContractBroken", "MakeRig", "Market", "hold", "kinds_of"]

EPOCH: Final = 7
ENDS: Final = (Filled, Cancelled, Rejected, Expired, Unsent)


class ContractBroken(WorkbenchError):
    """A broker did something its contract rules out."""


class Market(Protocol):
    """The market of a rig, one instrument: `px` is where it stands; prints fill what they reach, in full."""

    iid: int
    px: float

    def print_at(self, px: float) -> None:
        """A trade at `px`, later than everything before it."""
        ...

    async def settle(self) -> None:
        """Return when every report that is on its way has been delivered."""
        ...


@dataclass
class BrokerRig:
    """A connected broker (its sink is `reports.append`) and its market. Orders are numbered from `next_id`."""

    broker: Broker
    market: Market
    reports: list[Report] = field(default_factory=list)
    next_id: int = 1
    ts_ns: int = 1

    def order(
        self,
        side: int = BUY,
        kind: int = MARKET,
        quantity: float = 10,
        limit: float = 0.0,
        *,
        stop: float = 0.0,
        tif: int = DAY,
        trail: float = 0.0,
        parent: int = 0,
        group: int = 0,
    ) -> Submit:
        """A new order of whole units of the rig's instrument, not yet handed over."""
        order_id, self.next_id, self.ts_ns = self.next_id, self.next_id + 1, self.ts_ns + 1
        return Submit(
            self.ts_ns,
            order_id,
            EPOCH,
            1,
            self.market.iid,
            side,
            kind,
            tif,
            to_e8(quantity),
            to_e8(limit),
            to_e8(stop),
            trail_e8=to_e8(trail),
            parent_id=parent,
            group=group,
        )

    async def submit(self, order: Submit) -> None:
        self.broker.submit(order)
        await self.market.settle()

    async def cancel(self, order_id: int) -> None:
        self.ts_ns += 1
        self.broker.cancel(Cancel(self.ts_ns, order_id))
        await self.market.settle()

    async def amend(self, order: Submit, quantity: float, limit: float, stop: float = 0.0) -> Amend:
        """Hand an amendment over, and wait for what comes of it."""
        self.ts_ns += 1
        wanted = Amend(self.ts_ns, order.order_id, to_e8(quantity), to_e8(limit), to_e8(stop))
        self.broker.amend(wanted)
        await self.market.settle()
        return wanted

    async def move(self, px: float) -> None:
        self.market.print_at(px)
        await self.market.settle()

    def of(self, order: Submit) -> list[Report]:
        """The reports of one order so far."""
        return [report for report in self.reports if report.order_id == order.order_id]

    def fills(self, order: Submit | None = None) -> list[Filled]:
        """Executions so far, each once."""
        chosen = self.reports if order is None else self.of(order)
        return list({report.exec_id: report for report in chosen if isinstance(report, Filled)}.values())


type MakeRig = Callable[[], AbstractAsyncContextManager[BrokerRig]]


def hold(condition: bool, complaint: str, rig: BrokerRig) -> None:
    if not condition:
        raise ContractBroken(f"broker '{rig.broker.name}': {complaint}; reports: {rig.reports[-6:]}")


def kinds_of(reports: list[Report]) -> list[str]:
    return [type(report).__name__ for report in reports]
