"""A strategy that does anything a hook may do, by a seeded coin, and writes down all it was shown: as text, since a
strategy must travel."""

from workbench.strategy import Strategy, load_strategy

__all__ = ["erratic"]

SOURCE = '''
from random import Random
from typing import Any

from workbench.kernels import Bollinger, Sma
from workbench.strategy import AmendRequest, CancelRequest, OrderRequest, Signal, Strategy


class Erratic(Strategy):
    """Does anything a hook may do, by a seeded coin, and writes down all it was shown."""

    seed: int = 1
    busy: float = 0.2
    raises: bool = False

    def indicators(self) -> dict:
        return {"mean": Sma(3), "bands": Bollinger(4)} if self.seed % 2 else {}

    def _saw(self, hook: str, ctx: Any, event: Any) -> Any:
        if not hasattr(self, "log"):
            self.log: list[Any] = []
            self.kept: list[Any] = []
        lucky = Random(f"{self.seed} {len(self.log)}")
        look = lucky.random()
        seen: list[Any] = [hook, ctx.ts_ns, ctx.symbol, ctx.position, repr(ctx.last_px), ctx.flat, repr(event)]
        if look < 0.3:
            seen += [dict(ctx.positions), repr(dict(ctx.prices))]
        seen.append(None if ctx.x is None else repr(ctx.x))
        if look > 0.6:
            seen.append(repr(ctx.orders))
        for old in self.kept[-3:]:
            seen += [old.ts_ns, repr(dict(old.prices)), dict(old.positions), repr(old.orders)]
        if 0.2 < look < 0.35:
            self.kept.append(ctx)
        self.log.append(seen)
        if self.raises and len(self.log) == 25:
            raise ValueError(f"enough of {ctx.symbol}")
        if lucky.random() > self.busy:
            return [] if look > 0.9 else None
        answers = [self._wish(lucky, ctx) for _ in range(1 + (lucky.random() < 0.2))]
        return answers[0] if len(answers) == 1 else tuple(answers)

    def _wish(self, lucky: Random, ctx: Any) -> Any:
        own = sorted(ctx.positions)
        symbol = lucky.choice(own) if not ctx.symbol or lucky.random() < 0.3 else ""
        px = ctx.prices.get(symbol or ctx.symbol, float("nan"))
        if px != px or lucky.random() < 0.4:
            return Signal(lucky.choice([-1.0, 0.0, 0.5, 1.0]), symbol=symbol)
        near = [round(px * (1 + lucky.uniform(-0.003, 0.003)), 2) for _ in range(4)]
        if ctx.orders and lucky.random() < 0.5:
            order = lucky.choice(ctx.orders)
            if lucky.random() < 0.5:
                return CancelRequest(all=order.symbol) if lucky.random() < 0.3 else CancelRequest(order.order_id)
            limited = "limit" in order.type
            return AmendRequest(
                order.order_id, lucky.choice([0.0, 2.0, 30.0]), near[0] if limited else 0.0, 0.0 if limited else near[1]
            )
        kind = lucky.choice(["market", "limit", "stop", "stop_limit", "trailing"])
        side = lucky.choice(["buy", "sell"])
        up = 1 if side == "buy" else -1
        exits = lucky.random() < 0.3
        return OrderRequest(
            side,
            lucky.choice([1.0, 5.0, 20.0]),
            symbol=symbol,
            type=kind,
            limit_px=near[0] if "limit" in kind else 0.0,
            stop_px=near[1] if "stop" in kind else 0.0,
            tif=lucky.choice(["day", "gtc", "ioc", "fok", "opg", "cls"]) if lucky.random() < 0.6 else "day",
            trail=0.1 if kind == "trailing" else 0.0,
            take_profit_px=round(px + up * 0.15, 2) if exits else 0.0,
            stop_loss_px=round(px - up * 0.1, 2) if exits and lucky.random() < 0.7 else 0.0,
            oco="" if exits or lucky.random() < 0.5 else "pair",
        )

'''


def erratic(*hooks: str) -> type[Strategy]:
    """The erratic strategy with these hooks."""
    text = SOURCE
    for hook in hooks:
        text += f"""
    def {hook}(self, ctx, event):
        return self._saw("{hook}", ctx, event)
"""
    return load_strategy(text, "Erratic")
