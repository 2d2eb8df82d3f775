"""Faults on purpose: where, what, and how often. Seeded: the same requests meet the same faults.

Lives here: what a fault is, which there are, and when one strikes. Not here: what it does to a request (wire.py), to a
frame of a stream (stream.py), to an order (exchange.py); how they are set (console.py, files).

A fault strikes at points. Points have names, and `where` is a pattern over them (`*` matches anything):

    rest:POST /v2/orders          a request, by method and route
    connect:trade_updates         a client opens a stream
    stream:trade_updates:fill     a message on a stream, by stream and event
    order:accept, order:fill, order:cancel        an order at the exchange
    quirk:sor_refused             something a venue is known to do (its folder's quirks)
"""

import asyncio
import tomllib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from workbench.errors import BadInput, BadValue, UnknownName

__all__ = ["WHAT", "Fault", "Faults", "read_faults"]

WHAT: Final[dict[str, tuple[str, str]]] = {
    "delay": ("rest stream connect", "waits `seconds`, then goes on as usual"),
    "drop": (
        "rest stream",
        "request: the connection is closed unread and unanswered; message: it never leaves",
    ),
    "lost_reply": (
        "rest",
        "the request is carried out and never answered; the connection hangs `seconds`, then closes",
    ),
    "reset": (
        "rest stream",
        "TCP reset after `bytes` of the answer; `handled`: after carrying the request out",
    ),
    "truncate": ("rest", "the answer ends after `bytes`, short of its promised length"),
    "half_open": ("rest stream", "the connection stays and nothing is read or written any more"),
    "trickle": ("rest", "the answer comes `bytes` at a time, one piece every `seconds`"),
    "status": (
        "rest connect",
        "answers `status` (429, 418, 5xx, 404 ...) in the venue's shape; `handled`: after all",
    ),
    "twice": ("rest", "the request is carried out twice; the second answer is sent"),
    "invalid_json": ("rest stream", "the JSON breaks off in the middle"),
    "huge": ("rest stream", "the JSON carries `bytes` of padding in a field nobody knows"),
    "deep": ("rest stream", "the JSON carries a field nobody knows, nested `times` deep"),
    "bomb": ("rest", "the answer is gzip that unpacks to `bytes` of padding around it"),
    "mutate": (
        "rest stream",
        "fields are set (`set`, dotted paths) or left out (`unset`): unknown enums, extra fields",
    ),
    "duplicate": ("stream", "the message is sent `times` more"),
    "reorder": ("stream", "the message is held until `times` others have passed it (at most `seconds`)"),
    "mute": ("stream", "nothing is sent while it lasts; the socket answers pings"),
    "close": ("stream", "the socket is closed with `status` as its code"),
    "reject": ("order", "the order is rejected after it was taken in; a cancel is refused"),
    "partial": ("order", "an arriving order gets `fraction` of what it could; trading halts for `seconds`"),
    "overfill": ("order", "an arriving order that fills gets `fraction` more than it asked for"),
    "quirk": ("quirk", "the venue does what it is known to do now and then; `where` names it: `quirk:NAME`"),
    "clock_skew": ("", "the venue's clock shows `seconds` more, for as long as the fault is there"),
    "outage": (
        "rest stream connect",
        "streams are closed, requests die without an answer, nobody may connect",
    ),
    "nightly_reset": ("", "once, when set: the venue ends every session as it does each night"),
}
"""Every kind of fault: (the points it can strike at, what it does)."""


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One fault. It strikes at the points that match `where`: not the first `after` of them, then each `every`-th with
    `probability`, at most `count` times (0: no end) and for `for_s` seconds (0: no end). The rest is what it needs."""

    what: str
    where: str = "*"
    after: int = 0
    every: int = 1
    probability: float = 1.0
    count: int = 0
    for_s: float = 0.0
    seconds: float = 0.0
    bytes: int = 0
    status: int = 0
    times: int = 1
    fraction: float = 0.5
    handled: bool = False
    text: str = ""
    code: int = 0
    headers: dict[str, str] = {}
    set: dict[str, Any] = {}
    unset: list[str] = []

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise UnknownName("fault", self.what, WHAT)
        for field, low, high in _RANGES:
            value = getattr(self, field)
            if not low <= value <= high:
                raise BadValue(field, value, f"give a number from {low:g} to {high:g}")
        if self.what == "status" and not 100 <= self.status <= 599:
            raise BadValue("status", self.status, "give the HTTP status to answer with, like 429 or 503")
        if self.what == "close" and self.status and not 1_000 <= self.status <= 4_999:
            raise BadValue("status", self.status, "give a close code from 1000 to 4999")


_RANGES: Final = (
    ("after", 0, 10**9),
    ("every", 1, 10**9),
    ("probability", 0.0, 1.0),
    ("count", 0, 10**9),
    ("for_s", 0.0, 1e6),
    ("seconds", -1e6, 1e6),
    ("bytes", 0, 2**30),
    ("times", 1, 10_000),
    ("fraction", 0.0, 1.0),
)


class _Armed:
    """A fault that is set, and how often it has been met and struck."""

    def __init__(self, number: int, fault: Fault, seed: int, until_s: float) -> None:
        self.number, self.fault = number, fault
        self.chance = Random(f"{seed}-{number}-{fault.what}")
        self.until_s = until_s
        self.met = self.struck = 0

    def strikes(self, now_s: float) -> bool:
        fault = self.fault
        if (fault.count and self.struck >= fault.count) or (self.until_s and now_s >= self.until_s):
            return False
        self.met += 1
        over = self.met - fault.after
        if over <= 0 or over % fault.every or self.chance.random() >= fault.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The faults that are set. `hit(point)` is cheap while none is.

    >>> faults = Faults(seed=1)
    >>> number = faults.add(Fault(what="status", where="rest:POST *", status=503, after=1, count=1))
    >>> [len(faults.hit("rest:POST /v2/orders")) for _ in range(4)]
    [0, 1, 0, 0]
    >>> faults.listed()[0]["struck"]
    1
    """

    def __init__(self, seed: int = 1, now_s: Callable[[], float] | None = None) -> None:
        self._seed = seed
        self._now_s = now_s or _monotonic
        self._armed: dict[int, _Armed] = {}
        self._given = 0
        self.added: list[Callable[[Fault], None]] = []
        self.removed: list[Callable[[Fault], None]] = []

    @property
    def any(self) -> bool:
        """Whether one is set at all."""
        return bool(self._armed)

    def add(self, fault: Fault) -> int:
        """Set a fault; returns its number."""
        self._given += 1
        until_s = self._now_s() + fault.for_s if fault.for_s else 0.0
        self._armed[self._given] = _Armed(self._given, fault, self._seed, until_s)
        for told in self.added:
            told(fault)
        if fault.for_s:
            number = self._given
            self.later(fault.for_s, lambda: self._expire(number))
        return self._given

    def remove(self, number: int) -> None:
        """Take a fault away.

        Raises:
            UnknownName: none has this number.
        """
        if number not in self._armed:
            raise UnknownName("fault number", number, [str(n) for n in self._armed])
        fault = self._armed.pop(number).fault
        for told in self.removed:
            told(fault)

    def clear(self) -> None:
        """Take all of them away."""
        for number in list(self._armed):
            self.remove(number)

    def _expire(self, number: int) -> None:
        if number in self._armed:
            for told in self.removed:
                told(self._armed[number].fault)

    def hit(self, point: str, *kinds: str) -> list[Fault]:
        """The faults (of some kinds alone) that strike at this point now, in the order they were set."""
        if not self._armed:
            return []
        scope, now_s = point.partition(":")[0], self._now_s()
        return [
            armed.fault
            for armed in self._armed.values()
            if scope in WHAT[armed.fault.what][0]
            and (not kinds or armed.fault.what in kinds)
            and fnmatchcase(point, armed.fault.where)
            and armed.strikes(now_s)
        ]

    def order(self, point: str, *kinds: str) -> Fault | None:
        """The first fault of one of these kinds that strikes at an order, if any."""
        struck = self.hit(point, *kinds)
        return struck[0] if struck else None

    def listed(self) -> list[dict[str, Any]]:
        """Every fault that is set, as plain values, with how often it was met and how often it struck."""
        return [
            {"id": armed.number, "met": armed.met, "struck": armed.struck, **msgspec.to_builtins(armed.fault)}
            for armed in self._armed.values()
        ]

    @staticmethod
    def later(seconds: float, then: Callable[[], None]) -> None:
        """Do something in a while, when a loop runs; at once when none does."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            then()
            return
        loop.call_later(seconds, then)


def _monotonic() -> float:
    import time

    return time.monotonic()


def fault_from(given: object) -> Fault:
    """A fault from plain values (a table of a file, a JSON body).

    Raises:
        UnknownName: no such kind of fault, or no such key, with the nearest one. BadValue: an impossible value.
    """
    if isinstance(given, dict):
        known = Fault.__struct_fields__
        for key in given:
            if key not in known:
                raise UnknownName("fault key", key, known)
    try:
        return msgspec.convert(given, Fault)
    except msgspec.ValidationError as error:
        raise BadInput(f"fault {given!r}: {error}") from error


def read_faults(path: Path) -> list[Fault]:
    """The faults of a file: TOML with `[[fault]]` tables, or JSON (a list, or an object with a list `fault`).

    Raises:
        BadInput: the file is missing, or is not what it should be; names the fault.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadInput(
            f"fault file '{path}' cannot be read ({error.strerror}): give a TOML or JSON file"
        ) from error
    try:
        content: Any = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"fault file '{path}' is neither TOML nor JSON: {error}") from error
    listed = content.get("fault", []) if isinstance(content, dict) else content
    if not isinstance(listed, list) or (isinstance(content, dict) and set(content) - {"fault"}):
        raise BadInput(f"fault file '{path}': give [[fault]] tables, and nothing else")
    return [fault_from(item) for item in listed]


def struck(faults: Iterable[Fault], *kinds: str) -> Fault | None:
    """The first fault of one of these kinds.

    >>> struck([Fault(what="mute")], "delay", "mute").what
    'mute'
    """
    return next((fault for fault in faults if fault.what in kinds), None)
