"""Amendments whose answer says little or nothing: which version of an order holds, at both kinds of exchanges."""

from typing import Any

import pytest

from tests.brokers.ccxt.desk import Desk, trading
from workbench.brokers.ccxt.amendments import Amendments
from workbench.brokers.pool.tracker import Evidence, Tracked
from workbench.errors import OutcomeUnknown, VenueDown, VenueGarbled, VenueRefused
from workbench.model.effects import Amend
from workbench.model.orders import CANCELLED
from workbench.model.reports import Amended
from workbench.model.scale import SCALE, to_e8


class Place:
    """Amendments of one resting order at an exchange that answers what the test says."""

    def __init__(self, desk: Desk, tracked: Tracked, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk, self.tracked = desk, tracked
        self.answers: dict[str, Any] = {}  # by call: the row, or what is raised
        self.edited: list[Any] = []
        client = desk.broker.client

        async def edit(order_id: str, arguments: tuple[Any, ...]) -> Any:
            self.edited.append((order_id, *arguments))
            return self._answer("edit")

        async def order(order_id: str, symbol: str, lane: int = 0) -> Any:
            return self._answer(order_id)

        monkeypatch.setattr(client, "edit", edit)
        monkeypatch.setattr(client, "order", order)
        self.amendments = Amendments(client, desk.broker.tracker, desk.broker.finder)

    def _answer(self, name: str) -> Any:
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def change(self, wanted: Amend, **sent: Any) -> None:
        await self.amendments.change(self.tracked, wanted, ("BTC/USD", "limit", "buy", 1.0, 10.0, sent))

    @property
    def amended(self) -> list[Amended]:
        return [report for report in self.tracked.reports if isinstance(report, Amended)]


def wanted(qty: float, limit: float, stop: float = 0.0) -> Amend:
    return Amend(1, 1, to_e8(qty), to_e8(limit), to_e8(stop))


@pytest.fixture(params=["new_order"])
async def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    async with trading(options={"amend": request.param}) as desk:
        order = desk.away()
        await desk.submit(order)
        yield Place(desk, desk.broker.tracker.by_order[order.order_id], monkeypatch)


in_place = pytest.mark.parametrize("place", ["in_place"], indirect=True)


def row(number: str, status: str, filled: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"id": number, "status": status, "filled": filled, "amount": 1.0, "price": 10.0, **more}


# -- another order takes its place -------------------------------------------------------------------------------
async def test_it_holds_once_the_old_order_was_taken_out(place: Place) -> None:
    old = place.tracked.venue_id
    place.answers = {"edit": {"id": "new"}, old: row(old, "canceled")}
    await place.change(wanted(2, 11))
    [amended] = place.amended
    assert (amended.qty_e8, amended.limit_px_e8, amended.venue_id) == (2 * SCALE, 11 * SCALE, "new")
    assert place.edited[0][-1] == {"clientOrderId": f"{place.tracked.client_id}-2"}


async def test_what_filled_meanwhile_is_bought_beside_it(place: Place) -> None:
    old = place.tracked.venue_id
    place.answers = {"edit": {"id": "new"}, old: row(old, "canceled", 0.25)}
    await place.change(wanted(2, 11))
    assert place.amended[0].qty_e8 == 2.25 * SCALE


@pytest.mark.parametrize("old_answer", [row("x", "open"), VenueDown("venue", "gone", "ask again")], ids=str)
async def test_while_both_may_stand_it_is_not_known(place: Place, old_answer: Any) -> None:
    place.answers = {"edit": {"id": "new"}, place.tracked.venue_id: old_answer}
    with pytest.raises(OutcomeUnknown, match="which of two orders holds"):
        await place.change(wanted(2, 11))
    assert place.amended == []


async def test_an_order_that_filled_first_was_not_amended(place: Place) -> None:
    place.answers = {"edit": {"id": "new"}, place.tracked.venue_id: row("x", "closed", 1.0)}
    with pytest.raises(VenueRefused, match="it was filled first"):
        await place.change(wanted(2, 11))


async def test_numbers_of_orders_that_took_no_place_are_forgotten_with_the_order(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, tracked, old = place.desk.broker.tracker, place.tracked, place.tracked.venue_id
    place.answers = {"edit": {"id": "new"}, old: row(old, "open")}
    with pytest.raises(OutcomeUnknown):
        await place.change(wanted(2, 11))
    assert tracker.by_venue == {old: tracked, "new": tracked}
    monkeypatch.setattr("workbench.brokers.pool.tracker._KEPT", 0)
    tracker.ended(tracked, Evidence(tracked.client_id, old, CANCELLED, SCALE, 0, 1))
    assert (tracker.by_venue, tracker.by_order) == ({}, {})


@pytest.mark.parametrize("answer", [{}, VenueGarbled("venue", "nonsense", "report it")], ids=str)
async def test_an_answer_that_says_nothing_leaves_it_open(place: Place, answer: Any) -> None:
    place.answers = {"edit": answer}
    with pytest.raises(OutcomeUnknown):
        await place.change(wanted(2, 11))


# -- the order stays ---------------------------------------------------------------------------------------------
@in_place
async def test_in_place_it_holds_when_it_was_answered(place: Place) -> None:
    place.answers = {"edit": {"id": place.tracked.venue_id}}
    await place.change(wanted(2, 11, 12), triggerPrice=9.0)
    assert place.edited[0][-1] == {"triggerPrice": 12.0}
    assert [(a.qty_e8, a.stop_px_e8) for a in place.amended] == [(2 * SCALE, 12 * SCALE)]


@in_place
@pytest.mark.parametrize(
    ("shown", "asked", "held"),
    [
        ({"amount": 2.0, "price": 11.0}, wanted(2, 11), True),
        ({"amount": 1.0, "price": 11.0}, wanted(2, 11), False),
        ({"amount": 2.0, "price": 10.0}, wanted(2, 11), False),
        ({"amount": 1.0, "price": 10.0, "triggerPrice": 12.0}, wanted(1, 10, 12), True),
        ({"amount": 1.0, "price": 10.0, "triggerPrice": 9.0}, wanted(1, 10, 12), False),
    ],
)
async def test_in_place_a_lost_answer_is_read_from_the_order(
    place: Place, shown: dict[str, Any], asked: Amend, held: bool
) -> None:
    number = place.tracked.venue_id
    place.answers = {number: row(number, "open", **shown)}
    if held:
        assert await place.amendments.changed_to(place.tracked, asked) is True
        assert len(place.amended) == 1
    else:
        assert await place.amendments.changed_to(place.tracked, asked) is None  # lists lag behind
        assert await place.amendments.changed_to(place.tracked, asked) is False
        assert place.amended == []
