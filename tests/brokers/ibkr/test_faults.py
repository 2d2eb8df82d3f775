"""The adapter at a gateway that misbehaves: nothing is sent twice, dead without proof, or counted twice."""

from typing import Any

import pytest

from tests.brokers.ibkr.desk import LIST, POST, REPLY, STATUS, TRADES, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ibkr.turns import Turns
from workbench.model.orders import BUY, LIMIT, SELL, STOP
from workbench.model.reports import OutcomeLost, Rejected, Unsent
from workbench.testbed import emulated

HANDLED: list[dict[str, Any]] = [
    {"what": "lost_reply", "seconds": 0.02},
    {"what": "reset", "bytes": 0, "handled": True},
    {"what": "reset", "bytes": 40, "handled": True},
    {"what": "truncate", "bytes": 20},
    {"what": "invalid_json"},
    {"what": "huge", "bytes": 20_000_000},
    *({"what": "status", "status": status, "handled": True} for status in (408, 500, 502, 503, 504)),
    # words that are a refusal elsewhere prove nothing when the status says that nobody knows
    {"what": "status", "status": 503, "handled": True, "text": "No data"},
    {"what": "status", "status": 500, "handled": True, "text": "no bridge"},
    {"what": "status", "status": 408, "handled": True, "text": "Please query /accounts first"},
]
NEVER_ARRIVED: list[dict[str, Any]] = [
    {"what": "drop"},
    {"what": "reset", "bytes": 0},
    *({"what": "status", "status": status} for status in (408, 500, 502, 503, 504)),
]


def name(fault: dict[str, Any]) -> str:
    return "-".join(str(value) for value in fault.values())


async def found_again(desk: Desk, fault: dict[str, Any], where: str, order: Any) -> None:
    desk.fault(where=where, count=1, **fault)
    desk.fault("mute", "stream:*")  # the socket shall not help
    await desk.submit(order)
    await until(lambda: len(desk.kinds(order)) > 1)
    assert desk.kinds(order)[:2] == ["OutcomeLost", "Accepted"]
    assert len(desk.at_venue(order)) == 1
    assert desk.broker.pool.snapshot().lost == 1


# -- answers to orders -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", HANDLED, ids=name)
async def test_an_order_whose_answer_is_lost_is_found_again(fault: dict[str, Any]) -> None:
    async with trading() as desk:
        order = desk.order()
        await found_again(desk, fault, POST, order)
        await desk.over(order)
        assert desk.filled(order) == 10


@pytest.mark.parametrize("fault", HANDLED, ids=name)
async def test_an_order_is_found_when_the_answer_to_the_last_question_is_lost(fault: dict[str, Any]) -> None:
    """503 after an answer has been seen to leave a live order behind."""
    async with trading() as desk:
        order = desk.away(0.9)
        await found_again(desk, fault, REPLY, order)
        assert desk.kinds(order) == ["OutcomeLost", "Accepted"]


@pytest.mark.parametrize("where", [POST, REPLY])
@pytest.mark.parametrize("fault", NEVER_ARRIVED, ids=name)
async def test_an_order_that_never_arrived_is_called_so_after_proof_and_not_sent_again(
    fault: dict[str, Any], where: str
) -> None:
    async with trading() as desk:
        desk.fault(where=where, count=1, **fault)
        order = desk.away(0.9)
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]
        answer = desk.of(order)[-1]
        assert isinstance(answer, Unsent)
        assert "not in open orders, history or fills, asked 3 times" in answer.evidence
        assert desk.at_venue(order) == []


@pytest.mark.parametrize(
    "fields",
    [{"unset": ["0.order_id"]}, {"set": {"0.order_status": 7}}, {"set": {"0.order_id": []}}],
    ids=str,
)
async def test_an_answer_that_cannot_be_understood_is_no_answer(fields: dict[str, Any]) -> None:
    async with trading() as desk:
        desk.fault("mutate", POST, count=1, **fields)
        desk.fault("mute", "stream:*")
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order)[:2] == ["OutcomeLost", "Accepted"]
        assert desk.filled(order) == 10


@pytest.mark.parametrize("where", [POST, LIST, STATUS, TRADES, "stream:ws:*"])
async def test_fields_nobody_knows_do_no_harm(where: str) -> None:
    async with trading() as desk:
        deep = {"news": [{"of": {"tomorrow": None}}]}
        within = {POST: ["0.extra"], LIST: ["extra", "orders.0.extra"], TRADES: ["extra"]}
        desk.fault("mutate", where, set=dict.fromkeys(within.get(where, ["extra", "args.0.extra"]), deep))
        order, resting = desk.order(), desk.away()
        await desk.submit(order, resting)
        await desk.over(order)
        await desk.broker.sweep(settled_s=0.0)
        await desk.cancel(resting)
        assert (desk.kinds(order)[0], desk.filled(order)) == ("Accepted", 10)
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]


