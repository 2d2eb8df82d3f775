"""Alpaca's addresses and allowances; paper and live told apart by address and key.

Lives here: figures and what must fit together before anything connects. Not here: requests (client.py).
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from yarl import URL

from workbench.brokers.pool import (
    Budget,
    Credentials,
    Limiter,
    Rolling,
    Route,
    Slots,
    checked_address,
    is_loopback,
)
from workbench.config import BrokerSettings
from workbench.errors import Refused, UnknownName

__all__ = [
    "ADDRESSES",
    "CHANNELS",
    "FEEDS",
    "Addresses",
    "Routes",
    "addresses_of",
    "budgets",
    "channels_of",
    "check_keys",
    "check_options",
    "feed_of",
]

VENUE: Final = "alpaca"
FEEDS: Final = ("iex", "sip", "delayed_sip", "test")
CHANNELS: Final = ("bars", "quotes", "trades")
_OPTIONS: Final = ("feed", "channels")
ADDRESSES: Final[dict[str, dict[str, str]]] = {
    "paper": {
        "rest": "https://paper-api.alpaca.markets",
        "stream": "wss://paper-api.alpaca.markets/stream",
    },
    "live": {
        "rest": "https://api.alpaca.markets",
        "stream": "wss://api.alpaca.markets/stream",
    },
}
_DATA: Final = {
    "data": "https://data.alpaca.markets",
    "data_stream": "wss://stream.data.alpaca.markets",
}
_HOSTS: Final = {mode: URL(found["rest"]).host for mode, found in ADDRESSES.items()}
_KEY_STARTS: Final = {"PK": "paper", "AK": "live"}


class Addresses(msgspec.Struct, frozen=True):
    """Where things are: `rest` and `data` without a version, `data_stream` without a path."""

    rest: URL
    stream: URL
    data: URL
    data_stream: URL


def addresses_of(settings: BrokerSettings) -> Addresses:
    """The addresses of an account; other ones only for emulators, proxies and gateways.

    Raises:
        UnknownName: an address nobody asks for. BadValue, UnsafeVenue: one that cannot be used.
        Refused: paper and live are mixed up.
    """
    usual = {**ADDRESSES[settings.mode], **_DATA}
    for name in settings.addresses:
        if name not in usual:
            raise UnknownName("alpaca address", name, usual)
    found = {name: checked_address(VENUE, settings.addresses.get(name, usual[name])) for name in usual}
    other = "live" if settings.mode == "paper" else "paper"
    for name in ("rest", "stream"):
        if found[name].host == _HOSTS[other]:
            text = f"alpaca: address {name} = '{found[name]}' is the {other} one and mode is {settings.mode}"
            raise Refused(f"{text}: change one of them")
    return Addresses(**found)


def check_keys(settings: BrokerSettings, keys: Credentials, addresses: Addresses) -> None:
    """Refuse a key of the other environment before it is shown to anybody.

    Raises:
        Refused: a paper key for live trading, or a live key for paper.
    """
    belongs = _KEY_STARTS.get(keys.key[:2])
    if belongs is not None and belongs != settings.mode and not is_loopback(addresses.rest.host):
        text = f"alpaca: key {keys.key_id} is a {belongs} key and mode is {settings.mode}"
        raise Refused(f"{text}: nothing was sent; use the keys of the {settings.mode} account")


def feed_of(settings: BrokerSettings) -> str:
    """The stock feed an account subscribes to: option `feed`, iex unless it says otherwise.

    Raises:
        UnknownName: no such feed.
    """
    feed = str(settings.options.get("feed", "iex"))
    if feed not in FEEDS:
        raise UnknownName("alpaca feed", feed, FEEDS)
    return feed


def channels_of(settings: BrokerSettings) -> tuple[str, ...]:
    """What a feed subscribes to: option `channels`, with commas; all three unless it says otherwise.

    Raises:
        UnknownName: no such channel.
    """
    said = [name.strip() for name in str(settings.options.get("channels", ",".join(CHANNELS))).split(",")]
    for name in said:
        if name not in CHANNELS:
            raise UnknownName("alpaca channel", name, CHANNELS)
    return tuple(dict.fromkeys(said))


def check_options(options: Mapping[str, object]) -> None:
    """Refuse an option nobody reads."""
    for name in options:
        if name not in _OPTIONS:
            raise UnknownName("alpaca option", name, _OPTIONS)


def budgets() -> list[Budget]:
    """Trading and data have 200 requests a minute each, by account; some accounts have more, and the venue says so."""
    return [
        Rolling("trading", 200, 60.0),
        Rolling("data", 200, 60.0, reserve=0.0, orders_reserve=0.0),
        Slots("in_flight", 256),
    ]


class Routes:
    """What each kind of request costs."""

    def __init__(self, limiter: Limiter) -> None:
        self.order: Route = limiter.route("order", trading=1, in_flight=1)
        self.cancel: Route = limiter.route("cancel", trading=1, in_flight=1)
        self.amend: Route = limiter.route("amend", trading=1, in_flight=1)
        self.look: Route = limiter.route("look", trading=1, in_flight=1)
        self.account: Route = limiter.route("account", trading=1, in_flight=1)
        self.data: Route = limiter.route("data", data=1, in_flight=1)
