"""Two series at a time: rolling correlation and slope of y on x, and a hedge ratio that moves."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.indicator import PairIndicator

__all__ = ["Correlation", "Hedge", "KalmanHedge", "PairSlope"]

# the new block's sums of distances from the pair before it, of their squares and products
PairState = namedtuple("PairState", "at full about_y about_x y x yy xx xy share")
Hedge = namedtuple("Hedge", "alpha beta spread deviation")
HedgeState = namedtuple("HedgeState", "n alpha beta p00 p01 p11 drift")


def pair_up(s: Any, buf: Any, period: Any, pair: Any) -> Any:
    """The state after a pair enters; `buf` holds five times `period` numbers (see `window.py`)."""
    at, full, about_y, about_x = s.at + 1, s.full, s.about_y, s.about_x
    v, u = pair.y - about_y, pair.x - about_x
    y, x, yy, xx, xy = s.y + v, s.x + u, s.yy + v * v, s.xx + u * u, s.xy + u * v
    buf[s.at] = pair.y
    buf[period + s.at] = pair.x
    if at == period:
        at = 0
        full = True
        about_y = pair.y
        about_x = pair.x
        y, x, yy, xx, xy = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(period - 1, -1, -1):
            v, u = buf[k] - about_y, buf[period + k] - about_x
            y += v
            x += u
            yy += v * v
            xx += u * u
            xy += u * v
            buf[k] = y
            buf[period + k] = x
            buf[2 * period + k] = yy
            buf[3 * period + k] = xx
            buf[4 * period + k] = xy
        y, x, yy, xx, xy = 0.0, 0.0, 0.0, 0.0, 0.0
    return PairState(at, full, about_y, about_x, y, x, yy, xx, xy, s.share)


def moments(s: Any, buf: Any, period: Any) -> Any:
    """Variances of y and x and their covariance over a full window, each times `period`, never below 0."""
    y, x = s.y + buf[s.at], s.x + buf[period + s.at]
    yy = s.yy + buf[2 * period + s.at] - y * y * s.share
    xx = s.xx + buf[3 * period + s.at] - x * x * s.share
    xy = s.xy + buf[4 * period + s.at] - x * y * s.share
    return yy if yy > 0.0 else 0.0, xx if xx > 0.0 else 0.0, xy


class Correlation(PairIndicator):
    """Pearson's correlation of the last `period` pairs, -1 to 1.

    Formula: covariance / (deviation of y * deviation of x). Seeding: none. Warm-up: `period` pairs (2 or more). A
    window in which one series does not move answers 0.
    """

    period: int = 20
    limits: ClassVar = {"period": (2, math.inf)}
    price_power = 0

    def ring(p: Any) -> int:
        return 5 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return PairState(0, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.y + bar.x):
            return s, float("nan")
        s = pair_up(s, buf, p.period, bar)
        if not s.full:
            return s, float("nan")
        yy, xx, xy = moments(s, buf, p.period)
        spread = math.sqrt(yy) * math.sqrt(xx)
        value = xy / spread if spread > 0.0 else 0.0
        return s, 1.0 if value > 1.0 else -1.0 if value < -1.0 else value

    def warm_up(self) -> int:
        return self.period


class PairSlope(PairIndicator):
    """Slope of the least-squares line of y on x through the last `period` pairs (the rolling beta).

    Formula: covariance / variance of x. Seeding: none. Warm-up: `period` pairs (2 or more). NaN for a window in which
    x does not move: there is no line.
    """

    period: int = 20
    limits: ClassVar = {"period": (2, math.inf)}
    price_power = 0

    def ring(p: Any) -> int:
        return 5 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return PairState(0, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.y + bar.x):
            return s, float("nan")
        s = pair_up(s, buf, p.period, bar)
        if not s.full:
            return s, float("nan")
        _, xx, xy = moments(s, buf, p.period)
        return s, xy / xx if xx > 0.0 else float("nan")

    def warm_up(self) -> int:
        return self.period


class KalmanHedge(PairIndicator):
    """A line y = `alpha` + `beta` * x that follows the market, the `spread` of y from it, and the spread's `deviation`.

    Formula: Kalman filter whose states alpha and beta walk at random, as in Ernest Chan, Algorithmic Trading (2013),
    chapter 3: state noise `delta` / (1 - `delta`) on both, measurement noise `noise` (a variance, in y's unit
    squared). `spread` is y less what was expected before seeing y; `deviation` the root of its variance, so spread /
    deviation is a z-score. Seeding: alpha = beta = 0 without uncertainty. Warm-up: `settle` pairs.
    """

    delta: float = 1e-4
    noise: float = 1e-3
    settle: int = 50
    limits: ClassVar = {"delta": (0, 0.999999), "noise": (1e-300, math.inf), "settle": (1, math.inf)}

    def init(p: Any) -> Any:
        return HedgeState(0, 0.0, 0.0, 0.0, 0.0, 0.0, p.delta / (1.0 - p.delta))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.y + bar.x):
            return s, Hedge(float("nan"), float("nan"), float("nan"), float("nan"))
        x = bar.x
        p00, p01, p11 = s.p00 + s.drift, s.p01, s.p11 + s.drift
        spread = bar.y - (s.alpha + s.beta * x)
        # covariance of the states with the measurement, and the measurement's own variance
        c0 = p00 + p01 * x
        c1 = p01 + p11 * x
        variance = c0 + c1 * x + p.noise
        gain0 = c0 / variance
        gain1 = c1 / variance
        alpha = s.alpha + gain0 * spread
        beta = s.beta + gain1 * spread
        n = s.n + 1 if s.n < p.settle else s.n
        state = HedgeState(n, alpha, beta, p00 - gain0 * c0, p01 - gain0 * c1, p11 - gain1 * c1, s.drift)
        if n < p.settle:
            return state, Hedge(float("nan"), float("nan"), float("nan"), float("nan"))
        return state, Hedge(alpha, beta, spread, math.sqrt(variance))

    def warm_up(self) -> int:
        return self.settle
