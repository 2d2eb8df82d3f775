"""ccxt's `binance` against an emulated Binance: a whole trading session, REST and its Pro streams."""

import asyncio
import time
from functools import partial
from typing import Any

import ccxt
import ccxt.pro

from tests.testbed.clients.session import Session, expect, refused, until
from tests.testbed.clients.watching import MOST_S, placed_until_told

PAIR = "BTC/USDT"


def pointed(base: type[Any], facts: dict[str, Any], keys: dict[str, Any]) -> Any:
    """An exchange that speaks to the emulator. Its error texts of the spot market are found by the names of production
    hosts: here every address is spot."""

    class Pointed(base):  # type: ignore[misc]
        def get_exceptions_by_url(self, url: str, kind: str) -> Any:
            return self.exceptions["spot"].get(kind, {})

    exchange = Pointed(keys)
    root = facts["rest"] + "/api/v3"
    exchange.urls["api"] = {
        **exchange.urls["api"],
        "public": root,
        "private": root,
        "ws": {"spot": facts["ws"] + "/ws", "ws-api": {"spot": facts["ws_api"]}},
    }
    exchange.options["fetchMarkets"] = {"types": ["spot"]}
    exchange.options["fetchMargins"] = False
    exchange.options["fetchCurrencies"] = False
    exchange.has["fetchCurrencies"] = False
    return exchange


def main() -> None:
    session = Session("ccxt (binance)", "ccxt")
    facts = session.facts
    keys = {"apiKey": facts["key"], "secret": facts["secret"], "enableRateLimit": False}
    exchange = pointed(ccxt.binance, facts, keys)
    _account(session, exchange)
    _data(session, exchange)
    _orders(session, exchange)
    _refusals(session, exchange)
    _other_keys(session, facts)
    asyncio.run(_streams(session, facts, keys))
    _bad_key_and_limit(session, exchange, facts)
    session.report()


def _account(session: Session, exchange: Any) -> None:
    with session.step("markets"):
        markets = exchange.load_markets()
        expect({PAIR, "ETH/USDT"} <= set(markets) and markets[PAIR]["active"], f"markets {list(markets)}")
        expect(markets[PAIR]["precision"]["price"] == 0.01, f"precision {markets[PAIR]['precision']}")
        expect(markets[PAIR]["limits"]["cost"]["min"] == 5, f"limits {markets[PAIR]['limits']}")
    with session.step("time"):
        expect(abs(exchange.fetch_time() - time.time() * 1_000) < 60_000, "the clock is off")
    with session.step("balance"):
        balance = exchange.fetch_balance()
        expect(balance["USDT"]["free"] > 20 * 60_000 and balance["BTC"]["total"] == 0, f"balance {balance}")


def _data(session: Session, exchange: Any) -> None:
    with session.step("ticker"):
        ticker = exchange.fetch_ticker(PAIR)
        expect(0 < ticker["bid"] < ticker["ask"] and ticker["last"] > 0, f"ticker {ticker}")
        expect(set(exchange.fetch_tickers([PAIR, "ETH/USDT"])) == {PAIR, "ETH/USDT"}, "tickers")
        expect(PAIR in exchange.fetch_bids_asks([PAIR]), "best prices")
    with session.step("order book"):
        book = exchange.fetch_order_book(PAIR, 5)
        expect(len(book["bids"]) == 5 and book["bids"][0][0] < book["asks"][0][0], f"book {book}")
    with session.step("candles"):
        rows = exchange.fetch_ohlcv(PAIR, "1m", limit=30)
        expect(len(rows) == 30 and rows[0][0] < rows[-1][0], f"{len(rows)} candles")
        expect(len(exchange.fetch_ohlcv(PAIR, "1d", limit=20)) == 20, "days")
    with session.step("public trades"):
        trades = exchange.fetch_trades(PAIR, limit=20)
        expect(len(trades) == 20 and trades[0]["side"] in ("buy", "sell"), f"trades {trades[:1]}")


