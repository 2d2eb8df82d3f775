"""What a venue's folder must offer so that the server can serve it.

Lives here: the contract, the settings, finding venues by folder. Not here: any venue.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, cast

import msgspec

from workbench.errors import BadValue, UnknownName
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.listing import Listing
from workbench.testbed.stream import Link
from workbench.testbed.tls import TLS_MODES

__all__ = [
    "EmulatorSettings",
    "Socket",
    "Venue",
    "VenuePackage",
    "check_options",
    "find_venues",
    "venue_package",
]

_PACKAGE = "workbench.testbed"


class EmulatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an emulator is set up. `symbols` and `cash` left out: the venue's own. `options` are a venue's own settings;
    it refuses those it does not know (`check_options`)."""

    port: int = 0
    data: str = ""
    speed: float = 1.0
    cash: float | None = None
    seed: int = 1
    symbols: tuple[str, ...] = ()
    market_open: str = "always"
    limits: bool = True
    fee_per_unit: float = 0.0
    fee_rate: float = 0.0
    ack_s: float = 0.0
    fill_s: float = 0.0
    faults: str = ""
    tls: str = ""
    options: dict[str, str] = {}

    def __post_init__(self) -> None:
        for field, low, high, advice in _RANGES:
            value = getattr(self, field)
            if value is not None and not low <= value <= high:
                raise BadValue(field.replace("_", "-"), value, advice)
        if self.market_open not in ("always", "calendar"):
            raise UnknownName("market-open", self.market_open, ("always", "calendar"))
        if self.tls not in TLS_MODES:
            raise UnknownName("tls", self.tls, [mode for mode in TLS_MODES if mode])


_RANGES = (
    ("port", 0, 65_535, "give a port from 1 to 65535, or 0 for a free one"),
    ("speed", 0.0, 100_000.0, "give market seconds per second up to 100000; 0 stands still"),
    ("cash", 0.01, 1e10, "give an amount above 0, at most 10 billion"),
    ("fee_per_unit", 0.0, 1_000.0, "give an amount of money from 0 up"),
    ("fee_rate", 0.0, 0.1, "give a fraction of the value from 0 to 0.1"),
    ("ack_s", 0.0, 600.0, "give seconds from 0 to 600"),
    ("fill_s", 0.0, 600.0, "give seconds from 0 to 600"),
)


def check_options(venue: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse an option nobody reads.

    Raises:
        UnknownName: with the nearest right one.
    """
    names = list(known)
    for name in options:
        if name not in names:
            raise UnknownName(f"{venue} option", name, names)


class Socket:
    """A WebSocket route: a path (`{name}` stands for one segment), the stream's name, and what serves a client."""

    __slots__ = ("name", "path", "serve")

    def __init__(
        self, path: str, name: str, serve: Callable[[Link, dict[str, str]], Awaitable[None]]
    ) -> None:
        self.path = path
        self.name = name
        self.serve = serve


class Venue(Protocol):
    """One emulated venue. `routes` and `sockets` are read once, when the server starts."""

    name: str
    exchange: Exchange
    key: str
    secret: str
    account: str

    def routes(self) -> Iterable[Route]:
        """Every REST route."""
        ...

    def sockets(self) -> Iterable[Socket]:
        """Every WebSocket route."""
        ...

    def guard(self, call: Call) -> Answer | None:
        """What stands before every route: keys, limits. An answer refuses; headers for any answer go into the call."""
        ...

    def refuse(self, status: int, text: str) -> Answer:
        """A refusal in the venue's own shape, for faults and for paths that are not there."""
        ...

    def addresses(self, root: str) -> dict[str, str]:
        """Addresses as clients want them; `root` is `http://HOST:PORT`."""
        ...

    def lift_limits(self, lifted: bool) -> None:
        """Take the rate limits away, or put them back."""
        ...

    def nightly_reset(self) -> None:
        """End every session as the venue does at night; open streams are closed by the server."""
        ...


def find_venues() -> list[str]:
    """The venues there are, by folder.

    >>> "alpaca" in find_venues()
    True
    """
    found = [entry.name for entry in iter_modules(import_module(_PACKAGE).__path__) if entry.ispkg]
    return sorted(name for name in found if name != "rigs")


class VenuePackage(Protocol):
    """What a venue's package offers."""

    CASH: float
    SYMBOLS: tuple[str, ...]

    def listings(self, symbols: tuple[str, ...]) -> list[Listing]:
        """What the venue lists, `iid` dense from 0.

        Raises:
            BadValue: a symbol it could never list.
        """
        ...

    def open_venue(self, exchange: Exchange, settings: EmulatorSettings) -> Venue:
        """The venue over its exchange."""
        ...

    def adapter_addresses(self, facts: Mapping[str, Any]) -> dict[str, str]:
        """The emulator's addresses (`Emulator.facts`) as our own adapter's settings name them."""
        ...


def venue_package(name: str) -> VenuePackage:
    """A venue's package by name.

    Raises:
        UnknownName: no such venue, with the nearest one.
    """
    known = find_venues()
    if name not in known:
        raise UnknownName("venue", name, known)
    return cast(VenuePackage, import_module(f"{_PACKAGE}.{name}"))