async def test_an_order_for_a_closed_market_waits_for_its_opening() -> None:
    async with trading() as desk:
        desk.venue.console.hours(False)
        order = desk.order()
        await desk.submit(order)
        await until(lambda: desk.broker.updates.taken >= 1)
        assert desk.kinds(order) == ["Accepted"]
        desk.venue.console.hours(True)
        desk.print_at(desk.px)
        await desk.over(order)
        assert desk.filled(order) == 10


async def test_cold_lists_prove_nothing() -> None:
    """The first list of a session is empty whatever there is: it is asked again before an order is missing."""
    async with trading() as desk:
        desk.fault("lost_reply", POST, count=1, seconds=0.02)
        desk.fault("mute", "stream:*")
        desk.quirk("cold_orders")
        desk.quirk("cold_trades")
        order = desk.away()
        await desk.submit(order)
        await until(lambda: len(desk.kinds(order)) > 1)
        assert desk.kinds(order) == ["OutcomeLost", "Accepted"]


@pytest.mark.parametrize("where", [LIST, TRADES])
async def test_questions_that_fail_prove_nothing(where: str) -> None:
    async with trading() as desk:
        desk.fault("drop", POST, count=1)
        failing = desk.fault("status", where, status=503)
        order = desk.away()
        await desk.submit(order)
        await until(lambda: desk.broker.pool.snapshot().requests.get("orders", 0) >= 6)
        assert desk.kinds(order) == ["OutcomeLost"]
        desk.venue.faults.remove(failing)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]


async def test_the_socket_may_be_faster_than_the_answer() -> None:
    async with trading() as desk:
        desk.fault("trickle", POST, count=1, bytes=20, seconds=0.02)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        await until(lambda: desk.broker.pending == 0)
        assert desk.kinds(order)[0] == "Accepted"
        assert desk.kinds(order).count("Accepted") == 1
        assert desk.filled(order) == 10


@pytest.mark.parametrize("status", [200, 400])
async def test_a_client_id_the_venue_knows_is_asked_about(status: int) -> None:
    """Another run of ours has sent this id: it is not called rejected, whatever the status says."""
    async with emulated("ibkr", speed=0, limits=False) as venue:
        async with trading(venue=venue) as first:
            order = first.order()
            await first.submit(order)
            await first.over(order)
        async with trading(venue=venue) as second:
            if status == 400:
                second.quirk("duplicate_400")
            again = second.order()
            assert again.client_id == order.client_id
            await second.submit(again)
            await second.over(again)
            assert second.kinds(again)[:2] == ["OutcomeLost", "Accepted"]
            [lost, *_] = second.of(again)
            assert isinstance(lost, OutcomeLost)
            assert "already registered" in lost.text
            assert len(second.at_venue(order)) == 1


async def test_a_bracket_that_is_there_already_is_asked_about() -> None:
    """Each of its orders is answered by a row of its own, and none of them proves that the first is not live."""
    async with trading() as desk:
        desk.fault("twice", POST, count=1)
        desk.fault("mute", "stream:*")  # the socket shall not help
        entry = desk.away()
        take = desk.order(SELL, kind=LIMIT, limit=round(desk.px * 1.01, 2), parent_id=entry.order_id, group=1)
        loss = desk.order(SELL, kind=STOP, stop=round(desk.px * 0.97, 2), parent_id=entry.order_id, group=1)
        await desk.submit(entry, take, loss)
        await until(lambda: all(len(desk.kinds(order)) > 1 for order in (entry, take, loss)))
        for order in (entry, take, loss):
            assert desk.kinds(order) == ["OutcomeLost", "Accepted"]
            assert len(desk.at_venue(order)) == 1
        assert desk.broker.pool.snapshot().lost == 3


async def test_too_many_requests_is_a_rejection_and_a_pause() -> None:
    async with trading() as desk:
        desk.fault("status", POST, count=1, status=429)
        order, other = desk.order(), desk.order()
        await desk.submit(order)
        assert desk.kinds(order) == ["Rejected"]
        await desk.submit(other)
        await desk.over(other)
        assert desk.filled(other) == 10
        assert desk.broker.pool.snapshot().limited == 1
        assert desk.at_venue(order) == []


async def test_an_order_that_waited_too_long_for_its_turn_is_not_sent() -> None:
    async with trading() as desk:
        desk.broker._turns = Turns(1, most_s=0.02)
        desk.fault("delay", POST, count=1, seconds=0.3)
        first, second = desk.order(), desk.order()
        await desk.submit(first, second)
        await desk.over(first)
        assert (desk.filled(first), desk.kinds(second)) == (10, ["Unsent"])
        assert desk.at_venue(second) == []


