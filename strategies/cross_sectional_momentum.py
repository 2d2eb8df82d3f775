"""Of many symbols hold the few that rose most, and look again now and then."""

from workbench.kernels import Roc
from workbench.strategy import Signal, Strategy


class CrossSectionalMomentum(Strategy):
    """Every `every` bars: full size in the `best` symbols that rose most over the last `lookback` bars, nothing in the
    others. Wants several symbols."""

    lookback: int = 120
    every: int = 60
    best: int = 2

    def indicators(self):
        return {"rise": Roc(self.lookback)}

    def start(self):
        self.rises = {}
        self.bars = 0

    def on_bar(self, ctx, bar):
        self.rises[ctx.symbol] = ctx.x.rise

    def on_timer(self, ctx, timer):
        self.bars += 1
        if self.bars % self.every or len(self.rises) <= self.best:
            return None
        ranked = sorted(self.rises, key=lambda symbol: (-self.rises[symbol], symbol))
        return [Signal(1.0 if place < self.best else 0.0, symbol=s) for place, s in enumerate(ranked)]
