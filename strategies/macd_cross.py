"""Ride a move while it gathers speed: MACD against its signal line."""

from workbench.kernels import Macd
from workbench.strategy import Strategy


class MacdCross(Strategy):
    """Long while MACD is above its signal line by more than `band` of the price, until it falls below it."""

    fast: int = 12
    slow: int = 26
    smoothing: int = 9
    band: float = 0.00005

    def indicators(self):
        return {"lines": Macd(self.fast, self.slow, self.smoothing)}

    def decide(p, x, pos):
        if x.lines.histogram > p.band * x.close:
            return 1.0
        return 0.0 if x.lines.histogram < 0.0 else pos
