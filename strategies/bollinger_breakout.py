"""Buy the break above the upper band, leave when the price falls back to the middle."""

from workbench.kernels import Bollinger
from workbench.strategy import Strategy


class BollingerBreakout(Strategy):
    """Long on a close above the upper Bollinger band until a close below the middle one."""

    period: int = 20
    width: float = 2.0

    def indicators(self):
        return {"bands": Bollinger(self.period, self.width)}

    def decide(p, x, pos):
        if x.close > x.bands.upper:
            return 1.0
        return 0.0 if x.close < x.bands.middle else pos
