"""The emulated gateway's account by segments, its owner, its trading days, and paths with a part left out."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.testbed.ibkr.gate import AAPL, gate, listening

_NAMES = {
    "available_funds": {"current_available", "current_excess", "overnight_available", "Lk Ahd Excss Lqdty"},
    "balances": {"net_liquidation", "equity_with_loan", "cash", "MTD Interest"},
    "margins": {"current_initial", "current_maint", "projected_liquidity_inital_margin"},
}


@pytest.mark.parametrize("part", sorted(_NAMES))
async def test_segments_have_the_same_figures_as_text(part: str) -> None:
    async with gate() as found:
        said = await found.get(f"/iserver/account/{found.account}/summary/{part}")
        assert set(said) == {"total", "Crypto at Paxos", "commodities", "securities"}
        for segment in said.values():
            assert set(segment) >= _NAMES[part]
        for name in _NAMES[part]:
            assert said["commodities"][name] == "0 USD"
            assert said["total"][name] == said["securities"][name]
        assert (await found("GET", f"/iserver/account/U0/summary/{part}"))[0] == 400


async def test_segments_follow_the_books() -> None:
    async with gate(cash=1_000_000.0) as found:
        await found.order(quantity=100)
        found.venue.console.move("AAPL", 200.0)
        whole = f"/iserver/account/{found.account}/summary"
        numbers = await found.get(whole)
        balances = (await found.get(f"{whole}/balances"))["total"]
        assert balances["net_liquidation"] == f"{numbers['netLiquidationValue']:,.0f} USD"
        assert balances["sec_gross_pos_val"] == "20,000 USD"
        assert balances["Prvs Dy Eqty Wth Ln Vl"] == "1,000,000 USD"
        margins = (await found.get(f"{whole}/margins"))["total"]
        assert (margins["current_initial"], margins["current_maint"]) == ("10,000 USD", "5,000 USD")
        held = await found.get(f"{whole}/market_value")
        assert set(held) == {"USD", "Total (in USD)"}
        assert (held["USD"]["stock"], held["USD"]["bonds"]) == ("20,000", "0")
        assert held["USD"]["settled_cash"] == f"{numbers['totalCashValue']:,.0f}"


async def test_whose_account_it_is() -> None:
    async with gate() as found:
        said = await found.get(f"/acesws/{found.account}/signatures-and-owners")
        assert (said["accountId"], said["users"][0]["roleId"]) == (found.account, "OWNER")
        assert said["applicant"]["signatures"] == [said["users"][0]["entity"]["entityName"]]
        assert (await found("GET", "/acesws/U0/signatures-and-owners"))[0] == 400


async def test_positions_without_a_page_are_the_first_page() -> None:
    async with gate() as found:
        await found.order(quantity=3)
        rows = await found.get(f"/portfolio/{found.account}/positions")
        assert [(row["conid"], row["position"]) for row in rows] == [(AAPL, 3)]
        assert rows == await found.get(f"/portfolio/{found.account}/positions/0")
        alone = await found.get(f"/portfolio/{found.account}/allocation")
        assert await found.get(f"/portfolio/allocation?acctIds={found.account}") == alone


async def test_trading_days_around_now() -> None:
    async with gate() as found:
        clock = found.venue.exchange.clock
        now_ns = clock.now_ns()
        clock._wall = lambda: now_ns  # a session may end at any time
        said = await found.get(f"/contract/trading-schedule?conid={AAPL}")
        assert said["exchange_time_zone"] == "US/Eastern"
        days = said["schedules"]
        assert len(days) == 6
        now_s = now_ns / 1e9
        closed = [day for day, hours in days.items() if hours["liquid_hours"][0]["closing"] <= now_s]
        assert closed == [min(days)]
        for day, hours in days.items():
            regular, whole = hours["liquid_hours"][0], hours["extended_hours"][0]
            opens = datetime.fromtimestamp(regular["opening"], UTC).astimezone(ZoneInfo("America/New_York"))
            assert f"{opens:%Y%m%d %H:%M}" == f"{day} 09:30"
            assert regular["opening"] - whole["opening"] == 5.5 * 3_600
            assert whole["closing"] > regular["closing"]
        assert (await found("GET", "/contract/trading-schedule?conid=1"))[0] == 404
        assert (await found("GET", "/contract/trading-schedule"))[0] == 400


async def test_there_is_no_prompt_to_answer() -> None:
    async with gate() as found:
        assert (await found("POST", "/iserver/notification", {"orderId": 1}))[0] == 400
        answer = {"orderId": 1, "reqId": "2", "text": "Yes"}
        assert (await found("POST", "/iserver/notification", answer))[0] == 503


async def test_the_summary_tells_of_segments_too() -> None:
    async with gate(cash=1_000_000.0) as found:
        await found.order(quantity=100)
        rows = await found.get(f"/portfolio/{found.account}/summary")
        for name in (
            "netliquidation",
            "excessliquidity",
            "initmarginreq",
            "fullavailablefunds",
            "totalcashvalue",
        ):
            assert rows[f"{name}-s"]["amount"] == rows[name]["amount"]
            assert rows[f"{name}-c"]["amount"] == 0.0
        assert (rows["leverage-s"]["value"], rows["netliquidation-s"]["currency"]) == ("0.02", "USD")
        keys = {"keys": ["ExcessLiquidity-S", "NetLiquidation-C"], "fields": ["currency", "monetaryvalue"]}
        async with listening(found, f"ssd+{found.account}+{json.dumps(keys)}") as heard:
            said = next(one for one in heard.said if one.get("topic") == f"ssd+{found.account}")
        told = {row["key"]: row for row in said["result"]}
        assert set(told) == {"AccountCode", "ExcessLiquidity-S", "NetLiquidation-C"}
        assert told["ExcessLiquidity-S"]["monetaryValue"] == rows["excessliquidity-s"]["amount"]
