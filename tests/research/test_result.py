"""A result's figures by hand, its text forms and its picture."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bokeh.embed import file_html
from bokeh.models import Line, Scatter, VArea, VBar
from bokeh.models.renderers import GlyphRenderer
from bokeh.resources import INLINE

from tests.research.test_backtest import CROSS, HOLD, recording, strategy, walk
from workbench.errors import UnknownName
from workbench.feeds import synthetic
from workbench.research import Result, backtest

# Four sessions of two bars each; opens equal the close before, so that only closes count.
CLOSES = [(100.0, 100.0), (110.0, 104.0), (98.8, 98.8), (120.0, 125.0)]


@pytest.fixture(scope="module")
def held() -> Result:
    """A hundred units bought at 100 with 20,000 in cash, and held."""
    rows, before = [], 100.0
    for day, closes in enumerate(CLOSES, 14):
        for minute, close in enumerate(closes, 31):
            rows.append(
                (f"2020-12-{day}T14:{minute}:00Z", before, max(before, close), min(before, close), close)
            )
            before = close
    return backtest(strategy(HOLD, "Hold"), recording(rows), quantity=100, cash=20_000.0)


@pytest.fixture(scope="module")
def busy() -> Result:
    return backtest(strategy(CROSS, "AroundMean"), recording(walk(110, 3)), quantity=10)


def test_the_main_figures_by_hand(held: Result) -> None:
    # equity at the closes of the four sessions: 20,000 + 100 x (close - 100)
    closes = [20_000.0, 20_400.0, 19_880.0, 22_500.0]
    returns = [0.0, 400 / 20_000, -520 / 20_400, 2_620 / 19_880]
    mean = sum(returns) / 4
    deviation = math.sqrt(sum((r - mean) ** 2 for r in returns) / 3)
    s = held.stats
    assert s["final_equity"] == pytest.approx(closes[-1])
    assert s["total_return"] == pytest.approx(0.125)
    assert s["max_drawdown"] == pytest.approx(
        (19_880 - 21_000) / 21_000
    )  # from the 110 of the second session
    assert s["sharpe"] == pytest.approx(mean / deviation * math.sqrt(252))
    assert (s["orders"], s["fills"], s["refusals"], s["realized"], s["fees"]) == (1, 1, 0, 0.0, 0.0)


def test_a_drawdown_is_never_above_zero_and_zero_at_peaks(busy: Result) -> None:
    assert np.all(busy.drawdown <= 0)
    assert busy.drawdown.iloc[int(np.argmax(busy.equity))] == 0
    assert busy.stats["max_drawdown"] == busy.drawdown.min() < 0


def test_too_few_sessions_have_no_sharpe(busy: Result) -> None:
    assert math.isnan(busy.stats["sharpe"])


def test_realized_is_the_sum_of_closed_trades(busy: Result) -> None:
    held = cost = realized = 0.0
    for side, quantity, px in busy.fills[["side", "quantity", "px"]].itertuples(index=False):
        quantity *= 1 if side == "buy" else -1
        closing = (
            -held
            if held * quantity < 0 and abs(quantity) > abs(held)
            else (quantity if held * quantity < 0 else 0)
        )
        if closing:
            average = cost / held
            realized += -closing * (px - average)
            held, cost = held + closing, cost + closing * average
            quantity -= closing
        held, cost = held + quantity, cost + quantity * px
    assert busy.stats["realized"] == pytest.approx(realized, abs=1e-6)


def test_the_frame_holds_the_curve(busy: Result) -> None:
    frame = busy.frame()
    assert list(frame.columns) == ["equity", "drawdown", "exposure"]
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.tz) == "UTC"
    assert frame.index.is_monotonic_increasing
    assert frame["equity"].iloc[-1] == busy.stats["final_equity"]


def test_the_text_says_what_ran(busy: Result) -> None:
    text = repr(busy)
    assert text.startswith("<Backtest AroundMean(period=4) on ")
    assert f"{len(busy.fills)} fills" in text
    assert "\n" not in text


def test_the_picture_shows_price_fills_equity_and_drawdown(busy: Result) -> None:
    price, equity, drawdown = busy.plot().children  # type: ignore[attr-defined]
    glyphs: list[Any] = [r for r in price.renderers if isinstance(r, GlyphRenderer)]
    assert sum(isinstance(r.glyph, VBar) for r in glyphs) == 2  # candles up and down
    buys, sells = (r for r in glyphs if isinstance(r.glyph, Scatter))
    sides = busy.run.fills["side"].tolist()
    assert (len(buys.data_source.data["x"]), len(sells.data_source.data["x"])) == (
        sides.count(1),
        sides.count(-1),
    )
    assert min(sides.count(1), sides.count(-1)) > 3
    assert sorted([*buys.data_source.data["px"], *sells.data_source.data["px"]]) == sorted(
        busy.run.fills["px"].tolist()
    )
    assert [type(r.glyph) for r in equity.renderers] == [Line]
    assert [type(r.glyph) for r in drawdown.renderers] == [VArea]
    assert drawdown.xaxis[0].axis_label == "time (UTC)"
    assert not any(part.xaxis[0].visible for part in (price, equity))
    asked = [part.yaxis[0].ticker.desired_num_ticks for part in (price, equity, drawdown)]
    assert asked == [6, 4, 3]  # labels of a low figure would stand one in the other
    assert price.x_range is equity.x_range is drawdown.x_range
    assert list(equity.renderers[0].data_source.data["value"]) == list(busy.run.equity)
    candles = sum(len(r.data_source.data["x"]) for r in glyphs if isinstance(r.glyph, VBar))
    assert candles == len(busy.recording)


def test_a_fill_stands_at_the_bar_it_filled_in(busy: Result) -> None:
    price = busy.plot().children[0]  # type: ignore[attr-defined]
    opens = busy.recording.values[:, 0]
    for drawn in (r for r in price.renderers if isinstance(r.glyph, Scatter)):
        places, prices = drawn.data_source.data["x"], drawn.data_source.data["px"]
        assert [opens[at] for at in places] == list(prices)


def test_a_long_picture_stays_light_and_keeps_the_extremes() -> None:
    long = backtest(strategy(CROSS, "AroundMean"), synthetic(1, 60_000, seed=1))
    price, equity, drawdown = long.plot().children  # type: ignore[attr-defined]
    curve = equity.renderers[0].data_source.data["value"]
    assert len(curve) <= 4_100
    assert (curve.min(), curve.max()) == (long.run.equity.min(), long.run.equity.max())
    assert min(drawdown.renderers[0].data_source.data["y2"]) == long.stats["max_drawdown"]
    bars: list[Any] = [r for r in price.renderers if isinstance(r.glyph, VBar)]
    assert sum(len(r.data_source.data["x"]) for r in bars) <= 2_000
    assert "a candle is 30 bars" in price.title.text
    low = min(float(np.min(r.data_source.data["low"])) for r in bars)
    assert low == long.recording.values[:, 2].min()
    with pytest.raises(UnknownName, match="'S000'"):
        long.plot("S001")


def test_the_picture_needs_nothing_from_the_network(busy: Result) -> None:
    page = file_html(busy.plot(), INLINE, title="t")
    assert "AroundMean" in page
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=.http", page)


def test_a_backtest_without_a_trade_has_figures_and_a_picture() -> None:
    quiet = backtest(strategy(HOLD, "Hold", at=10_000), recording(walk(20, 1)))
    assert (quiet.stats["total_return"], quiet.stats["max_drawdown"], quiet.stats["fills"]) == (0.0, 0.0, 0)
    assert len(quiet.plot().children) == 3  # type: ignore[attr-defined]