def _orders(session: Session, exchange: Any) -> None:
    with session.step("limit order rests"):
        low = round(exchange.fetch_ticker(PAIR)["bid"] * 0.8, 2)
        order = exchange.create_order(PAIR, "limit", "buy", 0.01, low, {"clientOrderId": "mine-1"})
        expect(order["status"] == "open" and order["clientOrderId"] == "mine-1", f"order {order}")
        expect([o["id"] for o in exchange.fetch_open_orders(PAIR)] == [order["id"]], "open orders")
        found = exchange.fetch_order(None, PAIR, {"clientOrderId": "mine-1"})
        expect(found["id"] == order["id"], f"order {found}")
    with session.step("duplicate client id"):
        again = partial(exchange.create_order, PAIR, "limit", "buy", 0.01, low, {"clientOrderId": "mine-1"})
        refused(again, ccxt.InvalidOrder, "Duplicate order sent.")
    with session.step("amend"):
        changed = exchange.edit_order(order["id"], PAIR, "limit", "buy", 0.02, round(low + 10, 2))
        expect(changed["id"] != order["id"] and changed["amount"] == 0.02, f"changed {changed}")
        expect(exchange.fetch_order(order["id"], PAIR)["status"] == "canceled", "the old one")
    with session.step("cancel"):
        gone = exchange.cancel_order(changed["id"], PAIR)
        expect(gone["status"] == "canceled", f"cancel {gone}")
        refused(
            partial(exchange.cancel_order, changed["id"], PAIR), ccxt.OrderNotFound, "Unknown order sent."
        )
    with session.step("market buy fills at once"):
        order = exchange.create_order(PAIR, "market", "buy", 0.03)
        expect(order["status"] == "closed" and order["filled"] == 0.03, f"order {order}")
        expect(order["average"] > 0 and order["trades"], f"order {order}")
    with session.step("buy by cost"):
        order = exchange.create_market_buy_order_with_cost(PAIR, 500)
        expect(order["status"] == "closed" and 0 < order["cost"] <= 500, f"order {order}")
    with session.step("stop-limit rests"):
        px = exchange.fetch_ticker(PAIR)["bid"]
        order = exchange.create_order(
            PAIR, "limit", "sell", 0.01, round(px * 0.8, 2), {"stopLossPrice": round(px * 0.81, 2)}
        )
        expect(exchange.fetch_order(order["id"], PAIR)["status"] == "open", f"order {order}")
        exchange.cancel_all_orders(PAIR)
        expect(exchange.fetch_open_orders(PAIR) == [], "open orders")
    with session.step("trailing stop rests"):
        order = exchange.create_order(
            PAIR,
            "market",
            "sell",
            0.01,
            None,
            {"trailingPercent": 5, "stopLossOrTakeProfit": "stopLoss"},
        )
        expect(exchange.fetch_order(order["id"], PAIR)["status"] == "open", f"order {order}")
        exchange.cancel_order(order["id"], PAIR)
    with session.step("post only that would take"):
        taker = partial(
            exchange.create_order, PAIR, "limit", "buy", 0.01, round(px * 1.1, 2), {"postOnly": True}
        )
        refused(taker, ccxt.OrderImmediatelyFillable, "Order would immediately match and take.")
    with session.step("market sell fills"):
        order = exchange.create_order(PAIR, "market", "sell", 0.03)
        expect(order["status"] == "closed", f"order {order}")
    with session.step("my trades"):
        trades = exchange.fetch_my_trades(PAIR)
        expect(trades[-1]["order"] == order["id"] and trades[-1]["side"] == "sell", f"trades {trades}")
    with session.step("orders of the past"):
        rows = exchange.fetch_orders(PAIR)
        expect({row["status"] for row in rows} == {"closed", "canceled"}, f"orders {rows}")
        expect(all(row["status"] == "closed" for row in exchange.fetch_closed_orders(PAIR)), "closed orders")


def _refusals(session: Session, exchange: Any) -> None:
    with session.step("bad symbol"):
        refused(partial(exchange.create_order, "NO/SUCH", "market", "buy", 1), ccxt.BadSymbol)
        raw = partial(exchange.publicGetDepth, {"symbol": "NOSUCH"})
        refused(raw, ccxt.BadSymbol, "Invalid symbol.")
    with session.step("no funds"):
        refused(partial(exchange.create_order, PAIR, "market", "buy", 1_000), ccxt.InsufficientFunds)
        refused(partial(exchange.create_order, PAIR, "market", "sell", 100), ccxt.InsufficientFunds)
    with session.step("too small"):
        refused(partial(exchange.create_order, PAIR, "market", "buy", 0.00002), ccxt.BadRequest, "NOTIONAL")
    with session.step("too far away"):
        order = partial(exchange.create_order, PAIR, "limit", "buy", 0.01, 1_000)
        refused(order, ccxt.InvalidOrder, "PERCENT_PRICE_BY_SIDE")
    with session.step("would trigger at once"):
        px = round(exchange.fetch_ticker(PAIR)["last"] * 1.1, 2)
        order = partial(exchange.create_order, PAIR, "market", "sell", 0.001, None, {"stopLossPrice": px})
        refused(order, ccxt.OrderImmediatelyFillable, "Order would trigger immediately.")
    with session.step("unknown order"):
        refused(partial(exchange.fetch_order, "999999", PAIR), ccxt.OrderNotFound, "Order does not exist.")


