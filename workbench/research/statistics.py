"""The figures of a backtest: about forty, each made of session returns, of the equity curve or of the round trips.

Sessions are the recording's own where it carries them, else UTC days; the first return is from the starting cash. A
year has 252 sessions, 365 where the market never closes, or as many as one says. Formulas: kernels/returns.py.
Not here: round trips (trades.py), who shows the figures (result.py, report).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.kernels import returns as of
from workbench.research.prices import last_at, prices_of, steps_of, units_at_end
from workbench.research.run import Run
from workbench.research.trades import Trades

__all__ = [
    "FIGURES",
    "SESSIONS_PER_YEAR",
    "exposure_of",
    "held_of",
    "periods_of",
    "session_ends",
    "session_returns",
    "statistics",
]

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int64]

SESSIONS_PER_YEAR: Final = 252
_DAY_NS: Final = 86_400_000_000_000
_YEAR_NS: Final = 31_556_952_000_000_000  # the Gregorian mean
_NAN: Final = float("nan")

FIGURES: Final[dict[str, str]] = {
    "final_equity": "cash plus everything held, at the end",
    "final_cash": "cash at the end",
    "total_return": "final equity over starting cash, less one",
    "annual_return": "the yearly return that compounds to the same end (CAGR)",
    "benchmark_return": "holding the instruments in equal parts from the first open to the last close",
    "volatility": "deviation of session returns (ddof 1), a year's",
    "sharpe": "mean over deviation of session returns above the risk-free rate, a year's (Sharpe 1994)",
    "sortino": "the same over the downside deviation (Sortino and Price 1994)",
    "calmar": "annual return over the largest drawdown (Young 1991)",
    "omega": "sum of session gains over sum of session losses (Keating and Shadwick 2002)",
    "alpha": "yearly return that the benchmark does not explain (Jensen 1968)",
    "beta": "covariance with the benchmark's session returns over their variance",
    "max_drawdown": "largest share lost since a peak, over every instant",
    "max_drawdown_days": "longest time from a peak until it was reached again, or the end, in days",
    "under_water": "share of the time below an earlier peak",
    "ulcer": "root of the mean square of the drawdowns (Martin and McCann 1989)",
    "recovery": "profit over the largest loss since a peak, in currency",
    "value_at_risk": "5th percentile of session returns",
    "expected_shortfall": "mean of the worst 5 % of session returns (Rockafellar and Uryasev 2000)",
    "skew": "Fisher's g1 of session returns",
    "kurtosis": "Fisher's g2 of session returns (0: normal)",
    "tail_ratio": "95th percentile of session returns over the 5th, in size",
    "stability": "R squared of a line through the cumulative log returns",
    "best_session": "largest session return",
    "worst_session": "smallest session return",
    "sessions": "sessions with data",
    "exposure": "share of the time with something held",
    "turnover": "value traded over mean equity, a year's",
    "trades": "round trips that have ended",
    "hit_rate": "share of them with a profit",
    "profit_factor": "their gains over their losses",
    "expectancy": "mean profit of one, in currency",
    "average_win": "mean profit of those that gained",
    "average_loss": "mean profit of those that lost",
    "payoff": "average win over average loss, in size",
    "best_trade": "largest profit of one",
    "worst_trade": "smallest profit of one",
    "sqn": "root of their number times mean over deviation (ddof 1) of profits (Tharp 2006)",
    "kelly": "share to stake: hit rate less (1 - hit rate) over payoff (Kelly 1956)",
    "bars_held": "mean bars of one",
    "orders": "orders sent",
    "fills": "executions",
    "refusals": "orders the risk rules refused",
    "realized": "profit taken by closing, before fees, at average cost",
    "fees": "fees paid",
    "cash_moves": "dividends, interest and borrowing",
}
"""Every figure and what it says, in the order in which they are shown."""


def session_ends(recording: Recording, ts_ns: Ints) -> Ints:
    """The place of each session's last instant in `ts_ns`, int64[sessions]."""
    sessions = recording.stored_sessions
    if sessions is None or not sessions.days:
        first, last = int(ts_ns[0]) // _DAY_NS, int(ts_ns[-1]) // _DAY_NS
        ends = np.arange(first + 1, last + 2) * _DAY_NS - 1
    else:
        ends = np.array([day.close_ns for day in sessions.days], np.int64) + sessions.auction_ns
    found = np.unique(np.append(np.searchsorted(ts_ns, ends, side="right") - 1, len(ts_ns) - 1))
    return found[found >= 0]


