"""ccxt's `alpaca` against an emulated Alpaca: a whole trading session in crypto, REST and its Pro streams."""

import asyncio
import time
from functools import partial
from typing import Any

import ccxt
import ccxt.pro

from tests.testbed.clients.session import Session, expect, refused, until
from tests.testbed.clients.watching import MOST_S, placed_until_told

PAIR = "BTC/USD"


def pointed(exchange: Any, facts: dict[str, Any]) -> Any:
    """An exchange that speaks to the emulator."""
    exchange.urls["api"] = {
        "broker": facts["rest"],
        "trader": facts["rest"],
        "market": facts["rest"],
        "ws": {"crypto": f"{facts['ws_root']}/v1beta2/crypto", "trading": facts["ws"]},
    }
    return exchange


def main() -> None:
    session = Session("ccxt (alpaca)", "ccxt")
    facts = session.facts
    keys = {"apiKey": facts["key"], "secret": facts["secret"], "enableRateLimit": False}
    exchange = pointed(ccxt.alpaca(keys), facts)
    _account(session, exchange)
    _data(session, exchange)
    _orders(session, exchange)
    _refusals(session, exchange)
    asyncio.run(_streams(session, facts, keys))
    _bad_key_and_limit(session, exchange, facts)
    session.report()


def _account(session: Session, exchange: Any) -> None:
    with session.step("markets"):
        markets = exchange.load_markets()
        expect(PAIR in markets and markets[PAIR]["active"], f"markets {list(markets)}")
        expect(markets[PAIR]["limits"]["amount"]["min"] > 0, "least amount")
    with session.step("time"):
        expect(abs(exchange.fetch_time() - time.time() * 1_000) < 60_000, "the clock is off")
    with session.step("balance"):
        balance = exchange.fetch_balance()
        expect(balance["USD"]["total"] > 0, f"balance {balance}")


def _data(session: Session, exchange: Any) -> None:
    with session.step("ticker"):
        ticker = exchange.fetch_ticker(PAIR)
        expect(0 < ticker["bid"] < ticker["ask"] and ticker["last"] > 0, f"ticker {ticker}")
        expect(PAIR in exchange.fetch_tickers([PAIR]), "tickers")
    with session.step("order book"):
        book = exchange.fetch_order_book(PAIR)
        expect(len(book["bids"]) > 3 and book["bids"][0][0] < book["asks"][0][0], f"book {book}")
    with session.step("candles"):
        rows = exchange.fetch_ohlcv(PAIR, "1m", limit=30)
        expect(len(rows) == 30 and rows[0][0] < rows[-1][0], f"{len(rows)} candles")
        expect(
            len(exchange.fetch_ohlcv(PAIR, "1d", since=int(time.time() * 1_000) - 40 * 86_400_000)) > 20,
            "days",
        )
    with session.step("public trades"):
        trades = exchange.fetch_trades(PAIR, limit=20)
        expect(
            trades and trades[0]["price"] > 0 and trades[0]["side"] in ("buy", "sell"), f"trades {trades[:1]}"
        )


def _orders(session: Session, exchange: Any) -> None:
    with session.step("limit order rests"):
        far = round(exchange.fetch_ticker(PAIR)["bid"] * 0.5, 2)
        order = exchange.create_order(PAIR, "limit", "buy", 0.01, far, {"clientOrderId": "mine-1"})
        found = until(partial(_in_status, exchange, order["id"], "open"), "open")
        expect(found["price"] == far and found["clientOrderId"] == "mine-1", f"order {found}")
        expect([o["id"] for o in exchange.fetch_open_orders(PAIR)] == [order["id"]], "open orders")
    with session.step("duplicate client id"):
        again = partial(exchange.create_order, PAIR, "limit", "buy", 0.01, far, {"clientOrderId": "mine-1"})
        refused(again, ccxt.BadRequest, "client_order_id must be unique")
    with session.step("amend"):
        changed = exchange.edit_order(order["id"], PAIR, "limit", "buy", 0.02, round(far + 10, 2))
        expect(changed["id"] != order["id"] and changed["amount"] == 0.02, f"changed {changed}")
        expect(exchange.fetch_order(order["id"])["status"] == "canceled", "the old one")
    with session.step("cancel"):
        exchange.cancel_order(changed["id"])
        until(partial(_in_status, exchange, changed["id"], "canceled"), "canceled")
        refused(partial(exchange.cancel_order, changed["id"]), ccxt.BadRequest, "42210000")
    with session.step("market buy fills"):
        order = exchange.create_order(PAIR, "market", "buy", 0.03)
        filled = until(partial(_in_status, exchange, order["id"], "closed"), "the fill")
        expect(filled["filled"] == 0.03 and filled["average"] > 0, f"order {filled}")
    with session.step("buy by cost"):
        order = exchange.create_market_buy_order_with_cost(PAIR, 500)
        until(partial(_in_status, exchange, order["id"], "closed"), "the fill")
    with session.step("stop-limit rests"):
        px = exchange.fetch_ticker(PAIR)["bid"]
        order = exchange.create_order(
            PAIR, "limit", "sell", 0.01, round(px * 0.8, 2), {"triggerPrice": round(px * 0.81, 2)}
        )
        until(partial(_in_status, exchange, order["id"], "open"), "open")
        exchange.cancel_all_orders()
        until(lambda: not exchange.fetch_open_orders(PAIR), "no open orders")
    with session.step("market sell fills"):
        order = exchange.create_order(PAIR, "market", "sell", 0.03)
        until(partial(_in_status, exchange, order["id"], "closed"), "the fill")
    with session.step("my trades"):
        trades = exchange.fetch_my_trades(PAIR)
        expect(len(trades) == 3 and trades[-1]["order"] == order["id"], f"trades {trades}")
    with session.step("closed orders"):
        closed = exchange.fetch_closed_orders(PAIR, limit=10)
        expect({o["status"] for o in closed} == {"closed", "canceled"}, f"orders {closed}")


