"""How Alpaca says no: HTTP status, its own eight-digit code, a text clients match on, sometimes the figures.

Lives here: the refusal and the texts used in several places. Not here: when there is reason for one (tickets.py,
rules.py).
"""

from typing import Any

from workbench.testbed.call import Answer

__all__ = ["Refusal", "fault_answer", "malformed", "not_found", "refused_value", "too_many", "unauthorised"]


class Refusal(Exception):
    """A request is refused; `extra` are the figures some refusals carry. Code 0: without one."""

    def __init__(self, status: int, code: int, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.extra = status, code, message, extra

    def answer(self) -> Answer:
        """The refusal as it goes out."""
        code = {"code": self.code} if self.code else {}
        return Answer({**self.extra, **code, "message": self.message}, self.status)


def malformed(message: str) -> Refusal:
    """The request is not what it should be."""
    return Refusal(422, 40010001, message)


def refused_value(message: str, **extra: Any) -> Refusal:
    """A value is well-formed and not possible."""
    return Refusal(422, 42210000, message, **extra)


def not_found(message: str) -> Refusal:
    """No such order, position or asset."""
    return Refusal(404, 40410000, message)


def unauthorised(data: bool) -> Answer:
    """The key is missing or wrong; the data side says so in other words."""
    if data:
        return Answer({"message": "forbidden."}, 403)
    return Answer({"code": 40110000, "message": "request is not authorized"}, 401)


def too_many() -> Answer:
    """The rate limit is used up."""
    return Answer({"code": 42910000, "message": "rate limit exceeded"}, 429)


_BY_STATUS = {
    401: (40110000, "request is not authorized"),
    403: (40310000, "forbidden"),
    404: (40410000, "endpoint not found"),
    422: (42210000, "unprocessable"),
    429: (42910000, "rate limit exceeded"),
    500: (50010000, "internal server error occurred"),
    502: (50210000, "bad gateway"),
    503: (50310000, "service unavailable"),
    504: (50410000, "gateway timeout"),
}


def fault_answer(status: int, message: str) -> Answer:
    """A refusal by status alone, for faults and for paths that are not there."""
    code, words = _BY_STATUS.get(status, (status * 100_000, "refused"))
    return Answer({"code": code, "message": message or words}, status)
