"""A backtest against a plain loop that anybody can follow: decided at closes, filled at the next open, to the cent."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pandas as pd
import pytest

from workbench.config import SimSettings
from workbench.engine import Sizing
from workbench.errors import BadInput, BadValue, StrategyError, UnknownName
from workbench.feeds import Recording, open_data
from workbench.research import Result, backtest
from workbench.strategy import Strategy, load_strategy

CROSS = """
from workbench.kernels import Sma
from workbench.strategy import Strategy

class AroundMean(Strategy):
    period: int = 4
    def indicators(self):
        return {"mean": Sma(self.period)}
    def decide(p, x, pos):
        if x.close > x.mean:
            return 1.0
        return -1.0 if x.close < x.mean else pos
"""

HOLD = """
from workbench.strategy import Signal, Strategy

class Hold(Strategy):
    at: int = 1
    def on_bar(self, ctx, bar):
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == self.at:
            return Signal(1.0)
"""


def strategy(source: str, name: str, **parameters: Any) -> Strategy:
    return load_strategy(source, name)(**parameters)


def recording(rows: list[tuple[str, float, float, float, float]], symbol: str = "ABC") -> Recording:
    """Bars from (close time in UTC, open, high, low, close)."""
    frame = pd.DataFrame(rows, columns=["ts", "open", "high", "low", "close"])
    frame["ts"] = pd.to_datetime(frame["ts"], utc=True)
    return open_data(frame.assign(volume=100.0, symbol=symbol))


def walk(count: int, seed: int) -> list[tuple[str, float, float, float, float]]:
    """A random walk of one-minute bars in whole cents."""
    lucky, px, rows = Random(seed), 100.0, []
    for n in range(count):
        first = round(px + lucky.choice([-0.05, 0.0, 0.05]), 2)
        px = round(first + lucky.randint(-40, 40) / 100, 2)
        high, low = round(max(first, px) + 0.02, 2), round(min(first, px) - 0.02, 2)
        rows.append(
            (
                f"2020-12-16T15:{n:02d}:00Z" if n < 60 else f"2020-12-16T16:{n - 60:02d}:00Z",
                first,
                high,
                low,
                px,
            )
        )
    return rows


@dataclass
class Plain:
    """The same day by a plain loop over bars: no engine, no venue, no integers."""

    cash: float
    fee_per_unit: float
    fee_rate: float
    held: float = 0.0
    fees: float = 0.0
    fills: list[tuple[float, float]] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)

    def run(self, rows: list[tuple[str, float, float, float, float]], period: int, quantity: float) -> None:
        target, wanted, closes = 0.0, 0.0, []
        for _, first, _, _, last in rows:
            if wanted != self.held:
                change = wanted - self.held
                fee = abs(change) * self.fee_per_unit + abs(change) * first * self.fee_rate
                self.cash -= change * first + fee
                self.fees += fee
                self.held = wanted
                self.fills.append((change, first))
            self.equity.append(self.cash + self.held * last)
            closes.append(last)
            if len(closes) >= period:
                mean = sum(closes[-period:]) / period
                if abs(last - mean) > 1e-9:
                    target = 1.0 if last > mean else -1.0
                wanted = target * quantity


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_equal_a_plain_loop(seed: int) -> None:
    rows = walk(110, seed)
    plain = Plain(50_000.0, 0.005, 0.0002)
    plain.run(rows, 4, 10.0)
    sim = SimSettings(fee_per_unit=0.005, fee_rate=0.0002, ack_median_us=0, fill_median_us=0)
    result = backtest(strategy(CROSS, "AroundMean"), recording(rows), quantity=10, cash=50_000.0, sim=sim)
    filled = result.run.fills
    fills = list(zip((filled["side"] * filled["qty"]).tolist(), filled["px"].tolist(), strict=True))
    assert fills == plain.fills
    assert len(fills) > 15
    assert result.run.equity == pytest.approx(plain.equity, abs=1e-6)
    assert result.stats["fees"] == pytest.approx(plain.fees, abs=1e-6)
    assert result.stats["final_equity"] == pytest.approx(plain.equity[-1], abs=1e-6)
    assert result.run.cash_moves == 0.0


def test_latency_moves_reports_but_no_price() -> None:
    data = recording(walk(60, 7))
    slow = SimSettings(ack_median_us=50_000, fill_median_us=900_000, sigma=1.0)
    results = [backtest(strategy(CROSS, "AroundMean"), data, sim=sim) for sim in (None, slow)]
    assert results[0].decisions == results[1].decisions
    times = [result.run.fills["ts_ns"].tolist() for result in results]
    assert times[0] != times[1]


def test_a_decision_sees_nothing_of_the_next_bar() -> None:
    """The same day cut off anywhere decides the same up to there."""
    rows = walk(60, 11)
    whole = backtest(strategy(CROSS, "AroundMean"), recording(rows)).decisions
    for cut in (10, 25, 40, 59):
        part = recording(rows[:cut])
        end_ns = part.end_ns
        some = backtest(strategy(CROSS, "AroundMean"), part).decisions
        assert [(d.ts_ns, d.side) for d in some] == [(d.ts_ns, d.side) for d in whole if d.ts_ns <= end_ns]


DAYS = [
    ("2020-12-16T20:59:00Z", 100.0, 101.0, 99.0, 100.0),
    ("2020-12-16T21:00:00Z", 100.0, 101.0, 99.0, 101.0),  # the session's last bar
    ("2020-12-17T14:31:00Z", 104.0, 105.0, 103.0, 105.0),  # the next morning's first
    ("2020-12-17T14:32:00Z", 105.0, 106.0, 104.0, 106.0),
]


def test_an_order_decided_on_the_last_bar_fills_the_next_morning() -> None:
    result = backtest(strategy(HOLD, "Hold", at=2), recording(DAYS), quantity=10)
    [decision] = result.decisions
    assert (decision.side, decision.state, decision.average_px) == ("buy", "filled", 104.0)
    assert decision.ts_ns == pd.Timestamp("2020-12-16T21:00:00Z").value
    assert result.stats["final_equity"] == pytest.approx(1_000_000 + 10 * (106 - 104))


def test_one_symbol_of_several_and_all_of_them() -> None:
    frames = []
    for symbol, first in (("AAA", 100.0), ("BBB", 50.0)):
        rows = [
            (ts, o - 100 + first, h - 100 + first, low - 100 + first, c - 100 + first)
            for ts, o, h, low, c in DAYS
        ]
        frame = pd.DataFrame(rows, columns=["ts", "open", "high", "low", "close"]).assign(
            volume=1.0, symbol=symbol
        )
        frames.append(frame)
    both = open_data(
        pd.concat(frames).sort_values(["ts", "symbol"]).assign(ts=lambda f: pd.to_datetime(f["ts"], utc=True))
    )
    alone = backtest(strategy(HOLD, "Hold"), both, symbols=["BBB"], quantity=3)
    assert [(d.symbol, d.average_px) for d in alone.decisions] == [("BBB", 50.0)]
    everything = backtest(strategy(HOLD, "Hold", at=2), both, quantity=3)
    assert {d.symbol for d in everything.decisions} <= {"AAA", "BBB"}
    with pytest.raises(UnknownName, match=r"'BBC'.*'BBB'"):
        backtest(strategy(HOLD, "Hold"), both, symbols=["BBC"])


def test_limits_are_those_of_trading() -> None:
    result = backtest(strategy(HOLD, "Hold"), recording(DAYS), quantity=10, limits={"max_order_qty": 9})
    assert (result.decisions, len(result.fills)) == ([], 0)
    [refusal] = result.refusals
    assert refusal.code == "SIZE"
    assert result.stats["refusals"] == 1


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    backtest(strategy(HOLD, "Hold"), recording(DAYS), progress=lambda done, total: told.append((done, total)))
    assert told[0][0] == 0
    assert told[-1] == (8, 8)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_second_run_is_the_same_run() -> None:
    def once() -> Result:
        return backtest(strategy(CROSS, "AroundMean", period=6), recording(walk(60, 5)))

    first, second = once(), once()
    assert first.decisions == second.decisions
    for name in ("ts_ns", "equity", "fills", "orders"):
        assert getattr(first.run, name).tobytes() == getattr(second.run, name).tobytes()


def test_a_decision_may_fill_at_its_own_close() -> None:
    rows = walk(60, 4)
    data = recording(rows)
    late = backtest(strategy(CROSS, "AroundMean"), data)
    result = backtest(strategy(CROSS, "AroundMean"), data, fill="close")
    closes = dict(zip(data.ts_ns.tolist(), data.values[:, 3].tolist(), strict=True))
    assert [(d.ts_ns, d.side) for d in result.decisions] == [(d.ts_ns, d.side) for d in late.decisions]
    assert len(result.decisions) > 10
    assert all(d.average_px == closes[d.ts_ns] for d in result.decisions)
    with pytest.raises(UnknownName, match="'next_open'"):
        backtest(strategy(CROSS, "AroundMean"), data, fill="nxt_open")


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"quantity": 0}, BadValue, "quantity = 0"),
        ({"quantity": float("nan")}, BadValue, "quantity = nan"),
        ({"cash": -1}, BadValue, "cash = -1"),
        ({"cash": float("inf")}, BadValue, "cash = inf"),
        ({"symbols": []}, BadValue, r"symbols = \[\]"),
        ({"sizing": "percnt"}, BadInput, "'percent'"),
        ({"limits": {"max_ordr_qty": 1}}, UnknownName, "'max_order_qty'"),
        ({"limits": {"max_order_qty": -1}}, BadValue, "max_order_qty"),
    ],
)
def test_bad_arguments_are_named(more: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        backtest(strategy(HOLD, "Hold"), recording(DAYS), **more)


def test_a_strategy_that_raises_ends_the_backtest_with_its_line() -> None:
    source = HOLD.replace("return Signal(1.0)", "return Signal(bar.clse)")
    with pytest.raises(StrategyError, match="clse"):
        backtest(strategy(source, "Hold"), recording(DAYS))


@pytest.mark.parametrize(
    ("sizing", "quantity"),
    [
        (Sizing("notional"), 20_000.0),
        (Sizing("percent", rebalance=0.001), 20.0),
        (Sizing("volatility", settle=10), 10.0),
        (Sizing("risk", atr=5, stop=3), 0.05),
        (Sizing("kelly", trades=3, start=5), 50.0),
    ],
)
def test_every_sizing_trades_the_same_by_every_loop(sizing: Sizing, quantity: float) -> None:
    """Whole units, worth no more than the account has; what no faster loop does, the engine does."""
    chosen, bars = strategy(CROSS, "AroundMean"), recording(walk(100, 3))
    result = backtest(chosen, bars, quantity=quantity, sizing=sizing)
    fills = result.run.fills
    assert len(fills) > 2
    assert (fills["qty"] == fills["qty"].round()).all()
    again = backtest(chosen, bars, quantity=quantity, sizing=sizing, loop="engine")
    assert (again.run.fills == fills).all()
    assert again.run.equity == pytest.approx(result.run.equity, abs=1e-8)
