"""The published results' strategies, on made data, against plain loops that anybody can follow; and the command."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.cli.bench import _load
from workbench.research import Result, backtest


@pytest.fixture(scope="module")
def oracles() -> Any:
    return _load("oracles")


def frame(n: int, seed: int, step: float = 0.01) -> pd.DataFrame:
    """Daily bars of a walk on a grid, with some that have one price only."""
    random = np.random.default_rng(seed)
    close = 50 + np.cumsum(random.integers(-150, 151, n)) * step / 10 * 10 / 10
    close = np.round(np.maximum(close, 5.0) / step) * step
    opened = np.round((close + random.normal(0, 0.2, n)) / step) * step
    high, low = np.maximum(opened, close) + 2 * step, np.minimum(opened, close) - 2 * step
    single = random.random(n) < 0.1
    opened[single] = high[single] = low[single] = close[single]
    ts = pd.date_range("2020-01-01 21:00", periods=n, freq="D", tz="UTC")
    columns = {"ts": ts, "open": opened, "high": high, "low": low, "close": close, "volume": 1000.0}
    return pd.DataFrame(columns)


def mean(values: Any, period: int) -> list[float | None]:
    return [
        None if k + 1 < period else float(np.mean(values[k + 1 - period : k + 1])) for k in range(len(values))
    ]


type Wanted = list[list[float]]


def traded(
    bars: pd.DataFrame, wanted: Wanted, *, at_close: bool = False, rate: float = 0.0
) -> tuple[list[Any], float]:
    """Signed fills (quantity, price) and final equity of orders decided at each close."""
    cash = held = 0.0
    fills = []
    prices = bars["close"].tolist() if at_close else [*bars["open"].tolist()[1:], None]
    for orders, px in zip(wanted, prices, strict=True):
        for quantity in orders:
            if px is not None:
                cash -= quantity * px + abs(quantity) * px * rate
                held += quantity
                fills.append((quantity, px))
    return fills, cash + held * bars["close"].iloc[-1]


def compared(result: Result, fills: list[Any], profit: float) -> None:
    rows = result.run.fills
    got = list(zip((rows["side"] * rows["qty"]).tolist(), rows["px"].tolist(), strict=True))
    assert got == [(pytest.approx(q, abs=1e-9), pytest.approx(px, abs=1e-9)) for q, px in fills]
    assert len(fills) > 5
    assert result.stats["final_equity"] - result.cash == pytest.approx(profit, abs=1e-6)


def crossings(closes: list[float], one: list[float | None], other: list[float | None]) -> list[int]:
    """1 where the difference turns from below to above, -1 the other way; zero differences are no news."""
    before, signs = 0.0, []
    for a, b in zip(one, other, strict=True):
        now = 0.0 if a is None or b is None else a - b
        signs.append(int(np.sign(now)) if before * now < 0 else 0)
        before = now or before
    return signs


def test_turning_around_in_two_orders(oracles: Any) -> None:
    bars = frame(300, 1)
    closes = bars["close"].tolist()
    held, wanted = 0.0, []
    for sign in crossings(closes, mean(closes, 5), mean(closes, 12)):
        wanted.append([-held, sign * 10.0] if sign and held else [sign * 10.0] if sign else [])
        held = sign * 10.0 if sign else held
    compared(backtest(oracles.Reverse(fast=5, slow=12), bars, limits="off"), *traded(bars, wanted))


def test_above_and_below_a_mean(oracles: Any) -> None:
    bars = frame(300, 2)
    closes = bars["close"].tolist()
    held, wanted = 0.0, []
    for close, average in zip(closes, mean(closes, 15), strict=True):
        change = 0.0
        if average is not None:
            change = 10.0 if not held and close > average else -held if held and close < average else 0.0
        held += change
        wanted.append([change] if change else [])
    compared(backtest(oracles.AboveMean(), bars, limits="off"), *traded(bars, wanted))


def test_ninety_percent_of_the_account_in_whole_shares(oracles: Any) -> None:
    bars = frame(400, 3)
    closes, opens = bars["close"].tolist(), [*bars["open"].tolist()[1:], None]
    cash, held, wanted = 100_000.0, 0.0, []
    signs = crossings(closes, [float(c) for c in closes], mean(closes, 20))
    for close, following, sign in zip(closes, opens, signs, strict=True):
        change = 0.0
        if sign > 0 and not held:
            change = float(int(0.9 * cash / close + 1e-9))
        elif sign < 0 and held:
            change = -held
        wanted.append([change] if change else [])
        if following is not None:
            cash -= change * following
            held += change
    result = backtest(
        oracles.CrossesMean(period=20), bars, sizing="percent", quantity=90, cash=100_000, limits="off"
    )
    compared(result, *traded(bars, wanted))


def test_averages_turning_at_the_same_close_with_fees(oracles: Any) -> None:
    bars = frame(400, 4)
    fast = slow = held = 0.0
    wanted: Wanted = []
    for k, (o, h, low, c) in enumerate(bars[["open", "high", "low", "close"]].itertuples(index=False)):
        if not k:
            fast = slow = c
        fast += 2 / 11 * (c - fast)
        slow += 2 / 21 * (c - slow)
        sign = 1 if fast >= slow else -1
        skipped = k + 1 < 20 or o == h == low == c or held * sign > 0
        wanted.append([] if skipped else [-held, sign * 2.0] if held else [sign * 2.0])
        held = held if skipped else sign * 2.0
    wanted[-1].append(-held)
    common: dict[str, Any] = {"fill": "close", "flat_at_end": True, "limits": "off"}
    result = backtest(oracles.EmaCross(size=2.0), bars, fees=0.001, **common)
    compared(result, *traded(bars, wanted, at_close=True, rate=0.001))
    assert result.positions().empty


def test_a_cross_of_averages_with_commission(oracles: Any) -> None:
    bars = frame(500, 5, step=0.001)
    closes = bars["close"].tolist()
    fast, slow = mean(closes, 7), mean(closes, 19)
    held, wanted = 0.0, []
    for k in range(len(closes)):
        change = 0.0
        if k and slow[k - 1] is not None:
            a, b, was_a, was_b = (
                float(x[j] or 0) for j, x in ((k, fast), (k, slow), (k - 1, fast), (k - 1, slow))
            )
            if not held and a > b and was_a <= was_b:
                change = 50.0
            elif held and a < b and was_a >= was_b:
                change = -held
        held += change
        wanted.append([change] if change else [])
    result = backtest(oracles.Cross(fast=7, slow=19, size=50), bars, fees=0.001, limits="off")
    compared(result, *traded(bars, wanted, rate=0.001))


def test_the_command_says_what_agrees_and_what_is_missing(
    oracles: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("WORKBENCH_ORACLE_DATA", str(tmp_path / "none"))
    told: list[str] = []
    say: Callable[[str], None] = told.append
    rows = oracles.run(say)
    assert rows["all_ok"] is True
    assert "s1, s2, s3, s4, s5" in rows["missing"]
    assert {"S6 fees", "S6 fees, reversing", "S6 all in", "Sharpe, mixed"} <= set(rows)
    assert all(
        set(row) == {"expected", "got", "ok", "tolerance"} for row in rows.values() if isinstance(row, dict)
    )
    ledger = oracles.Ledger()
    ledger.says("wrong", 1.0, 1.1, 0.05)
    ledger.says("also wrong", [1.0, 2.0], [1.0], 0.05)
    assert [row["ok"] for row in ledger.rows.values()] == [False, False]
