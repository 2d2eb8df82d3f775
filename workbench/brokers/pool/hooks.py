"""What a venue fills in to become a broker: the hooks that `VenueBroker` calls.

Lives here: the hooks and what each must do. Not here: who calls them when (venue_broker.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from workbench.brokers.contract import BrokerAccount
from workbench.brokers.pool.tracker import Evidence, Tracked
from workbench.errors import VenueRefused
from workbench.model.effects import Amend, Submit

__all__ = ["VenueHooks"]


class VenueHooks(ABC):
    """All raise the typed errors of the pool's requests, and need not sort them out: `OutcomeUnknown` or `VenueGarbled`
    make an order lost, a `Refused` or `RateLimited` is proof that it is not live, other `Retryable` errors that it was
    never sent."""

    name = ""
    capabilities: frozenset[str] = frozenset()

    @abstractmethod
    async def _open(self) -> None:
        """Log in, learn what is listed, start the streams; return when reports can flow.

        Raises:
            Unreachable: the venue does not answer. KeysRefused: it does not accept the keys.
        """

    @abstractmethod
    async def account(self) -> BrokerAccount:
        """The account as the venue sees it now."""

    def _check(self, order: Submit) -> tuple[str, str] | None:
        """What is wrong with an order by the venue's own rules, as code and text; asked before anything is sent."""
        return None

    def _batches(self, orders: Sequence[Submit]) -> Iterable[list[Submit]]:
        """Orders that go to the venue as one (a bracket), each other one alone. They stand side by side."""
        return ([order] for order in orders)

    @abstractmethod
    async def _place(self, batch: list[Tracked]) -> None:
        """Send one batch, once, and tell the tracker what the venue answered."""

    @abstractmethod
    async def _withdraw(self, tracked: Tracked) -> None:
        """Ask for a cancel. Returning means that the venue took the request; streams and looks tell of the end."""

    async def _withdraw_all(self) -> bool | frozenset[str]:
        """Ask for a cancel of all that is open in one request: the venue's ids of the orders it took that for, or True
        where it does not name them; False when there is no such request, or when it would take along what is not
        ours. No order is sent meanwhile."""
        return False

    async def _change(self, tracked: Tracked, wanted: Amend) -> None:
        """Ask for an amendment, and tell the tracker (`amended`) when it holds; returning without that means that the
        stream will tell."""
        raise VenueRefused(
            self.name, "orders cannot be changed here", "cancel it and send another", code="AMEND"
        )

    async def _changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        """Whether an amendment whose answer was lost took hold (the tracker was told), did not, or is not known yet."""
        return False

    @abstractmethod
    async def _look(self, tracked: Tracked) -> Evidence | None:
        """The order as the venue shows it with its executions; None when open orders, history and fills all lack it."""

    @abstractmethod
    async def _find(self, client_id: str) -> Evidence | None:
        """The same for an order this connection does not know (an earlier one sent it)."""

    @abstractmethod
    async def _list_open(self) -> list[Evidence]:
        """All open orders of ours at the venue; executions need not be fetched."""

    def _swept(self, finds: int) -> None:  # noqa: B027 - for venues that can do something about it
        """A sweep found `finds` orders with news that the stream should have told: it may be mute."""
