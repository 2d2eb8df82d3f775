"""What the driver may ask of a venue, and what it may rely on. `checks.py` holds every broker to it.

Lives here: the protocol and its two answers. Not here: any venue.
"""

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

import msgspec

from workbench.errors import UnknownName
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.orders import STATE_NAMES
from workbench.model.reports import Report

__all__ = ["CAPABILITIES", "Broker", "BrokerAccount", "BrokerOrder", "Sink", "capabilities_of"]

type Sink = Callable[[Report], None]

CAPABILITIES: Final = {
    "amend": "a resting limit order can be given another quantity and price",
    "stop": "stop orders rest at the venue",
    "stop_limit": "stop-limit orders rest at the venue",
    "trailing": "trailing stops rest at the venue",
    "oco": "orders of one group share one quantity",
    "bracket": "exits wait at the venue for their parent's fills",
    "gtc": "good till cancelled",
    "ioc": "immediate or cancel",
    "fok": "fill or kill",
    "opg": "at the opening only",
    "cls": "at the close only",
}
"""What a venue may do beyond market and day limit orders, by the word a broker claims it with."""


class BrokerAccount(msgspec.Struct, frozen=True):
    """The account as the venue books it: cash and signed positions by `iid` (none is 0) in 1e-8 units, and the
    ids of our orders that may still fill. Of several accounts added up some may not have answered: `whole` is False
    then, their part is as they last told it, and `unheard` names the instruments it may be wrong in by now."""

    cash_e8: int
    positions: dict[int, int]
    open_orders: tuple[int, ...]
    whole: bool = True
    unheard: frozenset[int] = frozenset()


class BrokerOrder(msgspec.Struct, frozen=True):
    """One order as the venue knows it: evidence that ends an unknown outcome.

    `state` is one of the states of `model.orders` that a venue can know (working, partial, filled, cancelled,
    rejected, expired); `reports` tell how it came to it, every execution and every amendment included, as they would
    have been reported.
    """

    client_id: str
    order_id: int
    venue_id: str
    state: int
    qty_e8: int
    filled_e8: int
    reports: tuple[Report, ...]

    def __repr__(self) -> str:
        return f"<{self.client_id} {STATE_NAMES[self.state]} {self.filled_e8}/{self.qty_e8}>"


@runtime_checkable
class Broker(Protocol):
    """A connection to one account at one venue.

    - `submit`, `cancel` and `amend` hand over and return: they never wait, never raise for what the venue says, and
      never call the sink before they have returned. What becomes of an order is told by reports alone.
    - Reports of one order come in the order they happened: an acceptance before its fills, nothing after its end.
      Reports of different orders may come in any order.
    - An `exec_id` names one execution for ever; it may be reported twice, and then is the same in every field.
    - `Rejected` and `Unsent` are proof that the order is not live. Where that is not known the report is
      `OutcomeLost`. So a client id used again is never answered by `Rejected`: the first order may be live.
    - What it can do beyond market and day limit orders it claims by an attribute `capabilities`, a frozenset of words
      of `CAPABILITIES` (a broker without the attribute claims nothing). The rest it answers with `Rejected`, or
      `AmendRefused`, and never does by halves.
    """

    @property
    def name(self) -> str:
        """The venue's folder name."""
        ...

    async def connect(self, sink: Sink) -> None:
        """Open the account; every report goes to `sink`, called on this loop.

        Raises:
            Unreachable: the venue does not answer. Unauthorised: it does not accept the keys.
        """
        ...

    def submit(self, order: Submit) -> None:
        """Hand an order over, once.

        Raises:
            Unreachable: `connect` was not called yet (nothing was sent).
        """
        ...

    def cancel(self, order: Cancel) -> None:
        """Ask for an order to be taken out of the book; may be repeated. Raises as `submit` does."""
        ...

    def amend(self, order: Amend) -> None:
        """Ask for a working order to be changed, all values given; `Amended` or `AmendRefused` answers. Either version
        may trade until then. Raises as `submit` does."""
        ...

    async def account(self) -> BrokerAccount:
        """The account as the venue sees it now."""
        ...

    async def order(self, client_id: str) -> BrokerOrder | None:
        """What the venue knows of one order; None when it has never seen the id."""
        ...

    async def close(self) -> None:
        """Give up the connection; harmless when repeated. Orders in the book stay there. What is handed over
        afterwards is answered by `Unsent` (a cancel by `CancelRefused`, an amendment by `AmendRefused`)."""
        ...


def capabilities_of(broker: Broker) -> frozenset[str]:
    """What a broker claims to do; see `CAPABILITIES`.

    Raises:
        UnknownName: it claims a word nobody knows, with the nearest right one.
    """
    claimed: frozenset[str] = frozenset(getattr(broker, "capabilities", ()))
    for word in sorted(claimed):
        if word not in CAPABILITIES:
            raise UnknownName("capability", word, CAPABILITIES)
    return claimed
