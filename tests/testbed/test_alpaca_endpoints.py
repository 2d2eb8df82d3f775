"""Alpaca's endpoints beside orders and bars: watch lists, hours, rankings, and what this market has none of."""

import msgpack
import pytest

from tests.testbed.test_server import called
from tests.testbed.test_streams import Heard, allowed, data_stream


async def test_watch_lists_keep_assets() -> None:
    async with called() as call:
        assert (await call("GET", "/v2/watchlists"))[1] == []
        status, kept = await call("POST", "/v2/watchlists", {"name": "mine", "symbols": ["AAPL", "AAPL"]})
        assert (status, [asset["symbol"] for asset in kept["assets"]]) == (200, ["AAPL"])
        path = f"/v2/watchlists/{kept['id']}"
        for body in ({"name": "mine"}, {"name": ""}, {"name": "other", "symbols": ["NOPE"]}, {"symbols": 3}):
            assert (await call("POST", "/v2/watchlists", body))[0] == 422
        assert (await call("POST", path, {"symbol": "AAPL"}))[0] == 422
        _, kept = await call("POST", path, {"symbol": "BTC/USD"})
        assert [asset["symbol"] for asset in kept["assets"]] == ["AAPL", "BTC/USD"]
        _, named = await call("GET", "/v2/watchlists:by_name?name=mine")
        assert named == kept
        _, kept = await call("DELETE", f"{path}/AAPL")
        assert [asset["symbol"] for asset in kept["assets"]] == ["BTC/USD"]
        assert (await call("DELETE", f"{path}/AAPL"))[0] == 404
        _, kept = await call("PUT", path, {"name": "yours", "symbols": []})
        assert (kept["name"], kept["assets"]) == ("yours", [])
        assert (await call("DELETE", path))[0] == 204
        assert (await call("GET", path))[0] == 404


async def test_hours_by_market() -> None:
    async with called() as call:
        _, body = await call("GET", "/v3/clock?markets=NYSE,XNAS&time=2026-11-25T15:00:00Z")
        assert [clock["market"]["acronym"] for clock in body["clocks"]] == ["NYSE", "NASDAQ"]
        assert (body["clocks"][0]["phase"], body["clocks"][0]["is_market_day"]) == ("core", True)
        assert body["clocks"][0]["phase_until"] == "2026-11-25T16:00:00-05:00"
        _, body = await call("GET", "/v3/clock?time=2026-11-26T15:00:00Z")  # Thanksgiving
        assert (body["clocks"][0]["phase"], body["clocks"][0]["is_market_day"]) == ("closed", False)
        _, body = await call("GET", "/v3/calendar/NYSE?start=2026-11-25&end=2026-11-27")
        assert [day["date"] for day in body["calendar"]] == ["2026-11-25", "2026-11-27"]
        assert body["calendar"][0]["settlement_date"] == "2026-11-27"
        assert body["calendar"][1]["core_end"] == "2026-11-27T13:00:00-05:00"
        assert (await call("GET", "/v3/calendar/NOWHERE"))[0] == 404
        for far in ("0001-01-01", "9999-12-31T23:59:59Z", "1" * 150):
            assert (await call("GET", f"/v3/clock?time={far}"))[0] in (200, 422)


async def test_rankings_are_of_the_days_bars() -> None:
    async with called() as call:
        call.venue.console.move("AAPL", 10_000.0)
        _, active = await call("GET", "/v1beta1/screener/stocks/most-actives?by=trades&top=5")
        assert [row["symbol"] for row in active["most_actives"]] == ["AAPL"]
        _, movers = await call("GET", "/v1beta1/screener/stocks/movers")
        assert [row["symbol"] for row in movers["gainers"]] == ["AAPL"]
        assert (movers["gainers"][0]["price"], movers["losers"]) == (10_000.0, [])
        _, body = await call("GET", "/v2/stocks/auctions?symbols=AAPL&start=2020-01-01")
        assert body["auctions"]["AAPL"][0]["o"][0]["c"] == "O"
        for path in ("stocks/most-actives?by=name", "stocks/most-actives?top=0", "bonds/movers"):
            assert (await call("GET", f"/v1beta1/screener/{path}"))[0] == 400


@pytest.mark.parametrize(
    ("path", "status", "held"),
    [
        ("/v1beta1/news?symbols=AAPL", 200, {"news": [], "next_page_token": None}),
        ("/v2/options/contracts", 200, {"option_contracts": [], "next_page_token": None}),
        ("/v1beta1/options/quotes/latest?symbols=AAPL261218C00200000", 200, {"quotes": {}}),
        ("/v1beta1/options/bars", 400, {"message": "symbols parameter is required"}),
        ("/v2/corporate_actions/announcements", 422, {"code": 40010001, "message": "ca_types is required"}),
        ("/v2/stocks/meta/conditions/smell", 400, {"message": "invalid ticktype: smell"}),
        ("/v1beta1/logos/AAPL", 404, {"code": 40410000, "message": "logo not found"}),
        ("/v2/nowhere", 404, {"code": 40410000, "message": "endpoint not found"}),
    ],
)
async def test_what_there_is_none_of(path: str, status: int, held: dict[str, object]) -> None:
    async with called() as call:
        assert await call("GET", path) == (status, held)


