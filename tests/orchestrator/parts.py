"""What the orchestrator's tests are made of: a strategy that always trades, a journal held by hand, a wire."""

from collections.abc import Callable

from workbench.engine import Engine
from workbench.model import (
    AddInstrument,
    AddStrategy,
    Amend,
    Cancel,
    Instrument,
    OpenAccount,
    Record,
    StartSession,
    Submit,
    to_e8,
)
from workbench.strategy import Strategy

FLIP = '''
from workbench import Strategy

class Flip(Strategy):
    """Changes its mind at every bar."""

    def indicators(self):
        return {}

    def decide(p, x, pos):
        return -1.0 if pos > 0.0 else 1.0
'''


class Flip(Strategy):
    """Changes its mind at every bar."""

    def indicators(self):  # type: ignore[no-untyped-def]
        return {}

    def decide(p, x, pos):  # type: ignore[no-untyped-def]
        return -1.0 if pos > 0.0 else 1.0


def engine_with_flip() -> Engine:
    """An engine with SPY, a million, and one `Flip` of ten units."""
    import time

    engine = Engine(load=lambda source, name: Flip, stamp=time.monotonic_ns)
    for command in (
        StartSession(1, 1, "test", "test", ""),
        OpenAccount(1, "TEST", to_e8(1_000_000)),
        AddInstrument.of(1, Instrument(0, "SPY")),
        AddStrategy(1, 1, "Flip", FLIP, "hash", (), (0,), "quantity", to_e8(10)),
    ):
        assert engine.handle(command) == []
    return engine


class HeldLog:
    """A journal whose syncs happen when the test says so."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.commits: list[bool] = []
        self._waiting: list[tuple[int, Callable[[int], None]]] = []

    @property
    def last_seq(self) -> int:
        return len(self.records)

    def append(self, record: Record) -> int:
        self.records.append(record)
        return self.last_seq

    def commit(self, on_synced: Callable[[int], None] | None, sync: bool = True) -> None:
        self.commits.append(sync)
        if on_synced is not None:
            self._waiting.append((self.last_seq, on_synced))

    def sync(self) -> None:
        """Everything handed over so far is durable now."""
        waiting, self._waiting = self._waiting, []
        for seq, on_synced in waiting:
            on_synced(seq)


class Wire:
    """A broker that notes what it is told."""

    name = "wire"

    def __init__(self) -> None:
        self.submitted: list[Submit] = []
        self.cancelled: list[Cancel] = []
        self.amended: list[Amend] = []

    def submit(self, order: Submit) -> None:
        self.submitted.append(order)

    def cancel(self, order: Cancel) -> None:
        self.cancelled.append(order)

    def amend(self, order: Amend) -> None:
        self.amended.append(order)
