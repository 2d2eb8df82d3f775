"""Follow the trend with as much as the market's swings allow: more when it is calm, less when it is wild."""

from workbench.kernels import Ema, EwmaVolatility
from workbench.strategy import Strategy


class VolatilityTargetedTrend(Strategy):
    """Long above EMA(`slow`) and short below it, in the size that makes the position swing by `target` a year: `target`
    over the present volatility, at most full size, in steps of a tenth."""

    fast: int = 30
    slow: int = 120
    target: float = 0.08
    bars_a_year: float = 98280.0

    def indicators(self):
        swing = EwmaVolatility(decay=0.98, bars_a_year=self.bars_a_year)
        return {"near": Ema(self.fast), "far": Ema(self.slow), "swing": swing}

    def decide(p, x, pos):
        size = min(1.0, int(10.0 * p.target / max(x.swing, 1e-9)) / 10.0)
        return size if x.near > x.far else -size
