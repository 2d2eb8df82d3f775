"""What every recorded market keeps, whatever it was read from: one stream, in order, complete, on known symbols."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from workbench.feeds import Recording, import_data, list_data, open_data, synthetic
from workbench.model import Bar, BarSlice, Dividend, Instrument, MarketEvent, Quote, Split, Trade


def _named(path: Path, folder: Path) -> Recording:
    return open_data(path)


def _csv(folder: Path) -> Recording:
    synthetic(3, 40, seed=9).frame().to_csv(folder / "bars.csv", index=False)
    return open_data(folder / "bars.csv")


def _with_holes(folder: Path) -> Recording:
    frame = synthetic(4, 60, seed=2).frame().sample(frac=0.6, random_state=5).sort_values(["symbol", "ts"])
    return open_data(frame)


def _quotes(folder: Path) -> Recording:
    frame = synthetic(2, 30, seed=4).frame()[["ts", "symbol", "low", "high"]]
    return open_data(frame.rename(columns={"low": "bid", "high": "ask"}))


def _trades(folder: Path) -> Recording:
    frame = synthetic(2, 30, seed=4).frame()[["ts", "symbol", "close", "volume"]]
    return open_data(frame.rename(columns={"close": "price", "volume": "size"}))


def _actions(folder: Path) -> Recording:
    """Two symbols by the day with dividends, splits, and both on one day; as a data set that was imported."""
    frame = synthetic(2, 6, seed=4).frame()
    days = np.repeat(np.arange(6), 2)
    frame["ts"] = np.datetime64("2014-06-02T20:00", "ns") + days * np.timedelta64(1, "D")
    frame["dividend"] = np.where(days == 2, 0.47, np.where(days == 4, 3.29, np.nan))
    frame["split"] = np.where((days == 4) & (frame["symbol"] == frame["symbol"][0]), 7.0, 0.0)
    import_data(frame, name="acted", tz="UTC", calendar="24/7", home=folder)
    return open_data("acted", home=folder)


RECORDINGS: dict[str, Callable[[Path], Recording]] = {
    **{facts.name: partial(_named, facts.path) for facts in list_data(Path("nowhere"))},
    "symbol": lambda folder: open_data("SPY"),
    "one-day": lambda folder: open_data("SPY", start="2020-12-17", end="2020-12-17"),
    "one-symbol": lambda folder: synthetic(1, 100),
    "many-symbols": lambda folder: synthetic(20, 30),
    "several-days": lambda folder: synthetic(2, 900),
    "chosen": lambda folder: synthetic(5, 30).select(["S004", "S001"]),
    "csv": _csv,
    "with-holes": _with_holes,
    "quotes": _quotes,
    "trades": _trades,
    "actions": _actions,
}


@pytest.fixture(params=RECORDINGS)
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Recording:
    return RECORDINGS[request.param](tmp_path)


def rows(event: MarketEvent) -> Iterator[tuple[int, int, list[float]]]:
    """(time, iid, figures) of what an event tells; an opening print tells nothing the bar does not."""
    if isinstance(event, BarSlice):
        figures = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5).tolist()
        for iid, row in zip(np.frombuffer(event.iids, "<i4").tolist(), figures, strict=True):
            yield event.ts_ns, iid, row
    elif isinstance(event, Bar):
        yield event.ts_ns, event.iid, [event.open, event.high, event.low, event.close, event.volume]
    elif isinstance(event, Quote):
        yield event.ts_ns, event.iid, [event.bid, event.bid_size, event.ask, event.ask_size, 0.0]
    elif isinstance(event, Trade) and event.size:
        yield event.ts_ns, event.iid, [event.px, event.size, float(event.side), 0.0, 0.0]
    elif isinstance(event, Split):
        yield event.ts_ns, event.iid, [float(event.numerator), float(event.denominator), 0.0, 0.0, 0.0]
    elif isinstance(event, Dividend):
        yield event.ts_ns, event.iid, [float(event.amount_e8), 0.0, 0.0, 0.0, 0.0]


def test_events_are_in_order_of_time(recording: Recording) -> None:
    events = list(recording.events())
    assert all(before.ts_ns <= after.ts_ns for before, after in pairwise(events))
    assert events[-1].ts_ns == recording.end_ns


def test_counts_and_times_are_known_beforehand(recording: Recording) -> None:
    for prints in (True, False):
        assert recording.event_ts(prints).tolist() == [event.ts_ns for event in recording.events(prints)]
    assert recording.n_events == len(list(recording.events()))


def test_every_row_is_told_once(recording: Recording) -> None:
    told = sorted(row for event in recording.events() for row in rows(event))
    held = zip(recording.ts_ns.tolist(), recording.iid.tolist(), recording.values.tolist(), strict=True)
    assert told == sorted(held)


def test_symbols_are_numbered_densely(recording: Recording) -> None:
    assert [instrument.iid for instrument in recording.instruments] == list(range(len(recording.instruments)))
    assert len(set(recording.symbols)) == len(recording.symbols)
    assert {iid for event in recording.events() for _, iid, _ in rows(event)} <= set(
        range(len(recording.symbols))
    )
    assert all(isinstance(instrument, Instrument) for instrument in recording.instruments)


def test_a_print_shows_the_open_of_the_next_bar_and_nothing_else(recording: Recording) -> None:
    printed: dict[int, Trade] = {}
    for event in recording.events():
        if isinstance(event, Trade) and not event.size:
            assert event.iid not in printed
            printed[event.iid] = event
        elif isinstance(event, Bar | BarSlice):
            for ts_ns, iid, figures in rows(event):
                opening = printed.pop(iid)
                assert opening.px == figures[0]
                assert ts_ns - recording.bar_ns < opening.ts_ns <= ts_ns
    assert not printed


def test_splits_and_dividends_stand_before_all_of_their_day(recording: Recording) -> None:
    """After the bar before, before the opening print of the first bar in their units; the split first."""
    seen: dict[int, str] = {}  # what came last of each instrument
    for event in recording.events():
        if isinstance(event, Split | Dividend):
            before = ("", "bar") if isinstance(event, Split) else ("", "bar", "split")
            assert seen.get(event.iid, "") in before
            seen[event.iid] = "split" if isinstance(event, Split) else "dividend"
        elif isinstance(event, Trade | Quote):
            assert seen.get(event.iid) != "bar" or isinstance(event, Trade)
            seen[event.iid] = "tick"
        else:
            for _, iid, _ in rows(event):
                assert seen.get(iid, "tick") == "tick" or recording.bar_ns == 0
                seen[iid] = "bar"


def test_a_table_of_it_is_the_same_recording_again(recording: Recording) -> None:
    if (recording.kind < 2).any():
        return  # ticks are told as they are
    again = Recording.merged(
        recording.name, recording.columns("bars"), instruments=recording.instruments, bar_ns=recording.bar_ns
    )
    assert list(again.events()) == list(recording.events())


def test_twice_the_same(recording: Recording) -> None:
    assert list(recording.events()) == list(recording.events())
