"""binance-sdk-spot against an emulated Binance: a whole trading session, REST, WebSocket API and streams."""

import asyncio
import logging
import time
from decimal import Decimal
from functools import partial
from typing import Any

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import (
    BadRequestError,
    TooManyRequestsError,
    UnauthorizedError,
)
from binance_sdk_spot.rest_api.models import (
    KlinesIntervalEnum,
    NewOrderSideEnum,
    NewOrderTimeInForceEnum,
    NewOrderTypeEnum,
    OrderCancelReplaceCancelReplaceModeEnum,
    OrderCancelReplaceSideEnum,
    OrderCancelReplaceTimeInForceEnum,
    OrderCancelReplaceTypeEnum,
    OrderListOcoAboveTypeEnum,
    OrderListOcoBelowTypeEnum,
    OrderListOcoSideEnum,
)
from binance_sdk_spot.spot import Spot
from binance_sdk_spot.websocket_api.models import (
    OrderPlaceSideEnum,
    OrderPlaceTimeInForceEnum,
    OrderPlaceTypeEnum,
)

from tests.testbed.clients.session import Session, expect, refused

PAIR = "BTCUSDT"
BUY, SELL = NewOrderSideEnum.BUY, NewOrderSideEnum.SELL
LIMIT, MARKET = NewOrderTypeEnum.LIMIT, NewOrderTypeEnum.MARKET
GTC = NewOrderTimeInForceEnum.GTC
SECONDS = 60


def main() -> None:
    logging.disable(logging.CRITICAL)
    session = Session("binance-sdk-spot", "binance-sdk-spot")
    facts = session.facts
    rest = rest_of(facts)
    _account(session, rest)
    _data(session, rest)
    _orders(session, rest)
    _refusals(session, rest, facts)
    asyncio.run(_sockets(session, facts))
    _bad_key_and_limit(session, rest, facts)
    session.report()


def rest_of(facts: dict[str, Any], **changed: Any) -> Any:
    """The REST side of a client."""
    usual = {
        "api_key": facts["key"],
        "api_secret": facts["secret"],
        "base_path": facts["rest"],
        "timeout": 30_000,
    }
    return Spot(config_rest_api=ConfigurationRestAPI(**{**usual, **changed})).rest_api


def _px(rest: Any, factor: float = 1.0) -> float:
    answer = rest.ticker_price(symbol=PAIR).data().actual_instance
    return round(float(answer.price) * factor, 2)


def _account(session: Session, rest: Any) -> None:
    with session.step("time"):
        expect(abs(rest.time().data().server_time - time.time() * 1_000) < 5_000, "the clock is off")
    with session.step("exchange info"):
        info = rest.exchange_info().data()
        symbols = {one.symbol: one for one in info.symbols}
        expect(
            {"BTCUSDT", "ETHUSDT"} <= set(symbols) and symbols[PAIR].amend_allowed, f"symbols {list(symbols)}"
        )
        expect(len(symbols[PAIR].filters) > 8 and len(info.rate_limits) == 4, "filters and limits")
    with session.step("account"):
        answer = rest.get_account()
        account = answer.data()
        expect(account.can_trade and account.account_type == "SPOT", f"account {account}")
        usdt = next(b for b in account.balances if b.asset == "USDT")
        expect(float(usdt.free) > 20 * 60_000, f"balances {account.balances}")
        expect(any(limit.count > 0 for limit in answer.rate_limits), f"limits {answer.rate_limits}")
    with session.step("commission"):
        found = rest.account_commission(symbol=PAIR).data()
        expect(found.discount.discount_asset == "BNB", f"commission {found}")
    with session.step("order counts"):
        rows = rest.rate_limit_order().data()
        expect(len(rows) == 2, f"counts {rows}")


