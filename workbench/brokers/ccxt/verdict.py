"""What an exception of ccxt proves: its tree of errors as ours.

    a question                    an order, a cancel, an amendment
    no answer, 5xx                VenueDown                     OutcomeUnknown (no connection at all: Unreachable)
    RateLimitExceeded, 418, 429   RateLimited                   RateLimited: it was not carried out
    AuthenticationError           KeysRefused                   KeysRefused
    BadRequest, InvalidOrder,     VenueRefused                  VenueRefused: it was not carried out; but
    InsufficientFunds, ...                                      a client id used before: OutcomeUnknown
    an error ccxt cannot place    VenueRefused                  HTTP 4xx: VenueRefused, else OutcomeUnknown
    an answer it cannot read      VenueGarbled                  VenueGarbled (the order's fate is not known)

Lives here: that table. Not here: asking (client.py). Texts are freed of queries: signatures are in them.
"""

import re
from typing import Final

import aiohttp

from workbench.brokers.pool.sessions import TLS_ERRORS
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Unreachable,
    UnsafeVenue,
    VenueDown,
    VenueGarbled,
    VenueRefused,
    WorkbenchError,
)

__all__ = ["cleaned", "verdict"]

_QUERY: Final = re.compile(r"(\w+://[^\s?]+)\?\S*")
_ORIGIN: Final = re.compile(r"\w+://\S+")
_USED: Final = re.compile(
    r"duplicate|must be unique|already (?:exist|used|registered)|repeated|not unique", re.IGNORECASE
)
_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_BUSY: Final = (418, 429)
_ADVICE: Final = {
    "InsufficientFunds": "lower the quantity",
    "BadSymbol": "take a symbol the exchange lists, as ccxt writes it: BTC/USD",
    "InvalidNonce": "set this machine's clock",
    "OrderNotFound": "look the order up",
    "MarketClosed": "wait until it opens",
    "NotSupported": "the exchange, or ccxt, cannot do it",
    "PermissionDenied": "check what the key is allowed to do",
    "AccountSuspended": "see the exchange's web page",
}


def cleaned(text: str, exchange: str = "") -> str:
    """A text without queries and without the exchange's name in front.

    >>> cleaned("kraken POST https://api.example/0/private?nonce=1&signature=abc gone", "kraken")
    'POST https://api.example/0/private?... gone'
    """
    return _QUERY.sub(r"\1?...", text).removeprefix(exchange).strip()


def verdict(
    error: Exception, exchange: str, *, status: int = 0, retry_after_s: float = 1.0, order: bool = False
) -> WorkbenchError:
    """What `error` means; `status` is the HTTP status of the last answer (0: none came), `order` whether something was
    asked for that changes the world."""
    if isinstance(error, WorkbenchError):
        return _ours(error, order)
    names = [kind.__name__ for kind in type(error).__mro__]
    cause = error.__cause__
    said = cleaned(str(error), exchange) or names[0]
    if isinstance(cause, TLS_ERRORS):
        return UnsafeVenue(
            exchange, f"its certificate cannot be trusted ({cleaned(str(cause))})", "nothing was sent"
        )
    if isinstance(cause, _NOT_SENT):
        return Unreachable(
            f"{exchange}: no connection ({_ORIGIN.sub('', cleaned(str(cause))).strip()}): nothing was sent"
        )
    if "BaseError" not in names:  # ccxt stumbled over the answer
        return VenueGarbled(
            exchange, f"ccxt cannot read the answer ({names[0]}: {said})", "report it to ccxt"
        )
    lost = (
        order and status >= 500
    )  # ccxt calls some pages of firewalls a rate limit: of an order they prove nothing
    if ("RateLimitExceeded" in names and not lost) or status in _BUSY:
        limited = RateLimited(exchange, said, "the pool waits", status=status, code=names[0])
        limited.retry_after_s = retry_after_s
        return limited
    if status >= 500 or isinstance(cause, aiohttp.ClientError | TimeoutError):
        return _lost(exchange, said, status, order)
    if "InvalidNonce" in names:
        return VenueRefused(exchange, said, _ADVICE["InvalidNonce"], status=status, code=names[0])
    if "BadResponse" in names:
        return VenueGarbled(exchange, said, "report it; it was not used", status=status, code=names[0])
    if "OperationFailed" in names and not _says_no(status):
        return _lost(exchange, said, status, order)
    if "ExchangeClosedByUser" in names:
        return Unreachable(f"{exchange}: the connection was closed: nothing was sent")
    if "AuthenticationError" in names and ("PermissionDenied" not in names or status in (0, 401)):
        return KeysRefused(
            exchange, said, "check the keys and their environment", status=status, code=names[0]
        )
    if order and ("DuplicateOrderId" in names or _USED.search(said)):
        return OutcomeUnknown(f"{exchange}: the client id was used before ({said}): the order is asked about")
    placed = "ExchangeError" in names and names[0] != "ExchangeError"
    if order and not placed and not _says_no(status):
        return OutcomeUnknown(f"{exchange}: {said}: nobody here knows this error, the order is asked about")
    advice = next((_ADVICE[name] for name in names if name in _ADVICE), "see the exchange's documentation")
    return VenueRefused(exchange, said, advice, status=status, code=names[0])


def _says_no(status: int) -> bool:
    """Whether the status alone is a refusal; 408 is a time-out."""
    return 400 <= status < 500 and status != 408


def _ours(error: WorkbenchError, order: bool) -> WorkbenchError:
    if order and isinstance(error, VenueDown):
        return OutcomeUnknown(f"{error}: the order is asked about")
    return error


def _lost(exchange: str, said: str, status: int, order: bool) -> WorkbenchError:
    if order:
        code = f"HTTP {status}" if status else "no answer"
        return OutcomeUnknown(
            f"{exchange}: {code} to a request that may have been carried out ({said}): it is asked about"
        )
    return VenueDown(exchange, said, "ask again", status=status)
