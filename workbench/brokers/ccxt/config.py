"""What an account at a ccxt exchange may set, what is known of single exchanges, and the allowance that is kept.

Lives here: options, tables, figures. Not here: ccxt itself (library.py), requests (client.py).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from workbench.brokers.pool import Budget, Rolling, Slots
from workbench.config import BrokerSettings
from workbench.errors import BadValue, UnknownName

__all__ = [
    "ADDRESSES",
    "BY_CLIENT_ID",
    "DOLLARS",
    "IN_COINS",
    "PRESETS",
    "UNIT",
    "Plan",
    "allowances",
    "plan_of",
    "wanted_exchange",
]

VENUE: Final = "ccxt"
UNIT: Final = 100
"""ccxt's costs have fractions: one of its units is so many of ours."""

CHANNELS: Final = ("bars", "quotes", "trades")
_OPTIONS: Final = ("amend", "channels", "client_ids", "events", "exchange", "fills", "poll_s", "timeout_s")
_WINDOW_S: Final = 10.0

_FAMILY: Final = ("bybit", "bybiteu", "bybitid")

PRESETS: Final[dict[str, dict[str, Any]]] = {
    exchange: {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchMargins": False,
        "fetchCurrencies": False,
    }
    for exchange in ("binance", "binanceus")
} | {exchange: {"createOrder": {"createMarketBuyOrderRequiresPrice": True}} for exchange in _FAMILY}
"""ccxt's own options by exchange: where its defaults ask for much that spot trading does not need, and where a classic
account would take the quantity of a market buy for money (so ccxt refuses it; a unified one takes coins)."""

IN_COINS: Final = frozenset(_FAMILY)
"""Exchanges that take market buys in coins although ccxt says of them that they want a price."""

DOLLARS: Final = frozenset({"BUSD", "FDUSD", "USD", "USDC", "USDT"})
"""What counts as one money: an account's cash is a single number."""

ADDRESSES: Final = {"binanceus": {"ws.ws-api.spot": "wss://ws-api.binance.us:443/ws-api/v3"}}
"""Addresses that ccxt 4.5 has wrong, by exchange: it would log in to an account's events at binance.com."""

BY_CLIENT_ID: Final = frozenset(
    {"binance", "binanceus", "bitget", "kucoin", "mexc", "myokx", "okx", "okxus", "weex"}
)
"""Exchanges whose `fetchOrder` finds an order by our id in ccxt 4.5 (its source says so; nothing in `has` does)."""

_PLAIN_IDS: Final = frozenset({"myokx", "okx", "okxus"})  # letters and digits only
_NEW_ORDER: Final = frozenset({"alpaca", "binance", "binanceus"})  # an amended order is another one
_IN_PLACE: Final = frozenset({"bybit", "myokx", "okx", "okxus"})  # it stays, and its quantity is the whole
_TOLD_FILLS: Final = frozenset({"binance", "binanceus"})  # trades have one id in streams and lists


class Plan(msgspec.Struct, frozen=True):
    """The options of an account, checked.

    `amend` is "" (not at all), "new_order" or "in_place"; `fills` "ask" or "stream"; `events` "stream" or "poll";
    `client_ids` "dashes" or "plain".
    """

    exchange: str
    amend: str
    channels: tuple[str, ...]
    client_ids: str
    events: str
    fills: str
    poll_s: float
    timeout_s: float


def wanted_exchange(settings: BrokerSettings) -> str:
    """The exchange an account names; empty when it names none."""
    return str(settings.options.get("exchange", "")).strip().lower()


def plan_of(settings: BrokerSettings) -> Plan:
    """The options of an account, with what is known of its exchange for those it leaves out.

    Raises:
        UnknownName: an option, channel or word nobody knows. BadValue: no exchange, or a time that cannot be.
    """
    options = settings.options
    for name in options:
        if name not in _OPTIONS:
            raise UnknownName("ccxt option", name, _OPTIONS)
    exchange = wanted_exchange(settings)
    if not exchange:
        raise BadValue("ccxt option exchange", "", 'name one, as ccxt does: exchange = "kraken"')
    amend = "new_order" if exchange in _NEW_ORDER else "in_place" if exchange in _IN_PLACE else "never"
    return Plan(
        exchange,
        _word(options, "amend", amend, ("in_place", "never", "new_order")).replace("never", ""),
        _channels(str(options.get("channels", ",".join(CHANNELS)))),
        _word(options, "client_ids", "plain" if exchange in _PLAIN_IDS else "dashes", ("dashes", "plain")),
        _word(options, "events", "stream", ("poll", "stream")),
        _word(options, "fills", "stream" if exchange in _TOLD_FILLS else "ask", ("ask", "stream")),
        _seconds(options, "poll_s", 1.0),
        _seconds(options, "timeout_s", 10.0),
    )


def _word(options: Mapping[str, object], name: str, usual: str, known: tuple[str, ...]) -> str:
    word = str(options.get(name, usual))
    if word not in known:
        raise UnknownName(f"ccxt option {name}", word, known)
    return word


def _channels(said: str) -> tuple[str, ...]:
    names = [name.strip() for name in said.split(",")]
    for name in names:
        if name not in CHANNELS:
            raise UnknownName("ccxt channel", name, CHANNELS)
    return tuple(dict.fromkeys(names))


def _seconds(options: Mapping[str, object], name: str, usual: float) -> float:
    said = options.get(name, usual)
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0.01 <= said <= 600:
        raise BadValue(f"ccxt option {name}", said, "give seconds from 0.01 to 600")
    return float(said)


def allowances(rate_limit_ms: float) -> list[Budget]:
    """What an exchange grants by ccxt's figure, the milliseconds between two requests of cost 1. It is counted over ten
    seconds, so that there is something to keep back for cancels."""
    a_window = max(1, int(_WINDOW_S * 1_000 * UNIT / max(rate_limit_ms, 0.1)))
    return [Rolling("requests", max(a_window, 10 * UNIT), _WINDOW_S), Slots("in_flight", 64)]
