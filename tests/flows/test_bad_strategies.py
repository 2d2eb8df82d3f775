"""Strategies that raise, answer NaN, or send without end: halted alone, by name, and the others go on."""

import asyncio
from pathlib import Path

import pytest

from tests.flows.days import DAY, QUANTITY, decided, one_line
from workbench.config import load_settings
from workbench.engine import Engine
from workbench.journal import replay
from workbench.model.snapshot import StrategyRow
from workbench.orchestrator import Desk
from workbench.research import backtest
from workbench.strategy import find_strategy, strategy_source

pytestmark = pytest.mark.flow

BAD: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # the class: its source, the code of the halt, what the reason must say
    "Raises": (
        """
from workbench.strategy import Signal, Strategy

class Raises(Strategy):
    seen: int = 0
    def on_bar(self, ctx, bar):
        if bar.close < 0 or ctx.position > 0:
            raise ValueError("the model file is missing")
        return Signal(1.0)
""",
        "ERROR",
        ("ValueError", "the model file is missing", "line 8"),
    ),
    "SaysNan": (
        """
from workbench.kernels import Sma
from workbench.strategy import Strategy

class SaysNan(Strategy):
    def indicators(self):
        return {"mean": Sma(5)}
    def decide(p, x, pos):
        return x.mean * float("nan") if x.close > x.mean else 0.0
""",
        "NAN",
        ("SaysNan",),
    ),
    "Floods": (
        """
from workbench.strategy import OrderRequest, Strategy

class Floods(Strategy):
    def on_bar(self, ctx, bar):
        return [OrderRequest("buy", 1.0 + n % 7) for n in range(10_000)]
""",
        "RATE",
        ("refusals by throttles",),
    ),
}

FLIPS = """
from workbench.strategy import Signal, Strategy

class Flips(Strategy):
    def on_trade(self, ctx, trade):
        self.side = -getattr(self, "side", -1)
        return Signal(float(self.side))
"""

PATIENT = """
from workbench.strategy import OrderRequest, Strategy

class Patient(Strategy):
    def on_trade(self, ctx, trade):
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == 100:
            return OrderRequest("buy", 5)
        if self.seen == 2_900:
            return OrderRequest("sell", 5)
"""


async def _played(
    home: Path, name: str, data: str, sources: dict[str, str], **span: str
) -> tuple[Desk, list[StrategyRow]]:
    """Play a whole recording with these strategies; the stopped desk, and their rows before the stop."""
    desk = Desk(load_settings(name=name, market={"data": data, "speed": 0, **span}), home, play=False)
    await desk.start()
    try:
        for cls, source in sources.items():
            await desk.add_strategy(cls, source, {}, ["SPY"], QUANTITY)
        desk.market_control("play")
        async with asyncio.timeout(100):
            while desk.market.state != "finished":  # noqa: ASYNC110 - a player tells nobody when it ends
                await asyncio.sleep(0.01)
        rows = desk.view.strategies()
        truth = await desk.reconcile()
        assert truth["differences"] == []
        assert truth["positions_equal_sum_of_fills"]
    finally:
        await desk.stop()
    return desk, rows


def test_bad_strategies_are_halted_alone(home: Path) -> None:
    rsi = find_strategy("RsiReversion")
    sources = {name: source for name, (source, _, _) in BAD.items()}
    sources["RsiReversion"] = strategy_source(rsi).source
    desk, rows = asyncio.run(_played(home, "halted", "SPY", sources, start=DAY, end=DAY))
    by_name = {row.name: row for row in rows}
    for name, (_, code, said) in BAD.items():
        row = by_name[name]
        assert row.state == "paused", row
        assert row.reason.startswith(f"{code}: ")
        assert all(word in one_line(row.reason) for word in said), row.reason
    assert by_name["Floods"].orders <= 200  # of the 10,000 it asked for
    assert by_name["Raises"].orders == 1
    good = by_name["RsiReversion"]
    assert good.state == "running"
    assert good.decisions == 391
    result = backtest(rsi, "SPY", start=DAY, end=DAY, quantity=QUANTITY)
    mine = [(d.ts_ns, d.side, d.quantity, d.average_px) for d in decided(desk.engine)["RsiReversion"]]
    assert mine == [(d.ts_ns, d.side, d.quantity, d.average_px) for d in result.decisions]
    assert len(mine) >= 4
    halted = [alert.text for alert in desk.alerts.rows if alert.code == "HALTED"]
    assert len(halted) == 3
    assert all(any(said[0] in text for text in halted) for _, _, said in BAD.values()), halted
    report = replay(desk.journal.path, Engine)
    assert report.equal, report.first_difference


def test_ten_thousand_orders_on_ticks_are_stopped_and_the_other_goes_on(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "spy.csv"
    lines = [
        f"2020-12-16T15:00:{n // 1000:02d}.{n % 1000:03d}Z,SPY,{370 + n % 2 * 0.01:.2f},0\n"
        for n in range(3_000)
    ]
    path.write_text("ts,symbol,price,size\n" + "".join(lines))
    desk, rows = asyncio.run(_played(home, "ticks", str(path), {"Flips": FLIPS, "Patient": PATIENT}))
    flips, patient = rows
    assert (flips.state, patient.state) == ("paused", "running")
    assert one_line(flips.reason).startswith("RATE: ")
    assert "refusals by throttles" in flips.reason
    assert 0 < flips.orders <= 200
    orders = decided(desk.engine)["Patient"]
    assert [(d.side, d.quantity, d.state) for d in orders] == [
        ("buy", 5.0, "filled"),
        ("sell", 5.0, "filled"),
    ]
    assert replay(desk.journal.path, Engine).equal
