"""Published results of other engines, recomputed through the public interface: expected, got, whether they agree.

S1 to S6, four rows on which three engines agree, a table of indicators, a table of metrics. The market data lies beside
the project (`../shared/data`, or where WORKBENCH_ORACLE_DATA says); what needs a file that is not there is named under
`missing`. `all_ok` is over all that ran.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _oracle_strategies import AboveMean, AtTimes, Cross, CrossesMean, EmaCross, InAndOut, Reverse

from workbench.feeds import Recording, open_data
from workbench.kernels import Atr, Bollinger, Ema, Macd, Rsi, Sma, Stochastic, Vwap, batch
from workbench.kernels import returns as of
from workbench.research import backtest

MINUTE_NS = 60_000_000_000
FREE = {"limits": "off"}  # published results know no risk limits


def folder() -> Path:
    """Where the market data lies."""
    named = os.environ.get("WORKBENCH_ORACLE_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


class Ledger:
    """What was expected and what came out."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def says(self, name: str, expected: Any, got: Any, tolerance: float = 0.0) -> None:
        """Note one figure (or list of figures)."""
        if isinstance(expected, (int, float)):
            ok = bool(abs(float(got) - expected) <= tolerance)
            got = int(got) if isinstance(expected, int) else round(float(got), 10)
        elif isinstance(expected, list) and expected and isinstance(expected[0], float):
            got = [round(float(value), 8) for value in got]
            ok = len(got) == len(expected) and bool(np.all(np.abs(np.subtract(got, expected)) <= tolerance))
        else:
            ok = got == expected
        self.rows[name] = {"expected": expected, "got": got, "ok": ok, "tolerance": tolerance}


def days(ts: Any) -> list[str]:
    return [str(day.date()) for day in ts]


def s1(say: Ledger, data: Path) -> None:
    result = backtest(
        Reverse(), data / "daily/orcl_2000_2001.parquet", start="2001-01-01", cash=1_000, **FREE
    )
    say.says("S1 final equity", 977.30, result.stats["final_equity"], 0.005)
    say.says("S1 fills", 19, len(result.fills))
    say.says("S1 every fill of 10", True, bool((result.fills["quantity"] == 10).all()))
    say.says("S1 held at the end", -10.0, float(result.positions()["quantity"].sum()))


def s2(say: Ledger, data: Path) -> None:
    file = data / "daily/wiki_aapl_orcl.parquet"
    result = backtest(AboveMean(), file, symbols="ORCL", adjusted=True, cash=1_000, **FREE)
    fills = result.fills
    say.says("S2 final equity", 974.87, result.stats["final_equity"], 0.005)
    say.says("S2 fills", 43, len(fills))
    say.says("S2 first prices", [25.84, 23.45, 25.22], fills["px"].iloc[:3].tolist(), 0.005)
    opened = fills["ts"].iloc[:3].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d").tolist()
    say.says("S2 first days", ["2000-01-26", "2000-01-28", "2000-02-03"], opened)
    bought = fills[fills["side"] == "buy"].iloc[-1]
    say.says("S2 last purchase", 27.67, bought["px"], 0.005)
    say.says("S2 held at the end", 10.0, float(result.positions()["quantity"].sum()))


def s3(say: Ledger, data: Path) -> None:
    file = data / "daily/wiki_aapl_orcl.parquet"
    result = backtest(
        CrossesMean(), file, symbols="AAPL", adjusted=True, sizing="percent", quantity=90, **FREE
    )
    fills = result.fills
    say.says("S3 Sharpe, risk-free 5 %", 1.12, result.statistics(risk_free=0.05)["sharpe"], 0.00005)
    say.says("S3 final equity", 1_565_167.20, result.stats["final_equity"], 0.005)
    say.says("S3 bought", 18_544, int(fills["quantity"].iloc[0]))
    say.says("S3 prices", [48.50, 78.97], fills["px"].tolist(), 0.005)


