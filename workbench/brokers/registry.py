"""Brokers by folder: every package below this one is one, and offers `open_broker(settings)`; but for `pool`, on which
they stand."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast

from workbench.errors import BadInput, UnknownName

if TYPE_CHECKING:
    from types import ModuleType

    from workbench.brokers.contract import Broker
    from workbench.config import Settings
    from workbench.feeds.live import LiveFeed
    from workbench.model.instrument import Instrument

__all__ = ["find_brokers", "find_instruments", "open_broker", "open_feed"]

_PACKAGE = "workbench.brokers"
_SHARED = frozenset({"pool"})


def find_brokers() -> list[str]:
    """The names of all brokers there are, without importing them.

    >>> "sim" in find_brokers()
    True
    """
    entries = iter_modules(import_module(_PACKAGE).__path__)
    return sorted(entry.name for entry in entries if entry.ispkg and entry.name not in _SHARED)


def open_broker(
    name: str, settings: "Settings", *, account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "Broker":
    """A broker for `instruments`, not connected yet; `account` is a name under `[brokers]` (empty: the first one
    there).

    Raises:
        UnknownName: no such folder, with the nearest one.
    """
    make = cast("Callable[..., Broker]", _package(name).open_broker)
    more = {"account": account, "instruments": instruments} if account or instruments else {}
    return make(settings, **more)


def open_feed(
    name: str, settings: "Settings", *, account: str, instruments: "Sequence[Instrument]"
) -> "LiveFeed":
    """The market data of a venue, not connected yet.

    Raises:
        UnknownName: no such folder. BadInput: the venue offers no market data.
    """
    make = getattr(_package(name), "open_feed", None)
    if make is None:
        raise BadInput(f"broker '{name}' offers no market data: take it from another account")
    feed: LiveFeed = make(settings, account, instruments)
    return feed


async def find_instruments(
    name: str, settings: "Settings", *, account: str, symbols: "Sequence[str]"
) -> "list[Instrument]":
    """What a venue says of `symbols`: tick, lot, currency, calendar; numbered from 0 in their order.

    Raises:
        UnknownName: no such folder, or a symbol the venue does not list. Unreachable, Unauthorised: the venue's answer.
        BadInput: the venue lists nothing.
    """
    find = getattr(_package(name), "find_instruments", None)
    if find is None:
        raise BadInput(f"broker '{name}' lists no instruments: it cannot be traded live")
    found: list[Instrument] = await find(settings, account, symbols)
    return found


def _package(name: str) -> "ModuleType":
    known = find_brokers()
    if name not in known:
        raise UnknownName("broker", name, known)
    return import_module(f"{_PACKAGE}.{name}")
