"""The emulated Alpaca's account, positions, activities, data pages, keys and limits."""

from typing import Any

import pytest

from tests.testbed.test_server import called


async def test_the_account_adds_up() -> None:
    async with called(cash=100_000) as call:
        _, before = await call("GET", "/v2/account")
        assert (before["cash"], before["equity"], before["buying_power"]) == ("100000", "100000", "200000")
        await call.order(qty="100")
        await call.order(type="limit", limit_price="10", qty="50", time_in_force="gtc")
        _, account = await call("GET", "/v2/account")
        _, [position] = await call("GET", "/v2/positions")
        value = float(position["market_value"])
        assert float(account["equity"]) == pytest.approx(float(account["cash"]) + value)
        assert float(account["position_market_value"]) == pytest.approx(value)
        assert float(account["buying_power"]) == pytest.approx(2 * float(account["equity"]) - value - 500)
        profit = float(position["market_value"]) - float(position["cost_basis"])
        assert float(position["unrealized_pl"]) == pytest.approx(profit)
        assert float(position["cost_basis"]) == pytest.approx(100_000 - float(account["cash"]))


async def test_closing_positions() -> None:
    async with called() as call:
        await call.order(qty="10")
        await call.order(symbol="BTC/USD", qty="0.5", time_in_force="gtc")
        for query, status in (
            ("?qty=0", 422),
            ("?percentage=101", 422),
            ("?qty=1&percentage=2", 422),
            ("?qty=11", 403),
        ):
            assert (await call("DELETE", f"/v2/positions/AAPL{query}"))[0] == status
        await call("DELETE", "/v2/positions/AAPL?qty=4")
        assert (await call("GET", "/v2/positions/AAPL"))[1]["qty"] == "6"
        await call("DELETE", "/v2/positions/BTC%2FUSD?percentage=50")
        assert (await call("GET", "/v2/positions/BTCUSD"))[1]["qty"] == "0.25"
        await call.order(side="sell", qty="2", type="limit", limit_price="900", time_in_force="gtc")
        _, answers = await call("DELETE", "/v2/positions")
        assert {a["symbol"]: a["status"] for a in answers} == {"AAPL": 403, "BTCUSD": 200}
        status, answers = await call("DELETE", "/v2/positions?cancel_orders=True")
        assert (status, [a["status"] for a in answers]) == (207, [200])
        assert (await call("GET", "/v2/positions"))[1] == []
        assert (await call("DELETE", "/v2/positions/AAPL"))[1]["message"] == "position does not exist"
        assert (await call("GET", "/v2/positions/NOPE"))[0] == 404


async def test_fills_page_by_page() -> None:
    async with called() as call:
        for _ in range(5):
            await call.order()
            await call("GET", "/v2/account")
        _, newest = await call("GET", "/v2/account/activities/FILL?page_size=2")
        _, older = await call("GET", f"/v2/account/activities/FILL?page_size=9&page_token={newest[-1]['id']}")
        assert len(newest) + len(older) == 5
        times = [fill["transaction_time"] for fill in newest + older]
        assert times == sorted(times, reverse=True)
        _, mixed = await call("GET", f"/v2/account/activities?activity_types=FILL,DIV&after={times[2]}")
        assert [fill["transaction_time"] for fill in mixed] == times[:2]
        assert (await call("GET", "/v2/account/activities/DIV"))[1] == []
        for query in ("page_size=101", "page_token=none", "after=soon"):
            assert (await call("GET", f"/v2/account/activities/FILL?{query}"))[0] == 422


async def test_the_calendar_is_the_exchanges() -> None:
    async with called() as call:
        _, days = await call("GET", "/v2/calendar?start=2026-11-25&end=2026-11-28")
        assert [(day["date"], day["open"], day["close"]) for day in days] == [
            ("2026-11-25", "09:30", "16:00"),
            ("2026-11-27", "09:30", "13:00"),
        ]
        assert (await call("GET", "/v2/calendar?start=2026-11-25&end=2026-11-24"))[0] == 422
        assert (await call("GET", "/v2/calendar?start=soon"))[0] == 422


