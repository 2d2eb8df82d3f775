"""Seeded random bars of any number of symbols: for load tests, benchmarks and doctests; never taken for real.

Lives here: the generator. The same arguments give the same bars on every machine.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from workbench.errors import BadValue
from workbench.feeds.calendars import DAY_NS, Session, Sessions
from workbench.feeds.columns import MINUTE_NS
from workbench.feeds.recording import Recording
from workbench.model.instrument import Instrument

__all__ = ["BARS_A_DAY", "bars_around", "days_of", "synthetic", "synthetic_pair"]

_VOLATILITY = 0.0005
_OPEN_NS = 14 * 60 * MINUTE_NS + 30 * MINUTE_NS
BARS_A_DAY = 390


def synthetic(
    symbols: int = 1, bars: int = 390, seed: int = 1, *, volatility: float = _VOLATILITY
) -> Recording:
    """One-minute random-walk bars of `symbols` symbols S000, S001, ... with `bars` bars each, on a cent grid.

    Days have 390 bars from 14:30 UTC, weekdays only, from Monday 2024-01-01 on. `volatility` is the standard
    deviation of one minute's log return.

    >>> day = synthetic(symbols=3, bars=390)
    >>> len(day), day.symbols, len(day.sessions)
    (1170, ('S000', 'S001', 'S002'), 1)
    """
    for field, value in (("symbols", symbols), ("bars", bars)):
        if value < 1:
            raise BadValue(field, value, "give a number from 1 up")
    rng = np.random.default_rng([seed, symbols, bars])
    steps = rng.normal(0.0, volatility, (bars, symbols))
    start = rng.uniform(20.0, 400.0, symbols)
    close = start * np.exp(np.cumsum(steps, axis=0))
    names = [f"S{k:03d}" for k in range(symbols)]
    return bars_around(f"synthetic-{symbols}x{bars}-{seed}", names, start, close, volatility, rng)


def bars_around(
    name: str,
    symbols: Sequence[str],
    start: npt.NDArray[np.float64],
    close: npt.NDArray[np.float64],
    volatility: float,
    rng: np.random.Generator,
) -> Recording:
    """One-minute bars with the given closes (float64[bars, symbols]) before rounding to cents, opening where the bar
    before closed (the first one at `start`), with seeded highs, lows and volumes."""
    bars, count = close.shape
    opening = np.vstack([start, close[:-1]])
    reach = np.abs(rng.normal(0.0, volatility / 2, (2, bars, count)))
    high = np.maximum(opening, close) * (1 + reach[0])
    low = np.minimum(opening, close) * (1 - reach[1])
    prices = np.maximum(np.round(np.stack([opening, high, low, close], axis=-1), 2), 0.01)
    volume = rng.integers(100, 100_000, (bars, count)).astype(np.float64)
    values = np.concatenate([prices, volume[..., None]], axis=-1).reshape(bars * count, 5)
    day, minute = np.divmod(np.arange(bars), BARS_A_DAY)
    sessions = days_of(int(day[-1]) + 1)
    ts_ns = np.array([session.open_ns for session in sessions.days])[day] + (minute + 1) * MINUTE_NS
    return Recording(
        name,
        [Instrument(iid, symbol) for iid, symbol in enumerate(symbols)],
        np.repeat(ts_ns, count),
        np.tile(np.arange(count, dtype=np.int32), bars),
        np.full(bars * count, 2, np.int8),
        values,
        bar_ns=MINUTE_NS,
        sessions=sessions,
    )


def synthetic_pair(
    bars: int = 1_950, seed: int = 1, *, beta: float = 1.5, half_life: float = 60.0
) -> Recording:
    """One-minute bars of two symbols that belong together: PAIR0 = 20 + `beta` x PAIR1 + a gap that comes back.

    PAIR1 is a random walk from 60; the gap's half life is given in bars, its deviation is 0.3 % of PAIR0.

    >>> synthetic_pair(bars=390).symbols
    ('PAIR0', 'PAIR1')
    """
    for field, value in (("bars", bars), ("beta", beta), ("half_life", half_life)):
        if not value > 0:
            raise BadValue(field, value, "give a number above 0")
    rng = np.random.default_rng([seed, bars])
    other = 60.0 * np.exp(np.cumsum(rng.normal(0.0, _VOLATILITY, bars)))
    keep = 0.5 ** (1.0 / half_life)
    noise = rng.normal(0.0, 0.003 * np.sqrt(1.0 - keep * keep), bars).tolist()
    gap, gaps = 0.0, []
    for step in noise:
        gap = keep * gap + step
        gaps.append(gap)
    one = (20.0 + beta * other) * (1.0 + np.array(gaps))
    close = np.column_stack([one, other])
    start = np.array([20.0 + beta * 60.0, 60.0])
    return bars_around(f"synthetic-pair-{bars}-{seed}", ["PAIR0", "PAIR1"], start, close, _VOLATILITY, rng)


def days_of(count: int) -> Sessions:
    """The first `count` sessions of every made market: weekdays from 2024-01-01 on, 14:30 to 21:00 UTC."""
    weeks, weekday = np.divmod(np.arange(count), 5)
    first = np.datetime64("2024-01-01", "ns").astype(np.int64)
    opens = first + (weeks * 7 + weekday) * DAY_NS + _OPEN_NS
    return Sessions("synthetic", "UTC", tuple(_session(int(ns)) for ns in opens))


def _session(open_ns: int) -> Session:
    date = str(np.datetime64(open_ns, "ns").astype("datetime64[D]"))
    return Session(date, open_ns, open_ns + BARS_A_DAY * MINUTE_NS)
