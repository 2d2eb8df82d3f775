"""python-binance against an emulated Binance: a whole trading session, blocking client, WebSocket API and streams."""

import asyncio
import time
from functools import partial
from typing import Any

from binance import Client  # type: ignore[import-untyped]
from binance.exceptions import BinanceAPIException  # type: ignore[import-untyped]

from tests.testbed.clients.binance._python_binance_sockets import PAIR, pointed, stream_steps
from tests.testbed.clients.session import Session, expect, refused


def main() -> None:
    session = Session("python-binance", "python-binance")
    facts = session.facts
    client = pointed(Client, facts)(facts["key"], facts["secret"], ping=False)
    _account(session, client)
    _data(session, client)
    _orders(session, client)
    _lists(session, client)
    _refusals(session, client)
    _other_keys(session, facts)
    asyncio.run(stream_steps(session, facts))
    _bad_key_and_limit(session, client, facts)
    session.report()


def _account(session: Session, client: Any) -> None:
    with session.step("ping and time"):
        expect(client.ping() == {}, "ping")
        expect(abs(client.get_server_time()["serverTime"] - time.time() * 1_000) < 60_000, "the clock is off")
    with session.step("exchange info"):
        info = client.get_exchange_info()
        expect({"BTCUSDT", "ETHUSDT"} <= {one["symbol"] for one in info["symbols"]}, "symbols")
        kinds = {one["rateLimitType"] for one in info["rateLimits"]}
        expect(kinds == {"REQUEST_WEIGHT", "ORDERS", "RAW_REQUESTS"}, f"limits {kinds}")
        names = {one["filterType"] for one in client.get_symbol_info(PAIR)["filters"]}
        expect({"PRICE_FILTER", "LOT_SIZE", "NOTIONAL", "MAX_NUM_ORDERS"} <= names, f"filters {names}")
    with session.step("account"):
        account = client.get_account()
        expect(account["canTrade"] and account["accountType"] == "SPOT", f"account {account}")
        expect(float(client.get_asset_balance("USDT")["free"]) > 20 * 60_000, "little cash")
        expect(client.get_asset_balance("BTC")["free"] == "0.00000000", "not flat")
    with session.step("order count"):
        rows = client.get_current_order_count()
        expect([row["interval"] for row in rows] == ["SECOND", "DAY"], f"counts {rows}")


def _data(session: Session, client: Any) -> None:
    with session.step("order book"):
        book = client.get_order_book(symbol=PAIR, limit=5)
        expect(len(book["bids"]) == 5 and float(book["bids"][0][0]) < float(book["asks"][0][0]), f"{book}")
    with session.step("trades"):
        rows = client.get_recent_trades(symbol=PAIR, limit=20)
        expect(len(rows) == 20 and rows[0]["id"] < rows[-1]["id"], f"trades {rows[:2]}")
        old = client.get_historical_trades(symbol=PAIR, fromId=rows[0]["id"], limit=3)
        expect([row["id"] for row in old] == [row["id"] for row in rows[:3]], f"old trades {old}")
        many = client.get_aggregate_trades(symbol=PAIR, limit=10)
        expect(len(many) == 10 and "a" in many[0], f"aggregated {many[:1]}")
    with session.step("candles"):
        rows = client.get_klines(symbol=PAIR, interval="1m", limit=30)
        expect(len(rows) == 30 and rows[0][0] < rows[-1][0] and len(rows[0]) == 12, f"{len(rows)} candles")
        days = client.get_historical_klines(PAIR, "1d", "20 days ago UTC")
        expect(len(days) > 10, f"{len(days)} days")
        hour = client.get_klines(symbol=PAIR, interval="1h", limit=3)
        expect(len(hour) == 3, f"hours {hour}")
    with session.step("prices"):
        px = float(client.get_symbol_ticker(symbol=PAIR)["price"])
        expect(px > 0 and len(client.get_all_tickers()) >= 2, "tickers")
        best = client.get_orderbook_ticker(symbol=PAIR)
        expect(float(best["bidPrice"]) < float(best["askPrice"]), f"best {best}")
        day = client.get_ticker(symbol=PAIR)
        expect(float(day["lowPrice"]) <= float(day["lastPrice"]) <= float(day["highPrice"]), f"day {day}")
        expect(float(client.get_avg_price(symbol=PAIR)["price"]) > 0, "average")
        window = client.get_symbol_ticker_window(symbol=PAIR, windowSize="15m")
        expect(float(window["lastPrice"]) > 0, f"window {window}")


