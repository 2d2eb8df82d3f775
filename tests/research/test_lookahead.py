"""The look-ahead detector: honest strategies pass, and each way of cheating is found and named."""

import re
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import StrategyError
from workbench.feeds import Recording, open_data, synthetic, synthetic_quotes
from workbench.feeds.synthetic import bars_around
from workbench.research import check
from workbench.research.lookahead.check import _foresight
from workbench.research.lookahead.markets import another_market, cuts, futures, late_market
from workbench.research.lookahead.trial import Trials
from workbench.strategy import CheckResult, Strategy, find_strategies, load_strategy

FUTURE, SAME = "other futures change nothing before them", "the same market gives the same decisions"
KNOWS, OPENS = "it knows no prices that it was not shown", "opens nothing while it decides"
PAST, DECIDES = "how far back it looks", "it decides something here"

CARRIES = """
from workbench.feeds import open_data
from workbench.strategy import Signal, Strategy

TS, BARS = open_data("SPY").bars("SPY")
NEXT = dict(zip(TS[:-1].tolist(), BARS[1:, 3].tolist()))
THIS = dict(zip(TS[:-1].tolist(), BARS[:-1, 3].tolist()))

class Carries(Strategy):
    def on_bar(self, ctx, bar):
        if bar.ts_ns in NEXT:
            return Signal(1.0 if NEXT[bar.ts_ns] > THIS[bar.ts_ns] else 0.0)
"""
READS = """
from workbench.strategy import Signal, Strategy

class Reads(Strategy):
    path: str
    def on_bar(self, ctx, bar):
        with open(self.path) as file:
            return Signal(float(file.read()) if bar.close > bar.open else 0.0)
"""
REMEMBERS = """
from workbench.strategy import Signal, Strategy

class Remembers(Strategy):
    closes = {}
    def on_bar(self, ctx, bar):
        self.closes[bar.ts_ns] = bar.close
        later = self.closes.get(bar.ts_ns + 60_000_000_000)
        if later is not None:
            return Signal(1.0 if later > bar.close else 0.0)
        return Signal(1.0 if bar.close > bar.open else 0.0)
"""
DRAWS = """
from random import random
from workbench.strategy import Signal, Strategy

class Draws(Strategy):
    def on_bar(self, ctx, bar):
        return Signal(1.0 if random() < 0.5 else 0.0)
"""
FRAMES = """
import sys
from workbench.strategy import Signal, Strategy

class Frames(Strategy):
    def on_bar(self, ctx, bar):
        frame = sys._getframe()
        while frame is not None:
            desk = frame.f_locals.get("desk") or getattr(frame.f_locals.get("self"), "desk", None)
            if desk is not None and hasattr(desk, "plan"):
                ts, ohlcv = desk.plan.recording.bars(ctx.symbol)
                at = ts.searchsorted(bar.ts_ns) + 1
                return Signal(1.0 if at < len(ts) and ohlcv[at, 3] > bar.close else 0.0)
            frame = frame.f_back
"""
COUNTS = """
from collections import namedtuple
from workbench.kernels import Indicator
from workbench.strategy import Strategy

MOVES = {moves}
State = namedtuple("State", "n")

class Count(Indicator):
    def init(p):
        return State(-1)
    def step(p, s, buf, bar):
        return State(s.n + 1), float(s.n + 1)

class Counts(Strategy):
    def indicators(self):
        return {{"count": Count()}}
    def decide(p, x, pos):
        at = int(x.count)
        return float((MOVES >> at) & 1)
"""
IDLE = """
from workbench.strategy import Strategy

class Idle(Strategy):
    def decide(p, x, pos):
        return pos
"""
FAILS = """
from workbench.strategy import Strategy

class Fails(Strategy):
    def on_bar(self, ctx, bar):
        1 / 0
"""


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.name: result for result in results}


def failed(source: str, data: Recording | None = None, **parameters: object) -> dict[str, str]:
    name = re.findall(r"class (\w+)\(Strategy\)", source)[-1]
    results = check(load_strategy(source, name)(**parameters), data)
    return {result.name: result.text for result in results if not result.ok}


