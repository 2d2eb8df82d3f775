"""Fake programs (the strategy room has its own tests), and a desk in one object: engine, venue, and what was said."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from workbench.engine import Engine, Latency, Match
from workbench.model import (
    AddInstrument,
    AddStrategy,
    Bar,
    Cancel,
    Effect,
    Event,
    OpenAccount,
    Order,
    PlaceOrder,
    Refusal,
    StartSession,
    StrategyHalted,
    Submit,
    to_e8,
)

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
T0 = 1_608_042_600 * SECOND  # 2020-12-15 14:30 UTC


class Scripted:
    """A strategy that says its close price's last digits: `close % 10 - 5`, in steps set by `gain`."""

    def __init__(self, gain: float = 1.0, mode: str = "follow") -> None:
        if mode not in ("follow", "raise", "nan", "flip"):
            from workbench.errors import UnknownName

            raise UnknownName("mode", mode, ["follow", "raise", "nan", "flip"])
        self.gain = gain
        self.mode = mode
        self.parameters = {"gain": gain, "mode": mode}


class FakeProgram:
    """As the host sees a program; `decide` is plain Python. Rows keep a count of bars as their state."""

    form = "interpreted"
    why_interpreted = "a fake"

    def __init__(self) -> None:
        self.name = "Scripted"
        self.strategies: list[Any] = []
        self.bars: list[int] = []
        self.said: dict[int, str] = {}

    def add(self, strategy: Any) -> int:
        self.strategies.append(strategy)
        self.bars.append(0)
        return len(self.bars) - 1

    def restart(self, row: int, strategy: Any) -> None:
        self.strategies[row] = strategy
        self.bars[row] = 0

    def release(self, row: int) -> None:
        self.said.pop(row, None)

    def warm(self, row: int) -> bool:
        return self.bars[row] > 1

    def _decide(self, row: int, close: float, pos: float) -> float:
        self.bars[row] += 1
        strategy = self.strategies[row]
        if strategy.mode == "raise":
            raise ZeroDivisionError("division by zero in decide")
        if strategy.mode == "nan":
            return float("nan")
        if not self.warm(row):
            return pos
        if strategy.mode == "flip":
            return 1.0 if pos <= 0 else -1.0
        return max(-1.0, min(1.0, (close % 10 - 5) / 5 * float(strategy.gain)))

    def step(self, row: int, bar: Bar, pos: float) -> float:
        return self._decide(row, bar.close, pos)

    def step_many(self, rows: Any, bar_of_row: Any, ohlcv: Any, pos: Any, ts_ns: int) -> Any:
        out = np.zeros(len(rows))
        for k, row in enumerate(rows.tolist()):
            try:
                out[k] = self._decide(row, ohlcv[bar_of_row[k], 3], pos[k])
            except ZeroDivisionError as error:
                out[k] = np.nan
                self.said[row] = f"decide raised {error}"
        return out

    def complaint(self, row: int) -> str:
        return self.said.get(row, "decide answered nan")


def load_fake(source: str, name: str) -> type:
    if "broken" in source:
        raise SyntaxError("invalid syntax (cell, line 1)")
    return type(name, (Scripted,), {"source": source})


def fake_engine(stamp: Callable[[], int] = lambda: 0) -> Engine:
    return Engine(programs=lambda cls: FakeProgram(), load=load_fake, stamp=stamp)


class Bench:
    """An engine and a venue in one process, with every event and effect kept."""

    def __init__(self, symbols: Iterable[str] = ("SPY",), cash: float = 1_000_000.0) -> None:
        self.engine = fake_engine()
        self.venue = Match(cash_e8=to_e8(cash), latency=Latency(400.0, 900.0, 0.0))
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.ts_ns = T0
        self.do(StartSession(T0, 1, "test", "paper", "0"))
        self.do(OpenAccount(T0, "SIM-1", to_e8(cash)))
        for iid, symbol in enumerate(symbols):
            self.do(AddInstrument(T0, iid, symbol, "SIM", "USD", 1_000_000, 100_000_000, "XNYS"))

    def do(self, event: Event) -> list[Effect]:
        """One event into the engine alone."""
        self.events.append(event)
        effects = self.engine.handle(event)
        self.effects += effects
        return effects

    def bar(self, close: float, iid: int = 0, wide: float = 0.5) -> list[Effect]:
        """The next minute's bar: venue first, then the engine; the venue's answers go in, too."""
        self.ts_ns += MINUTE
        bar = Bar(self.ts_ns, iid, close, close + wide, close - wide, close, 1_000.0)
        for report in self.venue.on_market(bar):
            self.perform(self.do(report))
        return self.perform(self.do(bar))

    def perform(self, effects: list[Effect]) -> list[Effect]:
        """Hand effects to the venue and its answers to the engine."""
        for effect in effects:
            if isinstance(effect, Submit):
                for report in self.venue.submit(effect):
                    self.perform(self.do(report))
            elif isinstance(effect, Cancel):
                for report in self.venue.cancel(effect):
                    self.perform(self.do(report))
        return effects

    def place(
        self, strategy_id: int = 1, quantity: float = 10.0, iids: tuple[int, ...] = (0,), **how: Any
    ) -> list[Effect]:
        sizing = how.pop("sizing", "quantity")
        source = how.pop("source", "class Scripted: ...")
        return self.do(
            AddStrategy(
                self.ts_ns,
                strategy_id,
                "Scripted",
                source,
                "c0de",
                tuple(how.items()),
                iids,
                sizing,
                to_e8(quantity),
            )
        )

    def buy(self, quantity: float = 10.0, **more: Any) -> list[Effect]:
        return self.do(
            PlaceOrder(self.ts_ns, more.pop("iid", 0), 1, more.pop("kind", 0), 0, to_e8(quantity), **more)
        )

    def sell(self, quantity: float = 10.0, **more: Any) -> list[Effect]:
        return self.do(
            PlaceOrder(self.ts_ns, more.pop("iid", 0), -1, more.pop("kind", 0), 0, to_e8(quantity), **more)
        )

    @property
    def last_order(self) -> Order:
        return self.engine.orders.by_id[self.engine.orders.next_id - 1]

    def held(self, strategy_id: int = 1, iid: int = 0) -> float:
        return self.engine.ledger.held_e8(strategy_id, iid) / 1e8

    def refusals(self, code: str = "") -> list[Refusal]:
        return [e for e in self.effects if isinstance(e, Refusal) and code in ("", e.code)]

    def halts(self) -> list[StrategyHalted]:
        return [e for e in self.effects if isinstance(e, StrategyHalted)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def desk(bench: Bench) -> Bench:
    """A desk that has seen a price of 100."""
    bench.bar(100.0)
    return bench
