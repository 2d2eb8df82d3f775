"""Binance's addresses and allowances; the test network (paper) and the exchange (live) told apart by address.

Lives here: figures and what must fit together before anything connects. Not here: requests (client.py).
"""

from typing import Final

import msgspec
from yarl import URL

from workbench.brokers.pool import Budget, Fixed, Limiter, Route, Slots, checked_address
from workbench.config import BrokerSettings
from workbench.errors import BadValue, Refused, UnknownName

__all__ = [
    "ADDRESSES",
    "CHANNELS",
    "Addresses",
    "Options",
    "Routes",
    "Unfilled",
    "addresses_of",
    "budgets",
    "channels_of",
    "options_of",
]

VENUE: Final = "binance"
CHANNELS: Final = ("bars", "quotes", "trades", "depth")
_USUAL: Final = ("bars", "quotes", "trades")
_ORDERS: Final = ("ws", "rest")
ADDRESSES: Final[dict[str, dict[str, str]]] = {
    "paper": {
        "rest": "https://testnet.binance.vision",
        "stream": "wss://stream.testnet.binance.vision",
        "ws_api": "wss://ws-api.testnet.binance.vision/ws-api/v3",
    },
    "live": {
        "rest": "https://api.binance.com",
        "stream": "wss://stream.binance.com:9443",
        "ws_api": "wss://ws-api.binance.com:443/ws-api/v3",
    },
}
_HOSTS: Final = {mode: {URL(url).host for url in found.values()} for mode, found in ADDRESSES.items()}


class Addresses(msgspec.Struct, frozen=True):
    """Where things are: `rest` without /api, `stream` without /ws or /stream, `ws_api` in full."""

    rest: URL
    stream: URL
    ws_api: URL


def addresses_of(settings: BrokerSettings) -> Addresses:
    """The addresses of an account; other ones only for emulators, proxies and mirrors.

    Raises:
        UnknownName: an address nobody asks for. BadValue, UnsafeVenue: one that cannot be used.
        Refused: paper and live are mixed up.
    """
    usual = ADDRESSES[settings.mode]
    for name in settings.addresses:
        if name not in usual:
            raise UnknownName("binance address", name, usual)
    found = {name: checked_address(VENUE, settings.addresses.get(name, usual[name])) for name in usual}
    other = "live" if settings.mode == "paper" else "paper"
    for name, url in found.items():
        if url.host in _HOSTS[other]:
            text = f"binance: address {name} = '{url}' is the {other} one and mode is {settings.mode}"
            raise Refused(f"{text}: change one of them")
    return Addresses(**found)


class Options(msgspec.Struct, frozen=True):
    """The venue's own settings. `orders`: by the WebSocket API, or by REST alone; `recv_window_ms`: how old a request
    may be when the venue takes it."""

    orders: str = "ws"
    recv_window_ms: int = 5_000


def options_of(settings: BrokerSettings) -> Options:
    """The options of an account.

    Raises:
        UnknownName: an option or a word nobody knows. BadValue: a window that is none.
    """
    given = settings.options
    for name in given:
        if name not in ("orders", "recv_window_ms", "channels"):
            raise UnknownName("binance option", name, ("orders", "recv_window_ms", "channels"))
    orders, window = str(given.get("orders", "ws")), given.get("recv_window_ms", 5_000)
    if orders not in _ORDERS:
        raise UnknownName("binance way for orders", orders, _ORDERS)
    if not isinstance(window, int) or isinstance(window, bool) or not 100 <= window <= 60_000:
        raise BadValue("binance option recv_window_ms", window, "give 100 to 60000")
    channels_of(settings)
    return Options(orders, window)


def channels_of(settings: BrokerSettings) -> tuple[str, ...]:
    """What a feed subscribes to: option `channels`, with commas; bars, quotes and trades unless it says otherwise.

    Raises:
        UnknownName: no such channel.
    """
    said = [name.strip() for name in str(settings.options.get("channels", ",".join(_USUAL))).split(",")]
    for name in said:
        if name not in CHANNELS:
            raise UnknownName("binance channel", name, CHANNELS)
    return tuple(dict.fromkeys(said))


class Unfilled(Fixed):
    """Orders without a fill in a window of the venue's clock. A first fill gives an order back, and only the venue
    knows when: what it counts is believed, and what is still under way is added.

    >>> orders = Unfilled("orders_10s", 100, 10.0, reserve=0.0, orders_reserve=0.0)
    >>> for _ in range(3): orders.take(1, 5.0)
    >>> orders.observe_used(1, 5.0, 5.1); orders.free(5.1)
    97
    >>> orders.release(1), orders.release(1); orders.observe_used(0, 5.0, 5.2); orders.free(5.2)
    (None, None)
    100
    """

    __slots__ = ("_under_way",)

    def __init__(
        self, name: str, limit: int, period_s: float, *, reserve: float = 0.0, orders_reserve: float = 0.0
    ) -> None:
        super().__init__(name, limit, period_s, reserve=reserve, orders_reserve=orders_reserve)
        self._under_way = 0

    def take(self, cost: int, now_s: float) -> None:
        super().take(cost, now_s)
        self._under_way += cost

    def release(self, cost: int) -> None:
        self._under_way = max(0, self._under_way - cost)

    def observe_used(self, used: int, sent_s: float, now_s: float) -> None:
        """The answer that tells belongs to an order which still counts as under way."""
        first, last = self._windows(now_s)
        if self._windows(sent_s) == (first, last) and first == last:
            self._used[first] = used + max(0, self._under_way - 1)


def budgets() -> list[Budget]:
    """Weight is counted by address, orders without a fill by account; the venue names its own figures at the start."""
    return [
        Fixed("weight", 6_000, 60.0),
        Fixed("raw", 61_000, 300.0),
        Unfilled("orders_10s", 100, 10.0),
        Unfilled("orders_1d", 200_000, 86_400.0),
        Slots("in_flight", 256),
    ]


class Routes:
    """What each kind of request costs."""

    def __init__(self, limiter: Limiter) -> None:
        def one(name: str, weight: int, **more: int) -> Route:
            return limiter.route(name, weight=weight, raw=1, in_flight=1, **more)

        self.order = one("order", 1, orders_10s=1, orders_1d=1)
        self.pair = one("pair", 1, orders_10s=2, orders_1d=2)
        self.bracket = one("bracket", 1, orders_10s=3, orders_1d=3)
        self.replace = one("replace", 1, orders_10s=1, orders_1d=1)
        self.amend = one("amend", 4)
        self.cancel = one("cancel", 1)
        self.look = one("look", 4)
        self.open_of_symbol = one("open", 6)
        self.open_of_all = one("open_all", 80)
        self.history = one("history", 20)
        self.trades_of_order = one("trades", 5)
        self.account = one("account", 20)
        self.listing = one("listing", 20)
        self.time = one("time", 1)
        self.price = one("price", 2)
        self.depth = one("depth", 50)
        self.stream = one("stream", 2)
