"""How Binance says no: HTTP status, its own negative code, a text clients match on.

Lives here: the refusal and the texts used in several places. Not here: when there is reason for one.
"""

from typing import Any, Final

from workbench.testbed.call import Answer

__all__ = [
    "NO_SUCH_ORDER",
    "Refusal",
    "bad_amount",
    "bad_symbol",
    "fault_answer",
    "filter_failure",
    "malformed",
    "missing",
    "not_required",
    "rejected",
    "unknown_order",
]


class Refusal(Exception):
    """A request is refused. `data` goes out beside code and text; `headers` (a pause asked for) with the answer."""

    def __init__(
        self,
        code: int,
        msg: str,
        status: int = 400,
        *,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(msg)
        self.code, self.msg, self.status, self.data, self.headers = code, msg, status, data, headers

    def body(self) -> dict[str, Any]:
        """Code and text, as they go out."""
        body: dict[str, Any] = {"code": self.code, "msg": self.msg}
        return body if self.data is None else {**body, "data": self.data}

    def answer(self) -> Answer:
        """The refusal as an HTTP answer."""
        body = self.body()
        if self.status in (418, 429):
            body.pop("data", None)  # over HTTP the pause is in a header
        return Answer(body, self.status, self.headers)


def rejected(msg: str) -> Refusal:
    """The matching engine does not take an order."""
    return Refusal(-2010, msg)


def filter_failure(name: str) -> Refusal:
    """An order breaks a filter."""
    return Refusal(-1013, f"Filter failure: {name}")


def missing(name: str) -> Refusal:
    """A parameter that must be there is not."""
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def not_required(name: str) -> Refusal:
    """A parameter that must not be there is."""
    return Refusal(-1106, f"Parameter '{name}' sent when not required.")


def malformed(name: str, legal: str) -> Refusal:
    """A parameter holds what it may not."""
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def bad_amount(name: str) -> Refusal:
    """A parameter is no plain decimal number."""
    return malformed(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")


def bad_symbol() -> Refusal:
    """Nobody lists it."""
    return Refusal(-1121, "Invalid symbol.")


def unknown_order() -> Refusal:
    """There is no such order to cancel."""
    return Refusal(-2011, "Unknown order sent.")


NO_SUCH_ORDER: Final = "Order does not exist."

_BY_STATUS: Final = {
    400: (-1100, "Illegal characters found in a parameter."),
    401: (-2015, "Invalid API-key, IP, or permissions for action."),
    403: (-1002, "You are not authorized to execute this request."),
    404: (-1000, "Not found."),
    418: (
        -1003,
        "Way too much request weight used; IP banned. Please use WebSocket Streams for live updates.",
    ),
    429: (
        -1003,
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket "
        "Streams for live updates to avoid polling the API.",
    ),
    500: (-1000, "An unknown error occurred while processing the request."),
    502: (-1006, "An unexpected response was received from the message bus. Execution status unknown."),
    503: (
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    504: (
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    ),
}


def fault_answer(status: int, text: str) -> Answer:
    """A refusal by status alone, for faults and for paths that are not there; a pause is asked for where one is due."""
    code, words = _BY_STATUS.get(status, (-1000, "An unknown error occurred while processing the request."))
    headers = {"Retry-After": "1" if status == 429 else "120"} if status in (418, 429) else None
    return Answer({"code": code, "msg": text or words}, status, headers)