def session_returns(equity: Floats, ends: Ints, start: float) -> Floats:
    """Return of each session, the first one from `start`; NaN from the session on in which nothing is left."""
    closes = np.concatenate([[start], equity[ends]])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(closes[:-1] > 0, np.diff(closes) / closes[:-1], np.nan)


def periods_of(recording: Recording) -> float:
    """Sessions of a year: 365 where the market never closes, else 252."""
    return 365.0 if recording.instruments[0].calendar == "24/7" else float(SESSIONS_PER_YEAR)


def exposure_of(run: Run) -> Floats:
    """Value held, long and short added up, over equity, at each of the run's instants, float64[n]."""
    recording, ts_ns = run.recording, run.ts_ns
    gross = np.zeros(len(ts_ns))
    for iid in range(len(recording.instruments)):
        if (run.fills["iid"] == iid).any():
            times, prices = prices_of(recording, iid)
            if recording.has_actions:
                prices = prices / units_at_end(recording, iid, times)
            gross += np.abs(_held_at_end(run, iid)) * last_at(times, prices, ts_ns, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gross > 1e-9, gross / run.equity, 0.0)


def held_of(run: Run, iid: int) -> Floats:
    """What was held of an instrument at each instant, signed, in the units of that time, float64[n]."""
    held = _held_at_end(run, iid)
    recording = run.recording
    return held / units_at_end(recording, iid, run.ts_ns) if recording.has_actions else held


def _held_at_end(run: Run, iid: int) -> Floats:
    """The same in the units of the end of the recording."""
    recording, ts_ns = run.recording, run.ts_ns
    fills = run.fills[run.fills["iid"] == iid]
    at = np.minimum(np.searchsorted(ts_ns, fills["ts_ns"], side="left"), len(ts_ns) - 1)
    steps, per_unit = steps_of(recording, iid, fills["qty"] * units_at_end(recording, iid, fills["ts_ns"]))
    moved = np.zeros(len(ts_ns))
    np.add.at(moved, at, fills["side"] * steps)
    held: Floats = np.cumsum(moved) / per_unit
    return held


def benchmark_returns(run: Run, ends: Ints) -> tuple[float, Floats]:
    """(total return, session returns) of holding all instruments in equal parts since their first open."""
    recording, total, count = run.recording, np.zeros(len(ends)), 0
    for iid, symbol in enumerate(recording.symbols):
        times, prices = prices_of(recording, iid)
        if len(times):
            opened = recording.series(symbol).open
            first = float(opened[0] if len(opened) else prices[0])
            if recording.has_actions:  # in the units of the start
                grown = units_at_end(recording, iid, times[:1])[0]
                prices = prices * (grown / units_at_end(recording, iid, times))
            total += last_at(times, prices, run.ts_ns[ends], first) / first
            count += 1
    if not count:
        return _NAN, np.full(len(ends), np.nan)
    worth = total / count
    return float(worth[-1] - 1.0), session_returns(worth, np.arange(len(worth)), 1.0)