# -- what is refused -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("quirk", ["", "funds_question", "funds_inactive"])
async def test_missing_funds_are_a_rejection_in_each_of_their_forms(quirk: str) -> None:
    """An error at 200; a question, and inactive after it was answered; accepted, and inactive a moment later."""
    options = {"answers": "o163=yes, o383=yes, o451=yes, *=yes"}
    async with trading(emulator={"cash": 1_000.0}, settings={"options": options}) as desk:
        if quirk:
            desk.quirk(quirk)
        order = desk.away(0.99, qty=400)
        await desk.submit(order)
        await desk.over(order)
        answer = desk.of(order)[-1]
        assert isinstance(answer, Rejected)
        assert answer.code == ("INACTIVE" if quirk else "FUNDS")
        assert desk.kinds(order)[:-1] == (["Accepted"] if quirk else [])
        assert not desk.venue.exchange.open


async def test_an_order_that_was_accepted_and_turns_inactive_ends() -> None:
    async with trading() as desk:
        desk.fault("mute", "stream:*")
        order = desk.away()
        await desk.submit(order)
        desk.venue.exchange.end(desk.at_venue(order)[0], "rejected", "thrown out")
        for _ in range(3):
            await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.kinds(order) == ["Accepted", "Rejected"]


async def test_inactive_may_pass() -> None:
    """One row says Inactive, the next Submitted: the order lives."""
    async with trading(look_first_s=0.3) as desk:
        order = desk.away()
        desk.fault("mutate", "stream:ws:sor", count=1, set={"args.0.status": "Inactive"})
        await desk.submit(order)
        await until(lambda: desk.broker.updates.taken >= 1)
        desk.fault("mutate", STATUS, count=1, set={"order_status": "Inactive"})
        await desk.broker.sweep(settled_s=0.0)
        await until(lambda: not desk.broker.pending)
        assert desk.kinds(order) == ["Accepted"]
        desk.fill_at_limit(order)
        await desk.over(order)
        assert desk.filled(order) == 10


async def test_what_has_filled_is_understood_in_another_word() -> None:
    async with trading() as desk:
        desk.fault("mute", "stream:*")
        desk.fault("mutate", STATUS, unset=["cum_fill"], set={"filled_quantity": "10.0"})
        order = desk.order()
        await desk.submit(order)
        await until(lambda: not desk.venue.exchange.open)
        await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.filled(order) == 10


async def test_a_status_nobody_knows_is_no_state() -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault("mutate", LIST, count=1, set={"orders.0.status": "Teleported"})
        desk.fault("mutate", "stream:ws:sor", set={"args.0.status": "Teleported"})
        desk.fill_at_limit(order)
        await desk.over(order)
        assert desk.kinds(order)[0] == "Accepted"
        assert desk.filled(order) == 10


@pytest.mark.parametrize("what", ["partial", "overfill"])
async def test_fills_in_parts_and_too_many_are_reported_as_they_are(what: str) -> None:
    async with trading() as desk:
        desk.fault(what, "order:*", count=1, fraction=0.5)
        order = desk.order()
        await desk.submit(order)
        if what == "partial":
            await until(lambda: desk.filled(order) == 5)
            await desk.cancel(order)
            assert desk.kinds(order)[-1] == "Cancelled"
        await until(lambda: not desk.broker.pending)
        there = sum(e.qty_e8 for e in desk.at_venue(order)[0].executions)
        await until(lambda: sum(f.qty_e8 for f in desk.fills(order)) == there)


async def test_a_reset_in_the_middle_of_a_bracket_is_found_order_by_order() -> None:
    async with trading() as desk:
        desk.fault("lost_reply", POST, count=1, seconds=0.02)
        px = desk.px
        entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.99, 2))
        take = desk.order(-BUY, kind=LIMIT, limit=round(px * 1.02, 2), parent_id=entry.order_id, group=1)
        await desk.submit(entry, take)
        await until(lambda: all(desk.kinds(order)[-1:] == ["Accepted"] for order in (entry, take)))
        assert len(desk.venue.exchange.orders) == 2


async def test_of_a_bracket_what_the_venue_does_not_take_is_rejected_alone() -> None:
    """Orders in one array are no unit: the entry may be in while an exit has failed."""
    async with trading() as desk:
        px = desk.px
        entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.99, 2))
        take = desk.order(-BUY, kind=LIMIT, limit=round(px * 1.02, 2), parent_id=entry.order_id, group=1)
        row = {
            "order_id": "-1",
            "order_status": "Failed",
            "text": "no such exit",
            "local_order_id": take.client_id,
        }
        desk.fault("mutate", POST, count=1, set={f"1.{key}": value for key, value in row.items()})
        await desk.submit(entry, take)
        assert desk.kinds(entry) == ["Accepted"]
        [answer] = desk.of(take)
        assert isinstance(answer, Rejected)
        assert "no such exit" in answer.text
