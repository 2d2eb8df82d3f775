"""Cancelling everything by one request, and answers that prove nothing: nothing is missed or taken along."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from tests.brokers.pool.test_follower import ORDER, Clumsy
from tests.brokers.pool.wires import until
from workbench.brokers.pool.tracker import Evidence, Tracked
from workbench.errors import VenueGarbled, VenueRefused
from workbench.model.effects import Amend, Cancel
from workbench.model.orders import CANCELLED, WORKING
from workbench.model.reports import AmendRefused, CancelRefused, Report
from workbench.model.scale import SCALE

MANY = range(1, 13)


class Whole(Clumsy):
    """A venue that can cancel everything at once: all but `missed`, as soon as `answers` is set."""

    def __init__(self) -> None:
        super().__init__(sweep_s=0.0)
        self.missed: set[int] = set()
        self.answers = asyncio.Event()
        self.answers.set()
        self.withdrawn: list[int] = []
        self.reports: list[Report] = []

    async def _withdraw_all(self) -> bool | frozenset[str]:
        self._turn("withdraw_all")
        taken = [t for t in self.tracker.active.values() if t.order_id not in self.missed]
        await self.answers.wait()
        for tracked in taken:
            self.tracker.ended(tracked, self.evidence(tracked, CANCELLED))
        return frozenset(tracked.venue_id for tracked in taken)

    async def _withdraw(self, tracked: Tracked) -> None:
        self.withdrawn.append(tracked.order_id)
        await super()._withdraw(tracked)

    def kinds(self, order_id: int = 1) -> list[str]:
        return [type(report).__name__ for report in self.reports if report.order_id == order_id]

    async def rest(self, *numbers: int) -> None:
        for number in numbers:
            self.submit(replace(ORDER, order_id=number))
        await until(lambda: all(self.kinds(number) for number in numbers))

    def kill(self, *numbers: int) -> None:
        for number in numbers:
            self.cancel(Cancel(1, number))


@pytest.fixture
async def broker() -> AsyncIterator[Whole]:
    made = Whole()
    await made.connect(made.reports.append)
    yield made
    await made.close()


async def test_what_the_answer_does_not_name_is_cancelled_by_itself(broker: Whole) -> None:
    await broker.rest(*MANY)
    broker.missed = {3, 7}
    broker.kill(*MANY)
    await until(lambda: not broker.tracker.active)
    assert all(broker.kinds(number) == ["Accepted", "Cancelled"] for number in MANY)
    assert (broker.calls["withdraw_all"], broker.withdrawn) == (1, [3, 7])


async def test_no_order_is_sent_while_everything_is_being_cancelled(broker: Whole) -> None:
    """It could be cancelled with the others, though nobody asked for that."""
    await broker.rest(*MANY)
    broker.answers.clear()
    broker.kill(*MANY)
    await until(lambda: broker.calls.get("withdraw_all") == 1)
    placed = broker.calls["place"]
    broker.submit(replace(ORDER, order_id=99))
    for _ in range(5):
        await asyncio.sleep(0)
    assert broker.calls["place"] == placed
    broker.answers.set()
    await until(lambda: broker.kinds(99) == ["Accepted"])
    assert list(broker.tracker.active) == [99]


async def test_what_waits_for_that_when_it_is_closed_was_never_sent(
    broker: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.brokers.pool.venue_broker._CLOSE_S", 0.01)
    await broker.rest(*MANY)
    broker.answers.clear()
    broker.kill(*MANY)
    await until(lambda: broker.calls.get("withdraw_all") == 1)
    broker.submit(replace(ORDER, order_id=99))
    broker.cancel(Cancel(1, 3))
    await broker.close()
    assert broker.kinds(99) == ["Unsent"]
    assert broker.kinds(3) == ["Accepted", "CancelRefused"]
    assert broker.pending == 0


async def test_an_answer_that_is_not_understood_is_no_cancel(broker: Whole) -> None:
    await broker.rest(*MANY)
    broker.raises["withdraw_all"] = [KeyError("status")]
    broker.kill(*MANY)
    await until(lambda: not broker.tracker.active)
    assert broker.withdrawn == list(MANY)


async def test_a_refused_cancel_is_answered_when_the_order_cannot_be_read(broker: Whole) -> None:
    await broker.rest(1)
    broker.raises = {"withdraw": [VenueRefused("v", "no", "see")], "look": [KeyError("id")]}
    broker.kill(1)
    await until(lambda: any(isinstance(report, CancelRefused) for report in broker.reports))
    assert broker.tracker.by_order[1].busy == ""


async def test_an_amendment_with_an_answer_that_cannot_be_read_may_have_been_carried_out(
    broker: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    await broker.rest(1)

    async def changed(tracked: Tracked, wanted: Amend) -> bool:
        broker.tracker.amended(tracked, "v1b", 3, wanted.qty_e8, SCALE, 0)
        return True

    monkeypatch.setattr(broker, "_changed_to", changed)
    broker.raises["change"] = [VenueGarbled("v", "cut off", "ask again")]
    broker.amend(Amend(1, 1, 2 * SCALE, SCALE, 0))
    await until(lambda: "Amended" in broker.kinds() and not broker.pending)
    assert not any(isinstance(report, AmendRefused) for report in broker.reports)


async def test_an_amendment_under_way_at_the_close_leaves_no_task(
    broker: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel waits for it, and is started when it is given up."""
    monkeypatch.setattr("workbench.brokers.pool.venue_broker._CLOSE_S", 0.01)
    await broker.rest(1)
    never = asyncio.Event()

    async def hang(*_: object) -> None:
        await never.wait()

    monkeypatch.setattr(broker, "_change", hang)
    monkeypatch.setattr(broker, "_withdraw", hang)
    broker.amend(Amend(1, 1, 2 * SCALE, SCALE, 0))
    broker.kill(1)
    await until(lambda: broker.tracker.by_order[1].afterwards is not None)
    await broker.close()
    assert broker.pending == 0


