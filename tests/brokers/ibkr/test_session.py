"""Sessions that are lost, taken away or not there; whose account it is; certificates."""

import asyncio
import hashlib
import logging
import ssl
from typing import Any, cast

import pytest

from tests.brokers.ibkr.desk import POST, SPY, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ibkr.broker import IbkrBroker
from workbench.brokers.ibkr.session import Session
from workbench.config import BrokerSettings
from workbench.errors import (
    BadValue,
    KeysRefused,
    Refused,
    UnknownName,
    Unreachable,
    UnsafeVenue,
    VenueDown,
    VenueGarbled,
    WorkbenchError,
)
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.ibkr.venue import IbkrVenue
from workbench.testbed.rigs.ibkr import ibkr_account, opened


async def trades(desk: Desk) -> None:
    order = desk.order()
    await desk.submit(order)
    await desk.over(order)
    assert desk.filled(order) == 10


async def connected_to(venue: Emulator, **settings: Any) -> None:
    """Connect once, and hang up."""
    broker = opened(venue, [SPY], settings=settings)
    try:
        await broker.connect(lambda report: None)
    finally:
        await broker.close()


async def lost_and_back(desk: Desk, losses: int = 1) -> None:
    session = desk.broker.session
    await until(lambda: session.losses >= losses and desk.ibkr.session.accounts_asked)
    await until(lambda: desk.broker.stream.state == "live" and desk.broker.stream.connects >= 2)


# -- lost ----------------------------------------------------------------------------------------------------------
async def test_the_night_s_reset_is_survived() -> None:
    """Sessions end, sockets die, the accounts have to be asked for again: all that by itself."""
    async with trading() as desk:
        resting = desk.away()
        await desk.submit(resting)
        desk.fault("nightly_reset", "*")
        await lost_and_back(desk)
        await trades(desk)
        await desk.cancel(resting)
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]


async def test_a_session_that_is_gone_when_an_order_is_sent_is_opened_again() -> None:
    """The order was not taken in, and says so; the next one goes through."""
    async with trading() as desk:
        session = desk.ibkr.session
        session.brokerage = False  # and nobody is told
        order = desk.order()
        await desk.submit(order)
        assert desk.kinds(order) == ["Unsent"]
        await lost_and_back(desk)
        await trades(desk)
        assert desk.at_venue(order) == []


async def test_accounts_are_asked_for_again_when_the_gateway_forgot() -> None:
    async with trading() as desk:
        desk.ibkr.session.accounts_asked = False
        order = desk.order()
        await desk.submit(order)
        assert desk.kinds(order) in (["Unsent"], ["OutcomeLost"])
        await until(lambda: desk.ibkr.session.accounts_asked)
        await trades(desk)


async def test_a_probe_opens_what_was_lost() -> None:
    async with trading() as desk:
        desk.ibkr.session.brokerage = False
        desk.broker.pool.health._slow_s = 600.0  # the machine may be slow: not what this is about
        await desk.broker.pool.health.check()
        assert desk.ibkr.session.brokerage
        assert desk.ibkr.session.accounts_asked
        assert desk.broker.pool.health.state == "healthy"


async def test_a_connection_that_fails_leaves_nothing_that_opens_sessions() -> None:
    """The gateway loses the session while the account is opened: nobody is there for whom to open it again."""
    async with emulated("ibkr", speed=0, limits=False) as venue:
        where, text = "rest:GET /v1/api/portfolio/accounts", "Bad Request: no bridge"
        venue.faults.add(Fault(what="status", where=where, status=400, text=text))
        broker = opened(venue, [SPY])
        with pytest.raises(VenueDown):
            await broker.connect(lambda report: None)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "ibkr session"]
        broker.session.lost("too late")
        assert broker.session._reviving is None


async def test_suppressed_questions_are_suppressed_again_in_the_next_session() -> None:
    async with trading(settings={"options": {"suppress": True}}) as desk:
        desk.fault("nightly_reset", "*")
        await lost_and_back(desk)
        order = desk.away(0.9)
        await desk.submit(order)
        assert not desk.broker.chain.asked


