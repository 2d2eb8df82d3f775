"""Two symbols that belong together: sell the one that ran away and buy the other, until they meet again."""

from workbench.kernels import KalmanHedge, Stream
from workbench.strategy import Signal, Strategy


class KalmanPairs(Strategy):
    """Short the first symbol and long the second when their spread is `entry` deviations wide, the other way round
    when it is as far below, flat when it is within `exit`. A Kalman filter follows how many of the second hedge one
    of the first. Wants two symbols."""

    delta: float = 1e-8
    noise: float = 0.01
    entry: float = 2.0
    exit: float = 0.25

    def start(self):
        self.hedge = Stream(KalmanHedge(self.delta, self.noise))
        self.side = 0

    def on_timer(self, ctx, timer):
        if len(ctx.prices) < 2:
            return None
        one, other, *_ = ctx.prices
        line = self.hedge.update(ctx.prices[one], ctx.prices[other])
        if not self.hedge.warm:
            return None
        score = line.spread / line.deviation
        if abs(score) < self.exit:
            side = 0
        elif abs(score) > self.entry:
            side = -1 if score > 0 else 1
        else:
            return None
        if side == self.side:
            return None
        self.side = side
        scale = side / max(1.0, abs(line.beta))
        return [Signal(scale, symbol=one), Signal(-scale * line.beta, symbol=other)]
