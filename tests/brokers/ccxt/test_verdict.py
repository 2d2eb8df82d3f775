"""What an exception of ccxt proves, by its tree: the table of verdict.py, every class of it."""

from typing import Any

import aiohttp
import pytest

from workbench.brokers.ccxt.library import library
from workbench.brokers.ccxt.verdict import cleaned, verdict
from workbench.errors import (
    Busy,
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Retryable,
    Unreachable,
    UnsafeVenue,
    VenueDown,
    VenueGarbled,
    VenueRefused,
    WorkbenchError,
)

TABLE: list[tuple[str, int, type[WorkbenchError], type[WorkbenchError]]] = [
    # class, HTTP status, as a question, as an order
    ("RequestTimeout", 0, VenueDown, OutcomeUnknown),
    ("ExchangeNotAvailable", 0, VenueDown, OutcomeUnknown),
    ("ExchangeNotAvailable", 503, VenueDown, OutcomeUnknown),
    ("ExchangeNotAvailable", 403, VenueRefused, VenueRefused),
    ("ExchangeNotAvailable", 408, VenueDown, OutcomeUnknown),
    ("OnMaintenance", 200, VenueDown, OutcomeUnknown),
    ("NetworkError", 0, VenueDown, OutcomeUnknown),
    ("RateLimitExceeded", 200, RateLimited, RateLimited),
    ("RateLimitExceeded", 503, RateLimited, OutcomeUnknown),
    ("DDoSProtection", 418, RateLimited, RateLimited),
    ("DDoSProtection", 200, VenueDown, OutcomeUnknown),
    ("InvalidNonce", 400, VenueRefused, VenueRefused),
    ("BadResponse", 200, VenueGarbled, VenueGarbled),
    ("NullResponse", 200, VenueGarbled, VenueGarbled),
    ("AuthenticationError", 401, KeysRefused, KeysRefused),
    ("PermissionDenied", 401, KeysRefused, KeysRefused),
    ("PermissionDenied", 403, VenueRefused, VenueRefused),
    ("AccountSuspended", 200, KeysRefused, KeysRefused),
    ("InsufficientFunds", 400, VenueRefused, VenueRefused),
    ("InsufficientFunds", 500, VenueDown, OutcomeUnknown),
    ("InvalidOrder", 400, VenueRefused, VenueRefused),
    ("OrderImmediatelyFillable", 400, VenueRefused, VenueRefused),
    ("DuplicateOrderId", 400, VenueRefused, OutcomeUnknown),
    ("BadSymbol", 0, VenueRefused, VenueRefused),
    ("ArgumentsRequired", 0, VenueRefused, VenueRefused),
    ("NotSupported", 0, VenueRefused, VenueRefused),
    ("MarketClosed", 200, VenueRefused, VenueRefused),
    ("ExchangeError", 400, VenueRefused, VenueRefused),
    ("ExchangeError", 200, VenueRefused, OutcomeUnknown),
    ("ExchangeClosedByUser", 0, Unreachable, Unreachable),
]


@pytest.mark.parametrize(("name", "status", "question", "order"), TABLE)
def test_the_table(
    name: str, status: int, question: type[WorkbenchError], order: type[WorkbenchError]
) -> None:
    error = getattr(library(), name)("venue no")
    assert type(verdict(error, "venue", status=status)) is question
    assert type(verdict(error, "venue", status=status, order=True)) is order


def _classes(tree: dict[str, Any]) -> list[str]:
    return [name for name, below in tree.items() for name in (name, *_classes(below))]


def test_no_class_of_ccxt_proves_an_order_dead_that_may_live() -> None:
    """Every class there is, also those of a later ccxt: an order is only called dead by a refusal."""
    from ccxt.base.errors import error_hierarchy

    for name in _classes(error_hierarchy):
        error = getattr(library(), name)("venue no")
        for status in (0, 200, 400, 500):
            found = verdict(error, "venue", status=status, order=True)
            dead = isinstance(found, Refused | Busy | Unreachable) and not isinstance(found, VenueGarbled)
            maybe = name in (
                "BaseError",
                "OperationFailed",
                "NetworkError",
                "RequestTimeout",
                "OnMaintenance",
            )
            assert not (dead and status in (0, 200, 500) and maybe), (name, status, found)
            if status == 500 and name != "RateLimitExceeded":
                assert isinstance(found, OutcomeUnknown), (name, found)


def test_what_never_left_is_told_from_what_may_have() -> None:
    unavailable = library().ExchangeNotAvailable("venue POST https://a.example/order?signature=abc")
    assert isinstance(verdict(unavailable, "venue", order=True), OutcomeUnknown)
    unavailable.__cause__ = aiohttp.ConnectionTimeoutError("connecting to https://a.example took too long")
    found = verdict(unavailable, "venue", order=True)
    assert isinstance(found, Unreachable)
    assert "nothing was sent" in str(found)
    unavailable.__cause__ = aiohttp.ServerDisconnectedError()
    assert isinstance(verdict(unavailable, "venue", order=True), OutcomeUnknown)
    unavailable.__cause__ = aiohttp.ServerFingerprintMismatch(b"a", b"b", "a.example", 443)
    assert isinstance(verdict(unavailable, "venue", order=True), UnsafeVenue)


@pytest.mark.parametrize(
    "said", ["Duplicate order sent.", "client_order_id must be unique", "order link id already exists"]
)
def test_a_refusal_about_the_client_id_is_no_proof(said: str) -> None:
    error = library().BadRequest(f"venue {said}")
    assert isinstance(verdict(error, "venue", status=422, order=True), OutcomeUnknown)


def test_texts_carry_no_queries() -> None:
    error = library().RequestTimeout("venue GET https://a.example/v3/account?timestamp=1&signature=abc")
    text = str(verdict(error, "venue"))
    assert "signature" not in text
    assert "https://a.example/v3/account?..." in text
    assert cleaned("a wss://b.example/ws?listenKey=xyz b") == "a wss://b.example/ws?... b"


def test_what_is_ours_stays_ours_and_a_stumble_is_garbled() -> None:
    busy = Busy("a queue is full")
    assert verdict(busy, "venue", order=True) is busy
    assert isinstance(verdict(KeyError("status"), "venue", order=True), VenueGarbled)
    limited = verdict(library().RateLimitExceeded("no"), "venue", retry_after_s=7.0)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == 7.0
    assert isinstance(limited, Retryable)
