"""A venue broker whose reader makes mistakes: sweeps, looks, probes, cancels and amendments go on, and are answered."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.brokers.pool.wires import small_pool, until
from workbench.brokers.contract import BrokerAccount
from workbench.brokers.pool.health import Health, Probed
from workbench.brokers.pool.tracker import Evidence, Tracked
from workbench.brokers.pool.venue_broker import VenueBroker
from workbench.errors import OutcomeUnknown, VenueRefused
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.orders import BUY, CANCELLED, GTC, LIMIT, WORKING
from workbench.model.reports import Accepted, AmendRefused, CancelRefused, Rejected, Report
from workbench.model.scale import SCALE


class Clumsy(VenueBroker):
    """Takes every order; each hook raises what stands in `raises` under its name, once a mention."""

    name = "test"
    capabilities = frozenset({"amend"})

    def __init__(self, **more: Any) -> None:
        super().__init__(small_pool(), absent_after_s=0.0, look_first_s=0.005, **more)
        self.raises: dict[str, list[Exception]] = {}
        self.calls: dict[str, int] = {}
        self.shown: Evidence | None = None

    def _turn(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.raises.get(name):
            raise self.raises[name].pop(0)

    async def _open(self) -> None:
        return

    async def account(self) -> BrokerAccount:
        return BrokerAccount(0, {}, ())

    async def _place(self, batch: list[Tracked]) -> None:
        self._turn("place")
        for tracked in batch:
            self.tracker.accept(tracked, f"v{tracked.order_id}", 1)

    async def _withdraw(self, tracked: Tracked) -> None:
        self._turn("withdraw")
        self.tracker.ended(tracked, self.evidence(tracked, CANCELLED))

    async def _change(self, tracked: Tracked, wanted: Amend) -> None:
        self._turn("change")

    async def _changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        self._turn("changed_to")
        return False

    async def _look(self, tracked: Tracked) -> Evidence | None:
        self._turn("look")
        return self.shown

    async def _find(self, client_id: str) -> Evidence | None:
        return None

    async def _list_open(self) -> list[Evidence]:
        self._turn("list_open")
        return [self.evidence(tracked, WORKING) for tracked in self.tracker.active.values()]

    def evidence(self, tracked: Tracked, state: int) -> Evidence:
        return Evidence(tracked.client_id, f"v{tracked.order_id}", state, tracked.qty_e8, 0, 2)


async def test_an_order_that_cannot_be_checked_takes_no_other_along() -> None:
    class Strict(Clumsy):
        def _check(self, order: Submit) -> tuple[str, str] | None:
            if order.kind == 9:
                raise IndexError("no such kind")
            return ("GRID", "qty 3 is no multiple of 2") if order.qty_e8 == 3 * SCALE else None

    reports: list[Report] = []
    broker = Strict(sweep_s=0.0)
    await broker.connect(reports.append)
    try:
        for number, change in enumerate(({"kind": 9}, {"qty_e8": 3 * SCALE}, {}), 1):
            broker.submit(msgspec.structs.replace(ORDER, order_id=number, **change))
        await until(lambda: len(reports) == 3)
    finally:
        await broker.close()
    strange, off_grid, fine = reports
    assert isinstance(strange, Rejected)
    assert isinstance(off_grid, Rejected)
    assert isinstance(fine, Accepted)
    assert strange.code == "CHECK"
    assert "nothing was sent" in strange.text
    assert off_grid.text == "test: qty 3 is no multiple of 2: correct the order; nothing was sent"
    assert broker.calls == {"place": 1}


class Desk:
    def __init__(self, broker: Clumsy) -> None:
        self.broker, self.reports = broker, list[Report]()

    def kinds(self) -> list[str]:
        return [type(report).__name__ for report in self.reports]


ORDER = Submit(1, 1, 7, 1, 0, BUY, LIMIT, GTC, SCALE, SCALE, 0)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    broker = Clumsy(sweep_s=0.005)
    made = Desk(broker)
    await broker.connect(made.reports.append)
    yield made
    await broker.close()


async def test_sweeps_go_on_after_a_mistake(desk: Desk) -> None:
    desk.broker.raises["list_open"] = [KeyError("status"), TypeError("no number")]
    desk.broker.submit(ORDER)
    await until(lambda: desk.broker.calls.get("list_open", 0) >= 4)


async def test_what_is_asked_now_and_then_is_asked_again_after_a_mistake(desk: Desk) -> None:
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        raise KeyError("net_amount")

    desk.broker._every(0.005, ask)
    await until(lambda: asked >= 3)


async def test_how_often_executions_were_fetched_is_forgotten_with_the_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.brokers.pool.follower._MOST_FETCHING", 3)
    broker = desk.broker
    for number in range(1, 21):
        broker.submit(msgspec.structs.replace(ORDER, order_id=number))
        await until(lambda number=number: number in broker.tracker.active)  # type: ignore[misc]
        tracked = broker.tracker.by_order[number]
        broker._fetch_missing(tracked)
        broker.tracker.ended(tracked, broker.evidence(tracked, CANCELLED))
    assert len(broker._fetching) <= 3


async def test_a_lost_order_is_looked_for_after_a_mistake(desk: Desk) -> None:
    broker = desk.broker
    broker.raises = {"place": [OutcomeUnknown("no answer")], "look": [KeyError("id"), ValueError("x")]}
    broker.shown = Evidence("wb-7-1", "v1", WORKING, SCALE, 0, 2)
    broker.submit(ORDER)
    await until(lambda: desk.kinds() == ["OutcomeLost", "Accepted"])


async def test_a_cancel_is_answered_after_a_mistake(desk: Desk) -> None:
    broker = desk.broker
    broker.submit(ORDER)
    await until(lambda: bool(desk.reports))
    broker.raises["withdraw"] = [KeyError("id")]
    broker.cancel(Cancel(1, 1))
    await until(lambda: "Cancelled" in desk.kinds())
    assert broker.calls["withdraw"] == 2


async def test_a_cancel_that_never_works_is_answered_too(desk: Desk) -> None:
    broker = desk.broker
    broker.submit(ORDER)
    await until(lambda: bool(desk.reports))
    broker.raises["withdraw"] = [KeyError("id") for _ in range(20)]
    broker.cancel(Cancel(1, 1))
    await until(lambda: any(isinstance(report, CancelRefused) for report in desk.reports))
    assert broker.tracker.by_order[1].busy == ""


async def test_an_amendment_is_answered_after_a_mistake(desk: Desk) -> None:
    broker = desk.broker
    broker.submit(ORDER)
    await until(lambda: bool(desk.reports))
    broker.raises = {"change": [KeyError("id")], "changed_to": [KeyError("qty")]}
    broker.amend(Amend(1, 1, 2 * SCALE, SCALE, 0))
    await until(lambda: any(isinstance(report, AmendRefused) for report in desk.reports))
    assert broker.calls["changed_to"] == 2
    assert broker.tracker.by_order[1].busy == ""


async def test_a_cancel_refused_because_it_worked_before_is_no_refusal(desk: Desk) -> None:
    """The first try was carried out and its answer lost; the second is told that the order is gone."""
    broker = desk.broker
    broker.submit(ORDER)
    await until(lambda: bool(desk.reports))
    broker.shown = Evidence("wb-7-1", "v1", CANCELLED, SCALE, 0, 2)
    broker.raises["withdraw"] = [VenueRefused("test", "already in state canceled", "nothing to do")]
    broker.cancel(Cancel(1, 1))
    await until(lambda: "Cancelled" in desk.kinds() and not broker.pending)
    assert desk.kinds() == ["Accepted", "Cancelled"]


async def test_probing_goes_on_after_a_mistake() -> None:
    probes = 0

    async def probe() -> Probed:
        nonlocal probes
        probes += 1
        if probes < 3:
            raise ValueError("no time")
        return Probed(1, 2)

    health = Health(probe, every_s=0.005)
    health.start()
    await until(lambda: health.state == "degraded")
    assert "ValueError: no time" in health.reason
    await until(lambda: health.state == "healthy")
    await health.close()
    await asyncio.sleep(0)