def s4(say: Ledger, data: Path) -> None:
    times = ("15:00", "15:16", "15:30", "15:31", "15:38", "15:42", "15:47")
    minutes = [pd.Timestamp(f"2011-01-03 {time}", tz="UTC").value // MINUTE_NS for time in times]
    strategy = AtTimes(minutes=" ".join(map(str, minutes)))
    result = backtest(strategy, data / "bars_1m/spy_2011-01.parquet", cash=1_000, **FREE)
    expected = [127.14, 127.16, 127.20, 127.16, 127.16, 127.26, 127.34]
    say.says("S4 fills", expected, result.fills["px"].tolist(), 1e-9)
    say.says("S4 cash", 872.74, result.stats["final_cash"], 1e-9)
    say.says("S4 closed trades", 3, int(result.stats["trades"]))
    say.says("S4 mean profit", 0.03, result.stats["expectancy"], 0.005)
    ended = result.trades[~result.trades["open"]]["profit"].round(9)
    say.says("S4 winners and losers", [2.0, 1.0], [int((ended > 0).sum()), int((ended < 0).sum())])


def s5(say: Ledger, data: Path) -> None:
    bars = open_data(data / "bars_1m/btcperp_2022-01a.parquet")
    first = bars.select(None, None, int(bars.ts_ns[9_999]))
    common: dict[str, Any] = {"cash": 10_000_000, "fill": "close", "flat_at_end": True, **FREE}
    result = backtest(EmaCross(), first, fees=0.001, **common)
    say.says("S5 orders", 902, len(result.orders))
    say.says("S5 final cash", 9_999_954.943133, result.stats["final_cash"], 1e-6)
    say.says(
        "S5 without fees", 9_999_996.059, backtest(EmaCross(), first, **common).stats["final_cash"], 1e-6
    )


def s6(say: Ledger) -> None:
    closes = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), closes))
    frame["ts"] = pd.date_range("2020-01-02 15:00", periods=5, freq="min", tz="UTC")
    common: dict[str, Any] = {"cash": 100, "fill": "close", **FREE}
    result = backtest(InAndOut(), frame, quantity=1, fees=0.1, **common)
    say.says("S6 fees", [0.1, 0.4], result.fills["fee"].tolist(), 1e-9)
    result = backtest(InAndOut(then=-1.0), frame, quantity=1, fees=0.1, **common)
    say.says("S6 fees, reversing", [0.1, 0.8], result.fills["fee"].tolist(), 1e-9)
    result = backtest(InAndOut(), frame, quantity=100, sizing="percent", **common)
    bought, sold = result.fills.iloc[0], result.fills.iloc[1]
    figures = [bought["quantity"], bought["px"], sold["quantity"], sold["px"]]
    say.says("S6 all in", [100.0, 1.0, 100.0, 4.0], figures, 1e-9)


def three_engines(say: Ledger, data: Path) -> None:
    """Backtesting, Backtrader and a plain loop agree on these."""
    for name, rows, fast, slow, size, cash, rate, orders, final in (
        ("daily/spy_2017_2018", 502, 10, 30, 100.0, 100_000, 0.001, 14, 99_632.0760),
        ("daily/goog_2004_2013", 2_148, 10, 30, 100.0, 100_000, 0.001, 65, 174_289.8140),
        ("bars_1m/spy_2011-01", 7_800, 13, 47, 100.0, 100_000, 0.0001, 209, 99_671.9543),
        ("bars_1m/btcperp_2022-01a", 23_099, 20, 60, 1.0, 1_000_000, 0.0005, 448, 989_490.6410),
    ):
        market = open_data(data / f"{name}.parquet")
        if rows == 7_800:
            market = regular(market)
        result = backtest(Cross(fast=fast, slow=slow, size=size), market, cash=cash, fees=rate, **FREE)
        say.says(f"three engines {name} rows", rows, len(market))
        say.says(f"three engines {name} orders", orders, len(result.orders))
        say.says(f"three engines {name} final equity", final, result.stats["final_equity"], 0.0001)


def regular(market: Recording) -> Recording:
    """The bars of New York's regular hours: 09:30 < ts <= 16:00."""
    frame = market.frame()
    wall = frame["ts"].dt.tz_convert("America/New_York")
    minute = wall.dt.hour * 60 + wall.dt.minute
    return open_data(frame[(minute > 570) & (minute <= 960)])


