"""The oldest rule there is: hold while the short mean is above the long one."""

from workbench.kernels import Sma
from workbench.strategy import Strategy


class SmaCross(Strategy):
    """Long while SMA(`fast`) is above SMA(`slow`); below it flat, or short with `short`."""

    fast: int = 20
    slow: int = 100
    short: bool = False

    def indicators(self):
        return {"near": Sma(self.fast), "far": Sma(self.slow)}

    def decide(p, x, pos):
        if x.near > x.far:
            return 1.0
        return -1.0 if p.short else 0.0
