"""The stream: its order, its opening prints, its slices, and the sample as it really is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds import Columns, Recording, open_data, synthetic
from workbench.model import Bar, BarSlice, Instrument, MarketEvent, Quote, Trade

MINUTE = 60_000_000_000


def bars(symbols: tuple[str, ...], rows: list[tuple[int, int, float]]) -> Columns:
    """(minute, symbol's number, price) rows as flat bars."""
    ts = np.array([minute * MINUTE for minute, _, _ in rows], np.int64)
    code = np.array([number for _, number, _ in rows], np.int32)
    values = np.array([[px, px + 1, px - 1, px, 5.0] for _, _, px in rows])
    return Columns("bars", symbols, ts, code, values)


def quotes(symbol: str, rows: list[tuple[int, float]]) -> Columns:
    ts = np.array([ts for ts, _ in rows], np.int64)
    values = np.array([[px, np.nan, px + 0.1, 3.0] for _, px in rows])
    return Columns("quotes", (symbol,), ts, np.zeros(len(rows), np.int32), values)


def test_the_sample_is_four_whole_sessions() -> None:
    spy = open_data("SPY")
    assert len(spy) == 4 * 391 == 1_564
    assert [day.date for day in spy.sessions.days] == ["2020-12-15", "2020-12-16", "2020-12-17", "2020-12-18"]
    ts_ns, ohlcv = spy.bars("SPY")
    of_day = spy.sessions.numbers_of(ts_ns)
    assert np.bincount(of_day).tolist() == [391] * 4
    assert ohlcv[0].tolist() == [367.4, 367.62, 367.36, 367.46, 407_870.0]
    assert ohlcv[-1].tolist() == [369.13, 369.44, 369.04, 369.15, 8_422_909.0]
    # the last bar of every day closes a minute past the session: the auction
    last = ts_ns[np.flatnonzero(np.diff(of_day, append=9))]
    assert [int(ts) - day.close_ns for ts, day in zip(last, spy.sessions.days, strict=True)] == [MINUTE] * 4
    assert all(spy.sessions.session_of_bar(int(ts), spy.bar_ns) is not None for ts in ts_ns)


def test_every_bar_follows_its_opening_print() -> None:
    events = list(open_data("SPY").events())
    assert len(events) == open_data("SPY").n_events == 2 * 1_564
    for opening, bar in zip(events[::2], events[1::2], strict=True):
        assert isinstance(opening, Trade)
        assert isinstance(bar, Bar)
        assert (opening.ts_ns, opening.px, opening.size) == (bar.ts_ns - MINUTE + 1, bar.open, 0.0)


def test_without_opening_prints_there_are_only_bars() -> None:
    assert {type(event) for event in open_data("SPY").events(opening_prints=False)} == {Bar}


def test_bars_that_close_together_are_one_slice_and_a_lone_one_is_a_bar() -> None:
    table = bars(("A", "B"), [(1, 0, 10.0), (2, 0, 11.0), (1, 1, 20.0), (3, 1, 22.0)])
    first, *others = list(Recording.merged("two", table).events(opening_prints=False))
    assert isinstance(first, BarSlice)
    assert np.frombuffer(first.iids, np.int32).tolist() == [0, 1]
    assert np.frombuffer(first.ohlcv).reshape(2, 5).tolist() == [[10, 11, 9, 10, 5], [20, 21, 19, 20, 5]]
    assert others == [Bar(2 * MINUTE, 0, 11, 12, 10, 11, 5), Bar(3 * MINUTE, 1, 22, 23, 21, 22, 5)]


def test_a_gap_stays_a_gap() -> None:
    table = bars(("A",), [(1, 0, 10.0), (2, 0, 10.0), (3, 0, 11.0), (7, 0, 12.0), (8, 0, 12.0)])
    events = list(Recording.merged("gap", table).events())
    assert [event.ts_ns for event in events if isinstance(event, Bar)] == [
        n * MINUTE for n in (1, 2, 3, 7, 8)
    ]
    assert Trade(6 * MINUTE + 1, 0, 12.0) in events


def test_a_print_never_comes_before_the_bar_above_it_has_closed() -> None:
    table = Columns(
        "bars",
        ("A",),
        np.array([60, 120, 150, 210, 270], np.int64) * 10**9,  # one bar is shorter than the others
        np.zeros(5, np.int32),
        np.full((5, 5), 7.0),
    )
    kinds = [type(event).__name__ for event in Recording.merged("short", table).events()]
    assert kinds == ["Trade", "Bar"] * 5


def test_ticks_come_before_the_bar_that_closes_with_them_and_replace_opening_prints() -> None:
    table = bars(("A", "B"), [(1, 0, 10.0), (1, 1, 20.0)])
    stream = list(Recording.merged("mixed", table, quotes("A", [(30 * 10**9, 9.9), (MINUTE, 10.0)])).events())
    assert [type(event) for event in stream] == [Trade, Quote, Quote, BarSlice]
    assert stream[0] == Trade(1, 1, 20.0)  # B has no ticks of its own
    assert stream[1] == Quote(30 * 10**9, 0, 9.9, 0.0, 10.0, 3.0)  # an unknown size is 0


def test_equal_times_keep_the_order_of_the_source() -> None:
    px = [10.3, 10.1, 10.2]
    stream = Recording.merged("ties", quotes("A", [(5, each) for each in px])).events()
    assert [event.bid for event in stream if isinstance(event, Quote)] == px


def test_trades_keep_price_size_and_side() -> None:
    table = Columns(
        "trades", ("X",), np.array([5], np.int64), np.zeros(1, np.int32), np.array([[9.5, 2.0, -1.0]])
    )
    assert list(Recording.merged("t", table).events()) == [Trade(5, 0, 9.5, 2.0, -1)]


def test_select_renumbers_and_narrows() -> None:
    day = synthetic(symbols=4, bars=10, seed=3)
    two = day.select(["S002", "S000"], start_ns=int(day.bars("S000")[0][3]))
    assert two.symbols == ("S002", "S000")
    assert [instrument.iid for instrument in two.instruments] == [0, 1]
    for symbol in two.symbols:
        assert np.array_equal(two.bars(symbol)[1], day.bars(symbol)[1][3:])
    first = next(iter(two.events(opening_prints=False)))
    assert isinstance(first, BarSlice)
    rows = np.frombuffer(first.ohlcv).reshape(-1, 5)
    assert rows[0].tolist() == day.bars("S002")[1][3].tolist()


def test_select_refuses_what_is_not_there() -> None:
    day = synthetic(symbols=2, bars=3)
    with pytest.raises(UnknownName, match="did you mean 'S001'"):
        day.select(["S01"])
    with pytest.raises(UnknownName, match="symbol 'nope' is unknown"):
        day.bars("nope")
    with pytest.raises(BadValue, match=r"start = '2030-01-01 00:00:00': data .* covers 2024-01-01 14:31:00"):
        day.select(start_ns=1_893_456_000 * 10**9)
    with pytest.raises(BadValue, match="end = '1970-01-01 00:00:00'"):
        day.select(end_ns=5)


def test_a_symbol_without_a_row_in_the_span_is_named() -> None:
    listed_late = bars(("A", "LATE"), [(1, 0, 10.0), (2, 0, 11.0), (3, 0, 12.0), (3, 1, 5.0), (4, 1, 6.0)])
    market = Recording.merged("two", listed_late)
    told = (
        r"symbols = 'LATE': data 'two' has no row of it from 1970-01-01 00:01:00 to 1970-01-01 00:02:00 UTC"
    )
    with pytest.raises(BadValue, match=told):
        market.select(["LATE"], end_ns=2 * MINUTE)
    assert len(market.select(["LATE"], end_ns=3 * MINUTE)) == 1


def test_no_rows_are_no_recording() -> None:
    with pytest.raises(BadInput, match="data 'empty' has no rows"):
        Recording.merged("empty", bars(("A",), [(1, 0, 1.0)]).take(np.array([], np.intp)))


def test_named_instruments_decide_the_numbers_and_grids() -> None:
    table = bars(("B", "A"), [(1, 0, 10.0), (1, 1, 20.0)])
    named = [Instrument(0, "A", tick_e8=5_000_000), Instrument(1, "B")]
    recording = Recording.merged("named", table, instruments=named)
    assert recording.instruments == tuple(named)
    assert recording.bars("A")[1][0, 0] == 20.0
    with pytest.raises(UnknownName, match="symbol 'B' is unknown"):
        Recording.merged("named", table, instruments=named[:1])


def test_what_is_recorded_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        open_data("SPY").values[0, 0] = 1.0


def test_frame_and_columns_hold_the_rows_again() -> None:
    day = synthetic(symbols=2, bars=3)
    frame = day.frame()
    assert list(frame.columns) == ["ts", "symbol", "open", "high", "low", "close", "volume"]
    assert frame["symbol"].tolist() == ["S000", "S001"] * 3
    again = Recording.merged(day.name, day.columns(), instruments=day.instruments)
    assert list(again.events()) == list(day.events())
    with pytest.raises(UnknownName, match="did you mean 'bars'"):
        day.columns("bar")


def test_events_can_start_anywhere() -> None:
    day = synthetic(symbols=3, bars=40)
    whole = list(day.events())
    assert list(day.events(first=57)) == whole[57:]
    assert list(day.events(first=len(whole))) == []


def test_synthetic_is_the_same_twice_and_other_with_another_seed() -> None:
    assert list(synthetic(2, 50, 5).events()) == list(synthetic(2, 50, 5).events())
    assert list(synthetic(2, 50, 5).events()) != list(synthetic(2, 50, 6).events())
    with pytest.raises(BadValue, match="bars = 0"):
        synthetic(1, 0)


rows_of = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 3), st.integers(100, 900)),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[:2],
)