def _data(session: Session, rest: Any) -> None:
    with session.step("order book"):
        book = rest.depth(symbol=PAIR, limit=10).data()
        expect(len(book.bids) == 10 and float(book.bids[0][0]) < float(book.asks[0][0]), f"book {book}")
    with session.step("trades"):
        rows = rest.get_trades(symbol=PAIR, limit=20).data()
        expect(len(rows) == 20 and float(rows[-1].price) > 0, f"trades {rows[:1]}")
        expect(len(rest.agg_trades(symbol=PAIR, limit=10).data()) == 10, "aggregated")
    with session.step("candles"):
        rows = rest.klines(symbol=PAIR, interval=KlinesIntervalEnum.INTERVAL_1m, limit=30).data()
        expect(len(rows) == 30 and len(rows[0]) == 12, f"candles {rows[:1]}")
    with session.step("prices"):
        expect(float(rest.avg_price(symbol=PAIR).data().price) > 0, "average")
        best = rest.ticker_book_ticker(symbol=PAIR).data().actual_instance
        expect(float(best.bid_price) < float(best.ask_price), f"best {best}")
        day = rest.ticker24hr(symbol=PAIR).data().actual_instance
        expect(float(day.last_price) > 0, f"day {day}")
        both = rest.ticker(symbols=["BTCUSDT", "ETHUSDT"]).data().actual_instance
        expect(len(both) == 2, f"windows {both}")


def _orders(session: Session, rest: Any) -> None:
    with session.step("market buy fills at once"):
        order = rest.new_order(symbol=PAIR, side=BUY, type=MARKET, quantity=0.01).data()
        expect(order.status == "FILLED" and float(order.executed_qty) == 0.01, f"order {order}")
        expect(order.fills and float(order.fills[0].price) > 0, f"fills {order.fills}")
    with session.step("limit order rests"):
        low = _px(rest, 0.8)
        limit = partial(
            rest.new_order,
            symbol=PAIR,
            side=BUY,
            type=LIMIT,
            time_in_force=GTC,
            quantity=0.02,
            price=low,
            new_client_order_id="mine-1",
        )
        order = limit().data()
        expect(order.status == "NEW" and order.client_order_id == "mine-1", f"order {order}")
        found = rest.get_order(symbol=PAIR, orig_client_order_id="mine-1").data()
        expect(found.order_id == order.order_id, f"order {found}")
        expect([o.order_id for o in rest.get_open_orders(symbol=PAIR).data()] == [order.order_id], "open")
    with session.step("duplicate client id"):
        refused(limit, BadRequestError, "-2010", "Duplicate order sent.")
    with session.step("amend keeping priority"):
        changed = rest.order_amend_keep_priority(
            symbol=PAIR, new_qty=0.015, order_id=order.order_id, new_client_order_id="mine-1"
        ).data()
        expect(float(changed.amended_order.qty) == 0.015, f"amended {changed}")
        expect(changed.amended_order.order_id == order.order_id, "another order")
        rows = rest.order_amendments(symbol=PAIR, order_id=order.order_id).data()
        expect(len(rows) == 1 and float(rows[0].new_qty) == 0.015, f"amendments {rows}")
    with session.step("cancel and replace"):
        both = rest.order_cancel_replace(
            symbol=PAIR,
            side=OrderCancelReplaceSideEnum.BUY,
            type=OrderCancelReplaceTypeEnum.LIMIT,
            cancel_replace_mode=OrderCancelReplaceCancelReplaceModeEnum.STOP_ON_FAILURE,
            time_in_force=OrderCancelReplaceTimeInForceEnum.GTC,
            quantity=0.03,
            price=low,
            cancel_order_id=order.order_id,
        ).data()
        expect(both.cancel_result == both.new_order_result == "SUCCESS", f"answer {both}")
    with session.step("cancel"):
        new_id = both.new_order_response.order_id
        gone = rest.delete_order(symbol=PAIR, order_id=new_id).data()
        expect(gone.status == "CANCELED", f"cancel {gone}")
        refused(partial(rest.delete_order, symbol=PAIR, order_id=new_id), BadRequestError, "-2011")
    with session.step("one cancels the other"):
        made = rest.order_list_oco(
            symbol=PAIR,
            side=OrderListOcoSideEnum.SELL,
            quantity=0.01,
            above_type=OrderListOcoAboveTypeEnum.LIMIT_MAKER,
            above_price=_px(rest, 1.2),
            below_type=OrderListOcoBelowTypeEnum.STOP_LOSS,
            below_stop_price=_px(rest, 0.8),
        ).data()
        expect(made.contingency_type == "OCO" and len(made.order_reports) == 2, f"list {made}")
        expect(len(rest.open_order_list().data()) == 1, "open lists")
        gone = rest.delete_order_list(symbol=PAIR, order_list_id=made.order_list_id).data()
        expect(gone.list_order_status == "ALL_DONE", f"cancel {gone}")
    with session.step("market sell, history"):
        order = rest.new_order(symbol=PAIR, side=SELL, type=MARKET, quantity=0.01).data()
        expect(order.status == "FILLED", f"order {order}")
        trades = rest.my_trades(symbol=PAIR).data()
        expect(trades[0].is_buyer and not trades[-1].is_buyer, f"trades {trades}")
        expect(len(rest.all_orders(symbol=PAIR).data()) >= 5, "orders")