def _px(client: Any, factor: float = 1.0) -> str:
    return f"{float(client.get_symbol_ticker(symbol=PAIR)['price']) * factor:.2f}"


def _orders(session: Session, client: Any) -> None:
    with session.step("market buy fills at once"):
        order = client.order_market_buy(symbol=PAIR, quantity="0.01")
        expect(order["status"] == "FILLED" and order["executedQty"] == "0.01000000", f"order {order}")
        expect(order["fills"] and float(order["fills"][0]["price"]) > 0, f"fills {order}")
        expect(client.get_asset_balance("BTC")["free"] == "0.01000000", "the balance")
    with session.step("market buy by value"):
        order = client.order_market_buy(symbol=PAIR, quoteOrderQty="1000")
        spent = float(order["cummulativeQuoteQty"])
        expect(order["status"] == "FILLED" and 0 < spent <= 1_000, f"order {order}")
        expect(order["origQuoteOrderQty"] == "1000.00000000", f"order {order}")
    with session.step("limit order rests"):
        low = _px(client, 0.8)
        order = client.order_limit_buy(symbol=PAIR, quantity="0.02", price=low, newClientOrderId="mine-1")
        expect(order["status"] == "NEW" and order["clientOrderId"] == "mine-1", f"order {order}")
        found = client.get_order(symbol=PAIR, origClientOrderId="mine-1")
        expect(found["orderId"] == order["orderId"] and found["isWorking"], f"order {found}")
        expect([o["clientOrderId"] for o in client.get_open_orders(symbol=PAIR)] == ["mine-1"], "open")
        expect(float(client.get_asset_balance("USDT")["locked"]) > 0, "nothing is locked")
    with session.step("duplicate client id"):
        again = partial(
            client.order_limit_buy, symbol=PAIR, quantity="0.02", price=low, newClientOrderId="mine-1"
        )
        refused(again, BinanceAPIException, "-2010", "Duplicate order sent.")
    with session.step("cancel"):
        gone = client.cancel_order(symbol=PAIR, orderId=order["orderId"])
        expect(gone["status"] == "CANCELED" and gone["origClientOrderId"] == "mine-1", f"cancel {gone}")
        expect(gone["clientOrderId"] != "mine-1", "the cancel has the order's id")
        twice = partial(client.cancel_order, symbol=PAIR, orderId=order["orderId"])
        refused(twice, BinanceAPIException, "-2011", "Unknown order sent.")
    with session.step("a client id can be used again once its order has ended"):
        order = client.order_limit_buy(symbol=PAIR, quantity="0.02", price=low, newClientOrderId="mine-1")
        expect(order["status"] == "NEW", f"order {order}")
    with session.step("cancel and replace"):
        both = client.cancel_replace_order(
            symbol=PAIR,
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.03",
            price=low,
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=order["orderId"],
        )
        expect(both["cancelResult"] == both["newOrderResult"] == "SUCCESS", f"answer {both}")
        expect(both["newOrderResponse"]["origQty"] == "0.03000000", f"answer {both}")
        both_again = partial(
            client.cancel_replace_order,
            symbol=PAIR,
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.03",
            price=low,
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=order["orderId"],
        )
        refused(both_again, BinanceAPIException, "-2022")
    with session.step("cancel all"):
        gone = client.cancel_all_open_orders(symbol=PAIR)
        expect(len(gone) == 1 and gone[0]["status"] == "CANCELED", f"cancels {gone}")
        expect(client.get_open_orders() == [], "still open")
    with session.step("test order"):
        expect(
            client.create_test_order(symbol=PAIR, side="BUY", type="MARKET", quantity="0.01") == {}, "test"
        )
    with session.step("fill or kill"):
        order = client.create_order(
            symbol=PAIR, side="BUY", type="LIMIT", timeInForce="FOK", quantity="0.01", price=_px(client, 0.9)
        )
        expect(order["status"] == "EXPIRED", f"order {order}")
    with session.step("stop rests, then market sell fills"):
        stop = client.create_order(
            symbol=PAIR,
            side="SELL",
            type="STOP_LOSS_LIMIT",
            timeInForce="GTC",
            quantity="0.01",
            price=_px(client, 0.85),
            stopPrice=_px(client, 0.9),
        )
        expect(set(stop) >= {"orderId", "transactTime"} and "status" not in stop, f"stop {stop}")
        expect(client.get_order(symbol=PAIR, orderId=stop["orderId"])["status"] == "NEW", "the stop")
        client.cancel_order(symbol=PAIR, orderId=stop["orderId"])
        order = client.order_market_sell(symbol=PAIR, quantity="0.01")
        expect(order["status"] == "FILLED", f"order {order}")
    with session.step("trailing stop rests"):
        order = client.create_order(
            symbol=PAIR, side="SELL", type="STOP_LOSS", quantity="0.01", trailingDelta=500
        )
        found = client.get_order(symbol=PAIR, orderId=order["orderId"])
        expect(found["status"] == "NEW" and found["trailingDelta"] == 500, f"order {found}")
        client.cancel_order(symbol=PAIR, orderId=order["orderId"])
    with session.step("history"):
        rows = client.get_all_orders(symbol=PAIR)
        expect({row["status"] for row in rows} == {"FILLED", "CANCELED", "EXPIRED"}, f"orders {rows}")
        trades = client.get_my_trades(symbol=PAIR)
        expect(trades and trades[0]["isBuyer"] and not trades[-1]["isBuyer"], f"trades {trades}")
        own = client.get_my_trades(symbol=PAIR, orderId=trades[-1]["orderId"])
        expect(own and own[-1] == trades[-1], f"trades of an order {own}")


