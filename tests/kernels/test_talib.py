"""Equality with TA-Lib where it has the function, to 1e-9, on made bars and on the bundled sample.

Where the two seed differently, the difference is removed: by waiting until it has decayed, or by rebuilding ours from
TA-Lib's own pieces.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from workbench.feeds import open_data
from workbench.kernels import (
    Adx,
    Aroon,
    Atr,
    Bollinger,
    Cci,
    Correlation,
    CutlerRsi,
    Dema,
    Donchian,
    Ema,
    Indicator,
    Keltner,
    Macd,
    Mfi,
    Momentum,
    Obv,
    ParabolicSar,
    Roc,
    RollingMax,
    RollingMin,
    Rsi,
    Slope,
    Sma,
    StdDev,
    Stochastic,
    SuperTrend,
    Tema,
    Vwap,
    WilliamsR,
    Wma,
    batch,
)
from workbench.kernels.checks import sample_bars, sample_times

type Floats = np.ndarray[Any, np.dtype[np.float64]]


class Bars:
    """Columns as TA-Lib takes them."""

    def __init__(self, ohlcv: Floats) -> None:
        self.ohlcv = ohlcv
        self.o, self.h, self.l, self.c, self.v = (np.ascontiguousarray(column) for column in ohlcv.T)


SETS = {
    "made": Bars(sample_bars(3_000, seed=4)),
    "cheap and wild": Bars(sample_bars(1_500, seed=8, px=0.9)),
    "SPY": Bars(open_data("SPY").bars("SPY")[1]),
}

SAME: list[tuple[Indicator, Callable[[Bars], Any]]] = [
    (Sma(20), lambda b: talib.SMA(b.c, 20)),
    (Ema(20), lambda b: talib.EMA(b.c, 20)),
    (Wma(20), lambda b: talib.WMA(b.c, 20)),
    (Wma(7), lambda b: talib.WMA(b.c, 7)),
    (Dema(12), lambda b: talib.DEMA(b.c, 12)),
    (Tema(12), lambda b: talib.TEMA(b.c, 12)),
    (Rsi(14), lambda b: talib.RSI(b.c, 14)),
    (Atr(14), lambda b: talib.ATR(b.h, b.l, b.c, 14)),
    (Bollinger(20, 2.0), lambda b: talib.BBANDS(b.c, 20, 2.0, 2.0)),
    (StdDev(20), lambda b: talib.STDDEV(b.c, 20)),
    (Cci(20), lambda b: talib.CCI(b.h, b.l, b.c, 20)),
    (WilliamsR(14), lambda b: talib.WILLR(b.h, b.l, b.c, 14)),
    (Roc(10), lambda b: talib.ROC(b.c, 10)),
    (Momentum(10), lambda b: talib.MOM(b.c, 10)),
    (Obv(), lambda b: talib.OBV(b.c, b.v)),
    (Mfi(14), lambda b: talib.MFI(b.h, b.l, b.c, b.v, 14)),
    (Aroon(14), lambda b: (*talib.AROON(b.h, b.l, 14)[::-1], talib.AROONOSC(b.h, b.l, 14))),
    (ParabolicSar(), lambda b: talib.SAR(b.h, b.l, 0.02, 0.2)),
    (ParabolicSar(0.05, 0.1), lambda b: talib.SAR(b.h, b.l, 0.05, 0.1)),
    (RollingMax(20), lambda b: talib.MAX(b.c, 20)),
    (RollingMin(20), lambda b: talib.MIN(b.c, 20)),
    (Donchian(20), lambda b: talib.DONCHIAN(b.h, b.l, 20)),
    (Slope(20), lambda b: talib.LINEARREG_SLOPE(b.c, 20)),
]


def table(found: Any) -> Floats:
    return np.column_stack(list(found.values()) if isinstance(found, dict) else [found])


def flat(bars: Bars, period: int, *columns: Floats) -> Any:
    """Whether a window shows no movement at all, where the answers differ by choice."""
    columns = columns or (bars.c,)
    top = talib.MAX(columns[0], period) - talib.MIN(columns[-1], period)
    return np.asarray(top == 0.0)


def check(got: Any, wanted: Any, name: str = "") -> None:
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
@pytest.mark.parametrize(("indicator", "theirs"), SAME, ids=[repr(i) for i, _ in SAME])
def test_equals_talib(indicator: Indicator, theirs: Callable[[Bars], Any], bars: Bars) -> None:
    wanted = theirs(bars)
    wanted = np.column_stack(wanted if isinstance(wanted, (tuple, list)) else [wanted])
    got = table(batch(indicator, bars.ohlcv))
    where = np.ones(len(got), np.bool_)
    if isinstance(indicator, WilliamsR):  # without a range ours is the middle, theirs 0
        where = ~flat(bars, indicator.period, bars.h, bars.l)
    if isinstance(indicator, Mfi):  # so without any flow
        where = ~flat(bars, indicator.period + 1, talib.TYPPRICE(bars.h, bars.l, bars.c))
    check(got[where], wanted[where])


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
def test_correlation_equals_talib(bars: Bars) -> None:
    other = np.ascontiguousarray(np.cumsum(np.random.default_rng(6).normal(0.0, 0.3, len(bars.c))) + 60.0)
    got = batch(Correlation(30), bars.c, other)
    wanted = talib.CORREL(bars.c, other, 30)
    where = ~flat(bars, 30)
    check(table(got)[where, 0], wanted[where])


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
def test_stochastic_equals_talib_once_k_and_d_are_both_known(bars: Bars) -> None:
    """TA-Lib withholds k until d is known."""
    got = table(batch(Stochastic(14, 3, 3), bars.ohlcv))
    assert np.isnan(got[:15, 0]).all()
    assert not np.isnan(got[15:, 0]).any()
    k, d = talib.STOCH(bars.h, bars.l, bars.c, fastk_period=14, slowk_period=3, slowd_period=3)
    moves = ~np.isnan(d) & ~(talib.MAX(flat(bars, 14, bars.h, bars.l).astype(float), 5) > 0.0)
    assert moves.sum() > 1_000
    check(got[moves], np.column_stack([k, d])[moves])


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
def test_macd_is_talibs_averages_each_seeded_by_its_own_first_closes(bars: Bars) -> None:
    got = batch(Macd(12, 26, 9), bars.ohlcv)
    assert isinstance(got, dict)
    macd = talib.EMA(bars.c, 12) - talib.EMA(bars.c, 26)
    signal = np.concatenate([np.full(25, np.nan), talib.EMA(macd[25:], 9)])
    check(got["macd"], macd)
    check(got["signal"], signal)
    check(got["histogram"], macd - signal)
    # and TA-Lib's own, whose fast mean starts later, once that is forgotten
    theirs = np.column_stack(talib.MACD(bars.c, 12, 26, 9))
    assert np.nanmax(np.abs(table(got)[33:60] - theirs[33:60])) > 1e-6
    check(table(got)[200:], theirs[200:])


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
def test_directional_movement_is_talibs_sums_seeded_with_one_more(bars: Bars) -> None:
    n = 14
    got = batch(Adx(n), bars.ohlcv)
    assert isinstance(got, dict)
    reach = np.nan_to_num(talib.TRANGE(bars.h, bars.l, bars.c))[1:]
    plus = talib.PLUS_DM(bars.h, bars.l, 1)[1:]
    minus = talib.MINUS_DM(bars.h, bars.l, 1)[1:]

    def wilder(values: Floats) -> Floats:
        out = np.full(len(values), np.nan)
        out[n - 1] = values[:n].mean()
        for k in range(n, len(values)):
            out[k] = (out[k - 1] * (n - 1) + values[k]) / n
        return out

    reach, plus, minus = wilder(reach), wilder(plus), wilder(minus)
    apart = 100.0 * np.abs(plus - minus) / (plus + minus)
    check(got["plus_di"][1:], 100.0 * plus / reach)
    check(got["minus_di"][1:], 100.0 * minus / reach)
    check(got["adx"][n:], wilder(apart[n - 1 :]))
    # and TA-Lib's own, once the first value it smooths instead of adding is forgotten
    theirs = (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)
    check(table(got)[600:], np.column_stack([f(bars.h, bars.l, bars.c, n) for f in theirs])[600:])


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
def test_supertrend_equals_talib_after_its_first_turn(bars: Bars) -> None:
    """TA-Lib always begins rising; here the first close decides."""
    got = batch(SuperTrend(10, 3.0), bars.ohlcv)
    assert isinstance(got, dict)
    line, trend = talib.SUPERTREND(bars.h, bars.l, bars.c, 10, 3.0)
    first = 11 + int(np.flatnonzero(np.diff(trend[10:]))[0])
    assert first < 400
    check(got["line"][first:], line[first:])
    np.testing.assert_array_equal(got["direction"][first:], trend[first:])


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
def test_keltner_is_talibs_average_and_range(bars: Bars) -> None:
    """TA-Lib's own channel lies about the mean of typical prices, this one about that of closes."""
    got = batch(Keltner(20, 2.0, 10), bars.ohlcv)
    assert isinstance(got, dict)
    middle, reach = talib.EMA(bars.c, 20), talib.ATR(bars.h, bars.l, bars.c, 10)
    check(got["middle"], middle)
    check(got["upper"], middle + 2.0 * reach)
    check(got["lower"], middle - 2.0 * reach)
    upper, _, lower = talib.KC(
        bars.h, bars.l, bars.c, 20, 10, 2.0
    )  # its ranges start with the average's first bar
    check((got["upper"] - got["lower"])[350:], (upper - lower)[350:])


