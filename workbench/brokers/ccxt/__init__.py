"""Any exchange ccxt speaks to, for spot trading. docs/brokers.md says what the bridge cannot promise.

config.py      options, what is known of exchanges     client.py    requests, limited and typed
library.py     ccxt itself, and our hooks in it        verdict.py   its errors as ours
opening.py     keys, addresses, paper and live         parse.py     its structures as ours
door.py        the session ccxt gets                   rules.py     what is refused before it is sent
broker.py      the contract                            feed.py      market data
finder.py, executions.py, watch.py                     orders, fills and streams followed

ccxt is an extra: `pip install 'workbench[ccxt]'`. It is loaded when an account is opened.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.brokers.ccxt.broker import CcxtBroker
    from workbench.brokers.ccxt.feed import CcxtFeed
    from workbench.config import Settings
    from workbench.model.instrument import Instrument

__all__ = ["find_instruments", "open_broker", "open_feed"]


def open_broker(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "CcxtBroker":
    """A broker of the account named `account` under `[brokers]` (empty: the first one at this venue). Its option
    `exchange` names the exchange; without it the broker claims nothing and cannot connect. Nothing connects yet."""
    from workbench.brokers.ccxt.broker import CcxtBroker
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    name, chosen = account_of(settings, "ccxt", account)
    return CcxtBroker(chosen, instruments, account_name=name, secrets=secrets_folder())


def open_feed(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "CcxtFeed":
    """Market data with the keys of that account, for `instruments`. Nothing connects yet."""
    from workbench.brokers.ccxt.feed import CcxtFeed
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    name, chosen = account_of(settings, "ccxt", account)
    return CcxtFeed(chosen, instruments, account_name=name, secrets=secrets_folder())


async def find_instruments(
    settings: "Settings", account: str, symbols: "Sequence[str]"
) -> "list[Instrument]":
    """Ticks, lots and currencies of symbols as ccxt writes them (BTC/USD), numbered from 0 as they stand.

    Raises:
        UnknownName: a symbol the exchange does not list. VenueRefused: one that cannot be traded here.
        Unreachable, KeysRefused: as the broker does.
    """
    from workbench.brokers.ccxt.opening import find
    from workbench.brokers.pool.accounts import account_of, secrets_folder

    _, chosen = account_of(settings, "ccxt", account)
    return await find(chosen, symbols, secrets_folder())