def test_prices_carried_in_a_constant_are_found() -> None:
    """No change of the future shown could find it: what it knows is the day that was recorded."""
    wrong = failed(CARRIES)
    assert set(wrong) == {KNOWS}
    assert "it brings prices along" in wrong[KNOWS]


def test_prices_carried_in_the_text_of_a_signal_strategy_are_found() -> None:
    closes = open_data("SPY").bars("SPY")[1][:, 3]
    moves = sum(1 << at for at in np.flatnonzero(np.diff(closes) > 0).tolist())
    assert set(failed(COUNTS.format(moves=moves))) == {KNOWS}


LEVELS = """
from workbench.kernels import Indicator
from collections import namedtuple
from workbench.strategy import Strategy

CLOSES = {closes}
State = namedtuple("State", "n")

class Next(Indicator):
    def init(p):
        return State(0)
    def step(p, s, buf, bar):
        return State(s.n + 1), CLOSES[s.n + 1] if s.n + 1 < len(CLOSES) else bar.close

class Levels(Strategy):
    def indicators(self):
        return {{"next": Next()}}
    def decide(p, x, pos):
        return 1.0 if x.next > x.close else 0.0
"""


def test_prices_carried_along_and_held_against_those_shown_are_found() -> None:
    """On a market far from the recorded one such a comparison says nothing; on one that is late it tells."""
    closes = tuple(open_data("SPY").bars("SPY")[1][:, 3].tolist())
    assert set(failed(LEVELS.format(closes=closes))) == {KNOWS}


def test_a_late_market_is_the_recorded_one_some_rows_before() -> None:
    market = synthetic(2, 40)
    late = late_market(market, 3)
    sane(late)
    for symbol in market.symbols:
        was, now = market.bars(symbol)[1], late.bars(symbol)[1]
        assert np.array_equal(now[3:], was[:-3])
        assert np.array_equal(now[:3], np.repeat(was[:1], 3, axis=0))
    assert np.array_equal(late.ts_ns, market.ts_ns)


def test_a_file_read_while_deciding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "signal.txt"
    path.write_text("1.0")
    wrong = failed(READS, path=str(path))
    assert set(wrong) == {OPENS}
    assert str(path) in wrong[OPENS]


def test_what_a_class_keeps_from_run_to_run_is_found() -> None:
    wrong = failed(REMEMBERS)
    assert SAME in wrong
    assert "kept from run to run" in wrong[SAME]


def test_chance_is_found() -> None:
    assert "drawn by chance" in failed(DRAWS)[SAME]


def test_a_look_into_the_loops_own_memory_is_found() -> None:
    wrong = failed(FRAMES)
    assert FUTURE in wrong
    assert re.search(
        r"a decision at 2020-12-1\d \d\d:\d\d:00 changes when the market after .* is cut off|.* is backwards",
        wrong[FUTURE],
    )


def test_a_strategy_that_decides_nothing_proves_nothing() -> None:
    wrong = failed(IDLE, synthetic(1, 200))
    assert set(wrong) == {DECIDES}
    assert wrong[DECIDES].startswith("0 decisions over 200 rows")


def test_a_class_that_cannot_travel_is_told_so_and_no_more() -> None:
    closes = np.arange(5.0)

    class Captures(Strategy):
        def on_bar(self, ctx: object, bar: object) -> None:
            closes.sum()

    results = by_name(check(Captures))
    assert not results["its source travels"].ok
    assert DECIDES not in results


def test_an_error_in_its_code_is_raised() -> None:
    with pytest.raises(StrategyError, match=r"1 / 0"):
        check(load_strategy(FAILS, "Fails"), synthetic(1, 50))


def test_memory_is_told_in_bars() -> None:
    text = """
from workbench.kernels import Sma
from workbench.strategy import Strategy

class Around(Strategy):
    period: int = 40
    def indicators(self):
        return {"mean": Sma(self.period)}
    def decide(p, x, pos):
        return 1.0 if x.close > x.mean else 0.0
"""
    told = by_name(check(load_strategy(text, "Around")))[PAST]
    assert told.ok
    needed = re.fullmatch(
        r"with (\d+) bars of past it decides as with all of it; its indicators are warm after 40", told.text
    )
    assert needed is not None
    assert 32 <= int(needed[1]) <= 64


