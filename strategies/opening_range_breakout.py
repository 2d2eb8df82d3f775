"""The first half hour sets a range; go with the price when it leaves it; be flat in the evening."""

from workbench.kernels import OpeningRange
from workbench.strategy import Strategy


class OpeningRangeBreakout(Strategy):
    """Long on a close above the range of the first `minutes`, short below it; out from `out_h` o'clock (UTC) on."""

    minutes: float = 30.0
    out_h: float = 20.75
    short: bool = True

    def indicators(self):
        return {"range": OpeningRange(self.minutes)}

    def decide(p, x, pos):
        if x.ts_s % 86400.0 >= p.out_h * 3600.0:
            return 0.0
        if x.close > x.range.high:
            return 1.0
        return -1.0 if p.short and x.close < x.range.low else pos
