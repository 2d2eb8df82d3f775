"""The sockets of python-binance's session: market streams, the account's stream, the WebSocket API.

Lives here: those steps, and where the client's classes are pointed. Not here: the blocking client's steps
(python_binance.py, which runs them all).
"""

import asyncio
import contextlib
from typing import Any

from binance import AsyncClient, BinanceSocketManager  # type: ignore[import-untyped]
from binance.exceptions import (  # type: ignore[import-untyped]
    BinanceAPIException,
    BinanceWebsocketUnableToConnect,
)

from tests.testbed.clients.session import Session, expect

PAIR = "BTCUSDT"
MOST_S = 60.0


def pointed(base: type[Any], facts: dict[str, Any]) -> type[Any]:
    """A client class that speaks to the emulator."""
    addresses = {
        "API_URL": facts["rest"] + "/api",
        "MARGIN_API_URL": facts["rest"] + "/sapi",
        "WS_API_URL": facts["ws_api"],
    }
    return type("Pointed", (base,), addresses)


async def stream_steps(session: Session, facts: dict[str, Any]) -> None:
    client: Any = await pointed(AsyncClient, facts).create(facts["key"], facts["secret"])
    client.ws_api.TIMEOUT = 30
    manager = type("Manager", (BinanceSocketManager,), {"STREAM_URL": facts["ws"] + "/"})(client)
    try:
        await _market_streams(session, manager)
        await _user_stream(session, client, manager)
        await _ws_api(session, client)
    finally:
        client.ws_api.TIMEOUT = 1  # so long its reader, from its next message on, takes to notice the end
        with contextlib.suppress(BinanceWebsocketUnableToConnect):
            await client.ws_ping()
        await client.close_connection()


async def _market_streams(session: Session, manager: Any) -> None:
    sockets = {
        "trade": manager.trade_socket(PAIR),
        "aggTrade": manager.aggtrade_socket(PAIR),
        "kline": manager.kline_socket(PAIR),
        "depthUpdate": manager.depth_socket(PAIR),
        "24hrTicker": manager.symbol_ticker_socket(PAIR),
        "24hrMiniTicker": manager.symbol_miniticker_socket(PAIR),
    }
    for event, socket in sockets.items():
        with session.step(f"stream: {event}"):
            async with socket as stream:
                seen = await asyncio.wait_for(stream.recv(), MOST_S)
                expect(seen["e"] == event and seen["s"] == PAIR, f"message {seen}")
    with session.step("stream: best prices"):
        async with manager.symbol_book_ticker_socket(PAIR) as stream:
            seen = await asyncio.wait_for(stream.recv(), MOST_S)
            expect(float(seen["b"]) < float(seen["a"]), f"message {seen}")
    with session.step("stream: several at once"):
        async with manager.multiplex_socket(["btcusdt@trade", "ethusdt@trade"]) as stream:
            names = set()
            for _ in range(20):
                seen = await asyncio.wait_for(stream.recv(), MOST_S)
                names.add(seen["stream"])
            expect(names == {"btcusdt@trade", "ethusdt@trade"}, f"streams {names}")
    with session.step("stream: partial book"):
        async with manager.depth_socket(PAIR, depth="5") as stream:
            seen = await asyncio.wait_for(stream.recv(), MOST_S)
            expect(len(seen["bids"]) == 5 and seen["lastUpdateId"] > 0, f"message {seen}")


async def _user_stream(session: Session, client: Any, manager: Any) -> None:
    with session.step("user stream: new, trade, balances"):
        async with manager.user_socket() as stream:
            order = await client.order_market_buy(symbol=PAIR, quantity="0.002")
            kinds: list[str] = []
            while "TRADE" not in kinds or "outboundAccountPosition" not in kinds[-1:]:
                event = await asyncio.wait_for(stream.recv(), MOST_S)
                kinds.append(event.get("x") or event["e"])
                if event.get("x") == "TRADE":
                    expect(event["i"] == order["orderId"] and event["l"] == "0.00200000", f"{event}")
            expect(kinds[0] == "NEW", f"events {kinds}")
    with session.step("user stream: cancel"):
        async with manager.user_socket() as stream:
            px = float((await client.get_symbol_ticker(symbol=PAIR))["price"])
            order = await client.order_limit_buy(
                symbol=PAIR, quantity="0.01", price=f"{px * 0.8:.2f}", newClientOrderId="seen-1"
            )
            await client.cancel_order(symbol=PAIR, orderId=order["orderId"])
            while True:
                event = await asyncio.wait_for(stream.recv(), MOST_S)
                if event.get("x") == "CANCELED":
                    break
            expect(event["C"] == "seen-1" and event["c"] != "seen-1", f"event {event}")


async def _ws_api(session: Session, client: Any) -> None:
    with session.step("WebSocket API: orders"):
        px = float((await client.ws_get_symbol_ticker(symbol=PAIR))["price"])
        order = await client.ws_order_limit_buy(symbol=PAIR, quantity="0.01", price=f"{px * 0.8:.2f}")
        expect(order["status"] == "NEW", f"order {order}")
        found = await client.ws_get_order(symbol=PAIR, orderId=order["orderId"])
        expect(found["status"] == "NEW", f"order {found}")
        gone = await client.ws_cancel_order(symbol=PAIR, orderId=order["orderId"])
        expect(gone["status"] == "CANCELED", f"cancel {gone}")
        bought = await client.ws_order_market_buy(symbol=PAIR, quantity="0.001")
        expect(bought["status"] == "FILLED" and bought["fills"], f"order {bought}")
    with session.step("WebSocket API: questions"):
        account = await client.ws_get_account()
        expect(account["canTrade"], f"account {account}")
        book = await client.ws_get_order_book(symbol=PAIR, limit=5)
        expect(len(book["asks"]) == 5, f"book {book}")
        rows = await client.ws_get_klines(symbol=PAIR, interval="1m", limit=5)
        expect(len(rows) == 5, f"candles {rows}")
        expect((await client.ws_get_my_trades(symbol=PAIR))[-1]["isBuyer"], "trades")
    with session.step("WebSocket API: refusal"):
        try:
            await client.ws_order_market_sell(symbol=PAIR, quantity="120")
        except BinanceAPIException as error:
            expect(error.code == -2010, f"{error}")
        else:
            raise AssertionError("an order without funds was taken")
