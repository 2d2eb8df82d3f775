"""What the socket has told of one contract, and the quotes and prints that follow from what it tells next.

Lives here: fields and their changes. Not here: subscriptions and the clock (feed.py), bars (bars.py).

Only what has changed is told: a quote is what stands after a change, a print the growth of the day's volume at the last
price. What is told first is where things stand, and no event.
"""

import math
from collections import Counter
from typing import Any, Final

from workbench.brokers.ibkr.bars import BarMaker
from workbench.brokers.ibkr.words import LOT, Number, px_of
from workbench.model.market import Quote, Trade

__all__ = ["FIELDS", "Screen"]

_LAST, _BID, _ASK, _BID_SIZE, _ASK_SIZE = "31", "84", "86", "88", "85"
_LAST_SIZE, _VOLUME, _AVAILABLE = "7059", "7762", "6509"
FIELDS: Final = (_LAST, _BID, _ASK, _BID_SIZE, _ASK_SIZE, _LAST_SIZE, _VOLUME, _AVAILABLE)
_QUOTE_FIELDS: Final = frozenset({_BID, _ASK, _BID_SIZE, _ASK_SIZE})
_TRADE_FIELDS: Final = frozenset({_LAST, _LAST_SIZE, _VOLUME})


class Screen:
    """One contract. `dropped` counts by reason what could not be used."""

    __slots__ = (
        "_ask",
        "_ask_size",
        "_bid",
        "_bid_size",
        "_last",
        "_volume",
        "channel",
        "dropped",
        "iid",
        "maker",
    )

    def __init__(self, iid: int, channel: str, maker: BarMaker, dropped: Counter[str]) -> None:
        self.iid, self.channel, self.maker, self.dropped = iid, channel, maker, dropped
        self.forget()

    def forget(self) -> None:
        """The data begins anew."""
        self._last = self._bid = self._ask = self._volume = math.nan
        self._bid_size = self._ask_size = 0.0
        self.maker.broken()

    def quote(self, said: dict[str, Any], ts_ns: int) -> Quote | None:
        """The quote after a frame; None when the frame tells nothing of it, or none that can be true."""
        if not said.keys() & _QUOTE_FIELDS:
            return None
        self._bid = self._number(said, _BID, self._bid)
        self._ask = self._number(said, _ASK, self._ask)
        self._bid_size = LOT * self._number(said, _BID_SIZE, self._bid_size / LOT)
        self._ask_size = LOT * self._number(said, _ASK_SIZE, self._ask_size / LOT)
        bid, ask = self._bid, self._ask
        if not (0.0 < bid < math.inf and 0.0 < ask < math.inf):
            self.dropped["one side only"] += 1
        elif bid > ask:
            self.dropped["crossed"] += 1
        else:
            return Quote(ts_ns, self.iid, bid, self._bid_size, ask, self._ask_size)
        return None

    def trade(self, said: dict[str, Any], ts_ns: int) -> Trade | None:
        """The print a frame stands for; None when it tells of none."""
        if not said.keys() & _TRADE_FIELDS:
            return None
        begins, before = math.isnan(self._last), self._volume
        mark = ""
        if _LAST in said:
            mark, px = _px(said[_LAST])
            if not 0.0 < px < math.inf:
                self.dropped["prices that cannot be true"] += 1
                return None
            if mark != "C":  # the close of the day before is no price of today
                self._last = px
        self._volume = self._number(said, _VOLUME, self._volume)
        grown = self._volume - before
        if begins or mark or math.isnan(self._last):
            return None  # where things stand
        if grown > 0:
            size = grown
        elif _LAST_SIZE in said and math.isnan(before):
            size = self._number(said, _LAST_SIZE, 0.0)
        elif _LAST in said:
            size = 0.0
        else:
            return None
        return Trade(ts_ns, self.iid, self._last, size)

    def _number(self, said: dict[str, Any], field: str, usual: float) -> float:
        """A field as a number; as it was when it is not told, or cannot be true."""
        value = said.get(field)
        if value is None:
            return usual
        number = _px(value)[1]
        if not 0.0 <= number < math.inf:
            self.dropped["figures that cannot be true"] += 1
            return usual
        return number


def _px(value: Number) -> tuple[str, float]:
    try:
        return px_of(value)
    except (ValueError, TypeError):
        return "", math.nan
