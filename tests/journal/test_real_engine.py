"""The engine itself under recovery and replay: manual orders, fills, refusals, a kill, over two sessions."""

from pathlib import Path
from typing import Any

from workbench.engine import Engine
from workbench.journal import Journal, recover, replay
from workbench.model import (
    SCALE,
    Accepted,
    AddInstrument,
    Arm,
    Cancelled,
    CancelOrder,
    Event,
    Filled,
    Kill,
    OpenAccount,
    PlaceOrder,
    Quote,
    Sent,
    StartSession,
    Submit,
)
from workbench.model.orders import BUY, DAY, LIMIT, MARKET, SELL

SECOND = 1_000_000_000
OPEN = 1_608_042_600 * SECOND  # 2020-12-15 14:30 UTC


def _no_strategies(*_args: Any) -> Any:
    raise AssertionError("this session places no strategy")


def engine() -> Engine:
    return Engine(programs=_no_strategies, load=_no_strategies)


class _Session:
    """What a driver does with one event, and a venue that fills every market order at once."""

    def __init__(self, journal: Journal, engine: Engine) -> None:
        self.journal, self.engine, self.fills = journal, engine, 0

    def say(self, event: Event) -> None:
        self.journal.append(event)
        effects = self.engine.handle(event)
        for effect in effects:
            self.journal.append(effect)
        self.journal.commit()
        for effect in effects:
            if isinstance(effect, Submit) and effect.kind == MARKET:
                ts_ns, order_id = effect.ts_ns, effect.order_id
                self.say(Sent(ts_ns, order_id))
                self.say(Accepted(ts_ns, order_id, f"V{order_id}"))
                self.fills += 1
                self.say(Filled(ts_ns, order_id, f"x{order_id}", 370 * SCALE, effect.qty_e8))


def test_the_real_engine_comes_back_as_it_was(path: Path) -> None:
    live = engine()
    with Journal.open(path) as journal:
        session = _Session(journal, live)
        session.say(StartSession(OPEN, journal.epoch, "test", "paper", "1"))
        session.say(OpenAccount(OPEN, "SIM-1", 1_000_000 * SCALE))
        session.say(AddInstrument(OPEN, 0, "SPY", "SIM", "USD", SCALE // 100, SCALE, "XNYS"))
        for i in range(1, 40):
            now = OPEN + i * 60 * SECOND
            session.say(Quote(now, 0, 369.99, 100, 370.01, 100))
            side, kind = (BUY, MARKET) if i % 3 else (SELL, LIMIT)
            limit = 372 * SCALE if kind == LIMIT else 0
            session.say(PlaceOrder(now + 1, 0, side, kind, DAY, (1 + i % 5) * SCALE, limit))
        session.say(PlaceOrder(now + 2, 0, BUY, MARKET, DAY, 10**9 * SCALE))  # far too big: a refusal
        waiting = next(iter(live.orders.active))
        session.say(CancelOrder(now + 3, waiting))
        session.say(Cancelled(now + 4, waiting))
        session.say(Kill(now + 5, "the day is over", "me"))
    assert session.fills > 10

    again = engine()
    found = recover(path, again)
    assert again.digest() == live.digest()
    assert found.epoch == 1
    assert found.events == live.events
    limits = {order.order_id for order in live.orders.by_id.values() if order.kind == LIMIT}
    assert set(found.unsent) == limits - {waiting}  # the venue never heard of those
    assert again.risk.killed

    with Journal.open(path) as journal:
        session = _Session(journal, again)
        session.say(StartSession(now + 10, journal.epoch, "test", "paper", "1"))
        session.say(Arm(now + 11, "me"))
        session.say(Quote(now + 12, 0, 369.99, 100, 370.01, 100))
        session.say(PlaceOrder(now + 13, 0, BUY, MARKET, DAY, SCALE))
    third = engine()
    assert recover(path, third).epoch == 2
    assert third.digest() == again.digest() != live.digest()
    report = replay(path, engine)
    assert report.equal, report.first_difference
    assert report.effects > 40
