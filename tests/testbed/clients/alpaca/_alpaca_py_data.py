"""The market data of alpaca-py's session: what is asked for and what is streamed.

Lives here: those steps. Not here: the account and its orders (alpaca_py.py, which runs them all).
"""

import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from alpaca.data.enums import DataFeed
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoSnapshotRequest,
    CryptoTradesRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from tests.testbed.clients.session import Session, expect, until


def data_steps(session: Session, facts: dict[str, Any], keys: tuple[str, str]) -> None:
    stocks = StockHistoricalDataClient(*keys, url_override=facts["rest"])
    crypto = CryptoHistoricalDataClient(*keys, url_override=facts["rest"])
    minute, now = TimeFrame(1, TimeFrameUnit.Minute), datetime.now(UTC)
    both = ["AAPL", "SPY"]
    with session.step("stock bars"):
        bars: Any = stocks.get_stock_bars(
            StockBarsRequest(symbol_or_symbols=both, timeframe=minute, start=now - timedelta(hours=2))
        )
        expect(len(bars["AAPL"]) > 100 and len(bars["SPY"]) > 100, "too few bars")
        expect(all(bar.low <= bar.open <= bar.high for bar in bars["SPY"]), "crossed bars")
        days: Any = stocks.get_stock_bars(
            StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Day, start=now - timedelta(days=60))
        )
        expect(len(days["SPY"]) > 30, "too few days")
        few: Any = stocks.get_stock_bars(StockBarsRequest(symbol_or_symbols="SPY", timeframe=minute, limit=7))
        expect(len(few["SPY"]) == 7, "the limit")
    with session.step("stock trades and quotes"):
        trades: Any = stocks.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", limit=50))
        quotes: Any = stocks.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="AAPL", limit=50))
        expect(trades["AAPL"] and quotes["AAPL"], "nothing")
        expect(all(quote.bid_price < quote.ask_price for quote in quotes["AAPL"]), "crossed quotes")
    with session.step("stock latest and snapshots"):
        quote: Any = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))
        trade: Any = stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))
        bar: Any = stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=both))
        expect(quote["AAPL"].ask_price > 0 and trade["AAPL"].price > 0 and len(bar) == 2, "latest")
        shots: Any = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=both))
        expect(shots["SPY"].previous_daily_bar.close > 0 and shots["SPY"].minute_bar.close > 0, "snapshot")
    with session.step("crypto data"):
        pair = "BTC/USD"
        rows: Any = crypto.get_crypto_bars(
            CryptoBarsRequest(symbol_or_symbols=pair, timeframe=minute, limit=20)
        )
        ticks: Any = crypto.get_crypto_trades(CryptoTradesRequest(symbol_or_symbols=pair, limit=20))
        last: Any = crypto.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=pair))
        book: Any = crypto.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols=pair))
        shot: Any = crypto.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=pair))
        expect(len(rows[pair]) == 20 and ticks[pair] and last[pair].bid_price > 0, "rows")
        expect(book[pair].bids[0].price < book[pair].asks[0].price and shot[pair].latest_trade, "book")


def data_stream_steps(session: Session, facts: dict[str, Any], keys: tuple[str, str]) -> None:
    seen: list[Any] = []

    async def told(data: Any) -> None:
        seen.append(data)

    stocks = StockDataStream(*keys, feed=DataFeed.IEX, url_override=f"{facts['ws_root']}/v2/iex")
    stocks.subscribe_trades(told, "AAPL")
    stocks.subscribe_quotes(told, "AAPL", "SPY")
    stocks.subscribe_bars(told, "SPY")
    crypto = CryptoDataStream(*keys, url_override=f"{facts['ws_root']}/v1beta3/crypto/us")
    crypto.subscribe_quotes(told, "BTC/USD")
    crypto.subscribe_orderbooks(told, "BTC/USD")
    for stream in (stocks, crypto):
        threading.Thread(target=stream.run, daemon=True).start()

    def have(kind: str, symbol: str) -> bool:
        return any(type(item).__name__ == kind and item.symbol == symbol for item in list(seen))

    with session.step("stock stream: trades and quotes"):
        for kind, symbol in (("Trade", "AAPL"), ("Quote", "AAPL"), ("Quote", "SPY")):
            until(partial(have, kind, symbol), f"{kind} of {symbol}")
        quote = next(item for item in seen if type(item).__name__ == "Quote")
        expect(abs(quote.timestamp - datetime.now(UTC)) < timedelta(minutes=1), f"stamp {quote.timestamp}")
    with session.step("crypto stream: quotes and books"):
        until(lambda: have("Quote", "BTC/USD") and have("Orderbook", "BTC/USD"), "quote and book")
    with session.step("unsubscribe"):
        stocks.unsubscribe_trades("AAPL")
        stocks.unsubscribe_quotes("SPY")
    for stream in (stocks, crypto):
        stream.stop()
