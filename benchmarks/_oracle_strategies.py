"""The strategies of the published results, as a user would write them: one short class each."""

from typing import Any

from workbench import OrderRequest, Signal, Strategy
from workbench.kernels import Sma


class Reverse(Strategy):
    """Always in the market: turns around when a fast average crosses a slow one, in two orders."""

    fast: int = 10
    slow: int = 25
    size: float = 10.0

    def indicators(self) -> dict[str, Any]:
        return {"fast": Sma(self.fast), "slow": Sma(self.slow)}

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        before, now = getattr(self, "before", 0.0), ctx.x.fast - ctx.x.slow
        if now != 0:
            self.before = now
        if before * now >= 0:
            return None
        side = "buy" if now > 0 else "sell"
        orders = [OrderRequest(side, abs(ctx.position))] if ctx.position else []
        return [*orders, OrderRequest(side, self.size)]


class AboveMean(Strategy):
    """Holds `size` while the close is above its mean."""

    period: int = 15
    size: float = 10.0

    def indicators(self) -> dict[str, Any]:
        return {"mean": Sma(self.period)}

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        if ctx.flat and bar.close > ctx.x.mean:
            return OrderRequest("buy", self.size)
        if not ctx.flat and bar.close < ctx.x.mean:
            return OrderRequest("sell", ctx.position)
        return None


class CrossesMean(Strategy):
    """In when the price crosses above its mean, out when it crosses below."""

    period: int = 163

    def indicators(self) -> dict[str, Any]:
        return {"mean": Sma(self.period)}

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        before, now = getattr(self, "before", 0.0), bar.close - ctx.x.mean
        if now != 0:
            self.before = now
        if before * now >= 0:
            return None
        return Signal(1.0 if now > 0 else 0.0)


class AtTimes(Strategy):
    """One share at each of these minutes of the day, bought and sold in turn."""

    minutes: str = ""

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        if f"{ctx.ts_ns // 60_000_000_000}" not in self.minutes.split():
            return None
        self.bought = not getattr(self, "bought", False)
        return OrderRequest("buy" if self.bought else "sell", 1)


class EmaCross(Strategy):
    """Long while the fast average is not below the slow one, else short; turns around in two orders."""

    size: float = 0.001

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == 1:
            self.fast = self.slow = bar.close
        self.fast += 2 / 11 * (bar.close - self.fast)
        self.slow += 2 / 21 * (bar.close - self.slow)
        if self.seen < 20 or bar.open == bar.high == bar.low == bar.close:
            return None
        wanted = 1 if self.fast >= self.slow else -1
        if ctx.position * wanted > 0:
            return None
        side = "buy" if wanted > 0 else "sell"
        orders = [OrderRequest(side, abs(ctx.position))] if ctx.position else []
        return [*orders, OrderRequest(side, self.size)]


class InAndOut(Strategy):
    """A target on the first bar, another one on the fourth."""

    then: float = 0.0

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        self.seen = getattr(self, "seen", 0) + 1
        return Signal(1.0) if self.seen == 1 else Signal(self.then) if self.seen == 4 else None


class Cross(Strategy):
    """Buys when flat and the fast average crosses above the slow one, sells all when it crosses below."""

    fast: int = 10
    slow: int = 30
    size: float = 100.0

    def indicators(self) -> dict[str, Any]:
        return {"fast": Sma(self.fast), "slow": Sma(self.slow)}

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        above = ctx.x.fast > ctx.x.slow
        before, self.above = getattr(self, "above", None), above
        below_now = ctx.x.fast < ctx.x.slow
        below_before, self.below = getattr(self, "below", None), below_now
        if before is False and above and ctx.flat:
            return OrderRequest("buy", self.size)
        if below_before is False and below_now and ctx.position > 0:
            return OrderRequest("sell", ctx.position)
        return None
