"""Tokens, tickets and resume tokens: who gets in, how often, how long."""

import pytest

from workbench.api.tokens import SCOPES, Grant, Tokens, allows
from workbench.errors import BadValue, Unauthorised, UnknownName


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(resume_s=120.0, clock=clock)


def test_a_token_is_checked_and_never_kept_in_plain_text(tokens: Tokens) -> None:
    plain, grant = tokens.issue("full", "book")
    assert tokens.check(plain) == grant
    assert plain not in repr(vars(tokens))


@pytest.mark.parametrize("wrong", ["", "x", "ü" * 43, "\udcff", "x" * 100_000])
def test_a_wrong_token_is_refused(tokens: Tokens, wrong: str) -> None:
    plain, _ = tokens.issue("full")
    for candidate in (wrong, plain[:-1], plain + "=", plain.swapcase(), f" {plain}"):
        with pytest.raises(Unauthorised):
            tokens.check(candidate)


def test_a_ticket_is_good_once(tokens: Tokens) -> None:
    _, grant = tokens.issue("full")
    ticket = tokens.ticket(grant, "view", 30.0)
    assert tokens.redeem(ticket).scope == "view"
    with pytest.raises(Unauthorised):
        tokens.redeem(ticket)


def test_a_ticket_runs_out(tokens: Tokens, clock: Clock) -> None:
    _, grant = tokens.issue("full")
    ticket = tokens.ticket(grant, "view+stop", 30.0)
    clock.now_s = 30.1
    with pytest.raises(Unauthorised):
        tokens.redeem(ticket)


def test_a_ticket_never_allows_orders_nor_more_than_its_maker(tokens: Tokens) -> None:
    _, full = tokens.issue("full")
    _, view = tokens.issue("view")
    with pytest.raises(UnknownName):
        tokens.ticket(full, "full", 5.0)
    with pytest.raises(Unauthorised):
        tokens.ticket(view, "view+stop", 5.0)
    for ttl_s in (0.0, -1.0, 30.5):
        with pytest.raises(BadValue):
            tokens.ticket(full, "view", ttl_s)


def test_a_resume_token_rotates_and_lives_while_held(tokens: Tokens, clock: Clock) -> None:
    grant = Grant("t1", "view+stop")
    first = tokens.new_resume(grant)
    clock.now_s = 100_000.0
    tokens.new_resume(grant)
    assert tokens.resume(first) == grant
    with pytest.raises(Unauthorised):
        tokens.resume(first)


def test_a_released_resume_token_runs_out(tokens: Tokens, clock: Clock) -> None:
    plain = tokens.new_resume(Grant("t1", "view"))
    tokens.release(plain)
    clock.now_s = 121.0
    with pytest.raises(Unauthorised):
        tokens.resume(plain)


def test_revoking_takes_everything_that_came_from_the_token(tokens: Tokens) -> None:
    plain, grant = tokens.issue("full")
    ticket = tokens.ticket(grant, "view", 30.0)
    resume = tokens.new_resume(grant)
    tokens.revoke(grant.id)
    with pytest.raises(Unauthorised):
        tokens.check(plain)
    with pytest.raises(Unauthorised):
        tokens.redeem(ticket)
    with pytest.raises(Unauthorised):
        tokens.resume(resume)
    with pytest.raises(UnknownName):
        tokens.revoke(grant.id)


def test_scopes_are_a_ladder() -> None:
    for given in range(3):
        for needed in range(3):
            assert allows(SCOPES[given], SCOPES[needed]) == (given >= needed)
