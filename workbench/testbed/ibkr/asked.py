"""What a client sent, read: bodies and parameters.

Lives here: reading. Not here: what follows from it.
"""

from typing import Any, Final

import msgspec

from workbench.testbed.ibkr.refusals import Refusal

__all__ = ["json_object", "json_value", "truth"]

_decode: Final = msgspec.json.Decoder().decode


def json_value(body: bytes) -> Any:
    """A body as JSON; an empty one is an empty object.

    Raises:
        Refusal: it is no JSON.
    """
    if not body:
        return {}
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refusal("Bad Request: malformed JSON", 400) from None


def json_object(body: bytes) -> dict[str, Any]:
    """A body as one JSON object.

    Raises:
        Refusal: it is something else.
    """
    said = json_value(body)
    if not isinstance(said, dict):
        raise Refusal("Bad Request: an object was expected", 400)
    return said


def truth(given: str | None) -> bool:
    """A parameter that is true or false.

    >>> truth("True"), truth("false"), truth(None)
    (True, False, False)
    """
    return (given or "").lower() in ("true", "1", "yes")
