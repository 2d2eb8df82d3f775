"""The emulated gateway's socket: cookie, greeting, topics, what a session's end does to it; and data over REST."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.testbed.ibkr.gate import AAPL, SPY, Heard, gate, listening
from workbench.testbed import Fault

SMD = 'smd+265598+{"fields":["31","84","86","7059","7762"]}'


@pytest.mark.parametrize(
    "cookie", ["", 'api={"session":"wrong"}', "api={", "other=1", 'api=["session"]', "api={session}"]
)
async def test_a_cookie_of_no_session_waits_for_ever(cookie: str) -> None:
    async with gate() as found:
        headers = {"Cookie": cookie} if cookie else {}
        async with found.session.ws_connect(found.venue.facts["ws"], headers=headers) as socket:
            assert (await socket.receive_json(timeout=30)) == {"message": "waiting for session"}
            await socket.send_str("tic")
            await socket.send_str(SMD)
            with pytest.raises(TimeoutError):
                await socket.receive(timeout=0.05)


@pytest.mark.parametrize(
    "template", ['api={{"session":"{}"}}', "a=b; api={}; c=d", 'api={{"session": "{}"}}; c=d']
)
async def test_the_cookie_is_read_raw(template: str) -> None:
    async with gate() as found:
        number = (await found.get("/tickle"))["session"]
        headers = {"Cookie": template.format(number)}
        async with found.session.ws_connect(found.venue.facts["ws"], headers=headers) as socket:
            heard = Heard(socket)
            await heard.until(lambda: len(heard.said) >= 4)
            assert heard.said[0] == {"message": "waiting for session"}
            assert heard.topics()[1:] == ["system", "act", "sts"]
            assert heard.said[1]["success"] == found.venue.facts["key"]
            assert heard.said[2]["args"]["selectedAccount"] == found.account
            assert heard.said[3]["args"]["authenticated"] is True
            await heard.close()


async def test_market_data_tells_what_changed() -> None:
    async with gate() as found, listening(found, SMD) as heard:
        topic = f"smd+{AAPL}"
        first = next(m for m in heard.said if m.get("topic") == topic)
        assert {"31", "84", "86", "7059", "7762", "6509", "_updated"} <= set(first)
        found.venue.console.print_at("AAPL", float(first["31"]), 7)
        message = await heard.until(lambda: next((m for m in heard.said if m.get("7059") == "7"), None))
        assert not {"31", "84"} & set(message)
        assert float(message["7762"]) == float(first["7762"]) + 7
        found.venue.console.halt("AAPL")
        await heard.until(lambda: any(m.get("31", "").startswith("H") for m in heard.said))
        await heard.send(f"umd+{AAPL}+{{}}")
        await heard.settled()
        count = heard.topics().count(topic)
        found.venue.console.move("AAPL", 300.0)
        await heard.settled()
        assert heard.topics().count(topic) == count


async def test_market_data_ends_after_ten_minutes() -> None:
    async with gate() as found, listening(found, SMD) as heard:
        found.venue.console.advance(590)
        found.venue.venue.session.last_ns = found.venue.exchange.clock.now_ns()  # type: ignore[attr-defined]
        found.venue.console.print_at("AAPL", 231.0, 3)
        await heard.until(lambda: any(m.get("7059") == "3" for m in heard.said))
        found.venue.console.advance(20)
        found.venue.console.print_at("AAPL", 232.0, 4)
        await heard.settled()
        assert not any(m.get("7059") == "4" for m in heard.said)


async def test_orders_and_trades_as_they_happen() -> None:
    async with gate() as found, listening(found, "sor+{}", 'str+{"days":1}', "spl+{}") as heard:
        assert {"topic": "str", "args": []} in heard.said
        row = await found.order(cOID="mine", quantity=3)
        trade = (await heard.until(lambda: heard.rows("str")))[0]
        assert (trade["order_ref"], trade["size"], trade["side"]) == ("mine", 3.0, "B")
        assert trade["order_id"] == int(row["order_id"])
        await heard.until(lambda: heard.rows("sor") and heard.rows("sor")[-1]["status"] == "Filled")
        assert [r["status"] for r in heard.rows("sor")] == ["Submitted", "Filled"]
        assert (await found.get("/iserver/account/trades"))[0] == trade
        profit = next(m["args"] for m in heard.said if m.get("topic") == "spl")
        assert profit[f"{found.account}.Core"]["nl"] > 0
        async with listening(found, "str+{}", 'str+{"realtime_updates_only":true}') as other:
            assert [len(m["args"]) for m in other.said if m.get("topic") == "str"] == [1, 0]


async def test_order_updates_are_not_to_be_trusted() -> None:
    async with gate() as found:
        refused = found.fault("sor_refused")
        async with listening(found, "sor+{}") as heard:
            assert {"error": "unable to subscribe", "code": 500, "topic": "sor"} in heard.said
        found.venue.faults.remove(refused)
        found.fault("sor_bare")
        async with listening(found, "sor+{}") as heard:
            await found.order(orderType="LMT", price=found.px(0.99))
            row = (await heard.until(lambda: heard.rows("sor")))[0]
            assert set(row) == {"acct", "conid", "conidex", "orderId"}
        found.venue.faults.clear()
        async with listening(found, "sor+{}") as heard:
            assert len(heard.rows("sor")) == 1  # what is open, by number alone
            await found.get("/iserver/account/orders?filters=filled")
            await found.order()
            await heard.settled()
            assert len(heard.rows("sor")) == 1  # mute since the filters
            await found.get("/iserver/account/orders?force=true")
            await found.order()
            await heard.until(lambda: len(heard.rows("sor")) > 1)


async def test_a_socket_of_an_old_session_is_dead() -> None:
    async with gate() as found, listening(found, "str+{}", SMD) as heard:
        before = [topic for topic in heard.topics() if topic != "system"]  # its heartbeat goes on
        found.fault("relogin")
        await found.order()
        found.venue.console.move("AAPL", 300.0)
        await heard.send("tic")
        async with listening(found, "str+{}") as other:
            assert other.rows("str")
        assert [topic for topic in heard.topics() if topic != "system"] == before


async def test_charts_hold_five_places() -> None:
    chart = 'smh+265598+{"period":"1h","bar":"5min","format":"%o/%c"}'
    async with gate() as found, listening(found, *[chart] * 6) as heard:
        charts = heard.charts(AAPL)
        assert len(charts) == 5
        assert set(charts[0]["data"][0]) == {"o", "c", "t"}
        assert [m["code"] for m in heard.said if "code" in m] == [429]
        await heard.send(f"umh+{charts[0]['serverId']}")
        await heard.until(lambda: {"message": f"Unsubscribed {charts[0]['serverId']}"} in heard.said)
        await heard.send(chart)
        await heard.until(lambda: len(heard.charts(AAPL)) == 6)


async def test_balances_and_what_ends_them() -> None:
    async with gate() as found:
        account = found.account
        keys = json.dumps({"keys": ["NetLiquidation"], "fields": ["monetaryValue"]})
        async with listening(found, f"ssd+{account}+{keys}", f"sld+{account}+{{}}", "ssd+DU1+{}") as heard:
            summary = next(m["result"] for m in heard.said if m.get("topic") == f"ssd+{account}")
            assert {row["key"] for row in summary} == {"NetLiquidation", "AccountCode"}
            ledger = next(m["result"] for m in heard.said if m.get("topic") == f"sld+{account}")
            assert ledger[0]["acctCode"] == account
            assert ledger[0]["cashbalance"] > 0
            await heard.send(f"usd+{account}")
            await heard.send(f"uld+{account}+{{}}")
            await heard.until(lambda: {"result": "unsubscribed from ledger"} in heard.said)
            assert {"result": "unsubscribed from summary"} in heard.said


async def test_news_nobody_asked_for() -> None:
    async with gate() as found, listening(found) as heard:
        found.fault("bulletin", text="Exchange closed")
        await heard.until(lambda: heard.rows("blt") and heard.rows("blt")[0]["message"] == "Exchange closed")
        found.venue.faults.add(Fault(what="reject", where="order:accept", text="because"))
        await found.order()
        note = (await heard.until(lambda: heard.rows("ntf")))[0]
        assert note["text"] == "because"


async def test_nonsense_is_no_trouble() -> None:
    async with gate() as found, listening(found) as heard:
        for command in (
            "",
            "+",
            "xyz+1",
            "smd+999+{}",
            "smd",
            "smd+265598+{",
            "sor+[]",
            "\x00",
            'smh+265598+{"bar":"0x"}',
        ):
            await heard.send(command)
        await heard.socket.send_bytes(b"\xff\xfe")
        await heard.settled()


async def test_snapshots_and_history() -> None:
    async with gate() as found:
        path = f"/iserver/marketdata/snapshot?conids={AAPL},{SPY}&fields=31,84,86,87,55"
        assert [set(row) for row in await found.get(path)] == [{"conid", "conidEx"}] * 2
        rows = await found.get(path)
        assert [row["55"] for row in rows] == ["AAPL", "SPY"]
        assert float(rows[0]["84"]) < float(rows[0]["86"])
        found.venue.console.hours(False)
        assert (await found.get(path))[0]["31"].startswith("C")
        bars = await found.get(f"/iserver/marketdata/history?conid={AAPL}&period=2h&bar=5min")
        assert bars["barLength"] == 300
        assert all(row["l"] <= row["o"] <= row["h"] for row in bars["data"])
        assert [b["t"] - a["t"] for a, b in zip(bars["data"], bars["data"][1:], strict=False)] == [
            300_000
        ] * (len(bars["data"]) - 1)
        for query in ("period=x", "bar=7", "period=0d", "startTime=yesterday"):
            assert (await found("GET", f"/iserver/marketdata/history?conid={AAPL}&{query}"))[0] == 400
        early = await found("GET", f"/iserver/marketdata/history?conid={AAPL}&startTime=19990101-00:00:00")
        assert early == (500, {"error": "No data.", "statusCode": 500})


async def test_five_charts_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gate(limits=True) as found:
        path = f"/iserver/marketdata/history?conid={AAPL}&period=1h&bar=1min"
        assert [(await found("GET", path))[0] for _ in range(6)] == [200] * 6  # one after the other
        monkeypatch.setattr("workbench.testbed.ibkr.data._CHART_S", 3_600.0)
        asked = [asyncio.create_task(found("GET", path)) for _ in range(9)]
        async with asyncio.timeout(60):
            while sum(each.done() for each in asked) < 4:  # noqa: ASYNC110 - any four of them
                await asyncio.sleep(0.005)
        refused: list[Any] = [each.result() for each in asked if each.done()]
        assert [status for status, _ in refused] == [429] * 4
        assert all("Too many history charts" in said["error"] for _, said in refused)
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_contracts_are_found() -> None:
    async with gate() as found:
        said = await found.get("/iserver/secdef/search?symbol=aapl")
        assert (said[0]["conid"], said[0]["symbol"]) == (str(AAPL), "AAPL")
        assert "error" in await found.get("/iserver/secdef/search?symbol=NOSUCH")
        assert (await found("POST", "/iserver/secdef/search", {"symbol": "SPDR", "name": True}))[1][0][
            "symbol"
        ] == "SPY"
        assert (await found.get(f"/trsrv/secdef?conids={AAPL},{SPY}"))["secdef"][1]["ticker"] == "SPY"
        assert (await found.get(f"/iserver/contract/{AAPL}/info"))["currency"] == "USD"
        assert (await found("POST", "/iserver/contract/rules", {"conid": AAPL}))[1]["increment"] == 0.01
        one = await found.get(f"/iserver/secdef/info?conid={AAPL}")
        assert (one["ticker"], one["secType"]) == ("AAPL", "STK")
        for kind in ("sectype", "secType"):
            assert await found.get(f"/iserver/secdef/info?conid={AAPL}&{kind}=STK") == [one]
        assert (await found("GET", "/nowhere"))[0] == 404


async def test_one_address_for_everything() -> None:
    async with gate() as found:
        facts = found.venue.facts
        assert facts["rest"].endswith("/v1/api")
        assert facts["ws"] == facts["rest"].replace("http", "ws") + "/ws"
        assert facts["account"].startswith("DU")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await found.session.ws_connect(facts["ws"] + "2")
