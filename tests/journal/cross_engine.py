"""A small deterministic engine, and the driver's way of feeding a journal with it."""

from workbench.journal import Journal
from workbench.model import Bar, Effect, Event, Filled, Refusal, SetLimits, StartSession, Submit
from workbench.model.orders import BUY


class CrossEngine:
    """Buys on every `every`-th bar, refuses once it is told a limit of 0: enough state to go wrong."""

    def __init__(self, every: int = 3, why: str = "up") -> None:
        self.every, self.why = every, why
        self.bars = self.orders = self.held_e8 = self.epoch = 0
        self.open = True

    def handle(self, event: Event) -> list[Effect]:
        if isinstance(event, StartSession):
            self.epoch = event.epoch
        elif isinstance(event, SetLimits):
            self.open = event.limits[0][1] > 0
        elif isinstance(event, Filled):
            self.held_e8 += event.qty_e8
        elif isinstance(event, Bar):
            self.bars += 1
            if self.bars % self.every == 0:
                if not self.open:
                    return [Refusal(event.ts_ns, 1, event.iid, BUY, 5, "SIZE", "limit 0", (("size", 5),))]
                self.orders += 1
                return [
                    Submit(event.ts_ns, self.orders, self.epoch, 1, event.iid, BUY, 0, 0, 5, 0, 0, self.why)
                ]
        return []


def bar(i: int) -> Bar:
    return Bar(1_000_000_000 * i, 0, 100.0 + i, 101.0 + i, 99.0 + i, 100.5 + i, 10.0)


def feed(journal: Journal, engine: CrossEngine, events: list[Event]) -> None:
    """As the driver does it: event, its effects, commit."""
    for event in events:
        journal.append(event)
        for effect in engine.handle(event):
            journal.append(effect)
        journal.commit()