def _lists(session: Session, client: Any) -> None:
    with session.step("one cancels the other"):
        both = client.create_oco_order(
            symbol=PAIR,
            side="SELL",
            quantity="0.01",
            aboveType="LIMIT_MAKER",
            abovePrice=_px(client, 1.2),
            belowType="STOP_LOSS",
            belowStopPrice=_px(client, 0.8),
        )
        expect(both["contingencyType"] == "OCO" and len(both["orderReports"]) == 2, f"list {both}")
        expect(len(client.get_open_oco_orders()) == 1 and len(client.get_open_orders()) == 2, "open lists")
        expect(
            client.v3_get_order_list(orderListId=both["orderListId"])["listOrderStatus"] == "EXECUTING", "it"
        )
        gone = client.v3_delete_order_list(symbol=PAIR, orderListId=both["orderListId"])
        expect(gone["listOrderStatus"] == "ALL_DONE" and client.get_open_orders() == [], f"cancel {gone}")
    with session.step("one places the others"):
        made = client.v3_post_order_list_otoco(
            symbol=PAIR,
            workingType="LIMIT",
            workingSide="BUY",
            workingPrice=_px(client, 0.8),
            workingQuantity="0.01",
            workingTimeInForce="GTC",
            pendingSide="SELL",
            pendingQuantity="0.01",
            pendingAboveType="LIMIT_MAKER",
            pendingAbovePrice=_px(client, 1.2),
            pendingBelowType="STOP_LOSS",
            pendingBelowStopPrice=_px(client, 0.7),
        )
        states = [report["status"] for report in made["orderReports"]]
        expect(states == ["NEW", "PENDING_NEW", "PENDING_NEW"], f"list {made}")
        client.cancel_order(symbol=PAIR, orderId=made["orders"][0]["orderId"])
        expect(client.get_open_orders() == [], "still open")


