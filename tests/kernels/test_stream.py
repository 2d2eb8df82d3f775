"""An indicator bar by bar: what it takes, what it answers, what it saves. (That it equals batch: the shared checks.)"""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from workbench.errors import BadInput, BadValue, StrategyError
from workbench.kernels import Bollinger, Correlation, Indicator, Rsi, Sma, Stream, Vwap, batch
from workbench.kernels.checks import sample_bars, sample_times
from workbench.model.market import Bar

BOTH = pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])


@BOTH
def test_a_bar_its_numbers_and_a_close_are_the_same(compiled: bool) -> None:
    bars = sample_bars(40)
    closes = bars[:, 3]
    wanted = batch(Sma(5), bars)
    assert isinstance(wanted, np.ndarray)
    for shown in (
        [Bar(k, 0, *row.tolist()) for k, row in enumerate(bars)],
        [row.tolist() for row in bars],
        list(bars),
        closes.tolist(),
        list(closes),
    ):
        stream = Stream(Sma(5), compiled=compiled)
        np.testing.assert_array_equal([stream.update(bar) for bar in shown], wanted)
        assert stream.value == wanted[-1]
        assert type(stream.value) is float


@BOTH
def test_several_outputs_come_as_their_namedtuple(compiled: bool) -> None:
    stream = Stream(Bollinger(3), compiled=compiled)
    assert math.isnan(stream.value.upper)
    warm = [stream.warm]
    for close in (1, 2.0, 3.0):
        bands = stream.update(close)
        warm.append(stream.warm)
    assert warm == [False, False, False, True]
    assert bands == stream.value
    assert bands._fields == ("upper", "middle", "lower")
    assert bands.middle == 2.0
    assert all(type(value) is float for value in bands)


@BOTH
def test_the_time_comes_from_the_bar_or_by_name(compiled: bool) -> None:
    bars, ts_ns = sample_bars(500), sample_times(500)
    wanted = batch(Vwap(), bars, ts_ns=ts_ns)
    one, two = Stream(Vwap(), compiled=compiled), Stream(Vwap(), compiled=compiled)
    for row, ts in zip(bars, ts_ns, strict=True):
        assert one.update(Bar(int(ts), 0, *row.tolist())) == two.update(row, ts_ns=int(ts))
    assert isinstance(wanted, np.ndarray)
    assert one.value == wanted[-1]
    with pytest.raises(BadValue, match="ts_ns = None: Vwap reads the time"):
        one.update(100.0)


@BOTH
def test_a_saved_state_is_plain_and_survives_msgpack(compiled: bool) -> None:
    closes = sample_bars(60)[:, 3].tolist()
    stream = Stream(Rsi(5), compiled=compiled)
    for close in closes[:3]:
        stream.update(close)
    assert stream.saved() == ["Rsi(period=5)", *stream.saved()[1:3], [None]]  # warming up: no value yet
    for close in closes[3:40]:
        stream.update(close)
    saved = stream.saved()
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(saved))
    assert packed == saved
    other = Stream(Rsi(5), compiled=not compiled).restored(packed)
    assert other.value == stream.value
    assert [other.update(close) for close in closes[40:]] == [stream.update(close) for close in closes[40:]]
    assert other.saved() == stream.saved()


def test_the_state_of_another_indicator_is_refused() -> None:
    saved = Stream(Sma(5)).saved()
    for other in (Sma(6), Rsi(5), Bollinger(5)):
        with pytest.raises(BadInput, match=r"saved state of Sma\(period=5\): give one of"):
            Stream(other).restored(saved)
    for nonsense in ([], ["Sma(period=5)"], None, ["Sma(period=5)", [1], [], []], "state"):
        with pytest.raises(BadInput, match="saved state of"):
            Stream(Sma(5)).restored(nonsense)


def test_what_is_no_bar_is_refused() -> None:
    with pytest.raises(BadValue, match="give open, high, low, close and volume, or a close alone"):
        Stream(Sma(5)).update([1.0, 2.0])
    with pytest.raises(BadInput, match=r"Sma takes one series: give update\(bar\)"):
        Stream(Sma(5)).update(1.0, 2.0)
    with pytest.raises(BadInput, match=r"Correlation takes two series: give update\(y, x\)"):
        Stream(Correlation(5)).update(1.0)


class Faulty(Indicator):
    """Fails on a close above 10."""

    def init(p: Any) -> Any:
        return Sma.init(p)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if bar.close > 10.0:
            return s, [][0]
        return s, bar.close


def test_an_error_in_a_step_names_it_and_its_line() -> None:
    stream = Stream(Faulty())
    assert stream.update(3.0) == 3.0
    with pytest.raises(
        StrategyError, match=r"Faulty\.step raised IndexError: .* \(line \d+: return s, \[\]\[0\]\)"
    ):
        stream.update(11.0)


def test_it_shows_itself() -> None:
    stream = Stream(Sma(1))
    stream.update(2.5)
    assert repr(stream) == "<Stream Sma(period=1): 2.5>"
