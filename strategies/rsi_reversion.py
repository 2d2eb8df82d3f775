"""Buy what fell too far, leave when it has recovered; with `short`, also sell what rose too far."""

from workbench.kernels import Rsi
from workbench.strategy import Strategy


class RsiReversion(Strategy):
    """Long below `low`, flat (or short) above `high`, measured by Wilder's RSI."""

    period: int = 14
    low: float = 30.0
    high: float = 70.0
    short: bool = False

    def indicators(self):
        return {"rsi": Rsi(self.period)}

    def decide(p, x, pos):
        if x.rsi < p.low:
            return 1.0
        if x.rsi > p.high:
            return -1.0 if p.short else 0.0
        return pos
