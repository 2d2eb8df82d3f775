import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.core import Engine
from workbench.journal.log import Journal
from workbench.model import (
    Accepted,
    AddInstrument,
    Amended,
    AmendOrder,
    AmendRefused,
    Bar,
    BarSlice,
    Cancelled,
    CancelOrder,
    CancelRefused,
    CashMoved,
    Dividend,
    Effect,
    Event,
    Expired,
    Filled,
    OpenAccount,
    OutcomeLost,
    PlaceOrder,
    Quote,
    Rejected,
    Sent,
    SetLimits,
    Split,
    Stamped,
    StartSession,
    Submit,
    Trade,
    Unsent,
)

NS = 1_000_000_000
START_NS = 1_608_042_600 * NS  # 2020-12-15 14:30 UTC
SYMBOLS = ("SPY", "QQQ", "IWM")


class Recorder:
    """A real engine and a real journal without a market: what it is told is journaled with what it answered."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal.open(path)
        self.engine = Engine(programs=_no_program, load=_no_class)
        self.ts_ns = START_NS

    def say(self, event: Event, *, commit: bool = True) -> list[Effect]:
        effects = self.engine.handle(event)
        self.journal.append(event)
        for effect in effects:
            self.journal.append(effect)
        if commit:
            self.journal.commit()
        return effects

    def begin(self) -> None:
        """A new session; the first one opens the account and the instruments."""
        epoch = self.journal.epoch
        self.say(StartSession(self.ts_ns, epoch, "desk", "replay", "0.1.0"))
        if not self.engine.ledger.opened:
            self.say(OpenAccount(self.ts_ns, "SIM-1", 10**6 * 10**8))
            for iid, symbol in enumerate(SYMBOLS):
                self.say(AddInstrument(self.ts_ns, iid, symbol, "SIM", "USD", 10**6, 10**8, "XNYS"))
            generous = tuple((name, 10**9) for name in ("orders_per_s", "strategy_orders_per_s"))
            self.say(SetLimits(self.ts_ns, generous, "test"))

    def restart(self) -> None:
        """The process dies and comes back: the same engine state, the next epoch."""
        self.journal.close()
        self.journal = Journal.open(self.path)
        self.begin()

    def bar(self, iid: int, close: float) -> None:
        self.ts_ns += 60 * NS
        self.say(Bar(self.ts_ns, iid, close, close + 0.5, close - 0.5, close, 1000.0))

    def buy(self, iid: int, units: float, px: float, **more: Any) -> int:
        """Place, accept and fill one order; negative units sell. Returns its id."""
        order_id = self.place(iid, units)
        self.say(Accepted(self.ts_ns, order_id, f"V{order_id}"))
        exec_id = more.pop("exec_id", f"X{order_id}")
        self.say(
            Filled(
                self.ts_ns, order_id, exec_id, round(px * 1e8), round(abs(units) * 1e8), more.pop("fee_e8", 0)
            )
        )
        self.say_note(order_id)
        return order_id

    def place(self, iid: int, units: float) -> int:
        self.ts_ns += NS
        side = 1 if units > 0 else -1
        effects = self.say(PlaceOrder(self.ts_ns, iid, side, 0, 0, round(abs(units) * 1e8), why="test"))
        submits = [effect for effect in effects if isinstance(effect, Submit)]
        assert len(submits) == 1, effects
        return submits[0].order_id

    def say_note(self, order_id: int) -> None:
        base = 10**12
        self.journal.append(Stamped(self.ts_ns, order_id, tuple(base + 10_000 * k * k for k in range(9))))
        self.journal.commit()

    def wild_day(self, seed: int, n: int) -> None:
        """Random commands, data and reports, many of them impossible, late, twice or for nobody."""
        rng = random.Random(seed)
        for _ in range(n):
            self.ts_ns += rng.choice((0, 1, NS // 3, NS, 60 * NS))
            self._wild(rng)
        self.journal.commit()

    def _wild(self, rng: random.Random) -> None:
        t, iid = self.ts_ns, rng.randrange(3)
        px = 300.0 + rng.randrange(-2000, 2000) / 100
        known = list(self.engine.orders.by_id)
        order_id = rng.choice(known[-12:]) if known and rng.random() < 0.97 else 10_000
        roll = rng.random()
        if roll < 0.25:
            side, units = rng.choice((1, -1)), rng.randrange(1, 9)
            event: Event = PlaceOrder(t, iid, side, 0, rng.randrange(4), units * 10**8, why="wild")
        elif roll < 0.29 and self.engine.book.last_px[iid]:
            mark, side = round(self.engine.book.last_px[iid]) * 10**8, rng.choice((1, -1))
            exits: dict[str, Any] = {
                "take_profit_px_e8": mark + side * 5 * 10**8,
                "stop_loss_px_e8": mark - side * 5 * 10**8,
            }
            event = PlaceOrder(t, iid, side, 0, 0, rng.randrange(1, 9) * 10**8, why="wild", **exits)
        elif roll < 0.31:
            move, reason = f"M{rng.randrange(40)}", rng.choice(("dividend", "transfer"))
            cash = CashMoved(t, move, rng.randrange(-999, 999), rng.randrange(-1, 3), reason)
            event = rng.choice(
                (cash, Split(t, iid, rng.randrange(4), rng.randrange(1, 4)), Dividend(t, iid, 5))
            )
        elif roll < 0.35:
            event = (
                Bar(t, iid, px, px + 1, px - 1, px, 100.0)
                if rng.random() < 0.9
                else Bar(t, iid, -1, 0, 0, 0, 0)
            )
        elif roll < 0.40:
            ohlcv = np.array([[px, px + 1, px - 1, px + 0.25, 5.0], [px, px + 1, px - 1, px - 0.25, 6.0]])
            event = BarSlice(t, np.array([0, 2], "<i4").tobytes(), ohlcv.tobytes())
        elif roll < 0.45:
            event = rng.choice((Trade(t, iid, px), Quote(t, iid, px, 1.0, px + 0.02, 1.0)))
        elif roll < 0.70:
            exec_id = f"E{rng.randrange(80)}" if rng.random() < 0.3 else f"E{t}-{rng.random()}"
            qty = rng.choice((1, 2, 3, 8)) * 10**8 if rng.random() < 0.98 else 0
            event = Filled(
                t, order_id, exec_id, round(px * 1e8) + rng.randrange(100), qty, rng.randrange(1000)
            )
        else:
            event = rng.choice(
                (
                    Sent(t, order_id),
                    Accepted(t, order_id, f"V{order_id}"),
                    Cancelled(t, order_id, "by request"),
                    Rejected(t, order_id, "R1", "no"),
                    Expired(t, order_id),
                    CancelRefused(t, order_id, "C1", "too late"),
                    OutcomeLost(t, order_id, "timeout"),
                    Unsent(t, order_id, "the venue does not know it"),
                    CancelOrder(t, order_id),
                    Accepted(t, order_id, f"V{order_id}"),
                    AmendOrder(t, order_id, rng.randrange(1, 12) * 10**8),
                    AmendOrder(t, order_id, rng.randrange(1, 12) * 10**8),
                    Amended(t, order_id, rng.randrange(12) * 10**8, 0, 0, rng.choice(("", "V-new"))),
                    AmendRefused(t, order_id, "A1", "too late"),
                )
            )
        self.say(event, commit=rng.random() < 0.4)


def _no_program(_: type) -> Any:
    raise AssertionError("no strategy is placed in these tests")


def _no_class(source: str, name: str) -> type:
    raise ValueError(f"{name} cannot be loaded from {source!r}")


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path / "journal.sqlite")
    made.begin()
    yield made
    made.journal.close()


@pytest.fixture
def make_recorder() -> Iterator[Callable[[Path], Recorder]]:
    made: list[Recorder] = []

    def make(path: Path) -> Recorder:
        made.append(Recorder(path))
        made[-1].begin()
        return made[-1]

    yield make
    for each in made:
        each.journal.close()


def until(condition: Callable[[], object], deadline_s: float = 30.0) -> None:
    """Wait for a condition, never for a time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until
