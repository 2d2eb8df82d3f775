"""Seeded random bars of any number of symbols: for load tests, benchmarks and doctests; never taken for real.

Lives here: the generator. The same arguments give the same bars on every machine.
"""

import numpy as np

from workbench.errors import BadValue
from workbench.feeds.calendars import DAY_NS, Session, Sessions
from workbench.feeds.columns import MINUTE_NS
from workbench.feeds.recording import Recording
from workbench.model.instrument import Instrument

__all__ = ["synthetic"]

_OPEN_NS = 14 * 60 * MINUTE_NS + 30 * MINUTE_NS
_BARS_A_DAY = 390


def synthetic(symbols: int = 1, bars: int = 390, seed: int = 1, *, volatility: float = 0.0005) -> Recording:
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
    opening = np.vstack([start, close[:-1]])
    reach = np.abs(rng.normal(0.0, volatility / 2, (2, bars, symbols)))
    high = np.maximum(opening, close) * (1 + reach[0])
    low = np.minimum(opening, close) * (1 - reach[1])
    prices = np.maximum(np.round(np.stack([opening, high, low, close], axis=-1), 2), 0.01)
    volume = rng.integers(100, 100_000, (bars, symbols)).astype(np.float64)
    values = np.concatenate([prices, volume[..., None]], axis=-1).reshape(bars * symbols, 5)
    day, minute = np.divmod(np.arange(bars), _BARS_A_DAY)
    opens = _opens(int(day[-1]) + 1)
    ts_ns = opens[day] + (minute + 1) * MINUTE_NS
    return Recording(
        f"synthetic-{symbols}x{bars}-{seed}",
        [Instrument(iid, f"S{iid:03d}") for iid in range(symbols)],
        np.repeat(ts_ns, symbols),
        np.tile(np.arange(symbols, dtype=np.int32), bars),
        np.full(bars * symbols, 2, np.int8),
        values,
        bar_ns=MINUTE_NS,
        sessions=Sessions("synthetic", "UTC", tuple(_session(int(ns)) for ns in opens)),
    )


def _opens(days: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    weeks, weekday = np.divmod(np.arange(days), 5)
    first = np.datetime64("2024-01-01", "ns").astype(np.int64)
    return np.asarray(first + (weeks * 7 + weekday) * DAY_NS + _OPEN_NS, np.int64)


def _session(open_ns: int) -> Session:
    date = str(np.datetime64(open_ns, "ns").astype("datetime64[D]"))
    return Session(date, open_ns, open_ns + _BARS_A_DAY * MINUTE_NS)
