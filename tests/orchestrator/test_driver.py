"""The driver: order of things, nothing sent before it is durable, kill before everything."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.orchestrator.parts import Flip, HeldLog, Wire, engine_with_flip
from workbench.errors import JournalStopped
from workbench.model import (
    Accepted,
    Amend,
    AmendOrder,
    AmendRefused,
    Bar,
    Cancel,
    Filled,
    Kill,
    Order,
    PlaceOrder,
    Stamped,
    Submit,
    Timer,
    Unsent,
    to_e8,
)
from workbench.model.orders import CANCELLING, FILLED, NOT_SENT
from workbench.model.stages import BOOKED, CALLED, SYNCED
from workbench.orchestrator import Driver

S = 1_000_000_000


def bar(n: int, px: float = 100.0) -> Bar:
    return Bar(n * 60 * S, 0, px, px, px, px, 1.0)


class Rig:
    def __init__(self) -> None:
        self.log, self.wire = HeldLog(), Wire()
        self.done: list[Order] = []
        self.turns: list[tuple[list[Any], list[Any]]] = []
        self.engine = engine_with_flip()
        self.driver = Driver(
            self.engine,
            self.log,
            self.wire,  # type: ignore[arg-type]
            asyncio.get_running_loop(),
            lambda events, effects: self.turns.append((list(events), list(effects))),
            self.done.append,
        )

    async def turn(self) -> None:
        """Let the loop run what was scheduled."""
        for _ in range(3):
            await asyncio.sleep(0)


async def test_nothing_is_sent_before_its_frame_is_durable() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    assert [type(r) for r in rig.log.records] == [Bar, Submit]
    assert rig.wire.submitted == []
    rig.log.sync()
    assert [order.order_id for order in rig.wire.submitted] == [1]
    stamps = rig.engine.orders.by_id[1].stamps
    assert 0 < stamps[SYNCED] <= stamps[CALLED]


async def test_an_event_stands_in_the_journal_before_its_effects() -> None:
    rig = Rig()
    for n in range(1, 4):
        rig.driver.post(bar(n))
    await rig.turn()
    kinds = [type(r) for r in rig.log.records]
    for place, kind in enumerate(kinds):
        if kind is Submit:
            assert Bar in kinds[:place]
    assert kinds[0] is Bar


async def test_market_data_alone_does_not_wait_for_the_disk() -> None:
    rig = Rig()
    rig.driver.post(Timer(1, "nothing"))
    await rig.turn()
    assert rig.log.commits == [False]
    assert not rig.driver.busy


async def test_do_resolves_only_when_durable() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    rig.log.sync()
    waiting = asyncio.ensure_future(
        rig.driver.do(PlaceOrder(61 * S, 0, 1, 0, 0, to_e8(1), key="k", why="by hand"))
    )
    await rig.turn()
    assert not waiting.done()
    rig.log.sync()
    outcome = await waiting
    assert [type(e) for e in outcome.effects] == [Submit]
    assert outcome.seq == rig.log.last_seq


async def test_a_finished_order_leaves_its_stamps_in_the_journal() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    rig.log.sync()
    order = rig.engine.orders.by_id[1]
    rig.driver.post(Accepted(61 * S, 1, "v"))
    rig.driver.post(Filled(61 * S, 1, "x", to_e8(100), order.qty_e8))
    await rig.turn()
    assert order.state == FILLED
    assert [o.order_id for o in rig.done] == [1]
    stamped = [r for r in rig.log.records if type(r) is Stamped]
    assert len(stamped) == 1
    assert stamped[0].stamps[BOOKED] > 0
    assert stamped[0].stamps == tuple(order.stamps)


async def test_a_kill_overtakes_what_waits_and_holds_back_what_is_not_on_the_wire() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))  # its Submit waits for the disk
    rig.driver.post(bar(2))
    rig.driver.post(Kill(61 * S, "test", "me"), urgent=True)
    await rig.turn()
    events = [event for turn in rig.turns for event in turn[0]]
    assert [type(e) for e in events] == [Bar, Kill, Bar]
    assert rig.engine.risk.killed
    rig.log.sync()
    await rig.turn()
    assert rig.wire.submitted == []
    assert [type(c) for c in rig.wire.cancelled] == [Cancel]
    rig.log.sync()
    assert rig.engine.orders.by_id[1].state == NOT_SENT
    assert any(type(r) is Unsent for r in rig.log.records)


async def test_a_kill_cancels_what_is_on_the_wire() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    rig.log.sync()
    kill = asyncio.ensure_future(rig.driver.do(Kill(61 * S, "test", "me"), urgent=True))
    await rig.turn()
    rig.log.sync()
    await kill
    assert [c.order_id for c in rig.wire.cancelled] == [1]
    assert rig.engine.orders.by_id[1].state == CANCELLING


async def test_a_journal_that_stops_wakes_everybody_and_sends_nothing() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    waiting = asyncio.ensure_future(rig.driver.do(Timer(61 * S, "t")))
    idle = asyncio.ensure_future(rig.driver.idle())
    await asyncio.sleep(0)
    rig.driver.fail(JournalStopped("disk full"))
    await rig.turn()
    await idle
    with pytest.raises(JournalStopped):
        await waiting
    with pytest.raises(JournalStopped):
        await rig.driver.do(Timer(62 * S, "t"))
    assert rig.wire.submitted == []


async def test_a_journal_that_stops_also_wakes_who_waits_for_the_disk() -> None:
    rig = Rig()
    waiting = asyncio.ensure_future(rig.driver.do(Timer(1, "handled, not yet durable")))
    await rig.turn()
    assert rig.log.commits == [True]
    rig.driver.fail(JournalStopped("disk full"))
    with pytest.raises(JournalStopped):
        await waiting
    rig.driver.tick(bar(2))
    rig.driver.post(bar(3))
    assert not rig.driver.busy  # nothing piles up that nobody will ever handle
    await rig.driver.idle()


async def test_a_journal_that_takes_no_record_stops_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    for post in (True, False):
        rig = Rig()

        def refuse(_: object) -> int:
            raise JournalStopped("disk full")

        monkeypatch.setattr(rig.log, "append", refuse)
        if post:
            with pytest.raises(JournalStopped):
                await rig.driver.do(Timer(1, "t"))
        else:
            rig.driver.tick(bar(1))
        assert rig.driver.stopped is not None
        assert not rig.driver.busy


async def test_idle_waits_for_the_disk() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    idle = asyncio.ensure_future(rig.driver.idle())
    await rig.turn()
    assert not idle.done()
    rig.log.sync()
    await idle


async def test_ticks_keep_their_place_behind_what_waits() -> None:
    rig = Rig()
    rig.driver.post(Timer(1, "first"))
    rig.driver.tick(bar(1))
    await rig.turn()
    assert [type(e) for turn in rig.turns for e in turn[0]] == [Timer, Bar]


def test_flip_is_what_the_tests_think() -> None:
    decide: Callable[..., float] = Flip.decide
    assert decide(None, None, 0.0) == 1.0
    assert decide(None, None, 1.0) == -1.0


async def test_what_one_round_of_the_loop_brings_shares_a_frame_while_a_sync_is_under_way() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    assert rig.log.commits == [True]
    rig.driver.tick(bar(2))
    rig.driver.tick(bar(3))
    assert rig.log.commits == [True]  # the writer is at work: nothing is gained by a frame each
    await rig.turn()
    assert rig.log.commits == [True, True]
    assert rig.driver.busy
    rig.log.sync()
    assert [order.order_id for order in rig.wire.submitted] == [1, 2, 3]
    assert not rig.driver.busy


async def test_what_is_gathered_is_not_sent_when_the_journal_stops() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    rig.driver.tick(bar(2))
    rig.driver.fail(JournalStopped("disk full"))
    await rig.turn()
    rig.log.sync()
    assert rig.wire.submitted == []
    assert not rig.driver.busy


async def test_an_amendment_goes_out_when_it_is_durable_and_a_kill_holds_it_back() -> None:
    rig = Rig()
    rig.driver.tick(bar(1))
    rig.log.sync()
    rig.driver.tick(Accepted(61 * S, 1, "v"))
    rig.driver.tick(AmendOrder(62 * S, 1, to_e8(7)))
    assert rig.wire.amended == []
    rig.log.sync()
    assert rig.wire.amended == [Amend(62 * S, 1, to_e8(7), 0, 0)]
    rig.driver.tick(AmendRefused(63 * S, 1, "NO", "no"))
    rig.driver.tick(AmendOrder(64 * S, 1, to_e8(8)))
    rig.driver.tick(Kill(65 * S, "enough", "test"))
    await rig.turn()
    rig.log.sync()
    await rig.turn()
    rig.log.sync()
    assert len(rig.wire.amended) == 1
    order = rig.engine.orders.by_id[1]
    assert order.reason == "amend refused: KILLED held back by the kill switch before sending"
    assert not rig.engine.orders.amending
