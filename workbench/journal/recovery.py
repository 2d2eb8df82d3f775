"""After a stop or a crash: fold the journal's events through a fresh engine, checking it against what was
recorded.

The fold restores what was known. What happened at the broker meanwhile is not in the journal:
`Recovered.unsent` lists the orders that were journaled and never noted as sent; only the broker can say
whether it got them.
"""

import time
from pathlib import Path
from typing import Final

import msgspec

from workbench.errors import JournalError
from workbench.journal import failpoints
from workbench.journal.reader import Tail, read_inputs
from workbench.journal.replay import Folding, same_effects
from workbench.model import (
    Accepted,
    Bar,
    BarSlice,
    Cancelled,
    Dividend,
    Expired,
    Filled,
    OutcomeLost,
    Quote,
    Rejected,
    Sent,
    Split,
    StartSession,
    Submit,
    Trade,
    Unsent,
)

__all__ = ["Recovered", "recover"]

_ANSWERS: Final = frozenset({Sent, Accepted, Filled, Cancelled, Rejected, Expired, OutcomeLost, Unsent})
_MARKET: Final = frozenset({Bar, BarSlice, Quote, Trade, Split, Dividend})
_folded = failpoints.point("recover.fold")
_done = failpoints.point("recover.done")


class Recovered(msgspec.Struct, frozen=True):
    """What a recovery found. `unsent` are order ids, oldest first; `epoch` is the last one a session began
    with (0 when none did). `market_ns` is the time of the last market event (0 when there was none) and
    `market_there` how many events of that very time there were: reports are stamped later than the event that
    caused them, so the engine's own time does not tell where the market stood."""

    last_seq: int
    epoch: int
    events: int
    seconds: float
    unsent: tuple[int, ...]
    market_ns: int = 0
    market_there: int = 0


def recover(path: Path, engine: Folding) -> Recovered:
    """Bring a fresh `engine` to where the journal at `path` ends; checks every hash and every effect on the
    way.

    Writes nothing, so it may be cut short and begun again.

    Raises:
        JournalError, JournalVersion, JournalDamaged: the journal cannot be read or trusted, or the engine
        answers
            another effect than the recorded one (it names the event's seq).
    """
    begun = time.perf_counter()
    handle = engine.handle
    events = epoch = market_ns = market_there = 0
    written_by = ""
    unsent: dict[int, None] = {}
    with Tail(path) as tail:
        for seq, event, recorded in read_inputs(tail.frames()):
            _folded()
            events += 1
            kind = type(event)
            if kind in _MARKET:
                market_there = market_there + 1 if event.ts_ns == market_ns else 1
                market_ns = event.ts_ns
            elif isinstance(event, StartSession):
                epoch, written_by = event.epoch, event.code_version
            elif kind in _ANSWERS:
                unsent.pop(event.order_id, None)  # type: ignore[union-attr]  # _ANSWERS all name an order
            replayed = handle(event)
            if (recorded or replayed) and recorded != replayed and not same_effects(recorded, replayed):
                text = f"journal '{path}', event seq {seq}: this engine answers {list(replayed)!r:.300}"
                advice = (
                    f"run the version that wrote it ({written_by or 'unknown'}), or compare with a replay"
                )
                raise JournalError(f"{text} where {recorded!r:.300} is recorded; {advice}")
            for effect in recorded:
                if isinstance(effect, Submit):
                    unsent[effect.order_id] = None
        last_seq = tail.next_seq - 1
    _done()
    seconds = time.perf_counter() - begun
    return Recovered(last_seq, epoch, events, seconds, tuple(unsent), market_ns, market_there)
