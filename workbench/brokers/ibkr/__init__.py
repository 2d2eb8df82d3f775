"""Interactive Brokers over the Client Portal gateway: US stocks, paper and live.

config.py     addresses, allowances, options       words.py, parse.py   their words and payloads, ours
client.py     requests                             session.py           login, brokerage session, account
questions.py  what is answered to what it asks     turns.py             one order after another
contracts.py  symbols to contracts, with a cache   rules.py             what is refused before it is sent
broker.py     the contract                         finder.py            orders and executions, looked for
topics.py     the socket                           updates.py, fills.py what it tells of orders
feed.py       market data that is told             screens.py, bars.py  quotes, prints and bars from it
charts.py     history                              chain.py             question after question
legs.py       exits without their client ids       tickets.py           what an order is said to be
executions.py corrections, commissions to come
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.brokers.ibkr.broker import IbkrBroker
    from workbench.brokers.ibkr.feed import IbkrFeed
    from workbench.config import Settings
    from workbench.model.instrument import Instrument

__all__ = ["find_instruments", "open_broker", "open_feed"]


def open_broker(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "IbkrBroker":
    """A broker of the account named `account` under `[brokers]` (empty: the first one at this venue; without any, the
    gateway on this machine). Nothing connects yet."""
    from workbench.brokers.ibkr.broker import IbkrBroker
    from workbench.brokers.pool.accounts import account_of

    name, chosen = account_of(settings, "ibkr", account)
    return IbkrBroker(chosen, instruments, account_name=name)


def open_feed(
    settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "IbkrFeed":
    """Market data through that account's gateway, for `instruments`. Nothing connects yet."""
    from workbench.brokers.ibkr.feed import IbkrFeed
    from workbench.brokers.pool.accounts import account_of

    name, chosen = account_of(settings, "ibkr", account)
    return IbkrFeed(chosen, instruments, account_name=name)


async def find_instruments(
    settings: "Settings", account: str, symbols: "Sequence[str]"
) -> "list[Instrument]":
    """Ticks, lots and calendars of symbols, numbered from 0 as they stand.

    Raises:
        VenueRefused: a symbol is not listed, or stands for several contracts. Unreachable, KeysRefused: as the broker
            does.
    """
    from workbench.brokers.ibkr.contracts import instruments_of
    from workbench.brokers.pool.accounts import account_of

    _, chosen = account_of(settings, "ibkr", account)
    return await instruments_of(chosen, symbols)