def _refusals(session: Session, client: Any) -> None:
    def order(**changed: Any) -> Any:
        usual = {"symbol": PAIR, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        return partial(client.create_order, **{**usual, "price": _px(client, 0.9), **changed})

    with session.step("bad symbol"):
        refused(order(symbol="NOSUCHUSDT"), BinanceAPIException, "-1121", "Invalid symbol.")
        refused(partial(client.get_order_book, symbol="NOSUCH"), BinanceAPIException, "-1121")
    with session.step("no funds"):
        text = "Account has insufficient balance for requested action."
        refused(order(quantity="190"), BinanceAPIException, "-2010", text)
        refused(order(side="SELL", quantity="100"), BinanceAPIException, "-2010", text)
    with session.step("filters"):
        refused(order(price=_px(client, 0.9) + "5"), BinanceAPIException, "-1013", "PRICE_FILTER")
        refused(order(quantity="0.010001"), BinanceAPIException, "-1013", "LOT_SIZE")
        refused(order(quantity="0.00002"), BinanceAPIException, "-1013", "NOTIONAL")
        refused(order(price=_px(client, 0.1)), BinanceAPIException, "-1013", "PERCENT_PRICE_BY_SIDE")
    with session.step("malformed"):
        refused(order(side="HOLD"), BinanceAPIException, "-1117", "Invalid side.")
        refused(order(type="ICEBERG"), BinanceAPIException, "-1116", "Invalid orderType.")
        refused(order(timeInForce="DAY"), BinanceAPIException, "-1115", "Invalid timeInForce.")
        refused(order(quantity="0.0000000001"), BinanceAPIException, "-1111", "too much precision")
        refused(order(nonsense="1"), BinanceAPIException, "-1104")
    with session.step("post only that would take"):
        maker = partial(
            client.create_order,
            symbol=PAIR,
            side="BUY",
            type="LIMIT_MAKER",
            quantity="0.01",
            price=_px(client, 1.1),
        )
        refused(maker, BinanceAPIException, "-2010", "Order would immediately match and take.")
    with session.step("unknown order"):
        refused(
            partial(client.get_order, symbol=PAIR, orderId=999_999),
            BinanceAPIException,
            "-2013",
            "Order does not exist.",
        )
    with session.step("from another time"):
        client.timestamp_offset = -60_000
        try:
            refused(client.get_account, BinanceAPIException, "-1021", "outside of the recvWindow")
            client.timestamp_offset = 60_000
            refused(client.get_account, BinanceAPIException, "-1021", "ahead of the server's time")
        finally:
            client.timestamp_offset = 0


def _other_keys(session: Session, facts: dict[str, Any]) -> None:
    with session.step("an Ed25519 key"):
        signing = pointed(Client, facts)(
            facts["ed25519_key"], private_key=facts["ed25519_private_key"], ping=False
        )
        expect(signing.get_account()["canTrade"], "the account")
        order = signing.create_order(symbol=PAIR, side="BUY", type="MARKET", quantity="0.001")
        expect(order["status"] == "FILLED", f"order {order}")
    with session.step("a key from a file that is not the account's"):
        wrong = pointed(Client, facts)(facts["key"], private_key=facts["ed25519_private_key"], ping=False)
        refused(wrong.get_account, BinanceAPIException, "-1022")


def _bad_key_and_limit(session: Session, client: Any, facts: dict[str, Any]) -> None:
    with session.step("bad key"):
        unknown = pointed(Client, facts)("A" * 64, facts["secret"], ping=False)
        refused(unknown.get_account, BinanceAPIException, "-2015")
        short = pointed(Client, facts)("short", facts["secret"], ping=False)
        refused(short.get_account, BinanceAPIException, "-2014")
        wrong = pointed(Client, facts)(facts["key"], "not the secret", ping=False)
        refused(wrong.get_account, BinanceAPIException, "-1022")
    with session.step("too many orders"):

        def many() -> None:
            low = _px(client, 0.9)
            for n in range(250):  # more than two windows hold
                client.order_limit_buy(symbol=PAIR, quantity="0.001", price=low)
                if n % 150 == 149:  # as many as may be open
                    client.cancel_all_open_orders(symbol=PAIR)

        error: Any = refused(many, BinanceAPIException, "-1015", "Too many new orders")
        expect(error.status_code == 429 and int(error.response.headers["Retry-After"]) > 0, f"{error}")
    with session.step("rate limit"):

        def heavy() -> None:
            for _ in range(100):  # more than two windows hold
                client.get_order_book(symbol=PAIR, limit=5_000)

        error = refused(heavy, BinanceAPIException, "-1003", "Too much request weight used")
        expect(error.status_code == 429, f"status {error.status_code}")


if __name__ == "__main__":
    main()
