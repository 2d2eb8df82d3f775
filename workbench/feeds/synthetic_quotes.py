"""Seeded random quotes and trades of any number of symbols: for strategies that quote, and tests; never taken for real.

Lives here: the generator. What it has of a real book: a spread of one to a few ticks, sizes in lots of 100, trades that
come in runs of one side, move the price a little and let it come back. What it has not: depth, queues, news, other
market makers.
"""

import math
from random import Random

import numpy as np

from workbench.errors import BadValue
from workbench.feeds.columns import Columns
from workbench.feeds.recording import Recording
from workbench.feeds.synthetic import BARS_A_DAY, days_of
from workbench.model.instrument import Instrument

__all__ = ["synthetic_quotes"]

_SECOND_NS = 1_000_000_000
_TICK = 0.01
_RUNS = 0.65  # how likely a trade is on the side of the one before it
_BACK_S = 90.0  # what a trade has moved for a moment is gone after a few times this


def synthetic_quotes(
    symbols: int = 1,
    minutes: int = 60,
    seed: int = 1,
    *,
    per_s: float = 1.0,
    trades: float = 0.3,
    volatility: float = 0.0003,
    impact: float = 0.25,
) -> Recording:
    """Top-of-book quotes and trades of `symbols` symbols Q000, Q001, ... over `minutes` minutes of trading.

    Args:
        symbols, minutes, seed: the same ones give the same market on every machine. Days have 390 minutes from 14:30
            UTC, weekdays only.
        per_s: quotes a second, on average; `trades` is the share of them that a trade brings about.
        volatility: standard deviation of one minute's log return of the price without spread and pressure.
        impact: half spreads by which a trade moves the price for good; it moves it by as much again for a while.

    >>> market = synthetic_quotes(minutes=10)
    >>> sorted({type(event).__name__ for event in market.events()})
    ['Quote', 'Trade']
    """
    for field, value in (("symbols", symbols), ("minutes", minutes), ("per_s", per_s)):
        if not value > 0:
            raise BadValue(field, value, "give a number above 0")
    if not 0 <= trades <= 1:
        raise BadValue("trades", trades, "give a share from 0 to 1")
    names = tuple(f"Q{k:03d}" for k in range(symbols))
    made = [_one(Random(f"{seed} {name}"), minutes, per_s, trades, volatility, impact) for name in names]
    tables = []
    for kind, rows in (("trades", [t for t, _ in made]), ("quotes", [q for _, q in made])):
        ts_ns = np.concatenate([np.array([r[0] for r in table], np.int64) for table in rows])
        code = np.concatenate([np.full(len(table), k, np.int32) for k, table in enumerate(rows)])
        values = np.array([r[1:] for table in rows for r in table], np.float64)
        if len(ts_ns):
            tables.append(Columns(kind, names, ts_ns, code, values))  # type: ignore[arg-type]
    return Recording.merged(
        f"synthetic-quotes-{symbols}x{minutes}-{seed}",
        *tables,
        instruments=[Instrument(k, name) for k, name in enumerate(names)],
        sessions=days_of(math.ceil(minutes / BARS_A_DAY)),
    )


type Row = tuple[float, ...]


def _one(
    lucky: Random, minutes: int, per_s: float, trades: float, volatility: float, impact: float
) -> tuple[list[Row], list[Row]]:
    """Trades (time, price, size, side) and quotes (time, bid, size, ask, size) of one symbol."""
    opens = [session.open_ns for session in days_of(math.ceil(minutes / BARS_A_DAY)).days]
    left_s, end_s = minutes * 60.0, BARS_A_DAY * 60.0
    fair, pressure, side, half = lucky.uniform(50.0, 200.0), 0.0, 1, 1.0
    bid = ask = 0.0
    printed: list[Row] = []
    quoted: list[Row] = []
    for open_ns in opens:
        at_s, until_s = 0.0, min(end_s, left_s)
        left_s -= end_s
        while True:
            step_s = lucky.expovariate(per_s)
            at_s += step_s
            if at_s >= until_s:
                break
            ts_ns = open_ns + int(at_s * _SECOND_NS)
            fair *= math.exp(lucky.gauss(0.0, volatility * math.sqrt(step_s / 60.0)))
            pressure *= math.exp(-step_s / _BACK_S)
            if bid and lucky.random() < trades:
                side = side if lucky.random() < _RUNS else -side
                size = 100.0 * max(1, round(lucky.lognormvariate(0.3, 0.8)))
                printed.append((ts_ns, ask if side > 0 else bid, size, side))
                moved = side * impact * half * _TICK
                fair += moved
                pressure += moved
                ts_ns += 1_000
            half = min(4.0, max(0.5, half + lucky.choice((-0.5, 0.0, 0.0, 0.5))))
            middle = fair + pressure
            bid = round(math.floor((middle - half * _TICK) / _TICK) * _TICK, 2)
            ask = round(max(math.ceil((middle + half * _TICK) / _TICK) * _TICK, bid + _TICK), 2)
            sizes = [100.0 * lucky.randint(1, 12) for _ in range(2)]
            quoted.append((ts_ns, bid, sizes[0], ask, sizes[1]))
    return printed, quoted