def _refusals(session: Session, rest: Any, facts: dict[str, Any]) -> None:
    market = partial(rest.new_order, side=BUY, type=MARKET)
    with session.step("bad symbol"):
        refused(
            partial(market, symbol="NOSUCHUSDT", quantity=1.0), BadRequestError, "-1121", "Invalid symbol."
        )
    with session.step("no funds"):
        text = "Account has insufficient balance for requested action."
        refused(partial(market, symbol=PAIR, quantity=1_000.0), BadRequestError, "-2010", text)
        sell = partial(rest.new_order, symbol=PAIR, side=SELL, type=MARKET, quantity=5.0)
        refused(sell, BadRequestError, "-2010", text)
    with session.step("filters"):
        refused(
            partial(market, symbol=PAIR, quantity=Decimal("0.000015")), BadRequestError, "-1013", "LOT_SIZE"
        )
        refused(
            partial(market, symbol=PAIR, quantity=Decimal("0.00002")), BadRequestError, "-1013", "NOTIONAL"
        )
    with session.step("unknown order"):
        refused(partial(rest.get_order, symbol=PAIR, order_id=999_999), BadRequestError, "-2013")
    with session.step("an Ed25519 key"):
        signing = rest_of(
            facts, api_key=facts["ed25519_key"], api_secret=None, private_key=facts["ed25519_private_key"]
        )
        expect(signing.get_account().data().can_trade, "the account")
    with session.step("microseconds"):
        fine = rest_of(facts, time_unit="MICROSECOND")
        expect(fine.time().data().server_time > 10**15, "not in microseconds")


async def _sockets(session: Session, facts: dict[str, Any]) -> None:
    await _streams(session, facts)
    keys = {"api_key": facts["key"], "api_secret": facts["secret"]}
    await _ws_api(session, facts, "HMAC", **keys)
    keys = {"api_key": facts["ed25519_key"], "private_key": facts["ed25519_private_key"]}
    await _ws_api(session, facts, "Ed25519", **keys)


async def _streams(session: Session, facts: dict[str, Any]) -> None:
    settings = ConfigurationWebSocketStreams(stream_url=facts["ws"])
    client: Any = Spot(config_ws_streams=settings).websocket_streams
    connection: Any = await client.create_connection()
    try:
        openings: dict[str, Any] = {
            "trade": lambda: connection.trade(symbol="btcusdt"),
            "aggregated trade": lambda: connection.agg_trade(symbol="btcusdt"),
            "best prices": lambda: connection.book_ticker(symbol="btcusdt"),
            "candle": lambda: connection.kline(symbol="btcusdt", interval="1m"),
            "short ticker": lambda: connection.mini_ticker(symbol="btcusdt"),
            "book": lambda: connection.partial_book_depth(symbol="btcusdt", levels="5"),
            "changes of the book": lambda: connection.diff_book_depth(symbol="btcusdt", update_speed="100ms"),
        }
        for name, opening in openings.items():
            with session.step(f"stream: {name}"):
                stream = await opening()
                seen = await _first(stream)
                expect(seen is not None, "nothing came")
                await stream.unsubscribe()
    finally:
        await connection.close_connection(close_session=True)