@given(rows_of, st.booleans())
def test_law_the_stream_is_ordered_and_complete(rows: list[tuple[int, int, int]], prints: bool) -> None:
    table = bars(("A", "B", "C", "D"), [(minute, number, px / 10) for minute, number, px in rows])
    recording = Recording.merged("law", table, bar_ns=MINUTE)
    events = list(recording.events(prints))
    assert len(events) == len(recording.event_ts(prints))
    assert [event.ts_ns for event in events] == recording.event_ts(prints).tolist()
    assert all(a.ts_ns <= b.ts_ns for a, b in pairwise(events))
    seen = sorted(row for event in events for row in closes(event))
    assert seen == sorted((minute * MINUTE, number, px / 10) for minute, number, px in rows)
    opened = [(event.ts_ns, event.iid, event.px) for event in events if isinstance(event, Trade)]
    assert sorted(opened) == (sorted((ts - MINUTE + 1, iid, px) for ts, iid, px in seen) if prints else [])


def closes(event: MarketEvent) -> list[tuple[int, int, float]]:
    """(time, iid, close) of every bar in an event."""
    if isinstance(event, Bar):
        return [(event.ts_ns, event.iid, event.close)]
    if isinstance(event, BarSlice):
        prices = np.frombuffer(event.ohlcv).reshape(-1, 5)[:, 3].tolist()
        iids = np.frombuffer(event.iids, np.int32).tolist()
        assert iids == sorted(set(iids))
        return [(event.ts_ns, iid, px) for iid, px in zip(iids, prices, strict=True)]
    return []