def _refusals(session: Session, exchange: Any) -> None:
    with session.step("bad symbol"):
        refused(partial(exchange.create_order, "NO/SUCH", "market", "buy", 1), ccxt.BadSymbol)
        raw = {"symbols": "btcusd", "loc": "us"}
        refused(
            partial(exchange.marketPublicGetV1beta3CryptoLocLatestTrades, raw),
            ccxt.BadSymbol,
            "Invalid symbol",
        )
    with session.step("no funds"):
        refused(partial(exchange.create_order, PAIR, "market", "buy", 100_000), ccxt.InsufficientFunds)
        refused(partial(exchange.create_order, PAIR, "market", "sell", 100_000), ccxt.InsufficientFunds)
    with session.step("too small"):
        refused(partial(exchange.create_market_buy_order_with_cost, PAIR, 2), ccxt.InvalidOrder, "cost basis")
    with session.step("wrong time in force"):
        order = partial(exchange.create_order, PAIR, "market", "buy", 1, None, {"timeInForce": "FOK"})
        refused(order, ccxt.BadRequest, "invalid crypto time_in_force")
    with session.step("unknown order"):
        refused(partial(exchange.fetch_order, "00000000-0000-4000-8000-000000000000"), ccxt.InvalidOrder)


async def _streams(session: Session, facts: dict[str, Any], keys: dict[str, Any]) -> None:
    exchange = pointed(ccxt.pro.alpaca(keys), facts)
    try:
        await exchange.load_markets()
        with session.step("stream: orders and fills"):
            orders = asyncio.create_task(exchange.watch_orders(PAIR))
            mine = asyncio.create_task(exchange.watch_my_trades(PAIR))
            placed = await placed_until_told(exchange, PAIR, orders, mine)
            seen, trades = await orders, await mine
            expect(seen[-1]["id"] in placed, f"orders {seen}")
            expect(trades[-1]["order"] in placed and trades[-1]["amount"] == 0.01, f"trades {trades}")
        with session.step("stream: ticker"):
            ticker = await asyncio.wait_for(exchange.watch_ticker(PAIR), MOST_S)
            expect(ticker["bid"] < ticker["ask"], f"ticker {ticker}")
        with session.step("stream: trades"):
            prints = await asyncio.wait_for(exchange.watch_trades(PAIR), MOST_S)
            expect(prints[-1]["price"] > 0, f"trades {prints}")
        with session.step("stream: order book"):
            book = await asyncio.wait_for(exchange.watch_order_book(PAIR), MOST_S)
            expect(book["bids"][0][0] < book["asks"][0][0], f"book {book}")
    finally:
        await exchange.close()


def _bad_key_and_limit(session: Session, exchange: Any, facts: dict[str, Any]) -> None:
    with session.step("bad key"):
        wrong = pointed(ccxt.alpaca({"apiKey": "PKWRONG", "secret": "nothing"}), facts)
        refused(wrong.fetch_balance, ccxt.PermissionDenied, "40110000")
    with session.step("bad key on the stream"):

        async def watch() -> None:
            stranger = pointed(ccxt.pro.alpaca({"apiKey": "PKWRONG", "secret": "nothing"}), facts)
            stranger.markets = exchange.markets
            try:
                await asyncio.wait_for(stranger.watch_orders(), 1)
            finally:
                await stranger.close()

        # the venue answers in band, ccxt raises that in its reader: whoever watches is told nothing
        refused(lambda: asyncio.run(watch()), TimeoutError)
    with session.step("rate limit"):

        def many() -> None:
            for _ in range(450):  # more than two windows hold
                exchange.fetch_time()

        refused(many, ccxt.RateLimitExceeded, "42910000")


def _in_status(exchange: Any, order_id: str, status: str) -> Any:
    order = exchange.fetch_order(order_id)
    return order if order["status"] == status else None


if __name__ == "__main__":
    main()
