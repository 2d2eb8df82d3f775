"""Binance Spot: the exchange and its test network.

config.py    addresses, allowances        words.py, bodies.py, parse.py   their words and payloads, ours
signer.py    HMAC, RSA, Ed25519           refusals.py          what errors mean
client.py    questions over REST          sockets.py           the WebSocket API: orders, the account's events
trading.py   orders, either way           rules.py             what is refused before it is sent
broker.py    the contract                 events.py, changes.py, finder.py, rates.py   what it stands on
feed.py      market data                  market.py, book.py   its payloads, a book kept from changes
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.brokers.binance.broker import BinanceBroker
    from workbench.brokers.binance.feed import BinanceFeed
    from workbench.config import Settings
    from workbench.model.instrument import Instrument

__all__ = ["find_instruments", "open_broker", "open_feed"]


def open_broker(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "BinanceBroker":
    """A broker of the account named `account` under `[brokers]` (empty: the first one at this venue; without any, the
    test account whose keys are in BINANCE_KEY and BINANCE_SECRET). Nothing connects yet."""
    from workbench.brokers.binance.broker import BinanceBroker
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    name, chosen = account_of(settings, "binance", account)
    return BinanceBroker(chosen, instruments, account_name=name, secrets=secrets_folder())


def open_feed(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "BinanceFeed":
    """Market data for `instruments`; it needs no keys. Nothing connects yet."""
    from workbench.brokers.binance.feed import BinanceFeed
    from workbench.brokers.pool.accounts import account_of

    name, chosen = account_of(settings, "binance", account)
    return BinanceFeed(chosen, instruments, account_name=name)


async def find_instruments(
    settings: "Settings", account: str, symbols: "Sequence[str]"
) -> "list[Instrument]":
    """Ticks, lots and currencies of symbols, numbered from 0 as they stand.

    Raises:
        VenueRefused: a symbol is not listed, or not traded. Unreachable, KeysRefused: as the broker does.
    """
    from workbench.brokers.binance.rules import instruments_of
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    _, chosen = account_of(settings, "binance", account)
    return await instruments_of(chosen, symbols, secrets_folder())
