"""Indicators against published figures and plain definitions, and the laws of their values."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadValue
from workbench.kernels import (
    Atr,
    Bollinger,
    Correlation,
    Ema,
    EwmaVolatility,
    Highest,
    Indicator,
    Lowest,
    Mfi,
    Obv,
    ParabolicSar,
    Rsi,
    Sma,
    StdDev,
    SuperTrend,
    batch,
)
from workbench.kernels.checks import sample_bars

# Closes and answers as published with the definitions (a chart school's worked examples), to their two digits.
RSI_CLOSES = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
    45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521, 45.7137, 46.4515,
    45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
]  # fmt: skip
RSI_14 = [
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46, 41.87, 45.46,
    37.30, 33.08, 37.77,
]  # fmt: skip
EMA_CLOSES = [
    22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38, 22.61, 23.36, 24.05,
    23.75, 23.83, 23.95, 23.63,
]  # fmt: skip
EMA_10 = [22.22, 22.21, 22.24, 22.27, 22.33, 22.52, 22.80, 22.97, 23.13, 23.28, 23.34]


def one(indicator: Indicator, bars: object) -> np.ndarray:
    values = batch(indicator, bars)
    assert isinstance(values, np.ndarray)
    return values


def test_rsi_gives_the_published_figures() -> None:
    values = one(Rsi(14), RSI_CLOSES)
    assert np.isnan(values[:14]).all()
    assert values[14:].round(2).tolist() == RSI_14


def test_ema_gives_the_published_figures() -> None:
    values = one(Ema(10), EMA_CLOSES)
    assert np.isnan(values[:9]).all()
    assert values[9:].round(2).tolist() == EMA_10


def test_rsi_of_rises_falls_and_nothing() -> None:
    assert one(Rsi(3), np.arange(1.0, 9.0))[-1] == 100.0
    assert one(Rsi(3), np.arange(9.0, 1.0, -1.0))[-1] == 0.0
    assert one(Rsi(3), np.full(8, 5.0))[-1] == 50.0


def plain_atr(n: int) -> Callable[[np.ndarray], list[float]]:
    def values(bars: np.ndarray) -> list[float]:
        high, low, close = bars[:, 1], bars[:, 2], bars[:, 3]
        reach = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
        out = [math.nan] * n + [float(reach[:n].mean())]
        for r in reach[n:]:
            out.append((out[-1] * (n - 1) + r) / n)
        return out

    return values


def rolling(n: int, column: int, fold: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], list[float]]:
    def values(bars: np.ndarray) -> list[float]:
        return [math.nan if k + 1 < n else fold(bars[k + 1 - n : k + 1, column]) for k in range(len(bars))]

    return values


@pytest.mark.parametrize(
    ("indicator", "plain"),
    [
        (Sma(20), rolling(20, 3, lambda w: float(w.mean()))),
        (StdDev(20), rolling(20, 3, lambda w: float(w.std()))),
        (Highest(20), rolling(20, 1, lambda w: float(w.max()))),
        (Lowest(20), rolling(20, 2, lambda w: float(w.min()))),
        (Atr(14), plain_atr(14)),
    ],
    ids=("Sma", "StdDev", "Highest", "Lowest", "Atr"),
)
def test_equals_its_definition(indicator: Indicator, plain: Callable[[np.ndarray], list[float]]) -> None:
    bars = sample_bars(3_000)
    np.testing.assert_allclose(one(indicator, bars), plain(bars), rtol=1e-10, atol=1e-10)


def test_bollinger_is_the_mean_and_two_deviations() -> None:
    bars = sample_bars(500)
    bands = batch(Bollinger(20, 2.0), bars)
    assert isinstance(bands, dict)
    middle, deviation = one(Sma(20), bars), one(StdDev(20), bars)
    assert list(bands) == ["upper", "middle", "lower"]
    np.testing.assert_allclose(bands["middle"], middle, rtol=1e-12)
    np.testing.assert_allclose(bands["upper"], middle + 2 * deviation, rtol=1e-12)
    np.testing.assert_allclose(bands["lower"], middle - 2 * deviation, rtol=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.94, 1.0])
def test_ewma_volatility_is_pandas_weighted_mean_of_squared_returns(decay: float) -> None:
    closes = sample_bars(600)[:, 3]
    moves = pd.Series(np.diff(np.log(closes)))
    squares = moves.pow(2)
    mean = squares.expanding().mean() if decay == 1.0 else squares.ewm(alpha=1.0 - decay).mean()
    bar = one(EwmaVolatility(decay, settle=5), closes)
    year = one(EwmaVolatility(decay, bars_a_year=252.0, settle=5), closes)
    assert np.isnan(bar[:5]).all()
    np.testing.assert_allclose(bar[5:], np.sqrt(mean)[4:], rtol=1e-10)
    np.testing.assert_allclose(year, bar * math.sqrt(252.0), rtol=1e-12)


def test_volatility_leaves_out_a_close_that_is_no_price() -> None:
    closes = sample_bars(60)[:, 3]
    spoilt = np.insert(closes, 30, [0.0, -3.0])
    found = one(EwmaVolatility(settle=5), spoilt)
    assert np.isnan(found[30:32]).all()
    np.testing.assert_array_equal(np.delete(found, [30, 31]), one(EwmaVolatility(settle=5), closes))


def test_obv_adds_and_takes_volume_by_the_close() -> None:
    closes = np.array([5.0, 6.0, 6.0, 4.0, 7.0])
    volumes = np.array([10.0, 1.0, 2.0, 3.0, 4.0])
    bars = np.column_stack([closes, closes, closes, closes, volumes])
    assert one(Obv(), bars).tolist() == [10.0, 11.0, 11.0, 8.0, 12.0]


def test_equal_typical_prices_count_as_no_flow_however_they_round() -> None:
    """(0.1 + 0.2 + 0.3) / 3 and (0.3 + 0.2 + 0.1) / 3 differ in the last bit and are one price."""
    highs, lows = np.array([0.1, 0.3, 0.1, 0.3]), np.array([0.2, 0.2, 0.2, 0.2])
    closes = np.array([0.3, 0.1, 0.3, 0.1])
    assert (highs + lows + closes)[0] != (highs + lows + closes)[1]
    bars = np.column_stack([closes, highs, lows, closes, np.ones(4)])
    assert one(Mfi(2), bars)[2:].tolist() == [50.0, 50.0]


def test_supertrend_changes_sides_on_the_close_and_moves_only_towards_it() -> None:
    bars = sample_bars(3_000, seed=21)
    found = batch(SuperTrend(10, 2.0), bars)
    assert isinstance(found, dict)
    line, side, closes = (values[10:] for values in (found["line"], found["direction"], bars[:, 3]))
    assert set(side) == {1.0, -1.0}
    assert ((closes > line) == (side > 0)).all()
    same = side[1:] == side[:-1]
    assert (np.diff(line)[same] * side[1:][same] >= 0.0).all()


def test_the_parabolic_stop_never_stands_inside_the_last_two_bars() -> None:
    bars = sample_bars(3_000, seed=22)
    stop = one(ParabolicSar(), bars)[2:]
    high, low = np.maximum(bars[2:, 1], bars[1:-1, 1]), np.minimum(bars[2:, 2], bars[1:-1, 2])
    assert ((stop >= high) | (stop <= low)).all()
    assert np.isnan(one(ParabolicSar(), bars)[0])


def test_rounding_never_builds_up() -> None:
    """After a spike of 1e9 the averages come back to the last bit of a fresh start."""
    quiet = sample_bars(200)
    spike = quiet[:1] * 1e9
    after = np.vstack([spike, quiet])
    for indicator in (Sma(10), StdDev(10)):
        np.testing.assert_allclose(one(indicator, after)[-50:], one(indicator, quiet)[-50:], rtol=1e-12)


def test_constant_prices_have_no_spread() -> None:
    assert one(StdDev(5), np.full(50, 0.1))[-1] == 0.0


@given(
    st.integers(1, 12),
    st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_means_and_bands_stay_inside_the_window(period: int, closes: list[float]) -> None:
    mean = one(Sma(period), closes)
    bands = batch(Bollinger(period, 2.0), closes)
    assert isinstance(bands, dict)
    for k in range(period - 1, len(closes)):
        window = closes[k + 1 - period : k + 1]
        slack = 1e-9 * max(map(abs, closes))
        assert min(window) - slack <= mean[k] <= max(window) + slack
        assert bands["lower"][k] <= bands["middle"][k] <= bands["upper"][k]
    assert np.isnan(mean[: period - 1]).all()


@given(st.integers(1, 20), st.lists(st.floats(0.01, 1e6), min_size=30, max_size=60))
@settings(max_examples=40, deadline=None)
def test_rsi_stays_between_0_and_100(period: int, closes: list[float]) -> None:
    values = one(Rsi(period), closes)[period:]
    assert ((values >= 0) & (values <= 100)).all()


def test_a_period_below_one_is_refused() -> None:
    with pytest.raises(BadValue, match=r"Sma\.period = 0: give a whole number of bars from 1 up"):
        Sma(0)


def test_read_only_bars_are_taken() -> None:
    closes = np.arange(1.0, 30.0)
    closes.flags.writeable = False
    assert one(Sma(2), closes)[1] == 1.5


def test_a_frame_is_read_by_the_names_of_its_columns() -> None:
    """In whatever order they stand; by place the high would have been taken for the low."""
    bars = sample_bars(60)
    names = ["open", "high", "low", "close", "volume"]
    frame = pd.DataFrame(bars, columns=names)
    turned, closes = frame[names[::-1]], frame[["close"]]
    for shown in (frame, turned, frame.rename(columns=str.title).assign(Name="x")):
        np.testing.assert_array_equal(one(Atr(5), shown), one(Atr(5), bars))
    np.testing.assert_array_equal(one(Sma(5), closes), one(Sma(5), bars))
    pairs = batch(Correlation(5), turned, closes), batch(Correlation(5), bars[:, 3], bars[:, 3])
    np.testing.assert_array_equal(*pairs)
    with pytest.raises(BadValue, match="open, high, low, close: low is not there"):
        batch(Atr(5), frame.drop(columns="low"))
    with pytest.raises(BadValue, match="give numbers"):
        batch(Sma(2), ["a", "b"])


def test_bars_of_another_shape_are_refused() -> None:
    with pytest.raises(BadValue, match="n x 5"):
        batch(Sma(2), np.zeros((3, 4)))
