"""How the gateway says no: an `error` text with or without a `statusCode`, and often with status 200.

Lives here: the refusal and the texts used in several places. Not here: when there is reason for one.
"""

from typing import Final

from workbench.testbed.call import Answer

__all__ = [
    "Refusal",
    "accounts_first",
    "declined",
    "fault_answer",
    "no_bridge",
    "no_login",
    "too_many",
    "unavailable",
]

_BY_STATUS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Refusal(Exception):
    """A request is refused. Orders are refused with status 200 and nothing but the text."""

    def __init__(self, text: str, status: int = 200) -> None:
        super().__init__(text)
        self.text, self.status = text, status

    def answer(self) -> Answer:
        """The refusal as it goes out."""
        code = {"statusCode": self.status} if self.status != 200 else {}
        return Answer({"error": self.text, **code}, self.status)


def no_login() -> Answer:
    """Nobody has logged in at the gateway, or the login is over."""
    return Refusal("not authenticated", 401).answer()


def no_bridge() -> Answer:
    """Logged in, and no brokerage session."""
    return Refusal("Bad Request: no bridge", 400).answer()


def accounts_first() -> Refusal:
    """The accounts were not asked for yet in this session."""
    return Refusal("Please query /accounts first", 500)


def unavailable() -> Refusal:
    """The back end does not answer."""
    return Refusal("Service Unavailable", 503)


def declined() -> Refusal:
    """A question was answered with no."""
    return Refusal("Order not confirmed")


def too_many(text: str = "") -> Answer:
    """An allowance is used up."""
    return Refusal(text or _BY_STATUS[429], 429).answer()


def fault_answer(status: int, text: str) -> Answer:
    """A refusal by status alone, for faults and for paths that are not there."""
    return Answer({"error": text or _BY_STATUS.get(status, "refused"), "statusCode": status}, status)
