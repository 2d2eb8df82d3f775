"""One client of the gateway's WebSocket: which session it belongs to, what it listens to, what it was told last.

Lives here: its state and the reading of its commands. Not here: what is sent (socket.py).
"""

from typing import Any, Final

import msgspec

from workbench.testbed.stream import Link

__all__ = ["Client", "command_of", "session_of"]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def session_of(cookie: str) -> str:
    """The session a Cookie header names: `api={"session":"..."}`, JSON inside the header, or `api=...`.

    >>> session_of('x=1; api={"session": "abc"}'), session_of("api=abc"), session_of("x=1")
    ('abc', 'abc', '')
    """
    start = cookie.find("api=")
    if start < 0:
        return ""
    given = cookie[start + 4 :].strip()
    if not given.startswith("{"):
        return given.partition(";")[0].strip()
    try:
        said = _decode(given[: given.rfind("}") + 1].encode())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(said.get("session", "")) if isinstance(said, dict) else ""


def command_of(raw: bytes) -> tuple[str, str, dict[str, Any]]:
    """A command's topic, its target and its arguments: TOPIC, TOPIC+{..}, TOPIC+TARGET, TOPIC+TARGET+{..}.

    >>> command_of(b'smd+265598+{"fields":["31"]}'), command_of(b"tic"), command_of(b"umh+7")
    (('smd', '265598', {'fields': ['31']}), ('tic', '', {}), ('umh', '7', {}))
    """
    text = raw.decode("utf-8", "replace").strip()
    topic, _, rest = text.partition("+")
    brace = rest.find("{")
    target, body = (rest, "") if brace < 0 else (rest[:brace], rest[brace:])
    try:
        said = _decode(body.encode()) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = {}
    return topic, target.strip("+"), said if isinstance(said, dict) else {}


class Feed:
    """Market data of one contract for one client."""

    __slots__ = ("fields", "sent", "until_ns")

    def __init__(self, fields: tuple[str, ...], until_ns: int) -> None:
        self.fields, self.until_ns = fields, until_ns
        self.sent: dict[str, str] = {}


class Client:
    """One socket. `session` is the number its cookie named; it lives while that is the gateway's."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.session = session_of(link.request.headers.get("Cookie", ""))
        self.greeted = False
        self.feeds: dict[int, Feed] = {}  # by iid
        self.charts: set[str] = set()
        self.orders = self.trades = False
        self.profit = False
        self.told_profit: dict[str, Any] = {}
        self.summaries: dict[str, dict[str, Any]] = {}  # "ssd" and "sld": their arguments
        self.ladders: set[int] = set()

    def send(self, event: str, message: Any) -> None:
        self.link.send(event, _encode(message))

    def mute(self) -> None:
        """Nothing is subscribed any more."""
        self.feeds.clear()
        self.charts.clear()
        self.ladders.clear()
        self.summaries.clear()
        self.orders = self.trades = self.profit = False
