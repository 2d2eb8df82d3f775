"""What is said on Alpaca's streams of market data: logging in, subscribing, frames taken apart into rows.

Lives here: the streams' script. Not here: what rows mean (market.py), what is done with them (feed.py).
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.brokers.alpaca.market import DataRow
from workbench.brokers.alpaca.words import VENUE
from workbench.brokers.pool import Credentials, Frame, Stream, Wire, decode, encode
from workbench.errors import KeysRefused, RateLimited, VenueGarbled, VenueRefused

if TYPE_CHECKING:
    from workbench.brokers.alpaca.feed import AlpacaFeed

__all__ = ["DataScript"]

_HALF_DEAD_S: Final = 90.0  # how long the venue may hold a connection that is gone


class DataScript:
    """One stream's script: `kinds` are the channels, `symbols` map to our numbers."""

    def __init__(self, keys: Credentials, feed: "AlpacaFeed", symbols: Mapping[str, int]) -> None:
        self._keys, self._feed, self._symbols = keys, feed, symbols
        self.stream: Stream

    async def greet(self, wire: Wire) -> None:
        """connected, auth, authenticated. One connection an endpoint is allowed; another one is told so here."""
        _expect(_rows(await wire.next()), "connected")
        await wire.send(
            encode({"action": "auth", "key": self._keys.key, "secret": self._keys.secret}).decode()
        )
        _expect(_rows(await wire.next()), "authenticated")

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[Frame]:
        """Channels are written "quotes:SPY"."""
        for action, channels in (("subscribe", add), ("unsubscribe", drop)):
            if channels:
                lists: dict[str, Any] = {"action": action}
                for channel in channels:
                    kind, _, symbol = channel.partition(":")
                    lists.setdefault(kind, []).append(symbol)
                yield encode(lists).decode()

    def frame(self, frame: Frame) -> None:
        self._feed.take(_rows(frame), self._symbols, self.stream)

    async def catch_up(self) -> None:
        """Bars are asked for, and quotes and prints go on meanwhile: those that were missed are missed."""
        self._feed.look(self._symbols)

    def heartbeat(self) -> Frame | None:
        return None


def _rows(frame: Frame) -> list[DataRow]:
    """The rows of a frame; a binary one is MessagePack, unless it begins as JSON does."""
    if isinstance(frame, bytes) and frame[:1] not in (b"[", b"{"):
        try:
            return msgspec.msgpack.decode(frame, type=list[DataRow])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise VenueGarbled(
                VENUE, f"a frame of market data is no MessagePack ({error})", "it was not used"
            ) from error
    body = frame.encode() if isinstance(frame, str) else frame
    return decode(VENUE, body, list[DataRow], what="a frame of market data", deepest=0)


def _expect(rows: list[DataRow], word: str) -> None:
    for row in rows:
        if row.T == "success" and row.msg == word:
            return
        if row.T == "error":
            if row.code in (401, 402):
                raise KeysRefused(VENUE, row.msg, "check the keys and their environment", code=str(row.code))
            if row.code == 406:
                limited = RateLimited(
                    VENUE, row.msg, "another connection uses this key: close it", code="406"
                )
                limited.retry_after_s = (
                    _HALF_DEAD_S / 9
                )  # tried again some times while the venue lets go of it
                raise limited
            raise VenueRefused(VENUE, row.msg, "see the venue's documentation", code=str(row.code))
    raise VenueGarbled(VENUE, f"'{word}' did not come", "the stream is opened again")