def test_honest_strategies_pass_on_their_own_kind_of_market() -> None:
    found = find_strategies(Path(__file__).parents[2] / "strategies")
    results = check(found["MarketMaker"](), synthetic_quotes(1, 8))
    assert [r for r in results if not r.ok] == []
    assert by_name(results)[DECIDES].text.endswith("rows of synthetic-quotes-1x8-1")


def test_an_honest_strategy_passes_where_moves_can_be_foreseen() -> None:
    """On a market that comes back to its mean, prices of some rows before still tell what comes."""
    rng = np.random.default_rng(3)
    off = np.zeros(4_000)
    for at, step in enumerate(rng.normal(0.0, 0.001, 3_999)):
        off[at + 1] = 0.9 * off[at] + step
    close = 100.0 * np.exp(off)[:, None]
    market = bars_around("reverting", ["S0"], np.array([100.0]), close, 0.0001, rng)
    trials = Trials(find_strategies(Path(__file__).parents[2] / "strategies")["MovingAverageCross"](), 100.0)
    told = _foresight(trials, market, trials.run(market))
    assert told.ok, told.text


# ---------------------------------------------------------------- the markets themselves
@pytest.mark.parametrize("market", [synthetic(2, 120), synthetic_quotes(2, 4)], ids=["bars", "quotes"])
def test_other_futures_leave_the_past_alone_and_are_markets(market: Recording) -> None:
    for cut_ns in cuts(market, 3):
        seen = []
        for name, other in futures(market, cut_ns):
            seen.append(name)
            rows = market.ts_ns <= cut_ns
            before = other.ts_ns <= cut_ns
            assert np.array_equal(other.values[before], market.values[rows])
            if name == "cut off":
                assert other.end_ns <= cut_ns
                continue
            assert np.array_equal(other.ts_ns, market.ts_ns)
            assert not np.array_equal(other.values[~rows], market.values[~rows])
            sane(other)
        assert seen == ["cut off", "backwards", "upside down", "three times as wild", "with noise"]


def test_splits_stay_where_they_were_and_no_price_is_made_of_them() -> None:
    frame = synthetic(1, 120).frame()
    frame["split"] = 1.0
    frame.loc[60, "split"] = 4.0
    frame.loc[60:, ["open", "high", "low", "close"]] = (
        frame.loc[60:, ["open", "high", "low", "close"]] / 4
    ).round(2)
    market = open_data(frame)
    assert market.has_actions
    for other in (another_market(market, 3), *(made for _, made in futures(market, cuts(market, 3)[0]))):
        actions = other.kind > 2
        assert np.array_equal(other.values[actions], market.values[market.kind > 2][: actions.sum()])
        closes = other.columns("bars").values[:, 3]
        moves = np.abs(np.diff(np.log(closes)))
        assert np.sort(moves)[-3] < 0.2  # but for the split, there and turned round
        sane(other)


def test_another_market_shares_instants_and_nothing_else() -> None:
    market = synthetic(1, 2_000)
    other = another_market(market, 1)
    sane(other)
    assert np.array_equal(other.ts_ns, market.ts_ns)
    one, two = (np.diff(np.log(m.bars("S000")[1][:, 3])) for m in (market, other))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.08
    assert two.std() == pytest.approx(one.std(), rel=0.15)


def sane(market: Recording) -> None:
    """Bars and quotes are possible ones on the tick grid."""
    bars, quotes = market.columns("bars").values, market.columns("quotes").values
    assert np.all(bars[:, 2] <= bars[:, [0, 3]].min(axis=1, initial=np.inf))
    assert np.all(bars[:, 1] >= bars[:, [0, 3]].max(axis=1, initial=0))
    assert np.all(quotes[:, 0] < quotes[:, 2])
    prices = np.concatenate([bars[:, :4].ravel(), quotes[:, [0, 2]].ravel()])
    assert np.all(prices > 0)
    assert np.allclose(prices * 100, np.round(prices * 100), atol=1e-6)
