"""The emulated gateway's sessions: what each state allows, what ends it, who is told; and pacing."""

from typing import Any

import aiohttp
import pytest

from tests.project.test_docs import ROOT, rows
from tests.testbed.ibkr.gate import Gate, gate, listening
from workbench.testbed import Fault, emulated
from workbench.testbed.ibkr.pacing import Pacing
from workbench.testbed.ibkr.quirks import QUIRKS

INIT = "/iserver/auth/ssodh/init"


async def init(found: Gate, *, compete: bool = False) -> dict[str, Any]:
    status, said = await found("POST", INIT, {"publish": True, "compete": compete})
    assert status == 200
    answer: dict[str, Any] = said
    return answer


async def test_accounts_go_before_orders_and_snapshots() -> None:
    async with emulated("ibkr", speed=0) as venue, aiohttp.ClientSession() as session:
        found = Gate(venue, session)
        path = f"/iserver/account/{found.account}/orders"
        for method, where in (
            ("POST", path),
            ("POST", path + "/whatif"),
            ("DELETE", f"/iserver/account/{found.account}/order/1"),
            ("GET", "/iserver/marketdata/snapshot?conids=265598"),
            ("GET", "/iserver/account/orders"),
        ):
            status, said = await found(method, where, found.ticket() if method == "POST" else None)
            assert (status, said["error"]) == (500, "Please query /accounts first")
        assert (await found("GET", f"/portfolio/{found.account}/ledger"))[0] == 500
        await found.get("/iserver/accounts")
        await found.get("/portfolio/accounts")
        assert (await found.get(f"/portfolio/{found.account}/ledger"))["BASE"]["cashbalance"] > 0
        assert (await found.order())["order_status"] == "Submitted"


async def test_a_session_left_alone_ends_and_is_opened_again() -> None:
    async with gate() as found, listening(found) as heard:
        before = await found.get("/tickle")
        found.venue.console.advance(400)
        status, said = await found("GET", "/iserver/accounts")
        assert (status, said["error"]) == (400, "Bad Request: no bridge")
        state = (await found("POST", "/iserver/auth/status"))[1]
        assert (state["authenticated"], state["connected"], state["competing"]) == (False, True, False)
        await heard.until(lambda: heard.told("authenticated", False))
        assert (await init(found))["authenticated"] is True
        assert (await found.get("/tickle"))["session"] != before["session"]
        await found.get("/iserver/accounts")
        found.venue.console.advance(90_000)  # the login itself lasts a day
        assert (await found("GET", "/tickle"))[0] == 401
        assert (await found("POST", INIT, {"publish": True, "compete": True}))[0] == 401
        found.by_hand(logged_in=True)
        assert (await found.get("/tickle"))["iserver"]["authStatus"]["authenticated"] is True


async def test_a_session_waits_for_its_first_client() -> None:
    async with emulated("ibkr", speed=0) as venue, aiohttp.ClientSession() as session:
        found = Gate(venue, session)
        venue.console.advance(4_000)
        assert (await found("GET", "/iserver/accounts"))[0] == 200
        venue.console.advance(361)
        assert (await found("GET", "/iserver/accounts"))[0] == 400


async def test_tickles_keep_a_session() -> None:
    async with gate() as found:
        for _ in range(5):
            found.venue.console.advance(300)
            assert (await found.get("/tickle"))["iserver"]["authStatus"]["authenticated"] is True
        assert (await found.get("/sso/validate"))["RESULT"] is True


async def test_a_competing_session_wins_until_it_is_evicted() -> None:
    async with gate() as found, listening(found) as heard:
        fault = found.fault("competing")
        state = (await found.get("/tickle"))["iserver"]["authStatus"]
        assert (state["authenticated"], state["competing"]) == (False, True)
        await heard.until(lambda: heard.told("competing", True))
        lost = await init(found, compete=False)
        assert (lost["authenticated"], lost["competing"]) == (False, True)
        assert (await found("POST", "/iserver/reauthenticate"))[1] == {"message": "triggered"}
        assert (await found.get("/tickle"))["iserver"]["authStatus"]["authenticated"] is False
        assert (await init(found, compete=True))["authenticated"] is True
        found.venue.faults.remove(fault)
        assert (await found.get("/iserver/accounts"))["isPaper"] is True