async def test_the_account_stream_in_messagepack() -> None:
    async with called() as call:
        facts = call.venue.facts
        keys = {"key_id": facts["key"], "secret_key": facts["secret"]}
        async with call.session.ws_connect(facts["ws"]) as socket:
            await socket.send_bytes(msgpack.packb({"action": "authenticate", "data": keys}))
            assert msgpack.unpackb((await socket.receive()).data)["data"]["status"] == "authorized"
            await socket.send_bytes(
                msgpack.packb({"action": "listen", "data": {"streams": ["trade_updates"]}})
            )
            assert msgpack.unpackb((await socket.receive()).data)["stream"] == "listening"
            _, order = await call.order()
            told = msgpack.unpackb((await socket.receive()).data)
            assert (told["stream"], told["data"]["order"]["id"]) == ("trade_updates", order["id"])


async def test_words_that_are_no_words_end_no_stream() -> None:
    async with called() as call, call.session.ws_connect(call.venue.facts["ws"]) as socket:
        heard = Heard(socket)
        for said in (b"\xc1", b"\xa2\xff\xfe", b"[]", b"\x81\xa6action\xa4auth"):
            await socket.send_bytes(said)
        await socket.send_json({"action": "listen", "data": 7})
        await socket.send_json({"action": ["authenticate"], "data": {"key_id": [], "secret_key": {}}})
        await socket.send_json({"action": "authenticate"})
        await heard.until(lambda: len(heard.raw) == 3)
        assert not socket.closed
        heard.task.cancel()


async def test_streams_of_other_kinds() -> None:
    async with called() as call:
        async with data_stream(call, "/v1beta1/news") as socket:
            await allowed(call, socket)
            await socket.send_json({"action": "subscribe", "news": ["*"]})
            assert await socket.receive_json() == [{"T": "subscription", "news": ["*"]}]
            await socket.send_json({"action": "subscribe", "trades": ["AAPL"]})
            assert (await socket.receive_json())[0]["code"] == 410
        async with data_stream(call, "/v1beta1/indicative") as socket:
            await allowed(call, socket)
            await socket.send_json({"action": "subscribe", "quotes": ["AAPL261218C00200000"]})
            assert (await socket.receive_json())[0]["code"] == 412  # in MessagePack alone
        async with data_stream(call, **call.headers) as socket:  # keys may come with the handshake
            said = [(await socket.receive_json())[0]["msg"] for _ in range(2)]
            assert said == ["connected", "authenticated"]


async def test_bytes_that_are_no_words_are_invalid_syntax() -> None:
    async with called() as call, data_stream(call) as socket:
        await allowed(call, socket)
        for said in (b"\xa2\xff\xfe", b"\xc1", b'{"action": "\xff"}'):
            await socket.send_bytes(said)
            assert (await socket.receive_json())[0]["code"] == 400
        status, _ = await call("GET", "/v2/orders")
        assert status == 200
        async with call.session.post(
            call.venue.facts["rest"] + "/v2/orders", data=b'{"symbol": "\xff"}', headers=call.headers
        ) as answer:
            assert answer.status == 400


async def test_the_tape_of_stocks_knows_whole_shares_only() -> None:
    # Typed clients (Go's among them) read these as integers: uint32 sizes, uint64 volumes. Crypto has fractions.
    async with called() as call:
        await call.order(qty="0.5")
        _, body = await call("GET", "/v2/stocks/AAPL/trades/latest")
        assert repr(body["trade"]["s"]) == "1"
        await call.order(qty="12.75")
        _, body = await call("GET", "/v2/stocks/AAPL/trades/latest")
        assert repr(body["trade"]["s"]) == "12"
        _, body = await call("GET", "/v2/stocks/AAPL/snapshot")
        assert isinstance(body["dailyBar"]["v"], int)
        assert isinstance(body["latestQuote"]["bs"], int)
        for step in ("1Min", "1Day", "1Week"):
            _, body = await call("GET", f"/v2/stocks/bars?symbols=AAPL&timeframe={step}&limit=10000")
            assert all(isinstance(bar["v"], int) for bar in body["bars"]["AAPL"])
        await call.order(symbol="BTC/USD", qty="0.5", time_in_force="gtc")
        _, body = await call("GET", "/v1beta3/crypto/us/latest/trades?symbols=BTC/USD")
        assert body["trades"]["BTC/USD"]["s"] == 0.5