async def _first(stream: Any) -> Any:
    loop = asyncio.get_running_loop()
    came: asyncio.Future[Any] = loop.create_future()
    stream.on("message", lambda data: None if came.done() else came.set_result(data))
    return await asyncio.wait_for(came, SECONDS)


async def _ws_api(session: Session, facts: dict[str, Any], kind: str, **keys: Any) -> None:
    settings = ConfigurationWebSocketAPI(stream_url=facts["ws_api"], **keys)
    client: Any = Spot(config_ws_api=settings).websocket_api
    connection = await client.create_connection()
    events: list[Any] = []
    try:
        if kind == "Ed25519":
            with session.step("Ed25519: log on"):
                answer = await connection.session_logon()
                expect(answer.data().result.api_key == keys["api_key"], f"answer {answer.data()}")
        with session.step(f"{kind}: subscribe to the account"):
            subscribe = (
                connection.user_data_stream_subscribe
                if kind == "Ed25519"
                else connection.user_data_stream_subscribe_signature
            )
            answer = await subscribe()
            answer.stream.on("message", events.append)
        with session.step(f"{kind}: place, look up, cancel"):
            book = (await connection.depth(symbol=PAIR, limit=5)).data().result
            low = round(float(book.bids[0][0]) * 0.8, 2)
            order = await _place(connection, OrderPlaceTypeEnum.LIMIT, 0.02, low)
            expect(order.status == "NEW", f"order {order}")
            found = (await connection.order_status(symbol=PAIR, order_id=order.order_id)).data().result
            expect(found.status == "NEW", f"order {found}")
            gone = (await connection.order_cancel(symbol=PAIR, order_id=order.order_id)).data().result
            expect(gone.status == "CANCELED", f"cancel {gone}")
        with session.step(f"{kind}: a fill is told"):
            order = await _place(connection, OrderPlaceTypeEnum.MARKET, 0.001, None)
            expect(order.status == "FILLED" and order.fills, f"order {order}")
            await _until(lambda: [e.actual_instance for e in events if _is_trade(e, order.order_id)])
        with session.step(f"{kind}: account and trades"):
            account = (await connection.account_status()).data().result
            expect(account.can_trade, f"account {account}")
            rows = (await connection.my_trades(symbol=PAIR)).data().result
            expect(rows[-1].order_id == order.order_id, f"trades {rows[-1]}")
        with session.step(f"{kind}: refusal"):
            answer = await connection.order_place(
                symbol=PAIR, side=OrderPlaceSideEnum.BUY, type=OrderPlaceTypeEnum.MARKET, quantity=1_000.0
            )
            expect(answer.data()["error"]["code"] == -2010, f"answer {answer.data()}")
    finally:
        await connection.close_connection(close_session=True)


async def _place(connection: Any, kind: Any, quantity: float, price: float | None) -> Any:
    more = {"price": price, "time_in_force": OrderPlaceTimeInForceEnum.GTC} if price is not None else {}
    answer = await connection.order_place(
        symbol=PAIR, side=OrderPlaceSideEnum.BUY, type=kind, quantity=quantity, **more
    )
    return answer.data().result


def _is_trade(event: Any, order_id: int) -> bool:
    body = event.actual_instance
    return getattr(body, "x", None) == "TRADE" and body.i == order_id


async def _until(found: Any) -> Any:
    loop = asyncio.get_running_loop()
    end = loop.time() + SECONDS
    while loop.time() < end:
        if value := found():
            return value
        await asyncio.sleep(0.02)
    raise TimeoutError("it did not happen")


def _bad_key_and_limit(session: Session, rest: Any, facts: dict[str, Any]) -> None:
    with session.step("bad key"):
        refused(rest_of(facts, api_key="A" * 64).get_account, UnauthorizedError, "-2015")
        refused(rest_of(facts, api_secret="not the secret").get_account, BadRequestError, "-1022")
    with session.step("rate limit"):

        def heavy() -> None:
            for _ in range(100):  # more than two windows hold
                rest.depth(symbol=PAIR, limit=5_000)

        error: Any = refused(heavy, TooManyRequestsError, "-1003")
        expect(error.retry_after > 0, f"{error}")


if __name__ == "__main__":
    main()
