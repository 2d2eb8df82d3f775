"""Who may do what: bearer tokens (kept as hashes), one-use tickets, and rotating resume tokens.

A token's plain text exists once, in the answer that issues it (and in the address book file of mode 0600).
Scopes: "view" reads, "view+stop" also kills and pauses, "full" does everything.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

import msgspec

from workbench.errors import BadValue, Unauthorised, UnknownName

__all__ = ["SCOPES", "Grant", "Tokens", "allows"]

SCOPES: tuple[str, ...] = ("view", "view+stop", "full")
TICKET_SCOPES = ("view", "view+stop")
TICKET_MAX_S = 30.0


class Grant(msgspec.Struct, frozen=True):
    """What a presented secret allows. `id` names the token it came from, for revocation; it is no secret."""

    id: str
    scope: str
    label: str = ""


class _Timed(msgspec.Struct):
    grant: Grant
    until_s: float
    # a resume token that belongs to an open connection does not run out
    held: bool = False


def allows(scope: str, needed: str) -> bool:
    """Whether `scope` covers `needed`.

    >>> allows("view+stop", "view"), allows("view", "full")
    (True, False)
    """
    return SCOPES.index(scope) >= SCOPES.index(needed)


class Tokens:
    """All secrets of one engine, as SHA-256 digests in memory. They end with the process."""

    def __init__(self, *, resume_s: float = 120.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._resume_s = resume_s
        self._clock = clock
        self._tokens: dict[str, tuple[bytes, Grant]] = {}
        self._tickets: dict[bytes, _Timed] = {}
        self._resumes: dict[bytes, _Timed] = {}
        self._next_id = 1

    def issue(self, scope: str, label: str = "") -> tuple[str, Grant]:
        """A new token and its grant; the plain text is not kept.

        Raises:
            UnknownName: no such scope.
        """
        if scope not in SCOPES:
            raise UnknownName("scope", scope, SCOPES)
        plain = secrets.token_urlsafe(32)
        grant = Grant(f"t{self._next_id}", scope, label)
        self._next_id += 1
        self._tokens[grant.id] = (_digest(plain), grant)
        return plain, grant

    def revoke(self, token_id: str) -> None:
        """Forget a token with every ticket and resume token that came from it."""
        if token_id not in self._tokens:
            raise UnknownName("token id", token_id, self._tokens)
        del self._tokens[token_id]
        for store in (self._tickets, self._resumes):
            for key in [k for k, timed in store.items() if timed.grant.id == token_id]:
                del store[key]

    def check(self, plain: str) -> Grant:
        """The grant of a token, compared in constant time against every stored hash.

        Raises:
            Unauthorised: nobody issued it, or it was revoked.
        """
        presented = _digest(plain)
        found: Grant | None = None
        for digest, grant in self._tokens.values():
            if hmac.compare_digest(digest, presented):
                found = grant
        if found is None:
            raise Unauthorised(
                "token is not accepted: read the current one from the desk's address book file"
            )
        return found

    def ticket(self, parent: Grant, scope: str, ttl_s: float) -> str:
        """A one-use ticket for a page, at most 30 s and never for order entry."""
        if scope not in TICKET_SCOPES:
            raise UnknownName("ticket scope", scope, TICKET_SCOPES)
        if not allows(parent.scope, scope):
            raise Unauthorised(
                f"scope '{parent.scope}' cannot give a ticket for '{scope}': use a wider token"
            )
        if not 0 < ttl_s <= TICKET_MAX_S:
            raise BadValue("ttl_s", ttl_s, f"give 0 to {TICKET_MAX_S:g} seconds")
        plain = secrets.token_urlsafe(24)
        self._drop_expired()
        self._tickets[_digest(plain)] = _Timed(Grant(parent.id, scope, "ticket"), self._clock() + ttl_s)
        return plain

    def redeem(self, plain: str) -> Grant:
        """Use up a ticket."""
        timed = self._tickets.pop(_digest(plain), None)
        if timed is None or timed.until_s < self._clock():
            raise Unauthorised("ticket is used up, expired or unknown: ask for a new one")
        return timed.grant

    def new_resume(self, grant: Grant) -> str:
        """A resume token for an open connection; it starts to run out when `release` is called."""
        plain = secrets.token_urlsafe(24)
        self._drop_expired()
        self._resumes[_digest(plain)] = _Timed(grant, 0.0, held=True)
        return plain

    def release(self, plain: str) -> None:
        """The connection holding this resume token closed: it is good for a short while longer."""
        timed = self._resumes.get(_digest(plain))
        if timed is not None:
            timed.held, timed.until_s = False, self._clock() + self._resume_s

    def resume(self, plain: str) -> Grant:
        """Use up a resume token (the new connection gets a new one)."""
        timed = self._resumes.pop(_digest(plain), None)
        if timed is None or (not timed.held and timed.until_s < self._clock()):
            raise Unauthorised("resume token is used up, expired or unknown: ask for a new ticket")
        return timed.grant

    def _drop_expired(self) -> None:
        now_s = self._clock()
        for store in (self._tickets, self._resumes):
            for key in [k for k, timed in store.items() if not timed.held and timed.until_s < now_s]:
                del store[key]


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode("utf-8", "surrogateescape")).digest()