async def test_data_page_by_page() -> None:
    async with called() as call:
        rows: list[Any] = []
        token = ""
        while True:
            path = f"/v2/stocks/bars?symbols=AAPL&timeframe=1Min&limit=150&page_token={token}"
            _, page = await call("GET", path)
            rows += page["bars"]["AAPL"]
            token = page["next_page_token"]
            if token is None:
                break
        assert len(rows) > 300
        stamps = [row["t"] for row in rows]
        assert stamps == sorted(set(stamps))
        _, newest = await call("GET", "/v2/stocks/bars?symbols=AAPL&timeframe=1Min&limit=1&sort=desc")
        assert newest["bars"]["AAPL"][0]["t"] == stamps[-1]
        _, hours = await call("GET", "/v2/stocks/AAPL/bars?timeframe=1Hour")
        assert sum(row["v"] for row in hours["bars"]) == pytest.approx(sum(row["v"] for row in rows))
        for path, status in (
            ("/v2/stocks/bars?symbols=AAPL&timeframe=1x", 400),
            ("/v2/stocks/bars?timeframe=1Min", 400),
            ("/v2/stocks/bars?symbols=aapl&timeframe=1Min", 400),
            ("/v2/stocks/bars?symbols=AAPL&limit=0", 400),
            ("/v2/stocks/bars?symbols=AAPL&start=soon", 400),
            ("/v2/stocks/bars?symbols=AAPL&page_token=x", 400),
            ("/v2/stocks/ZZZZ/trades/latest", 404),
            ("/v1beta3/crypto/us/latest/quotes?symbols=BTCUSD", 400),
        ):
            assert (await call("GET", path))[0] == status, path
        _, none = await call("GET", "/v2/stocks/trades?symbols=ZZZZ")
        assert none == {"trades": {}, "next_page_token": None}


async def test_every_symbol_has_the_latest_of_everything() -> None:
    async with called() as call:
        for kind in ("bars", "trades", "quotes"):
            assert set((await call("GET", f"/v2/stocks/{kind}/latest?symbols=AAPL"))[1][kind]) == {"AAPL"}
            assert (await call("GET", f"/v2/stocks/AAPL/{kind}/latest"))[1][kind[:-1]]["t"]
            path = f"/v1beta3/crypto/us/latest/{kind}?symbols=BTC/USD"
            assert set((await call("GET", path))[1][kind]) == {"BTC/USD"}
        assert (await call("GET", "/v2/stocks/AAPL/snapshot"))[1]["latestTrade"]["p"] > 0


async def test_keys() -> None:
    async with called() as call:
        wrong = {"APCA-API-SECRET-KEY": "wrong"}
        status, answer = await call("GET", "/v2/account", **wrong)
        assert (status, answer["code"]) == (401, 40110000)
        status, answer = await call("GET", "/v2/stocks/bars/latest?symbols=AAPL", **wrong)
        assert (status, answer) == (403, {"message": "forbidden."})
        assert (await call("GET", "/v1beta3/crypto/us/latest/bars?symbols=BTC/USD", **wrong))[0] == 200


async def test_every_answer_has_an_id_of_its_own() -> None:
    async with called() as call:
        seen: set[str] = set()
        for path, status in (("/v2/clock", 200), ("/v2/orders/none", 404), ("/v2/clock", 200)):
            async with call.session.get(call.venue.facts["rest"] + path, headers=call.headers) as answer:
                assert answer.status == status
                seen.add(answer.headers["X-Request-ID"])
        async with call.session.get(call.venue.facts["rest"] + "/v2/clock") as answer:
            assert answer.status == 401
            seen.add(answer.headers["X-Request-ID"])
        assert len(seen) == 4


async def test_limits_are_told_and_held_and_lifted() -> None:
    async with called() as call:
        clock = call.venue.exchange.clock
        clock.advance(60 - clock.now_ns() / 1e9 % 60)  # the window's beginning
        url = call.venue.facts["rest"] + "/v2/account"
        for left in range(199, -1, -1):
            async with call.session.get(url, headers=call.headers) as answer:
                assert answer.status == 200
                assert answer.headers["X-RateLimit-Remaining"] == str(left)
        assert answer.headers["X-RateLimit-Limit"] == "200"
        reset = int(answer.headers["X-RateLimit-Reset"])
        assert 0 < reset - clock.now_ns() / 1e9 <= 60
        status, body = await call("GET", "/v2/account")
        assert (status, body["code"]) == (429, 42910000)
        assert (await call("GET", "/v2/stocks/bars/latest?symbols=AAPL"))[0] == 200  # data has its own
        call.venue.console.limits(True)
        assert (await call("GET", "/v2/account"))[0] == 200
        call.venue.console.limits(False)
        assert (await call("GET", "/v2/account"))[0] == 429
        clock.advance(60)
        assert (await call("GET", "/v2/account"))[0] == 200
