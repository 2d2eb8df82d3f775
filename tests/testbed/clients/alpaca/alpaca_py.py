"""alpaca-py against an emulated Alpaca: a whole trading session, blocking clients and streams alike."""

import threading
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from alpaca.common.exceptions import APIError
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockLatestQuoteRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass, OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.stream import TradingStream

from tests.testbed.clients.alpaca._alpaca_py_data import data_steps, data_stream_steps
from tests.testbed.clients.session import Session, expect, refused, until

BUY, SELL, DAY, GTC = OrderSide.BUY, OrderSide.SELL, TimeInForce.DAY, TimeInForce.GTC


def main() -> None:
    session = Session("alpaca-py", "alpaca-py")
    facts = session.facts
    keys = (facts["key"], facts["secret"])
    client: Any = TradingClient(*keys, url_override=facts["rest"])
    _account(session, client)
    events, stream = _trade_stream(session, client, facts, keys)
    _orders(session, client, events)
    _complex_orders(session, client)
    _crypto(session, client)
    _refusals(session, client, facts)
    _closing(session, client)
    data_steps(session, facts, keys)
    data_stream_steps(session, facts, keys)
    with session.step("streams stop"):
        stream.stop()
    _bad_keys_and_limits(session, client, facts)
    session.report()


def _account(session: Session, client: Any) -> None:
    with session.step("account"):
        account: Any = client.get_account()
        expect(account.status.value == "ACTIVE" and float(account.cash) > 0, f"account {account}")
        expect(float(account.buying_power) >= float(account.cash), "buying power below cash")
    with session.step("clock"):
        clock: Any = client.get_clock()
        expect(clock.is_open, "the market is closed")
        expect(clock.next_open > clock.timestamp and clock.next_close > clock.timestamp, f"clock {clock}")
        expect(abs(clock.timestamp - datetime.now(UTC)) < timedelta(minutes=1), "the clock is off")
    with session.step("calendar"):
        days: Any = client.get_calendar(GetCalendarRequest(start=date(2026, 11, 23), end=date(2026, 11, 27)))
        expect([str(day.date) for day in days][:2] == ["2026-11-23", "2026-11-24"], f"calendar {days}")
        expect(days[-1].close.hour == 13, "the day after Thanksgiving is a half day")
    with session.step("assets"):
        assets: Any = client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.US_EQUITY))
        expect({"AAPL", "SPY"} <= {asset.symbol for asset in assets}, f"assets {assets}")
        one: Any = client.get_asset("AAPL")
        expect(client.get_asset(one.id) == one, "an asset by its id is another one")
    with session.step("flat at first"):
        expect(client.get_all_positions() == [] and client.get_orders() == [], "not flat")
    with session.step("configurations"):
        settings: Any = client.get_account_configurations()
        expect(client.set_account_configurations(settings) == settings, "configurations changed")
    with session.step("portfolio history"):
        history: Any = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1D"))
        expect(len(history.equity) == len(history.timestamp) > 0, f"history {history}")


def _trade_stream(
    session: Session, client: Any, facts: dict[str, Any], keys: tuple[str, str]
) -> tuple[list[Any], TradingStream]:
    events: list[Any] = []
    stream = TradingStream(*keys, url_override=facts["ws"])

    async def told(update: Any) -> None:
        events.append(update)

    stream.subscribe_trade_updates(told)
    threading.Thread(target=stream.run, daemon=True).start()
    with session.step("trade stream opens"):
        until(lambda: stream._running, "the trade stream")
        until(lambda: _told_of_an_order(client, events), "an event")  # its `listen` has no answer to wait for
    return events, stream


