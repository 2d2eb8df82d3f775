"""What the whole-day tests are made of: one recorded day, four strategies, and what was decided, read from anywhere.

A decision is one order a strategy wanted; a fill is (decided at, side, quantity, price). Orders of one strategy are
compared in the order they were decided.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal

from workbench.engine import Engine
from workbench.model import from_e8
from workbench.model.orders import SIDE_NAMES, STATE_NAMES
from workbench.model.snapshot import OrderRow
from workbench.research import Decision
from workbench.strategy import Strategy, find_strategy, load_strategy

DAY = "2020-12-16"
QUANTITY = 10.0
IN_FILES = ("RsiReversion", "MovingAverageCross", "BollingerBreakout")

CELL = '''
from workbench.kernels import Sma
from workbench.strategy import Strategy

EDGE = 0.02

class CellTrend(Strategy):
    """Long above the average, short below it; trades often."""

    period: int = 9

    def indicators(self):
        return {"mean": Sma(self.period)}

    def decide(p, x, pos):
        if x.close > x.mean + EDGE:
            return 1.0
        return -1.0 if x.close < x.mean - EDGE else pos
'''

type ByStrategy = dict[str, list[Decision]]


def day_strategies() -> dict[str, type[Strategy]]:
    """Three from files and one that exists only as a cell's text."""
    named: dict[str, type[Strategy]] = {name: find_strategy(name) for name in IN_FILES}
    named["CellTrend"] = load_strategy(CELL, "CellTrend")
    return named


def decided(engine: Engine) -> ByStrategy:
    """What the strategies of an engine wanted, by name."""
    found: ByStrategy = {placed.name: [] for placed in engine.host.strategies.values()}
    for order in engine.orders.by_id.values():
        found[engine.host.strategies[order.strategy_id].name].append(
            Decision(
                order.ts_ns,
                engine.book.symbol(order.iid),
                SIDE_NAMES[order.side],
                from_e8(order.qty_e8),
                STATE_NAMES[order.state],
                order.notional_e8 / order.filled_e8 if order.filled_e8 else 0.0,
            )
        )
    return found


def decided_rows(rows: Iterable[OrderRow]) -> ByStrategy:
    """The same from the rows of the API."""
    found: ByStrategy = {}
    for row in sorted(rows, key=lambda row: row.order_id):
        found.setdefault(row.strategy, []).append(
            Decision(row.ts_ns, row.symbol, row.side, row.quantity, row.state, row.average_px)
        )
    return found


def until[T](ask: Callable[[], T | Literal[False]], what: str, timeout_s: float = 60.0) -> T:
    """Ask until the answer is true, and give that answer."""
    deadline_s = monotonic() + timeout_s
    while (answer := ask()) is False or not answer:
        assert monotonic() < deadline_s, f"{what}: not within {timeout_s:g} s"
        sleep(0.02)
    return answer


def truths(checked: dict[str, Any]) -> dict[str, Any]:
    """Of a desk's check: everything that must hold."""
    names = (
        "replay_hash_equal",
        "positions_equal_sum_of_fills",
        "positions_equal_broker",
        "cash_conserved",
        "open_orders_equal_broker",
    )
    return {name: checked[name] for name in names}


def one_line(text: str) -> str:
    """The text, which must be a single line."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, f"not one line: {text!r}"
    return lines[0]


def journal_of(home: Path, name: str) -> Path:
    return home / name / "journal.sqlite"
