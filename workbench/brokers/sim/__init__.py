"""The built-in exchange: `engine.match` behind the broker contract, with delays on the wall clock."""

from typing import TYPE_CHECKING

from workbench.brokers.sim.broker import SimBroker
from workbench.brokers.sim.venue import beyond_plain, latency_of, make_match

if TYPE_CHECKING:
    from workbench.config import Settings

__all__ = ["SimBroker", "beyond_plain", "latency_of", "make_match", "open_broker"]


def open_broker(settings: "Settings") -> SimBroker:
    """The built-in exchange with the cash of `settings.account` and the delays and fees of `settings.sim`."""
    from workbench.model.scale import to_e8

    return SimBroker(settings.sim, cash_e8=to_e8(settings.account.cash))
