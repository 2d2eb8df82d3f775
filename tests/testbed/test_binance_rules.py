"""The emulated Binance's newer methods: rules, reference prices, an account's filters; a wallet where nothing moved."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.testbed.binance_caller import Spot
from workbench.testbed import emulated


async def test_execution_rules_and_what_asking_for_them_weighs() -> None:
    async with emulated("binance", speed=0.0) as venue, aiohttp.ClientSession() as session:
        spot = Spot(venue, session)
        spot.fresh(60)
        weights = []
        for query, symbols in (
            ("symbol=ETHUSDT", ["ETHUSDT"]),
            ("symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D", ["BTCUSDT", "ETHUSDT"]),
            ("symbolStatus=HALT", []),
            ("", ["BTCUSDT", "ETHUSDT"]),
        ):
            status, body = await spot.raw("GET", "executionRules", query)
            assert (status, [row["symbol"] for row in body["symbolRules"]]) == (200, symbols)
            assert all(row["rules"] == [] for row in body["symbolRules"])
            weights.append(int(spot.answered["X-MBX-USED-WEIGHT-1M"]))
        assert weights == [2, 6, 46, 86]
        status, body = await spot.raw("GET", "executionRules", "symbol=ETHUSDT&symbolStatus=TRADING")
        assert (status, body["code"]) == (400, -1128)


async def test_the_reference_price_is_the_mean_of_the_last_trades() -> None:
    async with emulated("binance", speed=0.0) as venue, aiohttp.ClientSession() as session:
        spot, board = Spot(venue, session), venue.exchange.market.board("BTCUSDT")
        board.prints.clear()
        _, alone = await spot.raw("GET", "referencePrice", "symbol=BTCUSDT")
        assert float(alone["referencePrice"]) == board.last
        for px, size in ((100.0, 5.0), (130.0, 1.0)):
            venue.console.print_at("BTCUSDT", px, size)
        _, told = await spot.raw("GET", "referencePrice", "symbol=BTCUSDT")
        assert (told["symbol"], float(told["referencePrice"])) == ("BTCUSDT", 115.0)
        async with session.ws_connect(f"{venue.facts['ws']}/ws/btcusdt@referencePrice") as socket:
            event = await asyncio.wait_for(socket.receive_json(), 60)
        assert set(event) == set("esrt")
        assert (event["e"], event["s"], event["r"]) == ("referencePrice", "BTCUSDT", told["referencePrice"])
        _, how = await spot.raw("GET", "referencePrice/calculation", "symbol=BTCUSDT")
        assert how == {
            "symbol": "BTCUSDT",
            "calculationType": "ARITHMETIC_MEAN",
            "bucketCount": 80,
            "bucketWidthMs": 3_750,
        }


async def test_filters_of_the_account_and_trades_away_from_the_book() -> None:
    async with emulated("binance", speed=0.0) as venue, aiohttp.ClientSession() as session:
        spot = Spot(venue, session)
        status, body = await spot("GET", "myFilters", symbol="BTCUSDT")
        assert (status, body["exchangeFilters"], body["assetFilters"]) == (200, [], [])
        assert {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20} in body["symbolFilters"]
        assert "LOT_SIZE" not in {row["filterType"] for row in body["symbolFilters"]}
        status, body = await spot("GET", "myFilters")
        assert (status, body["code"]) == (400, -1102)
        assert await spot.raw("GET", "historicalBlockTrades", "symbol=BTCUSDT&fromId=0") == (200, [])
        status, body = await spot.raw("GET", "historicalBlockTrades", "symbol=BTCUSDT")
        assert (status, body["code"]) == (400, -1102)
        # the same methods over the WebSocket API
        async with session.ws_connect(venue.facts["ws_api"]) as socket:
            for method in ("executionRules", "referencePrice", "referencePrice.calculation"):
                await socket.send_json({"id": method, "method": method, "params": {"symbol": "BTCUSDT"}})
                answer = await asyncio.wait_for(socket.receive_json(), 60)
                assert (answer["id"], answer["status"]) == (method, 200)


async def test_numbers_of_order_lists_begin_at_one() -> None:
    async with emulated("binance", speed=0.0) as venue, aiohttp.ClientSession() as session:
        spot = Spot(venue, session)
        await spot.order(type="MARKET", timeInForce=None, price=None)
        pair = {"quantity": "0.005", "aboveType": "LIMIT_MAKER", "abovePrice": spot.px(1.1)}
        status, told = await spot(
            "POST",
            "orderList/oco",
            symbol="BTCUSDT",
            side="SELL",
            belowType="STOP_LOSS",
            belowStopPrice=spot.px(0.9),
            **pair,
        )
        assert (status, told["orderListId"]) == (200, 1)
        _, again = await spot("GET", "orderList", orderListId=1)
        assert [row["orderId"] for row in again["orders"]] == [row["orderId"] for row in told["orders"]]


@pytest.mark.parametrize(
    ("path", "params", "told"),
    [
        ("v1/capital/deposit/hisrec", {"coin": "USDT", "limit": 10}, []),
        ("v1/capital/withdraw/history", {"coin": "USDT", "startTime": 1}, []),
        ("v1/asset/transfer", {"type": "MAIN_UMFUTURE"}, {"total": 0, "rows": []}),
        ("v1/asset/dribblet", {}, {"total": 0, "userAssetDribblets": []}),
        ("v1/accountSnapshot", {"type": "SPOT"}, {"code": 200, "msg": "", "snapshotVos": []}),
        ("v1/bnbBurn", {}, {"spotBNBBurn": False, "interestBNBBurn": False}),
        ("v1/spot/delist-schedule", {}, []),
        ("v1/margin/allAssets", {}, []),
    ],
)
async def test_a_wallet_where_nothing_moved(path: str, params: dict[str, Any], told: Any) -> None:
    async with emulated("binance", speed=0.0) as venue, aiohttp.ClientSession() as session:
        spot = Spot(venue, session)
        spot.root = "/sapi"
        assert await spot("GET", path, **params) == (200, told)


async def test_how_assets_come_and_go() -> None:
    async with emulated("binance", speed=0.0) as venue, aiohttp.ClientSession() as session:
        spot = Spot(venue, session)
        spot.root = "/sapi"
        _, details = await spot("GET", "v1/asset/assetDetail")
        assert set(details) >= {"BTC", "ETH", "USDT"}
        assert not details["BTC"]["depositStatus"]
        _, standing = await spot("GET", "v1/account/info")
        assert (standing["vipLevel"], standing["isMarginEnabled"]) == (0, False)
        status, refused = await spot("GET", "v1/accountSnapshot", type="ODD")
        assert (status, refused["code"]) == (400, -1130)
