"""The emulated gateway beside trading: scanners, watch lists, reports, hours, and what there is none of."""

from typing import Any

import pytest

from tests.testbed.ibkr.gate import AAPL, SPY, gate


async def test_scanners_rank_the_listings() -> None:
    async with gate() as found:
        params = await found.get("/iserver/scanner/params")
        codes = [kind["code"] for kind in params["scan_type_list"]]
        assert "TOP_PERC_GAIN" in codes
        found.venue.console.move("AAPL", 1_000.0)
        scan = {"instrument": "STK", "location": "STK.US.MAJOR", "type": "TOP_PERC_GAIN", "filter": []}
        _, said = await found("POST", "/iserver/scanner/run", scan)
        assert [row["con_id"] for row in said["contracts"]] == [AAPL, SPY]
        assert said["scan_data_column_name"] == said["contracts"][0]["column_name"] == "Chg%"
        _, said = await found("POST", "/iserver/scanner/run", {**scan, "type": "TOP_PERC_LOSE"})
        assert said["contracts"][0]["con_id"] == SPY
        _, said = await found("POST", "/iserver/scanner/run", {**scan, "location": "STK.NASDAQ"})
        assert [row["con_id"] for row in said["contracts"]] == [AAPL]
        dear = [{"code": "priceAbove", "value": 900}]
        _, said = await found("POST", "/iserver/scanner/run", {**scan, "filter": dear})
        assert [row["con_id"] for row in said["contracts"]] == [AAPL]
        assert (await found("POST", "/iserver/scanner/run", {**scan, "type": "NICEST"}))[0] == 400


async def test_watch_lists_are_kept() -> None:
    async with gate() as found:
        told = {"id": "7", "name": "mine", "rows": [{"C": AAPL}, {"H": "later"}, {"C": str(SPY)}]}
        assert (await found("POST", "/iserver/watchlist", told))[0] == 200
        kept = await found.get("/iserver/watchlist?id=7")
        assert [row.get("conid", row.get("H")) for row in kept["instruments"]] == [AAPL, "later", SPY]
        listed = await found.get("/iserver/watchlists?SC=USER_WATCHLIST")
        assert [row["name"] for row in listed["data"]["user_lists"]] == ["mine"]
        wrongs: list[Any] = [{}, {**told, "id": "x"}, {**told, "rows": [3]}, {**told, "name": None}, []]
        for wrong in wrongs:
            assert (await found("POST", "/iserver/watchlist", wrong))[0] == 400
        assert (await found("DELETE", "/iserver/watchlist?id=7"))[1]["data"] == {"deleted": "7"}
        assert (await found("GET", "/iserver/watchlist?id=7"))[0] == 503
        assert (await found("POST", "/iserver/watchlist", told))[0] == 200
        assert (await found("DELETE", "/iserver/watchlist", {"id": "7"}))[1]["data"] == {"deleted": "7"}


async def test_reports_follow_the_books() -> None:
    async with gate() as found:
        await found.order(quantity=10)
        found.venue.console.move("AAPL", found.px(1.1))
        whose = {"acctIds": [found.account]}
        _, said = await found("POST", "/pa/performance", {**whose, "period": "1M"})
        [nav], [cps] = said["nav"]["data"], said["cps"]["data"]
        summary = await found.get(f"/iserver/account/{found.account}/summary")
        assert nav["navs"][-1] == pytest.approx(summary["netLiquidationValue"])
        assert cps["returns"][-1] == pytest.approx(nav["navs"][-1] / nav["startNAV"]["val"] - 1)
        _, said = await found("POST", "/pa/allperiods", whose)
        assert said[found.account]["1M"]["nav"] == nav["navs"]
        asked = {**whose, "conids": [AAPL], "currency": "USD", "days": 3}
        _, said = await found("POST", "/pa/transactions", asked)
        [row] = said["transactions"]
        assert (row["qty"], row["type"], row["amt"]) == (10, "Buy", round(-10 * row["pr"], 2))
        _, said = await found("POST", "/pa/transactions", {**asked, "conids": [SPY]})
        assert said["transactions"] == []
        for wrong in ({}, {"acctIds": ["DU1"]}, {**whose, "period": "2D"}):
            assert (await found("POST", "/pa/performance", wrong))[0] == 400


async def test_accounts_and_contracts_by_other_ways() -> None:
    async with gate() as found:
        paged = await found.get("/portfolio/subaccounts2?page=0")
        assert [one["accountId"] for one in paged["subaccounts"]] == [found.account]
        assert (await found.get("/portfolio/subaccounts2?page=1"))["subaccounts"] == []
        _, shares = await found("POST", "/portfolio/allocation", {"acctIds": [found.account]})
        assert shares == await found.get(f"/portfolio/{found.account}/allocation")
        assert [row["conid"] for row in await found.get("/trsrv/all-conids?exchange=NASDAQ")] == [AAPL]
        [venue] = await found.get("/trsrv/secdef/schedule?assetClass=STK&symbol=AAPL")
        assert {day["sessions"][0]["openingTime"] for day in venue["schedules"]} == {"0930"}
        assert (await found("GET", "/trsrv/secdef/schedule?assetClass=STK&symbol=NOPE"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        (
            "GET",
            f"/iserver/secdef/strikes?conid={AAPL}&sectype=OPT&month=JAN27",
            200,
            {"call": [], "put": []},
        ),
        (
            "GET",
            "/iserver/secdef/strikes",
            400,
            {"error": "Bad Request: conid is required", "statusCode": 400},
        ),
        ("GET", "/trsrv/futures?symbols=ES,NQ", 200, {"ES": [], "NQ": []}),
        ("GET", "/iserver/exchangerate?source=USD&target=USD", 200, {"rate": 1.0}),
        ("GET", "/fyi/unreadnumber", 200, {"BN": 0}),
        ("GET", "/hmds/history?conid=1", 400, {"error": "Bad Request: no bridge", "statusCode": 400}),
        ("GET", "/iserver/account/mta", 503, {"error": "Service Unavailable", "statusCode": 503}),
        ("GET", "/iserver/nowhere", 404, {"error": "Not Found", "statusCode": 404}),
    ],
)
async def test_what_there_is_none_of(method: str, path: str, status: int, said: dict[str, object]) -> None:
    async with gate() as found:
        assert await found(method, path) == (status, said)


async def test_reports_are_paced() -> None:
    async with gate(limits=True) as found:
        asked = [await found("GET", "/iserver/scanner/params") for _ in range(4)]
        assert [status for status, _ in asked] == [200, 200, 200, 429]
