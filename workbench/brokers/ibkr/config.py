"""The gateway's address, its allowances and the options of an account.

Lives here: figures, and what must fit together before anything connects. Not here: requests (client.py), what a
question is answered (questions.py).

Nothing is secret: the gateway holds a login made with a browser. Paper and live have the same address; the gateway says
which one it is (`session.py`).
"""

from typing import Final
from weakref import WeakValueDictionary

import msgspec
from yarl import URL

from workbench.brokers.pool import Budget, Limiter, Rolling, Route, Slots, checked_address, tls_for
from workbench.brokers.pool.sessions import Tls
from workbench.config import BrokerSettings
from workbench.errors import BadValue, UnknownName

__all__ = ["CHANNELS", "Allowances", "Options", "Place", "Routes", "options_of", "place_of"]

VENUE: Final = "ibkr"
CHANNELS: Final = ("bars", "quotes", "trades")
BARS: Final = ("ticks", "history")
_USUAL: Final = {"rest": "https://localhost:5000/v1/api", "stream": "wss://localhost:5000/v1/api/ws"}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[brokers.NAME.options]`. `answers` is read by questions.py, `conids` by contracts.py."""

    answers: str = ""
    suppress: bool = False
    compete: bool = False
    pin_sha256: str = ""
    unverified: bool = False
    conids: str = ""
    orders_at_once: int = 1
    channels: str = ",".join(CHANNELS)
    bars: str = "ticks"
    bar_s: float = 60.0

    @property
    def chosen(self) -> tuple[str, ...]:
        """The channels, each once."""
        return tuple(dict.fromkeys(name.strip() for name in self.channels.split(",") if name.strip()))


def options_of(settings: BrokerSettings) -> Options:
    """An account's options.

    Raises:
        UnknownName: an option nobody reads, or another word than there are. BadValue: an impossible value.
    """
    known = Options.__struct_fields__
    for name in settings.options:
        if name not in known:
            raise UnknownName("ibkr option", name, known)
    try:
        found = msgspec.convert(settings.options, Options)
    except msgspec.ValidationError as error:
        raise BadValue("ibkr options", dict(settings.options), str(error)) from error
    for channel in found.chosen:
        if channel not in CHANNELS:
            raise UnknownName("ibkr channel", channel, CHANNELS)
    if found.bars not in BARS:
        raise UnknownName("ibkr bars", found.bars, BARS)
    if not 1 <= found.orders_at_once <= 1_000:
        raise BadValue("ibkr orders_at_once", found.orders_at_once, "give a number from 1 to 1000")
    if not 0.001 <= found.bar_s <= 86_400:
        raise BadValue("ibkr bar_s", found.bar_s, "give seconds from 0.001 to 86400")
    if found.bars == "history" and found.bar_s != 60.0:
        raise BadValue("ibkr bar_s", found.bar_s, "bars of the history are minutes: leave it out")
    return found


class Place(msgspec.Struct, frozen=True):
    """Where the gateway is, and how its certificate is checked."""

    rest: URL
    stream: URL
    tls: Tls


def place_of(settings: BrokerSettings, options: Options) -> Place:
    """The gateway of an account.

    The gateway makes its certificate itself. On this machine it is pinned (`pin_sha256`) or, asked for by name, taken
    unverified; anywhere else it is verified like everybody's.

    Raises:
        UnknownName: an address nobody asks for. BadValue, UnsafeVenue: one that cannot be used, or an exception for a
            remote host.
    """
    for name in settings.addresses:
        if name not in _USUAL:
            raise UnknownName("ibkr address", name, _USUAL)
    found = {name: checked_address(VENUE, settings.addresses.get(name, _USUAL[name])) for name in _USUAL}
    tls = tls_for(VENUE, found["rest"], options.pin_sha256, loopback_unverified=options.unverified)
    tls_for(VENUE, found["stream"], options.pin_sha256, loopback_unverified=options.unverified)
    return Place(found["rest"], found["stream"], tls)


class Allowances:
    """The published pace of one gateway. All who speak to it count together, whatever account and purpose."""

    def __init__(self) -> None:
        one = {"reserve": 0.0, "orders_reserve": 0.0}
        self.budgets: list[Budget] = [
            Rolling("gateway", 10, 1.0),
            Rolling("orders", 1, 5.0, **one),
            Rolling("trades", 1, 5.0, **one),
            Rolling("portfolio", 1, 5.0, **one),
            Rolling("tickle", 1, 1.0, **one),
            Rolling("snapshot", 10, 1.0, **one),
        ]

    @staticmethod
    def of(place: Place) -> "Allowances":
        """The allowances of the gateway at an address; kept as long as somebody holds them."""
        key = str(place.rest)
        found = _SHARED.get(key)
        if found is None:
            found = _SHARED[key] = Allowances()
        return found

    def all(self) -> list[Budget]:
        """Them, and what is counted for each connection alone."""
        return [*self.budgets, Slots("charts", 5, reserve=0.0, orders_reserve=0.0), Slots("in_flight", 256)]


_SHARED: Final[WeakValueDictionary[str, Allowances]] = WeakValueDictionary()


class Routes:
    """What each kind of request costs."""

    def __init__(self, limiter: Limiter) -> None:
        both = {"gateway": 1, "in_flight": 1}
        self.order: Route = limiter.route("order", **both)
        self.reply: Route = limiter.route("reply", **both)
        self.cancel: Route = limiter.route("cancel", **both)
        self.amend: Route = limiter.route("amend", **both)
        self.status: Route = limiter.route("status", **both)
        self.orders: Route = limiter.route("orders", orders=1, **both)
        self.trades: Route = limiter.route("trades", trades=1, **both)
        self.account: Route = limiter.route("account", **both)
        self.portfolio: Route = limiter.route("portfolio", portfolio=1, **both)
        self.session: Route = limiter.route("session", **both)
        self.tickle: Route = limiter.route("tickle", tickle=1, **both)
        self.contract: Route = limiter.route("contract", **both)
        self.snapshot: Route = limiter.route("snapshot", snapshot=1, **both)
        self.history: Route = limiter.route("history", charts=1, **both)
