"""One question to Binance, whichever way it came: its parameters checked, its times in the unit it wants.

Lives here: reading parameters, and the texts for those that are missing or malformed. Not here: signatures
(signing.py), what is asked (the method's file).
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from workbench.testbed.binance.refusals import Refusal, bad_amount, malformed, missing
from workbench.testbed.binance.words import amount

__all__ = ["Asked"]

_SYMBOL: Final = re.compile(r"[A-Z0-9\-_.]{1,20}")
_CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
_WHOLE: Final = re.compile(r"[0-9]{1,20}")
_MOST_WHOLE: Final = 2**63 - 1
_MS_END: Final = 10**14  # times beyond this are microseconds


class Asked:
    """Parameters by name, as text or as JSON has them. `micro`: times go out in microseconds."""

    __slots__ = ("api_key", "micro", "params", "socket", "ts_ns")

    def __init__(
        self,
        params: dict[str, Any],
        ts_ns: int,
        *,
        micro: bool = False,
        socket: bool = False,
        api_key: str = "",
    ) -> None:
        self.params, self.ts_ns, self.micro, self.socket, self.api_key = params, ts_ns, micro, socket, api_key

    def has(self, name: str) -> bool:
        return self.params.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text; `default` when it was not sent.

        Raises:
            Refusal: it was sent empty.
        """
        value = self.params.get(name)
        if value is None:
            return default
        if value == "":
            raise Refusal(-1105, f"Parameter '{name}' was empty.")
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    def need(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.params.get(name)
        if value is None or value == "":
            raise missing(name)
        return self.text(name)

    def symbol(self, name: str = "symbol") -> str:
        """A symbol that must be there, spelled as symbols are."""
        symbol = self.need(name)
        if not _SYMBOL.fullmatch(symbol):
            raise malformed(name, r"^[A-Z0-9-_.]{1,20}$")
        return symbol

    def symbols(self) -> list[str] | None:
        """The symbols of `symbol` or `symbols` (JSON text, or a list); None when neither was sent."""
        if self.has("symbol") and self.has("symbols"):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if self.has("symbol"):
            return [self.symbol()]
        if not self.has("symbols"):
            return None
        given = self.params["symbols"]
        if isinstance(given, str):
            try:
                given = msgspec.json.decode(given)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise malformed("symbols", r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$') from None
        if not isinstance(given, list) or not all(
            isinstance(one, str) and _SYMBOL.fullmatch(one) for one in given
        ):
            raise malformed("symbols", r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$')
        if len(set(given)) != len(given):
            raise Refusal(-1151, "Symbol is present multiple times in the list.")
        return given

    def client_id(self, name: str) -> str:
        """A client id; "" when it was not sent."""
        value = self.text(name)
        if value and not _CLIENT_ID.fullmatch(value):
            raise malformed(name, r"^[a-zA-Z0-9-_]{1,36}$")
        return value

    def amount(self, name: str) -> int:
        """A decimal number in 1e-8 units; 0 when it was not sent."""
        if not self.has(name):
            return 0
        read = amount(self.params[name])
        if read is None:
            raise bad_amount(name)
        units, finer = read
        if finer:
            raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
        return units

    def whole(self, name: str, default: int, *, most: int = _MOST_WHOLE, clip: bool = False) -> int:
        """A whole number; above `most` it is refused, or cut to it."""
        if not self.has(name):
            return default
        text = self.text(name)
        if not _WHOLE.fullmatch(text):
            raise malformed(name, r"^[0-9]{1,20}$")
        value = int(text)
        if value > most and not clip:
            raise Refusal(-1102, f"'{name}' contains unexpected value. Cannot be greater than '{most}'.")
        return min(value, most)

    def limit(self, default: int, most: int) -> int:
        """How many rows are wanted; more than there can be is cut to it."""
        value = self.whole("limit", default, most=most, clip=True)
        if value < 1:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return value

    def moment(self, name: str) -> int | None:
        """A time in ns, sent in milli- or microseconds; None when it was not."""
        if not self.has(name):
            return None
        value = self.whole(name, 0)
        return value * (1_000_000 if value < _MS_END else 1_000)

    def flag(self, name: str) -> bool:
        """Whether a yes was sent."""
        return self.text(name).lower() == "true"

    def one_of(self, name: str, known: Iterable[str], default: str, refusal: Refusal) -> str:
        """A word out of several."""
        word = self.text(name, default)
        if word not in known:
            raise refusal
        return word

    def time(self, ts_ns: int) -> int:
        """A time as it goes out."""
        return ts_ns // (1_000 if self.micro else 1_000_000)
