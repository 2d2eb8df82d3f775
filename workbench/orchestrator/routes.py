"""Which account an order may go to: `[routes]` of the settings, read once.

    [routes]
    "RsiReversion:SPY" = "ibkr"             # this strategy in this symbol
    MovingAverageCross = ["paper", "ibkr"]  # this strategy in whatever it trades: the first that is well
    BTCUSDT = "binance"                     # this symbol, whoever trades it
    "*" = "paper"                           # everything else

The more exact line wins. Lives here: the table. Not here: choosing among the accounts it names (brokers/router.py).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from workbench.errors import BadInput, UnknownName

__all__ = ["Routes"]

EVERYTHING: Final = "*"


class Routes:
    """The table, checked against the `accounts` and `symbols` there are.

    >>> table = Routes({"SPY": "one", "*": ["two", "one"]}, ["one", "two"], ["SPY", "AAPL"])
    >>> table.candidates("RsiReversion", "SPY"), table.candidates("RsiReversion", "AAPL")
    (('one',), ('two', 'one'))

    Raises:
        UnknownName: a route to an account nobody knows, with the nearest one.
        BadInput: a symbol has no route, or a line names none.
    """

    def __init__(
        self, routes: Mapping[str, str | Sequence[str]], accounts: Sequence[str], symbols: Sequence[str]
    ) -> None:
        self._lines: dict[str, tuple[str, ...]] = {}
        for key, value in routes.items():
            named = (value,) if isinstance(value, str) else tuple(value)
            if not named:
                raise BadInput(f"route '{key}' names no account: give one of {', '.join(accounts)}")
            for name in named:
                if name not in accounts:
                    raise UnknownName(f"account of route '{key}'", name, accounts)
            self._lines[key] = named
        if len(accounts) == 1:
            self._lines.setdefault(EVERYTHING, (accounts[0],))
        self._symbols = tuple(symbols)
        for symbol in symbols:
            if not self.accounts_of(symbol):
                raise BadInput(
                    f"symbol '{symbol}' has no route and there are {len(accounts)} accounts: "
                    f'give {symbol} = "{accounts[0]}" (or "*") under [routes]'
                )

    def candidates(self, strategy: str, symbol: str) -> tuple[str, ...]:
        """The accounts an order of this strategy in this symbol may go to, the preferred one first."""
        for key in (f"{strategy}:{symbol}", strategy, symbol, EVERYTHING):
            if key in self._lines:
                return self._lines[key]
        return ()

    def accounts_of(self, symbol: str) -> tuple[str, ...]:
        """Every account that some order in this symbol may go to; where its market data comes from stands first."""
        first = self._lines.get(symbol) or self._lines.get(EVERYTHING) or ()
        found = dict.fromkeys(first)
        for key, named in self._lines.items():
            strategy, colon, wanted = key.rpartition(":")
            exact = bool(colon) and wanted == symbol and bool(strategy)
            if exact or (not colon and key not in self._symbols and key != EVERYTHING):
                found |= dict.fromkeys(named)
        return tuple(found)
