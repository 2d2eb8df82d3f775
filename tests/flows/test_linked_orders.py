"""One recorded day of brackets, groups, trailing orders and amendments: on paper the same orders, fills and ends as in
the backtest, the books equal to the venue's, and the journal replays in a process of its own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.flows.days import DAY, truths
from workbench.config import load_settings
from workbench.engine import Engine, Sizing
from workbench.model.orders import STATE_NAMES, TYPE_NAMES
from workbench.orchestrator import Desk
from workbench.research import backtest
from workbench.strategy import load_strategy

pytestmark = pytest.mark.flow

BRAID = '''
from workbench.strategy import AmendRequest, CancelRequest, OrderRequest, Signal, Strategy


class Braid(Strategy):
    """Every way to trade there is, one after another, decided on closes alone."""

    width: float = 0.3

    def on_bar(self, ctx, bar):
        self.seen = n = getattr(self, "seen", 0) + 1
        up, down = round(bar.close + self.width, 2), round(bar.close - self.width, 2)
        if n % 60 == 0:
            return [CancelRequest(all=ctx.symbol), Signal(0.0)] if ctx.orders else Signal(0.0)
        if n % 60 == 1 and not ctx.orders:
            return OrderRequest("buy", 10, take_profit_px=up, stop_loss_px=down)
        if n % 60 == 20 and not ctx.orders:
            return OrderRequest("sell", 6, type="limit", limit_px=up, take_profit_px=down, stop_loss_px=up + 1)
        if n % 60 == 30 and ctx.flat and not ctx.orders:
            return [
                OrderRequest("buy", 5, type="stop", stop_px=up, oco="way"),
                OrderRequest("sell", 5, type="stop", stop_px=down, oco="way"),
            ]
        if n % 60 == 40 and ctx.position:
            side = "sell" if ctx.position > 0 else "buy"
            return OrderRequest(side, abs(ctx.position), type="trailing", trail_percent=0.05)
        if n % 7 == 0:
            return [
                AmendRequest(o.order_id, quantity=o.quantity + 1, limit_px=o.limit_px)
                for o in ctx.orders
                if o.type == "limit" and o.state == "working" and o.quantity < 12
            ]
'''

SIZES = [("quantity", {}, 10.0), ("volatility", {"settle": 10}, 5.0), ("risk", {"atr": 10, "stop": 4}, 0.05)]


def rows(engine: Engine) -> list[tuple[Any, ...]]:
    """Every order: when, what, how it ended, at which price."""
    return [
        (
            o.ts_ns,
            o.strategy_id,
            o.side,
            TYPE_NAMES[o.kind],
            o.qty_e8 / 1e8,
            o.limit_px_e8 / 1e8,
            STATE_NAMES[o.state],
            o.filled_e8 / 1e8,
            o.notional_e8 / o.filled_e8 if o.filled_e8 else 0.0,
        )
        for o in engine.orders
    ]


async def on_paper(home: Path, place: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    market = {"data": "SPY", "start": DAY, "end": DAY, "speed": 0.0}
    desk = Desk(load_settings(name="linked", market=market), home, play=False)
    await desk.start()
    try:
        for what in place:
            await desk.add_strategy(**what)
        desk.market_control("play")
        async with asyncio.timeout(100):
            while desk.market.state != "finished":  # noqa: ASYNC110 - a player tells nobody when it ends
                await asyncio.sleep(0.01)
        checked = {**await desk.reconcile(), "replay_hash_equal": (await desk.replay_check())["equal"]}
        assert all(truths(checked).values()), checked
        return rows(desk.engine)
    finally:
        await desk.stop()


def by_backtest(result: Any) -> list[tuple[Any, ...]]:
    return [
        (
            int(o["ts_ns"]),
            int(o["strategy_id"]),
            int(o["side"]),
            TYPE_NAMES[o["kind"]],
            float(o["qty"]),
            float(o["limit_px"]),
            STATE_NAMES[o["state"]],
            float(o["filled"]),
            float(o["average_px"]),
        )
        for o in result.run.orders
    ]


def test_linked_orders_are_the_same_on_paper_as_in_the_backtest(home: Path) -> None:
    what = {"name": "Braid", "source": BRAID, "parameters": {}, "symbols": ["SPY"], "quantity": 10}
    paper = asyncio.run(on_paper(home, [what]))
    result = backtest(load_strategy(BRAID, "Braid"), "SPY", start=DAY, end=DAY, quantity=10)
    assert paper == by_backtest(result)
    assert {kind for _, _, _, kind, *_ in paper} == {"market", "limit", "stop", "trailing"}
    assert {"filled", "cancelled"} <= {row[6] for row in paper}
    assert len({row[4] for row in paper if row[3] == "limit"}) > 2  # some were amended


@pytest.mark.parametrize(("sizing", "parameters", "quantity"), SIZES)
def test_sizes_are_the_same_on_paper_as_in_the_backtest(
    home: Path, tmp_path: Path, sizing: str, parameters: dict[str, float], quantity: float
) -> None:
    from workbench.strategy import find_strategy, strategy_source

    cls = find_strategy("RsiReversion")
    what = {
        "name": "RsiReversion",
        "source": strategy_source(cls).source,
        "parameters": {"period": 7},
        "symbols": ["SPY"],
        "quantity": quantity,
        "sizing": sizing,
        "sizing_parameters": parameters,
    }
    paper = asyncio.run(on_paper(tmp_path, [what]))
    chosen = Sizing(sizing, **parameters)
    result = backtest(cls(period=7), "SPY", start=DAY, end=DAY, quantity=quantity, sizing=chosen)
    assert paper == by_backtest(result)
    assert len(paper) > 3