@pytest.mark.parametrize("bars", SETS.values(), ids=list(SETS))
def test_cutlers_rsi_is_talibs_mean_of_rises_and_falls(bars: Bars) -> None:
    change = np.diff(bars.c)
    up = talib.SMA(np.maximum(change, 0.0), 14)
    down = talib.SMA(np.maximum(-change, 0.0), 14)
    where = up + down > 1e-12
    got = table(batch(CutlerRsi(14), bars.ohlcv))[1:, 0]
    check(got[where], 100.0 * up[where] / (up + down)[where])


def test_vwap_of_one_day_equals_talib() -> None:
    bars = Bars(sample_bars(390, seed=2))
    got = batch(Vwap(), bars.ohlcv, ts_ns=sample_times(390))
    check(got, talib.VWAP(bars.h, bars.l, bars.c, bars.v))


def test_what_does_not_move_is_the_middle_where_talib_says_0() -> None:
    still = np.full(40, 7.0)
    volume = np.full(40, 5.0)
    bars = Bars(np.column_stack([still, still, still, still, volume]))
    assert table(batch(Rsi(5), bars.ohlcv))[-1, 0] == 50.0
    assert talib.RSI(bars.c, 5)[-1] == 0.0
    assert table(batch(WilliamsR(5), bars.ohlcv))[-1, 0] == -50.0
    assert talib.WILLR(bars.h, bars.l, bars.c, 5)[-1] == 0.0
    assert table(batch(Stochastic(5), bars.ohlcv))[-1].tolist() == [50.0, 50.0]
    assert talib.STOCH(bars.h, bars.l, bars.c)[0][-1] == 0.0
    assert table(batch(Mfi(5), bars.ohlcv))[-1, 0] == 50.0
    assert table(batch(Cci(5), bars.ohlcv))[-1, 0] == talib.CCI(bars.h, bars.l, bars.c, 5)[-1] == 0.0
