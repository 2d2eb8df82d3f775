"""The demo without a browser: places strategies, executes the quickstart against the running engine, and judges."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workbench.cli.output import say
from workbench.config import home_folder
from workbench.errors import WorkbenchError
from workbench.orchestrator.supervisor import Supervisor

if TYPE_CHECKING:
    from workbench.api import Session
    from workbench.model.snapshot import Snapshot

__all__ = ["Headless"]

STAGES: Final = ("decide", "risk", "journal", "wire", "fill", "book")
CATCH_UP_S: Final = 30.0


class Headless:
    """Call it with the supervisor once everything is up; then ask `verdict`, `summary` and `holds`."""

    def __init__(self, name: str, root: Path, speed: float, strategies: int) -> None:
        self.name, self.root, self.speed, self.strategies = name, root, speed, strategies
        self.errors: list[str] = []
        self.found: dict[str, Any] = {}

    async def __call__(self, supervisor: Supervisor) -> None:
        """Run the demo's main job."""
        engine = next(child for child in supervisor.children if child.name == "engine")
        self.found["engine_ready_s"] = round(engine.ready_s, 3)
        say(f"placing {self.strategies} strategies")
        await asyncio.to_thread(self._place)
        await asyncio.to_thread(self._quickstart)
        await asyncio.to_thread(self._gather)

    def verdict(self) -> dict[str, Any]:
        """The one JSON document."""
        return {**self.found, "errors": self.errors}

    truths: tuple[str, ...] = (
        "positions_equal_sum_of_fills",
        "positions_equal_broker",
        "cash_conserved",
        "replay_hash_equal",
    )

    def holds(self) -> bool:
        """Whether everything a demo promises came true."""
        counts = ("orders", "fills", "bars")
        return (
            not self.errors
            and all(self.found.get(name) is True for name in self.truths)
            and all(self.found.get(name, 0) > 0 for name in counts)
            and self.found.get("strategies", 0) >= self.strategies
        )

    def summary(self) -> list[str]:
        """A few lines for people."""
        f = self.found
        if "orders" not in f:
            return [f"  error: {text}" for text in self.errors]
        lines = [
            f"{f['strategies']} strategies over {f['bars']:,} bars: {f['orders']:,} orders, {f['fills']:,} fills",
            f"engine ready {f['engine_ready_s']:.2f} s after its start",
            f"positions equal fills: {f['positions_equal_sum_of_fills']}, equal broker: {f['positions_equal_broker']}",
            f"cash conserved: {f['cash_conserved']}, replay in a fresh process equal: {f['replay_hash_equal']}",
            "latency in us       p50        p99          n",
        ]
        for stage, row in f["latency_us"].items():
            lines.append(f"  {stage:<10} {row['p50']:>11,.1f} {row['p99']:>10,.1f} {row['n']:>10,}")
        lines += [f"  over budget: {text}" for text in f["alerts"]]
        return lines + [f"  error: {text}" for text in self.errors]

    def _place(self) -> None:
        from workbench.api import attach
        from workbench.strategy import find_strategy

        rsi = find_strategy("RsiReversion")
        cross = find_strategy("MovingAverageCross")
        bands = find_strategy("BollingerBreakout")
        with attach(self.name) as desk:
            for n in range(self.strategies):
                kind = n % 3
                if kind == 0:
                    chosen = rsi(period=5 + n // 3 % 30, low=25.0 + n % 10, high=65.0 + n % 10)
                elif kind == 1:
                    chosen = cross(fast=3 + n // 3 % 20, slow=30 + n // 3 % 40)
                else:
                    chosen = bands(period=10 + n // 3 % 40, width=1.5 + n // 3 % 6 / 4)
                desk.run(chosen, symbols=["SPY"], quantity=1 + n % 20)

    def _quickstart(self) -> None:
        from workbench.research.notebooks import NotebookFailed, execute

        source = self.root / "notebooks" / "quickstart.ipynb"
        target = home_folder() / self.name / "quickstart-executed.ipynb"
        say(f"executing {source.name} (the executed copy: {target})")
        try:
            execute(source, target, {"name": self.name, "speed": self.speed, "whole_market": True})
        except NotebookFailed as error:
            self.errors.append(str(error))

    def _gather(self) -> None:
        from workbench.api import attach

        try:
            with attach(self.name) as desk:
                shot = desk.snapshot()
                checked = desk.check()
                self._wait_for_warehouse(desk, shot.seq)
                counted = desk.query(
                    "select (select count(*) from bars) as bars, (select count(*) from fills) as fills"
                )
                row = counted.json()[0]
                orders = sum(strategy.orders for strategy in shot.strategies)
        except WorkbenchError as error:
            self.errors.append(str(error))
            return
        self.found = {
            "orders": orders,
            "fills": row["fills"],
            "strategies": sum(s.state != "removed" for s in shot.strategies),
            "bars": row["bars"],
            **self.found,
            "positions_equal_sum_of_fills": checked["positions_equal_sum_of_fills"],
            "positions_equal_broker": checked["positions_equal_broker"],
            "cash_conserved": checked["cash_conserved"],
            "replay_hash_equal": checked["replay_hash_equal"],
            "latency_us": {
                row.stage: {"p50": round(row.p50_us, 2), "p99": round(row.p99_us, 2), "n": row.n}
                for row in shot.latency
                if row.stage in STAGES
            },
        }
        # a slow disk breaks a budget, not the demo: it is told, and it is no error
        self.found["alerts"] = sorted({f"{a.code}: {a.text}" for a in shot.alerts if a.code == "BUDGET"})
        serious = [a for a in shot.alerts if a.severity == "critical" and a.code not in ("BUDGET", "KILLED")]
        self.errors += [f"alert {a.code}: {a.text}" for a in serious]
        self.errors += [
            f"strategy {s.strategy_id} {s.name} is paused: {s.reason}"
            for s in shot.strategies
            if s.state == "paused"
        ]
        self._judge_end(shot)

    def _judge_end(self, shot: "Snapshot") -> None:
        """Whether the market came to its end."""
        if shot.session.market != "finished":
            self.errors.append(f"the market is {shot.session.market} at {shot.session.progress:.0%}")

    def _wait_for_warehouse(self, desk: "Session", seq: int) -> None:
        deadline = time.monotonic() + CATCH_UP_S
        while (applied := desk.query("select 1").applied_seq) < seq:
            if time.monotonic() > deadline:
                self.errors.append(f"the warehouse is at record {applied} of {seq} after {CATCH_UP_S:g} s")
                return
            time.sleep(0.05)