def statistics(
    run: Run, trades: Trades, exposure: Floats, *, risk_free: float = 0.0, periods: float | None = None
) -> dict[str, float]:
    """All of `FIGURES`. `risk_free` is a year's rate (for the Sharpe ratio), `periods` the sessions of a year."""
    recording, equity, ts_ns = run.recording, run.equity, run.ts_ns
    year = periods_of(recording) if periods is None else float(periods)
    ends = session_ends(recording, ts_ns)
    returns = session_returns(equity, ends, run.cash)
    held_return, benchmark = benchmark_returns(run, ends)
    peak = np.maximum(np.maximum.accumulate(equity), run.cash)
    drawdowns = equity / peak - 1.0
    worst = float(drawdowns.min())
    water, longest = of.under_water(drawdowns, ts_ns)
    fallen = float((peak - equity).max())
    alpha, beta = of.alpha_beta(returns, benchmark, year)
    profit = float(equity[-1] - run.cash)
    figures = {
        "final_equity": float(equity[-1]),
        "final_cash": run.cash - traded(run.fills) + run.cash_moves,
        "total_return": profit / run.cash,
        "annual_return": of.annual_return(returns, year),
        "benchmark_return": held_return,
        "volatility": of.volatility(returns, year),
        "sharpe": of.sharpe(returns, year, risk_free),
        "sortino": of.sortino(returns, year),
        "calmar": of.calmar(returns, year, worst),
        "omega": of.omega(returns),
        "alpha": alpha,
        "beta": beta,
        "max_drawdown": worst,
        "max_drawdown_days": longest / _DAY_NS,
        "under_water": water,
        "ulcer": of.ulcer(drawdowns),
        "recovery": profit / fallen if fallen else _NAN,
        "value_at_risk": of.value_at_risk(returns),
        "expected_shortfall": of.expected_shortfall(returns),
        "skew": of.skew(returns),
        "kurtosis": of.kurtosis(returns),
        "tail_ratio": of.tail_ratio(returns),
        "stability": of.stability(returns),
        "best_session": float(np.nanmax(returns)) if not np.isnan(returns).all() else _NAN,
        "worst_session": float(np.nanmin(returns)) if not np.isnan(returns).all() else _NAN,
        "sessions": float(len(returns)),
        "exposure": _time_held(run, exposure),
        "turnover": _turnover(run),
        **_of_trades(trades),
        "orders": float(len(run.orders)),
        "fills": float(len(run.fills)),
        "refusals": float(len(run.refusals)),
        "realized": realized(run.fills, len(recording.instruments)),
        "fees": float(run.fills["fee"].sum()),
        "cash_moves": run.cash_moves,
    }
    return {name: figures[name] for name in FIGURES}


def _time_held(run: Run, exposure: Floats) -> float:
    """Share of the time, instant to instant, with a position."""
    if len(run.ts_ns) < 2:
        return 0.0
    held = np.diff(run.ts_ns) @ (exposure[:-1] != 0.0)
    return float(held / (run.ts_ns[-1] - run.ts_ns[0]))


def _turnover(run: Run) -> float:
    years = float(run.ts_ns[-1] - run.ts_ns[0] + max(run.recording.bar_ns, 1)) / _YEAR_NS
    mean = float(run.equity.mean())
    return float(np.sum(run.fills["px"] * run.fills["qty"])) / mean / years if mean > 0 else _NAN


def _of_trades(trades: Trades) -> dict[str, float]:
    ended = ~trades.open
    profits = trades.profit[ended]
    wins, losses = profits[profits > 0], profits[profits < 0]
    n = len(profits)
    rate = len(wins) / n if n else _NAN
    win = float(wins.mean()) if len(wins) else _NAN
    loss = float(losses.mean()) if len(losses) else _NAN
    payoff = win / -loss if len(wins) and len(losses) else _NAN
    deviation = of.deviation(profits, 1) if n > 1 else 0.0
    return {
        "trades": float(n),
        "hit_rate": rate,
        "profit_factor": float(wins.sum() / -losses.sum()) if len(losses) else _NAN,
        "expectancy": float(profits.mean()) if n else _NAN,
        "average_win": win,
        "average_loss": loss,
        "payoff": payoff,
        "best_trade": float(profits.max()) if n else _NAN,
        "worst_trade": float(profits.min()) if n else _NAN,
        "sqn": n**0.5 * float(profits.mean()) / deviation if deviation else _NAN,
        "kelly": rate - (1.0 - rate) / payoff if payoff == payoff else _NAN,
        "bars_held": float(trades.bars[ended].mean()) if n else _NAN,
    }


def traded(fills: npt.NDArray[np.void]) -> float:
    """What fills cost in cash, fees included; sales bring it back."""
    return float(np.sum(fills["side"] * fills["px"] * fills["qty"] + fills["fee"]))


def realized(fills: npt.NDArray[np.void], instruments: int) -> float:
    """Profit taken by closing, before fees, at the account's average cost of each instrument."""
    held, cost, taken = [0.0] * instruments, [0.0] * instruments, 0.0
    columns = (fills[name].tolist() for name in ("iid", "side", "px", "qty"))
    for iid, side, px, qty in zip(*columns, strict=True):
        signed = side * qty
        closing = 0.0
        if held[iid] * signed < 0:
            closing = -held[iid] if abs(signed) > abs(held[iid]) else signed
            average = cost[iid] / held[iid]
            taken -= closing * (px - average)
            held[iid] += closing
            cost[iid] = cost[iid] + closing * average if held[iid] else 0.0
        held[iid] += signed - closing
        cost[iid] += (signed - closing) * px
    return taken