def indicators(say: Ledger, data: Path) -> None:
    ts_ns, bars = open_data(data / "daily/spy_2017_2018.parquet").bars("SPY")
    none = float("nan")
    for indicator, places in (
        (Sma(20), {18: none, 19: 214.5250, 249: 255.5500, 501: 251.8600}),
        (Ema(20), {29: 216.6228, 249: 255.3873, 501: 249.3519}),
        (Rsi(14), {13: none, 14: 62.0541, 249: 70.9368, 501: 42.0773}),
        (Atr(14), {13: none, 14: 1.3364, 24: 1.3034, 249: 1.3381, 501: 6.1497}),
    ):
        values: Any = batch(indicator, bars, ts_ns=ts_ns)
        for at, expected in places.items():
            if expected != expected:
                say.says(f"{indicator!r} at {at}: none yet", True, bool(np.isnan(values[at])))
            else:
                say.says(f"{indicator!r} at {at}", expected, values[at], 0.00005)
    for several, places_of in (
        (
            Macd(),
            {49: [1.7203, 1.9675, -0.2472], 249: [2.2353, 2.3141, -0.0789], 501: [-6.2198, -5.8569, -0.3629]},
        ),
        (Bollinger(20), {249: [259.5642, 255.5500, 251.5358], 501: [273.7004, 251.8600, 230.0196]}),
        (Stochastic(), {17: [92.1307, 88.4995], 501: [43.1353, 35.5674]}),
    ):
        outputs: Any = batch(several, bars, ts_ns=ts_ns)
        for at, figures in places_of.items():
            got = [float(column[at]) for column in outputs.values()]
            say.says(f"{several!r} {', '.join(outputs)} at {at}", figures, got, 0.00005)
    ts_ns, bars = open_data(data / "bars_1m/spy_2020-12.parquet").bars("SPY")
    vwap: Any = batch(Vwap(), bars[:391], ts_ns=ts_ns[:391])
    for at, expected in {0: 367.4800, 1: 367.4223, 369: 367.9494, 390: 368.1804}.items():
        say.says(f"{Vwap()!r} at {at}", expected, vwap[at], 0.00005)


def metrics(say: Ledger) -> None:
    mixed = np.array([np.nan, 1.0, 10.0, -4.0, 2.0, 3.0, 2.0, 1.0, -10.0]) / 100
    negative = np.array([0.0, -6.0, -7.0, -1.0, -9.0, -2.0, -6.0, -8.0, -5.0]) / 100
    for name, measure, *expected in (
        ("total return", of.total_return, 0.0389310917, -0.3659073035),
        (
            "max drawdown",
            lambda r: of.max_drawdown(np.cumprod(1 + np.nan_to_num(r)), 1.0),
            -0.1,
            -0.3659073035,
        ),
        ("annual return", lambda r: of.annual_return(r, 252), 1.9135925373),
        ("annual volatility", lambda r: of.volatility(r, 252), 0.9136465400),
        ("Sharpe", lambda r: of.sharpe(r, 252), 1.7238613962, -24.4068086339),
        ("Sortino", lambda r: of.sortino(r, 252), 2.6055312517, -13.5327430750),
    ):
        for word, returns, figure in zip(("mixed", "negative"), (mixed, negative), expected, strict=False):
            say.says(f"{name}, {word}", figure, measure(returns), 1e-9)


ON_FILES = (s1, s2, s3, s4, s5, three_engines, indicators)


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """Every result; about 15 s."""
    ledger, data = Ledger(), folder()
    missing = []
    for work in ON_FILES:
        if data.is_dir():
            say(work.__name__)
            work(ledger, data)
        else:
            missing.append(work.__name__)
    for plain in (s6, metrics):
        say(plain.__name__)
        plain(ledger)
    rows: dict[str, Any] = dict(ledger.rows)
    if missing:
        rows["missing"] = f"no folder '{data}', so these did not run: {', '.join(missing)}"
    rows["all_ok"] = all(row["ok"] for row in ledger.rows.values())
    return rows