def _orders(session: Session, client: Any, events: list[Any]) -> None:
    def told(order: Any, event: str) -> Any:
        def found() -> Any:
            return next((e for e in list(events) if e.order.id == order.id and _name(e.event) == event), None)

        return until(found, f"event {event} of {order.id}")

    with session.step("market buy fills"):
        order: Any = client.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=10, side=BUY, time_in_force=DAY)
        )
        filled: Any = until(lambda: _filled(client, order.id), "the fill")
        expect(float(filled.filled_qty) == 10 and float(filled.filled_avg_price) > 0, f"order {filled}")
    with session.step("stream tells of new and fill"):
        told(order, "new")
        fill = told(order, "fill")
        expect(fill.qty == 10 and fill.position_qty == 10 and fill.price > 0, f"fill {fill}")
    with session.step("position"):
        position: Any = client.get_open_position("AAPL")
        expect(float(position.qty) == 10 and position.side.value == "long", f"position {position}")
        expect(client.get_open_position(position.asset_id).symbol == "AAPL", "by asset id")
    with session.step("limit order rests"):
        far = round(float(position.current_price) * 0.5, 2)
        request: Any = LimitOrderRequest(
            symbol="SPY", qty=2, side=BUY, time_in_force=GTC, limit_price=far, client_order_id="resting-1"
        )
        resting: Any = client.submit_order(request)
        found: Any = until(lambda: _in_state(client, resting.id, OrderStatus.NEW), "status new")
        expect(float(found.limit_price) == far, f"limit {found.limit_price}")
        open_ids = [order.id for order in client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))]
        expect(resting.id in open_ids, "not listed as open")
    with session.step("order by client id"):
        expect(client.get_order_by_client_id("resting-1").id == resting.id, "another order")
    with session.step("duplicate client id"):
        refused(lambda: client.submit_order(request), APIError, "client_order_id must be unique", "40010001")
    with session.step("amend"):
        better = round(far + 1, 2)
        changed: Any = client.replace_order_by_id(resting.id, ReplaceOrderRequest(qty=3, limit_price=better))
        expect(changed.id != resting.id and str(changed.replaces) == str(resting.id), f"replaced {changed}")
        old: Any = client.get_order_by_id(resting.id)
        expect(old.status == OrderStatus.REPLACED and old.replaced_by == changed.id, f"old {old}")
        told(resting, "replaced")
        told(changed, "new")
    with session.step("cancel"):
        client.cancel_order_by_id(changed.id)
        until(lambda: _in_state(client, changed.id, OrderStatus.CANCELED), "status canceled")
        told(changed, "canceled")
    with session.step("cancel again is refused"):
        refused(lambda: client.cancel_order_by_id(changed.id), APIError, "42210000", "canceled")
    with session.step("stop and stop-limit rest"):
        px = float(client.get_open_position("AAPL").current_price)
        stops: tuple[Any, ...] = (
            StopOrderRequest(
                symbol="AAPL", qty=1, side=SELL, time_in_force=GTC, stop_price=round(px * 0.8, 2)
            ),
            StopLimitOrderRequest(
                symbol="AAPL",
                qty=1,
                side=SELL,
                time_in_force=GTC,
                stop_price=round(px * 0.8, 2),
                limit_price=round(px * 0.79, 2),
            ),
        )
        for stop in [client.submit_order(request) for request in stops]:
            until(partial(_in_state, client, stop.id, OrderStatus.NEW), "status new")
    with session.step("qty_available counts open sells"):
        expect(float(client.get_open_position("AAPL").qty_available) == 8, "open sells hold nothing")
    with session.step("selling more than is free is refused"):
        sell = MarketOrderRequest(symbol="AAPL", qty=9, side=SELL, time_in_force=DAY)
        refused(lambda: client.submit_order(sell), APIError, "insufficient qty available", "40310000")
    with session.step("opposite order is a wash trade"):
        buy = MarketOrderRequest(symbol="AAPL", qty=1, side=BUY, time_in_force=DAY)
        refused(lambda: client.submit_order(buy), APIError, "potential wash trade", "40310000")
    with session.step("cancel all"):
        answers: Any = client.cancel_orders()
        expect(len(answers) == 2 and all(answer.status == 200 for answer in answers), f"answers {answers}")
        until(lambda: not client.get_orders(), "no open orders")
    with session.step("orders listed"):
        every: Any = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, limit=500))
        expect(len(every) >= 5 and every[0].created_at >= every[-1].created_at, "order of the list")
        mine: Any = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, symbols=["SPY"]))
        expect({order.symbol for order in mine} == {"SPY"}, "filtered by symbol")
    with session.step("fills as activities"):
        fills: Any = client.get("/account/activities/FILL", {})
        expect(fills[-1]["order_id"] == str(order.id) and fills[-1]["cum_qty"] == "10", f"activities {fills}")