async def test_an_order_under_way_while_the_session_is_lost_is_not_sent_twice() -> None:
    async with trading() as desk:
        desk.fault("lost_reply", POST, count=1, seconds=0.02)
        order = desk.away()
        desk.broker.submit(order)
        await until(lambda: bool(desk.at_venue(order)))
        desk.fault("nightly_reset", "*")
        await until(lambda: desk.kinds(order)[-1:] == ["Accepted"])
        await lost_and_back(desk)
        assert len(desk.at_venue(order)) == 1


async def test_nobody_logged_in_is_told_and_noticed_again_once_somebody_is() -> None:
    async with trading() as desk:
        health = desk.broker.pool.health
        desk.ibkr.session.logout()
        await health.check()
        assert health.state == "unauthorised"
        order = desk.order()
        await desk.submit(order)
        assert desk.kinds(order) == ["Rejected"]
        assert desk.at_venue(order) == []
        desk.ibkr.session.login()
        await health.check()
        await health.check()
        assert health.state in ("healthy", "degraded")
        await until(lambda: desk.broker.stream.state == "live")
        await trades(desk)


async def test_an_adapter_does_not_open_where_nobody_is_logged_in() -> None:
    async with emulated("ibkr", speed=0) as venue:
        venue.venue.session.logout()  # type: ignore[attr-defined]
        with pytest.raises(KeysRefused, match="log in at the gateway's page"):
            await connected_to(venue)


@pytest.mark.parametrize("code", [1101, 1102])
async def test_the_back_end_goes_and_comes_back(code: int) -> None:
    async with trading() as desk:
        resting = desk.away(0.999)
        await desk.submit(resting)
        link = desk.quirk("link", code=code)
        order = desk.order()
        await desk.submit(order)
        assert desk.kinds(order) == ["OutcomeLost"]  # 503 to an order proves nothing
        desk.fill_at_limit(resting)
        desk.venue.faults.remove(link)
        await until(lambda: desk.ibkr.session.authenticated)
        await desk.broker.pool.health.check()
        await desk.over(resting, order)
        assert desk.filled(resting) == 10
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]
        await trades(desk)


# -- another program -------------------------------------------------------------------------------------------------
async def test_another_program_s_session_is_left_alone() -> None:
    async with trading() as desk:
        fault = desk.quirk("competing")
        health = desk.broker.pool.health
        for _ in range(4):
            await health.check()
        assert health.state == "down"
        assert "another program has this user's brokerage session" in health.reason
        assert desk.broker.session.evictions == 0
        order = desk.order()
        await desk.submit(order)
        assert desk.kinds(order) == ["Unsent"]
        desk.venue.faults.remove(fault)
        await health.check()
        assert health.state in ("healthy", "degraded")
        await until(lambda: desk.broker.stream.state == "live")
        await trades(desk)


async def test_another_program_s_session_is_taken_when_that_is_wanted() -> None:
    async with trading(settings={"options": {"compete": True}}) as desk:
        desk.venue.faults.remove(desk.quirk("competing"))
        desk.ibkr.session.take_over()
        await lost_and_back(desk)
        assert desk.broker.session.evictions >= 1
        await trades(desk)


async def test_two_programs_do_not_play_ping_pong() -> None:
    async with trading(settings={"options": {"compete": True}}) as desk:
        session: Session = desk.broker.session
        await session.close()
        for _ in range(3):
            desk.ibkr.session.competing, desk.ibkr.session.brokerage = True, False
            await session.revive("taken")
        desk.ibkr.session.competing, desk.ibkr.session.brokerage = True, False
        with pytest.raises(VenueDown, match="taken the brokerage session back 3 times in 10 minutes"):
            await session.revive("taken")
        assert session.evictions == 3


async def test_an_adapter_does_not_open_beside_another_program() -> None:
    async with emulated("ibkr", speed=0) as venue:
        venue.faults.add(Fault(what="quirk", where="quirk:competing"))
        with pytest.raises(VenueDown, match=r"end it there, or set options.compete = true"):
            await connected_to(venue)
        await connected_to(venue, options={"compete": True})


