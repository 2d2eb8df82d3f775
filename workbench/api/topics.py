"""What the stream says about each topic: the difference between two snapshots as one ready WebSocket frame.

A frame is encoded once and shared by every client. Pure: no sockets here.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from workbench.errors import UnknownName
from workbench.model.orders import ACTIVE, STATE_NAMES
from workbench.model.snapshot import OrderRow, Snapshot

__all__ = ["APPEND", "TOPICS", "WHOLE", "TopicFeed", "text_frame"]

WHOLE: tuple[str, ...] = (
    "session",
    "account",
    "positions",
    "strategies",
    "latency",
    "health",
    "accounts",
    "differences",
)
APPEND: tuple[str, ...] = ("fills", "refusals", "alerts", "equity")
TOPICS: tuple[str, ...] = (
    "session",
    "account",
    "positions",
    "orders",
    *APPEND,
    "strategies",
    "latency",
    "health",
    "accounts",
    "differences",
)

_ACTIVE_WORDS = frozenset(STATE_NAMES[state] for state in ACTIVE)
_encode = msgspec.json.Encoder().encode


class _Data(msgspec.Struct, tag_field="op", tag="data"):
    topic: str
    kind: str
    seq: int
    ts_ns: int
    rows: Any


def text_frame(payload: bytes) -> bytes:
    """One unmasked, final WebSocket text frame.

    >>> text_frame(b"{}")
    b'\\x81\\x02{}'
    """
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


class TopicFeed:
    """One topic: its dense `seq`, the rows last told, and the frames that tell them."""

    def __init__(self, topic: str, order: Callable[[int], OrderRow]) -> None:
        self.topic = topic
        self.seq = 0
        self._order = order
        self._rows: Any = None
        self._orders: dict[int, OrderRow] = {}
        self._snapshot: bytes | None = None

    def advance(self, snapshot: Snapshot) -> bytes | None:
        """The frame that takes a client from the last snapshot to this one; None when nothing changed."""
        rows = getattr(snapshot, self.topic)
        first = self._rows is None
        old, self._rows = self._rows, rows
        if self.topic == "orders":
            told, kind = self._changed_orders(rows), "update"
        elif first or old is rows or old == rows:
            told, kind = None, "update"
        elif self.topic in WHOLE:
            told, kind = rows, "update"
        else:
            told, kind = self._appended(old, rows)
        if first:
            told, kind = rows, "snapshot"
        if told is None:
            return None
        self.seq += 1
        self._snapshot = None
        frame = self._frame(kind, told)
        if kind == "snapshot":
            self._snapshot = frame
        return frame

    def snapshot_frame(self) -> bytes:
        """The full rows at the current `seq` (call `advance` once before)."""
        if self._snapshot is None:
            self._snapshot = self._frame("snapshot", self._rows)
        return self._snapshot

    def _frame(self, kind: str, rows: Any) -> bytes:
        return text_frame(_encode(_Data(self.topic, kind, self.seq, time.time_ns(), rows)))

    def _changed_orders(self, rows: list[OrderRow]) -> list[OrderRow] | None:
        old = self._orders
        new = {row.order_id: row for row in rows}
        changed = [row for key, row in new.items() if (was := old.get(key)) is not row and was != row]
        # an order that ended and left the window between two snapshots: its last state must still be told
        for key, row in old.items():
            if key not in new and row.state in _ACTIVE_WORDS:
                try:
                    changed.append(self._order(key))
                except UnknownName:
                    continue
        self._orders = new
        return changed or None

    def _appended(self, old: list[Any], new: list[Any]) -> tuple[list[Any] | None, str]:
        """Rows after the last told one. When the window moved past it, everything anew as a snapshot."""
        if self.topic == "equity":
            if not old:
                return new or None, "update"
            last = old[-1]
            tail = [
                point for point in new if point[0] > last[0] or (point[0] == last[0] and point[1] != last[1])
            ]
            return tail or None, "update"
        if not old:
            return new or None, "update"
        if not new:
            return new, "snapshot"
        last = old[-1]
        for index in range(len(new) - 1, -1, -1):
            if new[index] == last and index < len(old) and old[-(index + 1) :] == new[: index + 1]:
                return new[index + 1 :] or None, "update"
        return new, "snapshot"
