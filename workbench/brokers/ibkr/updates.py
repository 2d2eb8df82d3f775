"""What the socket says of orders and executions, and what is made of it.

Lives here: the rows of `str` and `sor`. Not here: the socket's own words (topics.py), asking (finder.py), what an
execution does to an order (fills.py).

An execution is believed. A live update of an order is a hint: what it says is taken; when it says next to nothing, the
order is asked for; and that none came means nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from workbench.brokers.ibkr.fills import Fills
from workbench.brokers.ibkr.finder import Finder
from workbench.brokers.ibkr.parse import Frame, OrderRow, TradeRow
from workbench.brokers.ibkr.words import VENUE
from workbench.brokers.pool import Stream
from workbench.brokers.pool.tracker import Tracked, Tracker
from workbench.errors import VenueGarbled

__all__ = ["FILLS", "HINTS", "Updates"]

logger = logging.getLogger(__name__)

FILLS: Final = 'str+{"realtimeUpdatesOnly":false,"days":1}'
HINTS: Final = "sor+{}"
_HINT_S: Final = 0.05


class Updates:
    """The orders' side of the socket. `look_later(tracked, seconds)` asks about an order; call `asked` when it does."""

    def __init__(
        self, tracker: Tracker, finder: Finder, fills: Fills, look_later: Callable[[Tracked, float], None]
    ) -> None:
        self.stream: Stream
        self.oddities: Counter[str] = Counter()  # what nobody here understands, by kind
        self.taken = 0  # rows
        self._tracker, self._finder, self._fills = tracker, finder, fills
        self._look_later = look_later
        self._hinted: set[int] = set()

    def told(self, topic: str, frame: Frame, raw: bytes) -> None:
        """One frame that is about orders."""
        if topic == "str":
            self.stream.ledger.seen(FILLS)
            for trade in _rows(frame, TradeRow, "executions"):
                self.taken += 1
                self._fills.told(trade)
        elif topic == "sor":
            if frame.error is not None:
                self.oddities["sor refused"] += 1
                logger.warning("ibkr: live order updates are refused (%s): orders are asked for", frame.error)
                return
            for row in _rows(frame, OrderRow, "orders"):
                self.taken += 1
                self._hint(row)
        elif topic in ("ntf", "blt"):
            logger.info("ibkr: %s says %s", topic, bytes(frame.args)[:300].decode("utf-8", "replace"))
        elif frame.error is not None:
            self.oddities[f"error {topic}"] += 1
            logger.warning("ibkr: the socket says %s (%s)", frame.error, topic)

    def asked(self, tracked: Tracked) -> None:
        """An order is being asked about: the next hint is a reason to ask again."""
        self._hinted.discard(tracked.order_id)

    def _hint(self, row: OrderRow) -> None:
        tracked = self._finder.owner(row.order_ref, row.number)
        if tracked is None:
            return
        if row.status and row.filledQuantity is not None and row.totalSize is not None:
            self._tracker.learn(tracked, self._finder.from_row(tracked, row))
        elif tracked.active and tracked.order_id not in self._hinted:
            self._hinted.add(tracked.order_id)
            self._look_later(tracked, _HINT_S)


def _rows[T](frame: Frame, kind: type[T], what: str) -> list[T]:
    """The rows of a frame.

    Raises:
        VenueGarbled: they have another shape.
    """
    try:
        return msgspec.json.decode(frame.args or b"[]", type=list[kind])  # type: ignore[valid-type]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VenueGarbled(
            VENUE, f"a frame of {what} has another shape ({error})", "they are asked for"
        ) from error
