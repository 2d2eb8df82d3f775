"""A venue's bytes as values, with their size and depth bounded: what cannot be read is a typed error.

Lives here: decoding. Not here: what the values mean (each venue's parse.py).
"""

import re
from typing import Any, Final, overload

import msgspec

from workbench.errors import VenueGarbled

__all__ = ["DEEPEST", "broken_off", "decode", "decode_msgpack", "encode", "shorten"]

DEEPEST: Final = 32
"""Deepest nesting of an answer; real ones stay below ten."""

_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_JSON_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
encode: Final = _JSON_ENCODER.encode


def shorten(body: bytes, most: int = 120) -> str:
    """The start of a body for an error text, printable and on one line.

    >>> shorten(b"<html>\\n<b>502")
    '<html> <b>502'
    """
    text = body[: 4 * most].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text)[:most].strip()


def broken_off(body: bytes) -> bool:
    """Whether a body begins as a JSON object and is none: what it would have said is not known.

    >>> broken_off(b'{"code": 40010001, "mess'), broken_off(b'{"code": 1}'), broken_off(b"<html>")
    (True, False, False)
    """
    if body[:1] != b"{":
        return False
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return False


def _too_deep(body: bytes, deepest: int) -> bool:
    if body.count(b"[") + body.count(b"{") <= deepest:
        return False
    depth = 0
    for found in _BRACKETS.finditer(body):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth > deepest:
                return True
        elif mark in (b"]", b"}"):
            depth -= 1
    return False


@overload
def decode(venue: str, body: bytes, *, what: str, deepest: int = DEEPEST, secret: bool = False) -> Any: ...
@overload
def decode[T](
    venue: str, body: bytes, kind: type[T], *, what: str, deepest: int = DEEPEST, secret: bool = False
) -> T: ...
def decode(
    venue: str, body: bytes, kind: Any = Any, *, what: str, deepest: int = DEEPEST, secret: bool = False
) -> Any:
    """JSON as a value of `kind` (a msgspec Struct, a list of them, or anything); unknown fields are left out.

    `deepest` 0 leaves the depth to the decoder, which has a bound of its own: for what comes often. `secret`: the body
    is never quoted, a key is in it.

    Raises:
        VenueGarbled: no JSON, nested too deep, or of another shape; the text says where.
    """
    try:
        if deepest and _too_deep(body, deepest):
            raise VenueGarbled(venue, f"{what} is nested deeper than {deepest}", "report it; it was not used")
        return msgspec.json.decode(body, type=kind)
    except RecursionError:
        raise VenueGarbled(venue, f"{what} is nested too deep", "report it; it was not used") from None
    except msgspec.ValidationError as error:
        raise VenueGarbled(
            venue, f"{what} has another shape: {error}", "report it; it was not used"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = f"{what} is no JSON ({error})" + ("" if secret else f": '{shorten(body)}'")
        raise VenueGarbled(venue, text, "ask again; report it when it stays") from error


def decode_msgpack(venue: str, body: bytes, *, what: str) -> Any:
    """MessagePack as plain values; time stamps (its extension type -1) become `datetime`.

    Raises:
        VenueGarbled: no MessagePack, or nested too deep.
    """
    try:
        return msgspec.msgpack.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise VenueGarbled(venue, f"{what} is no MessagePack ({error})", "ask again; report it") from error
