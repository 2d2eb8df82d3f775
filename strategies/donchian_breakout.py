"""Buy a new high, leave at a new low: the turtles' rule, on two channels."""

from workbench.kernels import Donchian
from workbench.strategy import Strategy


class DonchianBreakout(Strategy):
    """Long on a close above the highest high of the `entry` bars before, until one below the lowest low of `exit`."""

    entry: int = 60
    exit: int = 30

    def indicators(self):
        return {"wide": Donchian(self.entry, before=True), "near": Donchian(self.exit, before=True)}

    def decide(p, x, pos):
        if x.close > x.wide.upper:
            return 1.0
        return 0.0 if x.close < x.near.lower else pos
