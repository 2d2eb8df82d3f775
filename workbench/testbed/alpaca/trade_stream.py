"""Alpaca's account stream: `trade_updates`, told as it happens and never again.

Lives here: its handshake and its messages. Not here: market data (data_stream.py).
"""

from typing import Any, Final

import msgspec

from workbench.testbed.alpaca.bodies import order_body
from workbench.testbed.alpaca.words import rfc3339, text
from workbench.testbed.exchange import Exchange
from workbench.testbed.orders import OrderEvent
from workbench.testbed.stream import Link

__all__ = ["TradeStream"]

_EVENTS: Final = {
    "new": "new",
    "cancelled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "replaced": "replaced",
    "cancel_refused": "order_cancel_rejected",
}
_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class TradeStream:
    """All clients of the account stream. Messages are JSON in binary frames, as the paper host sends them; MessagePack
    for those who ask for it in the handshake or speak it."""

    def __init__(self, exchange: Exchange, key: str, secret: str) -> None:
        self.exchange = exchange
        self._keys = (key, secret)
        self._listening: dict[Link, list[str]] = {}
        self._packed: set[Link] = set()
        exchange.sinks.append(self._tell)

    async def serve(self, link: Link, path: dict[str, str]) -> None:
        """One client, until it leaves."""
        allowed = False
        if "msgpack" in link.request.headers.get("Content-Type", ""):
            self._packed.add(link)
        try:
            async for raw in link.messages():
                said = _object(raw)
                if said is None:
                    said = _unpacked(raw)
                    if said:
                        self._packed.add(link)
                action, data = said.get("action"), said.get("data")
                if not isinstance(data, dict):
                    data = {}
                if action in ("authenticate", "auth"):
                    given = (data.get("key_id"), data.get("secret_key"))
                    allowed = self._keys in (given, (said.get("key"), said.get("secret")))
                    self._authorised(link, allowed, str(action))
                elif action == "listen" and allowed:
                    asked = data.get("streams")
                    named = asked if isinstance(asked, list) else []
                    streams = [name for name in named if name == "trade_updates"]
                    self._listening[link] = streams
                    self._send(link, "listening", {"stream": "listening", "data": {"streams": streams}})
                elif action == "listen":
                    self._authorised(link, False, "listen")
        finally:
            self._listening.pop(link, None)
            self._packed.discard(link)

    def _authorised(self, link: Link, allowed: bool, action: str) -> None:
        data: dict[str, Any] = {"action": action, "status": "authorized" if allowed else "unauthorized"}
        if not allowed:
            data["message"] = "access key verification failed"
        self._send(link, "authorization", {"stream": "authorization", "data": data})

    def _send(self, link: Link, event: str, message: dict[str, Any]) -> None:
        link.send(event, (_pack if link in self._packed else _encode)(message), binary=True)

    def _tell(self, event: OrderEvent) -> None:
        if not self._listening:
            return
        name, data = self._message(event)
        if name is None:
            return
        message = {"stream": "trade_updates", "data": data}
        payload = _encode(message)
        for link, streams in self._listening.items():
            if streams:
                link.send(name, _pack(message) if link in self._packed else payload, binary=True)

    def _message(self, event: OrderEvent) -> tuple[str | None, dict[str, Any]]:
        order, execution = event.order, event.execution
        data: dict[str, Any] = {"timestamp": rfc3339(event.ts_ns), "order": order_body(order, self.exchange)}
        if execution is not None:
            name: str | None = "fill" if order.state == "filled" else "partial_fill"
            data["execution_id"] = execution.exec_id
            data["price"] = text(execution.px_e8)
            data["qty"] = text(execution.qty_e8)
            data["position_qty"] = text(execution.position_e8)
        else:
            name = _EVENTS.get(event.kind)
            if event.kind == "held" and order.parent is None:
                name = "accepted"  # waits for the market to open
            data["execution_id"] = self.exchange.new_id()
        data["event"] = name
        return name, data


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        said = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said if isinstance(said, dict) else {}


def _unpacked(raw: bytes) -> dict[str, Any]:
    try:
        said = msgspec.msgpack.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return said if isinstance(said, dict) else {}
