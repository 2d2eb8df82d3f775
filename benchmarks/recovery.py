"""Recovery: a journal of 100,000 events folded through a fresh engine and its view, every effect compared.

The journal holds one strategy that trades at every bar: a third bars, a third acceptances, a third fills, and the
intents between them. Hashes are checked, the strategy is loaded from its journaled source, its compiled code comes
from the disk cache (as after a crash).
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from order_path import SOURCE, answers, bars  # type: ignore[import-not-found]

from workbench.engine import Engine
from workbench.journal import Journal, recover
from workbench.model import (
    AddInstrument,
    AddStrategy,
    Effect,
    Event,
    Instrument,
    OpenAccount,
    SetLimits,
    StartSession,
    Submit,
    to_e8,
)
from workbench.orchestrator.view import DeskView

BARS = 33_334


def write_journal(path: Path) -> int:
    """A session's worth of records; returns the number of events."""
    engine = Engine()
    with Journal.open(path) as journal:

        def handle(event: Event) -> list[Effect]:
            journal.append(event)
            effects = engine.handle(event)
            for effect in effects:
                journal.append(effect)
            return effects

        wide = (("orders_per_s_strategy", 1e9), ("orders_per_s_account", 1e9))
        handle(StartSession(1, 1, "bench", "bench", ""))
        handle(OpenAccount(1, "BENCH", to_e8(1_000_000_000)))
        handle(AddInstrument.of(1, Instrument(0, "SPY")))
        handle(SetLimits(1, wide, "bench"))
        handle(AddStrategy(1, 1, "Flip", SOURCE, "", (("period", 3),), (0,), "quantity", to_e8(10)))
        for bar in bars(BARS):
            for effect in handle(bar):
                if isinstance(effect, Submit):
                    for report in answers(effect):
                        handle(report)
            journal.commit(None, sync=False)
    return engine.events


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures; about 15 s."""
    path = Path(tempfile.mkdtemp(prefix="recovery-")) / "journal.sqlite"
    say("writing a journal of 100,000 events")
    events = write_journal(path)
    taken = []
    for turn in range(3):
        say(f"recovering, {turn + 1} of 3")
        begun = time.perf_counter()
        engine = Engine()
        found = recover(path, DeskView(engine))
        taken.append(time.perf_counter() - begun)
    raw = time.perf_counter()
    data = path.read_bytes()
    raw = time.perf_counter() - raw
    return {
        "events": events,
        "records": found.last_seq,
        "orders": len(engine.orders.by_id),
        "recovery_s": round(sorted(taken)[1], 3),
        "us_per_event": round(sorted(taken)[1] / events * 1e6, 2),
        "journal_mb": round(len(data) / 1e6, 1),
        "raw_read_s": round(raw, 3),
    }