def _other_keys(session: Session, facts: dict[str, Any]) -> None:
    with session.step("an Ed25519 key"):
        keys = {
            "apiKey": facts["ed25519_key"],
            "secret": facts["ed25519_private_key"],
            "enableRateLimit": False,
        }
        exchange = pointed(ccxt.binance, facts, keys)
        expect(exchange.fetch_balance()["USDT"]["free"] > 0, "the balance")


async def _streams(session: Session, facts: dict[str, Any], keys: dict[str, Any]) -> None:
    exchange = pointed(ccxt.pro.binance, facts, keys)
    try:
        await exchange.load_markets()
        await _watch_account(session, exchange)
        await _watch_market(session, exchange)
        await _socket_orders(session, exchange)
    finally:
        await exchange.close()


async def _watch_account(session: Session, exchange: Any) -> None:
    with session.step("stream: orders, fills and balance"):
        orders = asyncio.create_task(exchange.watch_orders(PAIR))
        mine = asyncio.create_task(exchange.watch_my_trades(PAIR))
        balance = asyncio.create_task(exchange.watch_balance())
        placed = await placed_until_told(exchange, PAIR, orders, mine, balance)
        seen, trades, held = await orders, await mine, await balance
        expect(seen[-1]["id"] in placed, f"orders {seen}")
        expect(trades[-1]["order"] in placed and trades[-1]["amount"] == 0.01, f"trades {trades}")
        expect(held["USDT"]["free"] > 0, f"balance {held}")


async def _watch_market(session: Session, exchange: Any) -> None:
    with session.step("stream: ticker"):
        ticker = await asyncio.wait_for(exchange.watch_ticker(PAIR), MOST_S)
        expect(ticker["last"] > 0, f"ticker {ticker}")
    with session.step("stream: best prices"):
        best = await asyncio.wait_for(exchange.watch_bids_asks([PAIR]), MOST_S)
        expect(best[PAIR]["bid"] < best[PAIR]["ask"], f"best {best}")
    with session.step("stream: trades"):
        prints = await asyncio.wait_for(exchange.watch_trades(PAIR), MOST_S)
        expect(prints[-1]["price"] > 0, f"trades {prints}")
    with session.step("stream: candles"):
        rows = await asyncio.wait_for(exchange.watch_ohlcv(PAIR, "1m"), MOST_S)
        expect(rows[-1][4] > 0, f"candles {rows}")
    with session.step("stream: order book"):
        for _ in range(5):
            book = await asyncio.wait_for(exchange.watch_order_book(PAIR), MOST_S)
            expect(book["bids"][0][0] < book["asks"][0][0], f"book {book}")


async def _socket_orders(session: Session, exchange: Any) -> None:
    with session.step("WebSocket API: place, look up, cancel"):
        low = round((await exchange.fetch_ticker(PAIR))["bid"] * 0.8, 2)
        order = await exchange.create_order_ws(PAIR, "limit", "buy", 0.01, low)
        expect(order["status"] == "open", f"order {order}")
        expect((await exchange.fetch_order_ws(order["id"], PAIR))["status"] == "open", "the order")
        gone = await exchange.cancel_order_ws(order["id"], PAIR)
        expect(gone["status"] == "canceled", f"cancel {gone}")
    with session.step("WebSocket API: balance and trades"):
        balance = await exchange.fetch_balance_ws()  # of a spot account it reads no more than the raw answer
        expect(balance["info"]["balances"], f"balance {balance}")
        expect((await exchange.fetch_my_trades_ws(PAIR))[-1]["price"] > 0, "trades")
    with session.step("WebSocket API: refusal"):
        try:
            await exchange.create_order_ws(PAIR, "market", "buy", 1_000)
        except ccxt.BaseError as error:
            expect("insufficient balance" in str(error), f"{error}")
        else:
            raise AssertionError("an order without funds was taken")


def _bad_key_and_limit(session: Session, exchange: Any, facts: dict[str, Any]) -> None:
    with session.step("bad key"):
        wrong = pointed(ccxt.binance, facts, {"apiKey": "A" * 64, "secret": "nothing"})
        refused(wrong.fetch_balance, ccxt.AuthenticationError, "-2015")
        forged = pointed(ccxt.binance, facts, {"apiKey": facts["key"], "secret": "nothing"})
        refused(forged.fetch_balance, ccxt.AuthenticationError, "Signature for this request is not valid.")
    with session.step("rate limit"):

        def many() -> None:
            for _ in range(100):  # more than two windows hold
                exchange.publicGetDepth({"symbol": "BTCUSDT", "limit": 5_000})

        until(lambda: refused(many, ccxt.DDoSProtection, "-1003"), "the limit")


if __name__ == "__main__":
    main()
