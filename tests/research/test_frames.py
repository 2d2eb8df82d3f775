"""Frames as people have them, through `backtest` and `sweep`: understood, or refused in one line that says what to
do."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.errors import BadInput, WorkbenchError
from workbench.research import backtest, sweep, walk_forward
from workbench.strategy import Strategy

FIELDS = ["open", "high", "low", "close", "volume"]


class UpDown(Strategy):
    """Long after a rise, flat after a fall."""

    step: float = 0.0

    def decide(p, x, pos):  # type: ignore[no-untyped-def]
        return 1.0 if x.close > x.open + p.step else 0.0


def bars(n: int = 40, freq: str = "min", seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    close = np.round(100 + np.cumsum(random.normal(0, 0.2, n)), 2)
    opened = np.round(close + random.normal(0, 0.1, n), 2)
    high, low = np.maximum(opened, close) + 0.05, np.minimum(opened, close) - 0.05
    ts = pd.date_range("2021-03-01 15:00", periods=n, freq=freq, tz="UTC")
    return pd.DataFrame({"ts": ts, "open": opened, "high": high, "low": low, "close": close, "volume": 1e3})


def fills(data: Any, **more: Any) -> list[float]:
    return backtest(UpDown(), data, **more).fills[["px", "quantity"]].to_numpy().ravel().tolist()


def test_a_download_with_two_levels_of_columns_is_one_row_a_symbol() -> None:
    one, other = bars(seed=1), bars(seed=2)
    wide = pd.concat({"ABC": one.set_index("ts")[FIELDS], "XYZ": other.set_index("ts")[FIELDS]}, axis=1)
    wide.columns.names = ["Ticker", "Price"]
    for frame in (wide, wide.swaplevel(axis=1)):
        result = backtest(UpDown(), frame)
        assert result.recording.symbols == ("ABC", "XYZ")
        assert fills(frame, symbols="XYZ") == fills(other)
    wide.loc[wide.index[:5], "XYZ"] = np.nan  # not listed yet
    assert len(backtest(UpDown(), wide).recording.bars("XYZ")[0]) == len(other) - 5
    with pytest.raises(BadInput, match="columns of 3 levels that are not understood"):
        backtest(UpDown(), pd.concat({"more": wide}, axis=1))


@pytest.mark.parametrize("kind", ["float32", object, str])
def test_figures_of_any_kind_are_read(kind: Any) -> None:
    frame = bars()
    assert len(fills(frame)) > 3
    assert fills(frame.astype(dict.fromkeys(FIELDS, kind))) == pytest.approx(fills(frame), rel=1e-6)


def test_spans_come_in_many_types() -> None:
    frame = bars(freq="h", n=200)
    expected = fills(frame, start="2021-03-03", end="2021-03-04")
    assert len(expected) > 3
    for start, end in (
        (date(2021, 3, 3), date(2021, 3, 4)),
        (np.datetime64("2021-03-03"), np.datetime64("2021-03-04")),
        (
            np.int64(pd.Timestamp("2021-03-03 00:00:01", tz="UTC").value),
            pd.Timestamp("2021-03-05 00:00", tz="UTC"),
        ),
    ):
        assert fills(frame, start=start, end=end) == expected


def test_steps_of_prices_and_quantities_may_be_given() -> None:
    frame = bars()
    coarse = backtest(UpDown(), frame, sizing="percent", quantity=1, slippage=0.0001)
    fine = backtest(
        UpDown(), frame, sizing="percent", quantity=1, slippage=0.0001, lot=0.001, tick={"DATA": 1e-6}
    )
    assert coarse.fills["quantity"].iloc[0] == 100 - 1  # ten thousand at a little above 100
    assert fine.fills["quantity"].iloc[0] == pytest.approx(1e4 / frame["close"][0], abs=0.02 * 100)
    assert (fine.fills["quantity"] % 1).any()
    buys = fine.fills[fine.fills["side"] == "buy"]
    opens = frame["open"].to_numpy()
    assert all(np.min(np.abs(opens * 1.0001 - px)) < 1.1e-6 for px in buys["px"])
    assert fine.fills["px"].round(2).ne(fine.fills["px"]).any()


def test_rows_on_saturdays_are_of_a_market_that_never_closes() -> None:
    week = backtest(UpDown(), bars(freq="h", n=24 * 7))
    assert week.recording.instruments[0].calendar == "24/7"
    assert week.statistics(periods=365) == pytest.approx(week.stats, nan_ok=True)
    assert backtest(UpDown(), bars(freq="h", n=24 * 4)).recording.instruments[0].calendar == "XNYS"
    assert (
        backtest(UpDown(), bars(freq="h", n=24 * 7), calendar="XNYS").recording.instruments[0].calendar
        == "XNYS"
    )


def dates() -> pd.DataFrame:
    frame = bars(freq="D")
    return frame.assign(ts=frame["ts"].dt.tz_localize(None).dt.normalize())


@pytest.mark.parametrize(
    ("data", "more", "said"),
    [
        (
            bars().assign(close=lambda f: f["close"], twice=1.0).rename(columns={"twice": "close"}),
            {},
            "2 columns 'close'",
        ),
        (bars()["close"], {}, "data is of type Series: give a name, a file"),
        (bars().to_numpy(), {}, "data is of type ndarray"),
        ({"close": [1.0]}, {}, "data is of type dict"),
        (None, {}, "data is of type NoneType"),
        (dates(), {}, "the times in frame are dates: say stamp='session'"),
        (bars().iloc[:0], {}, "has no rows"),
        ("SPY", {"start": 1.6e9}, "start = 1600000000.0: give a date"),
        ("SPY", {"symbols": 5}, "symbols = 5: name at least one symbol"),
        ("SPY", {"slippage": "ticks"}, "slippage = 'ticks': give a fraction of the price, or a model"),
        ("SPY", {"sim": {"queue": True}}, "SimSettings"),
        ("SPY", {"fees": [0.1]}, r"fees = \[0.1\]: give a fraction"),
        ("SPY", {"tick": -0.01}, "tick = -0.01: give a step above 0"),
        ("SPY", {"lot": {"QQQ": 1}}, "symbol of lot 'QQQ' is unknown"),
        ("SPY", {"quantity": 0.5}, "quantity = 0.5: give at least 1, the lot of SPY, or a smaller lot="),
        ("SPY", {"quantity": [1, 2]}, r"quantity = \[1, 2\]: give a number"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_by_both(data: Any, more: dict[str, Any], said: str) -> None:
    for run in (
        lambda: backtest(UpDown(), data, **more),
        lambda: sweep(UpDown, data, step=[0.0], progress=False, **more),
    ):
        with pytest.raises(WorkbenchError, match=said) as caught:
            run()
        assert "\n" not in str(caught.value)


def test_progress_must_be_a_function() -> None:
    wrong: Any = 3
    with pytest.raises(BadInput, match="progress = 3: give a function"):
        backtest(UpDown(), progress=wrong)


def test_a_sweep_takes_costs_and_data_as_a_backtest_does() -> None:
    frame = dates()
    common: dict[str, Any] = {
        "fees": 0.001,
        "fee_per_unit": 0.01,
        "fee_per_order": 0.5,
        "limits": "off",
        "stamp": "session",
        "calendar": "24/7",
    }
    swept = sweep(UpDown, frame, step=[0.0, 0.1], progress=False, **common)
    assert swept.loop == "lanes"
    for number, row in swept.frame().iterrows():
        single = backtest(UpDown(step=row["step"]), frame, **common)
        assert row["final_equity"] == single.stats["final_equity"]
        assert row["fees"] == pytest.approx(single.stats["fees"])
        assert swept.backtest(int(str(number))).stats["final_equity"] == row["final_equity"]
    slipped = sweep(
        UpDown, frame, step=[0.0], progress=False, slippage=("ticks", 2), flat_at_end=True, **common
    )
    single = backtest(UpDown(), frame, slippage=("ticks", 2), flat_at_end=True, **common)
    assert slipped.frame()["final_equity"][0] == single.stats["final_equity"]
    with pytest.raises(WorkbenchError, match="option 'fee' is unknown"):
        sweep(UpDown, frame, step=[0.0], options={"fee": 1}, **common)
    walked = walk_forward(UpDown, frame, train=20, test=10, axes={"step": [0.0, 0.1]}, **common)
    assert len(walked.windows) == 2


def test_only_a_strategy_is_swept() -> None:
    wrong: Any = "RsiReversion"
    with pytest.raises(BadInput, match="give a strategy class, or an instance"):
        sweep(wrong, "SPY")
