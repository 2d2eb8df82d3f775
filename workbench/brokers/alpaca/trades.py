"""The account stream's script: log in, listen, take updates. Text or binary frames, both with JSON.

Lives here: the words of that stream. Not here: what an update means for an order (broker.py), the connection (pool).
"""

from collections.abc import Awaitable, Callable, Iterable

from workbench.brokers.alpaca.parse import TradeFrame, TradeUpdate
from workbench.brokers.alpaca.words import VENUE
from workbench.brokers.pool import Credentials, Frame, Stream, Wire, decode, encode
from workbench.errors import KeysRefused, VenueGarbled

__all__ = ["TradeUpdates"]


class TradeUpdates:
    """The script of `trade_updates`. There is no replay: `caught_up` reads the orders again after each connect."""

    def __init__(
        self, keys: Credentials, told: Callable[[TradeUpdate], None], caught_up: Callable[[], Awaitable[None]]
    ) -> None:
        self._keys, self._told, self._caught_up = keys, told, caught_up
        self.stream: Stream
        self.received = 0  # updates

    async def greet(self, wire: Wire) -> None:
        """Authenticate. A wrong key is answered in the stream, not by the handshake."""
        data = {"key_id": self._keys.key, "secret_key": self._keys.secret}
        await wire.send(encode({"action": "authenticate", "data": data}).decode())
        frame = _read(await wire.next())
        if frame.stream != "authorization":
            raise VenueGarbled(VENUE, f"'{frame.stream}' came before the authorization", "it is opened again")
        if frame.data.status != "authorized":
            said = frame.data.message or f"the stream says '{frame.data.status}'"
            raise KeysRefused(VENUE, said, "check the keys and their environment")

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[Frame]:
        """The whole list is said each time."""
        streams = [channel for channel in self.stream.ledger.channels if channel not in drop]
        yield encode({"action": "listen", "data": {"streams": streams}}).decode()

    def frame(self, frame: Frame) -> None:
        said = _read(frame)
        if said.stream == "trade_updates":
            self.received += 1
            self.stream.ledger.seen("trade_updates")
            self._told(said.data)
        elif said.stream == "listening":
            self.stream.ledger.confirmed(said.data.streams or ())
        elif said.stream == "authorization" and said.data.status != "authorized":
            self.stream.doubt("the venue says that the stream is not authorized any more")

    async def catch_up(self) -> None:
        await self._caught_up()

    def heartbeat(self) -> Frame | None:
        """The connection's own pings are enough."""
        return None


def _read(frame: Frame) -> TradeFrame:
    body = frame.encode() if isinstance(frame, str) else frame
    return decode(VENUE, body, TradeFrame, what="a frame of trade_updates", deepest=0)
