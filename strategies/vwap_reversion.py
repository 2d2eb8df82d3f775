"""Buy well below the day's average price, sell when it is back there; be flat in the evening."""

from workbench.kernels import StdDev, Vwap
from workbench.strategy import Strategy


class VwapReversion(Strategy):
    """Long when the close is `width` deviations of the last `period` closes below the day's VWAP, until it is at it;
    out from `out_h` o'clock (UTC) on."""

    period: int = 60
    width: float = 2.0
    out_h: float = 20.75

    def indicators(self):
        return {"vwap": Vwap(), "deviation": StdDev(self.period)}

    def decide(p, x, pos):
        if x.ts_s % 86400.0 >= p.out_h * 3600.0 or x.close >= x.vwap:
            return 0.0
        return 1.0 if x.close < x.vwap - p.width * x.deviation else pos
