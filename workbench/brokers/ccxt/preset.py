"""An exchange of ccxt's as a venue: this one for any exchange an account names, others for one exchange each.

    # workbench/brokers/binanceus/__init__.py, whole
    _HERE = Preset("binanceus", exchange="binanceus")
    open_broker, open_feed, find_instruments = _HERE.open_broker, _HERE.open_feed, _HERE.find_instruments

Lives here: a venue's three functions over the bridge. Not here: the bridge and ccxt (loaded when they are needed).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import BadValue

if TYPE_CHECKING:
    from workbench.brokers.ccxt.broker import CcxtBroker
    from workbench.brokers.ccxt.feed import CcxtFeed
    from workbench.config import BrokerSettings, Settings
    from workbench.model.instrument import Instrument

__all__ = ["Preset"]


class Preset:
    """`venue` is the folder's name. `options` are set for its accounts: `exchange` for good, the others until an
    account says otherwise."""

    def __init__(self, venue: str, **options: str | float) -> None:
        self.venue, self.options = venue, options

    def open_broker(
        self, settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = (), **more: Any
    ) -> "CcxtBroker":
        """A broker of the account named `account` under `[brokers]` (empty: the first one at this venue; without any,
        the paper account whose keys are in VENUE_KEY and VENUE_SECRET). An account that names no exchange claims
        nothing and cannot connect. Nothing connects yet; `more` goes to `CcxtBroker`."""
        from workbench.brokers.ccxt.broker import CcxtBroker
        from workbench.brokers.pool.accounts import secrets_folder

        name, chosen = self._account(settings, account)
        usual = {"account_name": name, "secrets": secrets_folder()}
        return CcxtBroker(chosen, instruments, **{**usual, **more})

    def open_feed(
        self, settings: "Settings", account: str = "", instruments: "Sequence[Instrument]" = (), **more: Any
    ) -> "CcxtFeed":
        """Market data with the keys of that account, for `instruments`. Nothing connects yet."""
        from workbench.brokers.ccxt.feed import CcxtFeed
        from workbench.brokers.pool.accounts import secrets_folder

        name, chosen = self._account(settings, account)
        usual = {"account_name": name, "secrets": secrets_folder()}
        return CcxtFeed(chosen, instruments, **{**usual, **more})

    async def find_instruments(
        self, settings: "Settings", account: str, symbols: "Sequence[str]", **more: Any
    ) -> "list[Instrument]":
        """Ticks, lots and currencies of symbols as ccxt writes them (BTC/USD), numbered from 0 as they stand.

        Raises:
            UnknownName: a symbol the exchange does not list. VenueRefused: one that cannot be traded here.
            Unreachable, KeysRefused: as the broker does.
        """
        from workbench.brokers.ccxt.opening import find
        from workbench.brokers.pool.accounts import secrets_folder

        _, chosen = self._account(settings, account)
        return await find(chosen, symbols, **{"secrets": secrets_folder(), **more})

    def _account(self, settings: "Settings", account: str) -> "tuple[str, BrokerSettings]":
        from workbench.brokers.pool.accounts import account_of

        name, chosen = account_of(settings, self.venue, account)
        if "exchange" in self.options and "exchange" in chosen.options:
            said = chosen.options["exchange"]
            raise BadValue(f"{self.venue} option exchange", said, "leave it out: the venue is one exchange")
        return name, chosen.model_copy(update={"options": {**self.options, **chosen.options}})
