"""Alpaca: stocks and crypto, paper and live.

config.py   addresses, allowances        words.py, parse.py   their words and payloads, ours
client.py   requests                     rules.py             what is refused before it is sent
broker.py   the contract                 trades.py            the account stream
feed.py     market data                  market.py            its payloads
history.py  market data of the past      hours.py, cash.py    asked for now and then
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.brokers.alpaca.broker import AlpacaBroker
    from workbench.brokers.alpaca.feed import AlpacaFeed
    from workbench.config import Settings
    from workbench.model.instrument import Instrument

__all__ = ["find_instruments", "open_broker", "open_feed"]


def open_broker(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "AlpacaBroker":
    """A broker of the account named `account` under `[brokers]` (empty: the first one at this venue; without any, the
    paper account whose keys are in ALPACA_KEY and ALPACA_SECRET). Nothing connects yet."""
    from workbench.brokers.alpaca.broker import AlpacaBroker
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    name, chosen = account_of(settings, "alpaca", account)
    return AlpacaBroker(chosen, instruments, account_name=name, secrets=secrets_folder())


def open_feed(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "AlpacaFeed":
    """Market data with the keys of that account, for `instruments`. Nothing connects yet."""
    from workbench.brokers.alpaca.feed import AlpacaFeed
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    name, chosen = account_of(settings, "alpaca", account)
    return AlpacaFeed(chosen, instruments, account_name=name, secrets=secrets_folder())


async def find_instruments(
    settings: "Settings", account: str, symbols: "Sequence[str]"
) -> "list[Instrument]":
    """Ticks, lots and calendars of symbols, numbered from 0 as they stand.

    Raises:
        VenueRefused: a symbol is not listed, or cannot be traded. Unreachable, KeysRefused: as the broker does.
    """
    from workbench.brokers.alpaca.rules import instruments_of
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    _, chosen = account_of(settings, "alpaca", account)
    return await instruments_of(chosen, symbols, secrets_folder())