async def test_the_session_s_number_is_in_no_error_and_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with emulated("ibkr", speed=0, limits=False) as venue:
        venue.faults.add(Fault(what="invalid_json", where="rest:GET /v1/api/tickle"))
        with pytest.raises(VenueGarbled, match="a tickle's answer is no JSON") as caught:
            await connected_to(venue)
        number = cast(IbkrVenue, venue.venue).session.number
        assert number
        assert number[:8] not in f"{caught.value} {caught.value!r} {caplog.text}"


async def test_a_session_that_does_not_open_is_given_up() -> None:
    async with emulated("ibkr", speed=0, limits=False) as venue:
        venue.faults.add(Fault(what="quirk", where="quirk:link"))
        with pytest.raises(Unreachable):
            await connected_to(venue)


# -- whose account ---------------------------------------------------------------------------------------------------
async def test_live_and_paper_are_not_mixed_up() -> None:
    async with emulated("ibkr", speed=0) as venue:
        with pytest.raises(Refused, match="logged in to paper trading and mode is live"):
            await connected_to(venue, mode="live", account=venue.facts["account"])


@pytest.mark.parametrize("mode", ["paper", "live"])
async def test_a_live_login_needs_live_settings(mode: str) -> None:
    async with emulated("ibkr", speed=0) as venue:
        venue.faults.add(
            Fault(what="mutate", where="rest:GET /v1/api/iserver/accounts", set={"isPaper": False})
        )
        settings = {"mode": mode, "account": venue.facts["account"]}
        if mode == "live":
            await connected_to(venue, **settings)
            return
        with pytest.raises(Refused, match="logged in to live trading and mode is paper"):
            await connected_to(venue, **settings)


async def test_another_account_is_refused() -> None:
    async with emulated("ibkr", speed=0) as venue:
        with pytest.raises(Refused, match=r"account 'DU1' is none of this login's: name one of DU\d+"):
            await connected_to(venue, account="DU1")
        await connected_to(venue, account=venue.facts["account"])


# -- certificates ----------------------------------------------------------------------------------------------------
async def test_the_gateway_s_own_certificate_is_pinned_or_taken_unverified_by_name() -> None:
    async with emulated("ibkr", speed=0, tls="good") as venue:
        with pytest.raises(WorkbenchError, match="certificate"):
            await connected_to(venue)
        pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(venue.facts["certificate"])).hexdigest()
        await connected_to(venue, options={"pin_sha256": pin})
        with pytest.raises(WorkbenchError, match="certificate"):
            await connected_to(venue, options={"pin_sha256": "ab" * 32})
        await connected_to(venue, options={"unverified": True})


@pytest.mark.parametrize("mode", ["wrong-host", "expired"])
async def test_a_certificate_that_is_not_right_is_refused_before_anything_is_sent(mode: str) -> None:
    async with emulated("ibkr", speed=0, tls=mode) as venue:
        with pytest.raises(UnsafeVenue, match=r"ibkr: .*certificate"):
            await connected_to(venue)


@pytest.mark.parametrize("option", [{"pin_sha256": "ab" * 32}, {"unverified": True}])
def test_exceptions_are_for_this_machine_alone(option: dict[str, Any]) -> None:
    settings = BrokerSettings(
        venue="ibkr", addresses={"rest": "https://gateway.example/v1/api"}, options=option
    )
    with pytest.raises(UnsafeVenue, match="is not this machine"):
        IbkrBroker(settings)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"pin_sha256": "abc"}, BadValue, "64 hex digits"),
        ({"compet": True}, UnknownName, "compete"),
        ({"compete": 7}, BadValue, "ibkr options"),
        ({"orders_at_once": 0}, BadValue, "from 1 to 1000"),
        ({"channels": "bars,quote"}, UnknownName, "quotes"),
        ({"bars": "tick"}, UnknownName, "ticks"),
        ({"bars": "history", "bar_s": 5.0}, BadValue, "leave it out"),
        ({"bar_s": 0.0}, BadValue, "seconds from"),
        ({"answers": "o163"}, BadValue, "ID=yes"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        IbkrBroker(BrokerSettings(venue="ibkr", options=options))


async def test_an_address_nobody_asks_for_is_refused() -> None:
    async with emulated("ibkr", speed=0) as venue:
        settings = ibkr_account(venue, addresses={"rst": venue.facts["rest"]})
        with pytest.raises(UnknownName, match="rest"):
            IbkrBroker(settings)