def _complex_orders(session: Session, client: Any) -> None:
    px = float(client.get_open_position("AAPL").current_price)
    profit, loss = (
        TakeProfitRequest(limit_price=round(px * 1.3, 2)),
        StopLossRequest(stop_price=round(px * 0.7, 2)),
    )
    with session.step("bracket"):
        request: Any = MarketOrderRequest(
            symbol="SPY",
            qty=5,
            side=BUY,
            time_in_force=GTC,
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=900),
            stop_loss=StopLossRequest(stop_price=100, limit_price=99),
        )
        parent: Any = client.submit_order(request)
        expect(len(parent.legs) == 2, f"legs {parent.legs}")
        until(lambda: _filled(client, parent.id), "the entry's fill")
        nested: Any = client.get_order_by_id(parent.id, GetOrderByIdRequest(nested=True))
        states = sorted(leg.status.value for leg in nested.legs)
        expect(states == ["held", "new"], f"legs are {states}")
        client.cancel_order_by_id(nested.legs[0].id)
        until(lambda: not client.get_orders(), "both exits gone")
    with session.step("oco"):
        request = LimitOrderRequest(
            symbol="AAPL", qty=4, side=SELL, time_in_force=GTC, order_class=OrderClass.OCO,
            limit_price=profit.limit_price, take_profit=profit, stop_loss=loss,
        )  # fmt: skip
        pair: Any = client.submit_order(request)
        expect(pair.order_class == OrderClass.OCO and len(pair.legs) == 1, f"oco {pair}")
        expect(len(client.get_orders(GetOrdersRequest(nested=True))) == 1, "the leg is inside its parent")
        client.cancel_order_by_id(pair.id)
        until(lambda: not client.get_orders(), "both gone")
    with session.step("trailing stop"):
        request = TrailingStopOrderRequest(
            symbol="AAPL", qty=1, side=SELL, time_in_force=GTC, trail_percent=5
        )
        trail: Any = client.submit_order(request)
        following: Any = until(lambda: _trailing(client, trail.id), "a high water mark")
        expect(float(following.stop_price) < float(following.hwm), f"trail {following}")
        client.cancel_order_by_id(trail.id)
    with session.step("fractional and notional"):
        part: Any = client.submit_order(
            MarketOrderRequest(symbol="SPY", qty=0.5, side=BUY, time_in_force=DAY)
        )
        money: Any = client.submit_order(
            MarketOrderRequest(symbol="SPY", notional=100, side=BUY, time_in_force=DAY)
        )
        until(lambda: _filled(client, part.id) and _filled(client, money.id), "both fills")
        done: Any = client.get_order_by_id(money.id)
        expect(done.qty is None and float(done.notional) == 100, f"notional {done}")


def _crypto(session: Session, client: Any) -> None:
    with session.step("crypto buy and sell"):
        buy: Any = client.submit_order(
            MarketOrderRequest(symbol="BTC/USD", qty=0.05, side=BUY, time_in_force=GTC)
        )
        until(lambda: _filled(client, buy.id), "the fill")
        expect(float(client.get_open_position("BTCUSD").qty) == 0.05, "position")
        sell: Any = client.submit_order(
            MarketOrderRequest(symbol="BTC/USD", qty=0.02, side=SELL, time_in_force=GTC)
        )
        until(lambda: _filled(client, sell.id), "the fill")
    with session.step("crypto refusals"):
        much = MarketOrderRequest(symbol="BTC/USD", qty=1, side=SELL, time_in_force=GTC)
        refused(lambda: client.submit_order(much), APIError, "insufficient balance for BTC")
        tiny = MarketOrderRequest(symbol="BTC/USD", notional=1, side=BUY, time_in_force=GTC)
        refused(lambda: client.submit_order(tiny), APIError, "cost basis must be")
        day = MarketOrderRequest(symbol="BTC/USD", qty=1, side=BUY, time_in_force=DAY)
        refused(lambda: client.submit_order(day), APIError, "invalid crypto time_in_force")