async def test_an_order_a_sweep_has_come_upon_meanwhile_is_told(broker: Whole) -> None:
    """It was asked about, not found, and adopted in silence before the looking began."""
    broker.tracker.adopt(Evidence("wb-7-5", "v5", WORKING, SCALE, 0, 2, ()))
    assert broker.find_out("wb-7-5", SCALE)
    await until(lambda: broker.kinds(5) == ["Accepted"])


async def test_a_sweep_notices_that_an_order_was_replaced(
    broker: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue lists it under another number: its stream has told nothing of that."""
    await broker.rest(1)
    terms = (2 * SCALE, SCALE, 0)
    shown = Evidence("wb-7-1", "v1b", WORKING, 2 * SCALE, 0, 3, None, "", "", "v1", terms)
    broker.shown = shown

    async def listed() -> list[Evidence]:
        return [replace(shown, terms=None)]

    monkeypatch.setattr(broker, "_list_open", listed)
    broker.tracker.by_order[1].busy = "amendment"  # its answer is on the way, and tells of it
    assert await broker.sweep(settled_s=0.0) == 0
    broker.tracker.by_order[1].busy = ""
    assert await broker.sweep(settled_s=0.0) == 1
    assert broker.kinds() == ["Accepted", "Amended"]
    assert await broker.sweep(settled_s=0.0) == 0


async def test_missing_executions_are_asked_for_however_often_and_then_forgotten(broker: Whole) -> None:
    await broker.rest(1)
    tracked = broker.tracker.by_order[1]
    broker._fetching[1] = 5_000
    broker.tracker.ended(tracked, replace(broker.evidence(tracked, CANCELLED), filled_e8=SCALE // 2))
    assert broker._fetching[1] < 0
    broker.shown = broker.evidence(tracked, CANCELLED)
    broker._fetch(tracked, 5_000)
    await until(lambda: not tracked.active and not broker._fetching)
