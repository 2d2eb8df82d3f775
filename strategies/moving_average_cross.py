"""Follow the trend: hold while the fast average is above the slow one."""

from workbench.kernels import Ema
from workbench.strategy import Strategy


class MovingAverageCross(Strategy):
    """Long while EMA(`fast`) is above EMA(`slow`); below it flat, or short with `short`."""

    fast: int = 12
    slow: int = 26
    short: bool = False

    def indicators(self):
        return {"near": Ema(self.fast), "far": Ema(self.slow)}

    def decide(p, x, pos):
        if x.near > x.far:
            return 1.0
        return -1.0 if p.short else 0.0