def _refusals(session: Session, client: Any, facts: dict[str, Any]) -> None:
    with session.step("bad symbol"):
        order = MarketOrderRequest(symbol="NOSUCH", qty=1, side=BUY, time_in_force=DAY)
        refused(lambda: client.submit_order(order), APIError, "not found", "42210000")
        refused(lambda: client.get_asset("NOSUCH"), APIError, "40410000")
    with session.step("no funds"):
        order = MarketOrderRequest(symbol="SPY", qty=10_000_000, side=BUY, time_in_force=DAY)
        refused(lambda: client.submit_order(order), APIError, "insufficient buying power", "40310000")
    with session.step("sub-penny price"):
        fine = LimitOrderRequest(symbol="SPY", qty=1, side=BUY, time_in_force=DAY, limit_price=100.123)
        refused(lambda: client.submit_order(fine), APIError, "sub-penny", "42210000")
    with session.step("fractional order good till cancelled"):
        part = MarketOrderRequest(symbol="SPY", qty=1.5, side=BUY, time_in_force=GTC)
        refused(lambda: client.submit_order(part), APIError, "fractional orders must be DAY orders")
    with session.step("unknown order"):
        unknown = "00000000-0000-4000-8000-000000000000"
        error: Any = refused(lambda: client.get_order_by_id(unknown), APIError, "40410000")
        expect(error.status_code == 404 and error.code == 40410000, f"{error.status_code} {error.code}")
        refused(lambda: client.get_order_by_client_id("nobody"), APIError, "40410000")


def _closing(session: Session, client: Any) -> None:
    with session.step("close half a position"):
        before = float(client.get_open_position("AAPL").qty)
        client.close_position("AAPL", ClosePositionRequest(percentage="50"))
        until(lambda: float(client.get_open_position("AAPL").qty) == before / 2, "half of it")
    with session.step("short sale"):
        client.close_position("AAPL")
        until(lambda: "AAPL" not in {p.symbol for p in client.get_all_positions()}, "flat in AAPL")
        short: Any = client.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=3, side=SELL, time_in_force=DAY)
        )
        until(lambda: _filled(client, short.id), "the fill")
        position: Any = client.get_open_position("AAPL")
        expect(position.side.value == "short" and float(position.qty) == -3, f"position {position}")
    with session.step("close all"):
        answers: Any = client.close_all_positions(cancel_orders=True)
        expect(all(answer.status == 200 for answer in answers), f"answers {answers}")
        until(lambda: client.get_all_positions() == [], "flat")
        refused(lambda: client.get_open_position("AAPL"), APIError, "position does not exist")


def _bad_keys_and_limits(session: Session, client: Any, facts: dict[str, Any]) -> None:
    with session.step("bad key"):
        wrong = TradingClient("PKWRONG", "nothing", url_override=facts["rest"])
        error: Any = refused(wrong.get_account, APIError, "40110000")
        expect(error.status_code == 401, f"status {error.status_code}")
        data = StockHistoricalDataClient("PKWRONG", "nothing", url_override=facts["rest"])
        request: Any = StockLatestQuoteRequest(symbol_or_symbols="AAPL")
        refused(lambda: data.get_stock_latest_quote(request), APIError, "forbidden")
    with session.step("bad key on the trade stream"):
        stream = TradingStream("PKWRONG", "nothing", url_override=facts["ws"])
        refused(lambda: _authenticate(stream), ValueError, "failed to authenticate")
    with session.step("rate limit"):
        client._retry = 0  # its own retries would wait the limit out

        def many() -> None:
            for _ in range(450):  # more than two windows hold
                client.get_clock()

        error = refused(many, APIError, "42910000")
        expect(error.status_code == 429, f"status {error.status_code}")


def _authenticate(stream: Any) -> None:
    import asyncio

    async def connect() -> None:
        try:
            await stream._start_ws()
        finally:
            await stream.close()

    asyncio.run(connect())


def _told_of_an_order(client: Any, events: list[Any]) -> bool:
    """Whether the trade stream tells of orders by now: one far away is placed and taken back."""
    order: Any = client.submit_order(
        LimitOrderRequest(symbol="SPY", qty=1, side=BUY, time_in_force=DAY, limit_price=100)
    )
    client.cancel_order_by_id(order.id)
    end_s = time.monotonic() + 1
    while not events and time.monotonic() < end_s:
        time.sleep(0.02)
    return bool(events)


def _name(event: Any) -> str:
    return str(getattr(event, "value", event))


def _filled(client: Any, order_id: Any) -> Any:
    return _in_state(client, order_id, OrderStatus.FILLED)


def _in_state(client: Any, order_id: Any, status: OrderStatus) -> Any:
    order: Any = client.get_order_by_id(order_id)
    return order if order.status == status else None


def _trailing(client: Any, order_id: Any) -> Any:
    order: Any = client.get_order_by_id(order_id)
    return order if order.hwm is not None else None


if __name__ == "__main__":
    main()
