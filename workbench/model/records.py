"""What the journal may hold: every event, every effect, and notes that no decision reads."""

import msgspec

from workbench.model.commands import Command
from workbench.model.effects import Effect
from workbench.model.market import MarketEvent
from workbench.model.reports import Report

__all__ = ["EFFECT_TAGS", "Event", "Record", "Stamped", "is_effect"]

type Event = MarketEvent | Report | Command


class Stamped(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=90):
    """The finished stamps of one order (monotonic ns, see model/stages.py). A note: no part of replay."""

    ts_ns: int
    order_id: int
    stamps: tuple[int, ...]


type Record = Event | Effect | Stamped

EFFECT_TAGS = frozenset({70, 71, 72, 73, 74})


def is_effect(record: Record) -> bool:
    """Whether a record is an effect (an answer of the engine) and not an input.

    >>> from workbench.model.effects import Cancel
    >>> is_effect(Cancel(0, 1))
    True
    """
    return record.__struct_config__.tag in EFFECT_TAGS