async def test_publish_must_be_said() -> None:
    async with gate() as found:
        assert (await found("POST", INIT, {"publish": False}))[0] == 500
        assert (await found("POST", INIT, [1]))[0] == 400


async def test_the_night_ends_the_brokerage_session_and_closes_sockets() -> None:
    async with gate() as found, listening(found) as heard:
        found.venue.faults.add(Fault(what="nightly_reset"))
        await heard.until(lambda: heard.socket.closed)
        assert (await found("GET", "/iserver/accounts"))[0] == 400
        assert (await init(found))["authenticated"] is True


async def test_a_lost_link_and_what_is_subscribed_afterwards() -> None:
    """1101: data has to be asked for again. 1102: it goes on."""
    for code, goes_on in ((1101, False), (1102, True)):
        async with gate() as found, listening(found, 'smd+265598+{"fields":["31"]}') as heard:
            fault = found.fault("link", code=code)
            status, said = await found("GET", "/iserver/accounts")
            assert (status, said) == (503, {"error": "Service Unavailable", "statusCode": 503})
            await heard.until(lambda: heard.told("connected", False))
            since = len(heard.said)
            found.venue.faults.remove(fault)
            await heard.until(lambda since=since: heard.told("connected", True, since))  # type: ignore[misc]
            before = heard.topics().count("smd+265598")
            found.venue.console.move("AAPL", found.px(1.01))
            await heard.settled()
            assert (heard.topics().count("smd+265598") > before) is goes_on


async def test_logout_is_for_good() -> None:
    async with gate() as found:
        assert (await found("POST", "/logout"))[1] == {"status": True}
        for method, path in (("GET", "/iserver/accounts"), ("POST", "/tickle"), ("POST", "/logout")):
            assert (await found(method, path))[0] == 401


@pytest.mark.parametrize(
    ("path", "passes"),
    [("/iserver/account/pnl/partitioned", 3), ("/tickle", 5), ("/iserver/marketdata/snapshot", 10)],
)
def test_endpoints_have_their_pace(path: str, passes: int) -> None:
    pacing = Pacing()
    assert [pacing.allows(path, 100.0) for _ in range(passes + 1)] == [True] * passes + [False]


def test_the_gateway_has_its_pace_and_a_penalty_box() -> None:
    pacing = Pacing()
    assert sum(pacing.allows("/x", 1.0) for _ in range(160)) == 100
    passed = sum(pacing.allows("/x", 2.0 + n / 100) for n in range(500))  # five seconds at 100 a second
    assert passed == pytest.approx(60, abs=3)
    for second in range(12, 60):
        for _ in range(100):
            pacing.allows("/x", float(second))
    assert pacing.boxed_until_s > 600
    assert not pacing.allows("/y", pacing.boxed_until_s - 1)
    assert pacing.allows("/y", pacing.boxed_until_s + 1)
    pacing.lifted = True
    assert all(pacing.allows("/tickle", 5.0) for _ in range(1_000))


def test_who_tries_an_endpoint_again_each_second_is_let_through() -> None:
    pacing = Pacing()
    passed = [second for second in range(120) if pacing.allows("/portfolio/accounts", float(second))]
    assert passed[:3] == [0, 1, 2]
    assert passed[3:] == list(range(5, 120, 5))
    assert pacing.boxed_until_s == 0.0


async def test_too_many_requests_and_the_limits_lifted() -> None:
    async with gate(limits=True) as found:
        clock = found.venue.exchange.clock
        now_ns = clock.now_ns()
        clock._wall = lambda: now_ns  # however long eight questions take
        answers = [await found("GET", "/tickle") for _ in range(8)]
        assert answers[0][0] == 200
        assert answers[-1] == (429, {"error": "Too Many Requests", "statusCode": 429})
        found.venue.console.limits(True)
        assert (await found("GET", "/tickle"))[0] == 200


def test_the_page_lists_every_quirk() -> None:
    page = (ROOT / "docs" / "emulators.md").read_text("utf-8")
    assert {name: cells[0] for name, cells in rows(page, "quirk").items()} == QUIRKS
