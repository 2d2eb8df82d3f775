"""Alpaca's market data routes: bars, trades, quotes, the latest of each, snapshots, books; stocks and crypto.

Lives here: which rows a request is given, page by page. Not here: what a row looks like (shapes.py), streams.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final

from workbench.model.market import Quote
from workbench.testbed.alpaca.refusals import Refusal
from workbench.testbed.alpaca.shapes import (
    DAY_SHIFT_NS,
    bar_row,
    book_row,
    days_of,
    gathered,
    latest_candle,
    quote_row,
    snapshot,
    trade_row,
)
from workbench.testbed.alpaca.tickets import board_of
from workbench.testbed.alpaca.words import wanted_ns
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.market import DAY_NS, MINUTE_NS, Board, Print
from workbench.testbed.past import before

__all__ = ["Data", "timeframe_ns"]

_USUAL: Final = 1_000
_MOST: Final = 10_000
_UNITS: Final = {
    "t": MINUTE_NS,
    "min": MINUTE_NS,
    "h": 60 * MINUTE_NS,
    "hour": 60 * MINUTE_NS,
    "d": DAY_NS,
    "day": DAY_NS,
    "w": 7 * DAY_NS,
    "week": 7 * DAY_NS,
    "m": 30 * DAY_NS,
    "month": 30 * DAY_NS,
}
_MONDAY_NS: Final = 4 * DAY_NS  # the first Monday after the epoch
_PAIR: Final = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")
_STOCK: Final = re.compile(r"[A-Z][A-Z0-9.]{0,10}")

type Rows = list[tuple[int, dict[str, Any]]]


def timeframe_ns(given: str) -> int | None:
    """How long a bar of a time frame lasts; None when it is no time frame. (A month counts as 30 days.)

    >>> timeframe_ns("5Min") // MINUTE_NS, timeframe_ns("1H") // MINUTE_NS, timeframe_ns("1day"), timeframe_ns("1x")
    (5, 60, 86400000000000, None)
    """
    match = re.fullmatch(r"(\d{1,2})([A-Za-z]+)", given)
    if match is None or not int(match[1]):
        return None
    unit = _UNITS.get(match[2].lower())
    return None if unit is None else int(match[1]) * unit


class Data:
    """The market data routes over one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def routes(self) -> list[Route]:
        found: list[Route] = []
        for root, crypto in (("/v2/stocks", False), ("/v1beta3/crypto/{loc}", True)):
            for kind, rows in (("bars", self._bars), ("trades", self._trades), ("quotes", self._quotes)):
                found.append(Route("GET", f"{root}/{kind}", self._many(kind, rows, crypto), open=crypto))
                newest = f"{root}/latest/{kind}" if crypto else f"{root}/{kind}/latest"
                found.append(Route("GET", newest, self._latest(kind, crypto), open=crypto))
                if not crypto:
                    found.append(Route("GET", f"{root}/{{symbol}}/{kind}/latest", self._latest(kind, crypto)))
                    found.append(Route("GET", f"{root}/{{symbol}}/{kind}", self._many(kind, rows, crypto)))
            found.append(Route("GET", f"{root}/snapshots", self._snapshots(crypto), open=crypto))
        found.append(Route("GET", "/v2/stocks/{symbol}/snapshot", self._snapshot))
        found.append(
            Route(
                "GET", "/v1beta3/crypto/{loc}/latest/orderbooks", self._latest("orderbooks", True), open=True
            )
        )
        return found

    # -- what was asked for ----------------------------------------------------------------------------------------

    def _boards(self, call: Call, crypto: bool) -> list[Board]:
        """The boards of the symbols asked for; well-formed ones that are not listed are left out.

        Raises:
            Refusal: no symbols, or one no symbol could look like.
        """
        given = call.path.get("symbol") or call.query.get("symbols", "")
        names = [name.strip() for name in given.split(",") if name.strip()]
        if not names:
            raise _bad("symbols parameter is required")
        pattern = _PAIR if crypto else _STOCK
        wrong = [name for name in names if not pattern.fullmatch(name)]
        if wrong and crypto:
            raise _bad(f"Invalid symbol(s): {', '.join(wrong)} does not match ^[A-Z]+/[A-Z]+$")
        if wrong:
            raise _bad(f"invalid symbol: {wrong[0]}")
        boards = [board_of(self.exchange, name) for name in names]
        return [b for b in boards if b is not None and b.listing.always_open == crypto]

    def _many(
        self, kind: str, rows: Callable[[Board, Call, bool], Rows], crypto: bool
    ) -> Callable[[Call], Answer]:
        def reply(call: Call) -> Answer:
            boards = self._boards(call, crypto)
            start, end = _span(call, self.exchange.clock.now_ns())
            limit = call.query.get("limit", str(_USUAL))
            if not limit.isdigit() or not 1 <= int(limit) <= _MOST:
                raise _bad("invalid limit: it must be between 1 and 10000")
            ascending = call.query.get("sort", "asc") != "desc"
            flat: list[tuple[str, dict[str, Any]]] = []
            for board in sorted(boards, key=lambda b: b.listing.symbol):
                wanted = [row for ts_ns, row in rows(board, call, crypto) if start <= ts_ns <= end]
                flat += [(board.listing.symbol, row) for row in (wanted if ascending else wanted[::-1])]
            at = _place(call.query.get("page_token"))
            page = flat[at : at + int(limit)]
            more = at + int(limit) < len(flat)
            token = urlsafe_b64encode(f"at|{at + int(limit)}".encode()).decode() if more else None
            if "symbol" in call.path:
                symbol = call.path["symbol"]
                return Answer({kind: [row for _, row in page], "symbol": symbol, "next_page_token": token})
            by_symbol: dict[str, list[dict[str, Any]]] = {}
            for symbol, row in page:
                by_symbol.setdefault(symbol, []).append(row)
            return Answer({kind: by_symbol, "next_page_token": token})

        return reply

    def _bars(self, board: Board, call: Call, crypto: bool) -> Rows:
        step_ns = timeframe_ns(call.query.get("timeframe", "1Min"))
        if step_ns is None:
            raise _bad(f"invalid timeframe: {call.query['timeframe']}")
        span_ns, now_ns = self.exchange.market.span_ns, self.exchange.clock.now_ns()
        if step_ns >= DAY_NS:
            shift_ns = DAY_SHIFT_NS + (_MONDAY_NS if step_ns > DAY_NS else 0)
            candles = gathered(days_of(board, now_ns), step_ns, shift_ns)
        elif span_ns == MINUTE_NS:
            longer = step_ns > MINUTE_NS
            candles = (
                gathered((*before(board, step_ns), *board.candles), step_ns)
                if longer
                else list(board.candles)
            )
        else:  # history is in minutes; what was played since, in candles as long as the speed makes them
            whole = [candle for candle in board.candles if candle.end_ns - candle.start_ns == MINUTE_NS]
            played = [candle for candle in board.candles if candle.end_ns - candle.start_ns != MINUTE_NS]
            past = gathered((*before(board, step_ns), *whole), step_ns)
            candles = past + gathered(played, step_ns * span_ns // MINUTE_NS)
        return [(candle.start_ns, bar_row(candle, crypto)) for candle in candles]

    def _trades(self, board: Board, call: Call, crypto: bool) -> Rows:
        return [(done.ts_ns, trade_row(done, crypto)) for done in board.prints]

    def _quotes(self, board: Board, call: Call, crypto: bool) -> Rows:
        return [(quote.ts_ns, quote_row(quote, crypto)) for quote in board.quotes]

    # -- the newest ------------------------------------------------------------------------------------------------

    def _latest(self, kind: str, crypto: bool) -> Callable[[Call], Answer]:
        def reply(call: Call) -> Answer:
            rows = {board.listing.symbol: self._newest(kind, board) for board in self._boards(call, crypto)}
            if "symbol" in call.path:
                symbol = call.path["symbol"]
                if symbol not in rows:
                    raise Refusal(404, 40410000, f"no {kind[:-1]} found for {symbol}")
                return Answer({"symbol": symbol, kind[:-1]: rows[symbol]})
            return Answer({kind: rows})

        return reply

    def _newest(self, kind: str, board: Board) -> dict[str, Any]:
        crypto = board.listing.always_open
        if kind == "bars":
            return bar_row(latest_candle(board, self.exchange.clock.now_ns()), crypto)
        if kind == "trades":
            newest: Print = board.prints[-1]
            return trade_row(newest, crypto)
        if kind == "quotes":
            quote: Quote = board.quotes[-1]
            return quote_row(quote, crypto)
        return book_row(board.book)

    def _snapshots(self, crypto: bool) -> Callable[[Call], Answer]:
        def reply(call: Call) -> Answer:
            now_ns = self.exchange.clock.now_ns()
            rows = {b.listing.symbol: snapshot(b, now_ns) for b in self._boards(call, crypto)}
            return Answer({"snapshots": rows} if crypto else rows)

        return reply

    def _snapshot(self, call: Call) -> Answer:
        boards = self._boards(call, False)
        if not boards:
            raise Refusal(404, 40410000, f"no snapshot found for {call.path['symbol']}")
        return Answer({"symbol": call.path["symbol"], **snapshot(boards[0], self.exchange.clock.now_ns())})


def _bad(message: str) -> Refusal:
    """The data side refuses without a code."""
    return Refusal(400, 0, message)


def _span(call: Call, now_ns: int) -> tuple[int, int]:
    """(start, end) asked for. Without a start: everything of the last day, or all days for daily bars."""
    step_ns = timeframe_ns(call.query.get("timeframe", "1Min")) or MINUTE_NS
    start = now_ns - (DAY_NS if step_ns < DAY_NS else 400 * DAY_NS)
    end = now_ns
    for name in ("start", "end"):
        given = call.query.get(name)
        if not given:
            continue
        ts_ns = wanted_ns(given)
        if ts_ns is None:
            raise _bad(
                f"Invalid format for parameter {name}: error parsing '{given}' as RFC3339 or 2006-01-02 time"
            )
        if name == "start":
            start = ts_ns
        else:
            end = ts_ns
    if end < start:
        raise _bad("end should not be before start")
    return start, end


def _place(token: str | None) -> int:
    if not token:
        return 0
    try:
        word, _, place = urlsafe_b64decode(token.encode()).decode().partition("|")
    except ValueError:
        word, place = "", ""
    if word != "at" or not place.isdigit():
        raise _bad("invalid page_token")
    return int(place)
