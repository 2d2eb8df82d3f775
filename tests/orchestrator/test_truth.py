"""The books against the broker: shown side by side, asked about after a restart, never mended by the desk."""

import asyncio
from typing import Any

import pytest

from tests.orchestrator.conftest import OpenDesk
from tests.orchestrator.parts import HeldLog, Wire, engine_with_flip
from tests.orchestrator.test_desk import placed, play_to
from workbench.brokers import BrokerAccount, BrokerOrder
from workbench.engine import Engine
from workbench.model import (
    Accepted,
    Amend,
    Amended,
    AmendOrder,
    AmendRefused,
    Bar,
    Filled,
    Report,
    Split,
    StartSession,
    Submit,
    to_e8,
)
from workbench.model.orders import FILLED, NOT_SENT, PARTIAL, WORKING
from workbench.orchestrator import Desk, Driver, SessionClock
from workbench.orchestrator.truth import Difference, differences, reconcile, settle_with_broker

S = 1_000_000_000
TEN = to_e8(10)


def _engine_holding_ten() -> Engine:
    """Flip bought ten at 100 and the fill is booked."""
    engine = engine_with_flip()
    [submit] = engine.handle(Bar(60 * S, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
    assert isinstance(submit, Submit)
    engine.handle(Accepted(61 * S, 1, "v"))
    engine.handle(Filled(61 * S, 1, "x1", to_e8(100), TEN))
    return engine


def _account(cash: float = 999_000.0, held: float = 10.0, orders: tuple[int, ...] = ()) -> BrokerAccount:
    return BrokerAccount(to_e8(cash), {0: to_e8(held)} if held else {}, orders)


def test_agreement_is_silent() -> None:
    engine = _engine_holding_ten()
    assert differences(engine, _account()) == []
    told = reconcile(engine, _account())
    assert told.pop("differences") == []
    assert told
    assert all(told.values())


@pytest.mark.parametrize(
    ("account", "found", "wrong"),
    [
        (_account(held=11), Difference("position SPY", 10.0, 11.0), "positions_equal_broker"),
        (_account(held=0), Difference("position SPY", 10.0, 0.0), "positions_equal_broker"),
        (_account(cash=998_999.99), Difference("cash", 999_000.0, 998_999.99), "cash_conserved"),
    ],
)
def test_a_difference_is_shown_with_both_figures(
    account: BrokerAccount, found: Difference, wrong: str
) -> None:
    engine = _engine_holding_ten()
    before = engine.digest()
    assert differences(engine, account) == [found]
    told = reconcile(engine, account)
    assert told[wrong] is False
    assert told["positions_equal_sum_of_fills"] is True  # our own books are sound
    assert told["differences"] == [{"what": found.what, "ours": found.ours, "theirs": found.theirs}]
    assert engine.digest() == before


def test_an_order_only_the_broker_knows_is_told() -> None:
    assert reconcile(_engine_holding_ten(), _account(orders=(9,)))["open_orders_equal_broker"] is False


async def test_a_desk_never_mends_its_books(open_desk: OpenDesk) -> None:
    desk = await open_desk()
    await play_to(desk, 0.1)
    await placed(desk, "SPY", "buy", 4)
    await play_to(desk, desk.market.progress + 0.01)
    venue = desk.broker.match  # type: ignore[attr-defined]
    venue.positions[0] += to_e8(1)
    venue.cash_e8 -= to_e8(5)
    before, seq = desk.engine.digest(), desk.journal.last_seq
    told = await desk.reconcile()
    assert told["positions_equal_broker"] is False
    assert told["cash_conserved"] is False
    ours = {d["what"]: (d["ours"], d["theirs"]) for d in told["differences"]}
    assert ours["position SPY"] == (4.0, 5.0)
    assert ours["cash"][0] - ours["cash"][1] == pytest.approx(5.0)
    assert (desk.engine.digest(), desk.journal.last_seq) == (before, seq)


# -- after a restart ---------------------------------------------------------------------------------------------------


class Asked(Wire):
    """A broker that answers about orders from a table."""

    def __init__(self, known: dict[str, BrokerOrder]) -> None:
        super().__init__()
        self.known = known
        self.questions: list[str] = []

    async def order(self, client_id: str) -> BrokerOrder | None:
        self.questions.append(client_id)
        return self.known.get(client_id)


def _known(reports: tuple[Report, ...], state: int, filled: float = 0.0) -> BrokerOrder:
    return BrokerOrder("wb-1-1", 1, "v", state, TEN, to_e8(filled), reports)


async def _settled(
    known: BrokerOrder | None, engine: Engine | None = None, broker: Asked | None = None
) -> tuple[Engine, Asked]:
    """An engine with one order under way, after asking a broker that answers `known`."""
    if engine is None:
        engine = engine_with_flip()
        engine.handle(Bar(60 * S, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
    broker = broker or Asked({"wb-1-1": known} if known else {})
    wire: Any = broker
    driver = Driver(engine, HeldLog(), wire, asyncio.get_running_loop(), lambda *_: None, lambda _: None)
    clock = SessionClock(lambda: engine.now_ns)
    assert await settle_with_broker(engine, wire, driver, clock) == 1
    assert broker.submitted == []  # whatever the answer: nothing is sent again
    return engine, broker


async def test_an_order_nobody_knows_was_not_sent() -> None:
    engine, broker = await _settled(None)
    order = engine.orders.by_id[1]
    assert broker.questions == ["wb-1-1"]
    assert order.state == NOT_SENT
    assert "wb-1-1" in order.reason
    assert engine.orders.active == {}


async def test_a_fill_that_was_missed_is_booked() -> None:
    reports = (Accepted(61 * S, 1, "v"), Filled(61 * S, 1, "x1", to_e8(100), TEN))
    engine, _ = await _settled(_known(reports, FILLED, 10))
    assert engine.orders.by_id[1].state == FILLED
    assert engine.ledger.totals[0].qty_e8 == TEN


@pytest.mark.parametrize(
    ("reports", "quantity", "state", "left"),
    [
        ((), 10.0, WORKING, 10.0),  # nothing of it arrived
        ((), 6.0, WORKING, 6.0),  # the quantity there is the one asked for
        ((Amended(62 * S, 1, to_e8(6), to_e8(99), 0),), 6.0, WORKING, 6.0),
        ((AmendRefused(62 * S, 1, "TOO_LATE", "it trades"),), 10.0, WORKING, 10.0),
    ],
)
async def test_a_change_under_way_ends_by_what_the_broker_shows(
    reports: tuple[Report, ...], quantity: float, state: int, left: float
) -> None:
    engine = engine_with_flip()
    engine.handle(Bar(60 * S, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
    engine.handle(Accepted(61 * S, 1, "v"))
    assert engine.handle(AmendOrder(61 * S, 1, to_e8(6)))
    engine.handle(StartSession(61 * S, 2, "again", "paper", ""))
    assert engine.exposure.lines[0].buys_e8 == TEN  # both versions count
    known = BrokerOrder("wb-1-1", 1, "v", state, to_e8(quantity), 0, (Accepted(61 * S, 1, "v"), *reports))
    await _settled(known, engine)
    order = engine.orders.by_id[1]
    assert (order.state, order.qty_e8) == (state, to_e8(left))
    assert not engine.orders.amending
    assert engine.exposure.lines[0].buys_e8 == to_e8(left)


@pytest.mark.parametrize("holds", [True, False])
async def test_a_change_that_only_its_terms_show_is_asked_about_where_that_can_be(holds: bool) -> None:
    class Shows(Asked):
        async def took_hold(self, amend: Amend) -> bool:
            if holds:
                told = amend.qty_e8, amend.limit_px_e8, amend.stop_px_e8
                engine.handle(Amended(62 * S, amend.order_id, *told))
            return holds

    engine = engine_with_flip()
    engine.handle(Bar(60 * S, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
    engine.handle(Accepted(61 * S, 1, "v"))
    assert engine.handle(AmendOrder(61 * S, 1, to_e8(6)))
    engine.handle(StartSession(61 * S, 2, "again", "paper", ""))
    known = _known((Accepted(61 * S, 1, "v"),), WORKING)
    await _settled(known, engine, Shows({"wb-1-1": known}))
    assert engine.orders.by_id[1].qty_e8 == to_e8(6 if holds else 10)
    assert not engine.orders.amending


def test_a_split_is_no_difference() -> None:
    engine = _engine_holding_ten()
    engine.handle(Split(62 * S, 0, 3, 1))
    told = reconcile(engine, _account(held=30))
    assert told.pop("differences") == []
    assert all(told.values())


async def test_what_was_known_already_is_booked_once() -> None:
    engine = engine_with_flip()
    engine.handle(Bar(60 * S, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
    reports = (Accepted(61 * S, 1, "v"), Filled(61 * S, 1, "x1", to_e8(100), to_e8(4)))
    for report in reports:
        engine.handle(report)
    assert engine.orders.by_id[1].state == PARTIAL
    await _settled(_known(reports, PARTIAL, 4), engine)
    assert engine.orders.by_id[1].state == PARTIAL
    assert engine.ledger.totals[0].qty_e8 == to_e8(4)
    assert engine.ledger.balanced()


async def test_an_order_that_rests_stays_under_way() -> None:
    engine, _ = await _settled(_known((Accepted(61 * S, 1, "v"),), WORKING))
    assert engine.orders.by_id[1].state == WORKING
    assert list(engine.orders.active) == [1]


async def test_a_recovered_desk_has_asked(open_desk: OpenDesk) -> None:
    desk: Desk = await open_desk()
    await play_to(desk, 0.1)
    number = await placed(desk, "SPY", "buy", 1, "limit", limit_px=350.0, tif="gtc")
    await desk.reconcile()
    # as after a crash: the journal is let go of without cancelling anything
    for task in desk._tasks:
        task.cancel()
    await asyncio.gather(*desk._tasks, return_exceptions=True)
    await desk.broker.close()
    desk.loop_lag.stop()
    desk.gc_pauses.remove()
    desk.journal.close()
    desk.state = "stopped"
    again = await open_desk()
    assert again.order(number).state == "working"
    assert again.differences == []
    assert (await again.reconcile())["open_orders_equal_broker"] is True
    await again.cancel(number)
    assert (await again.kill("sweep", "me")).unconfirmed == []
    assert again.order(number).state == "cancelled"
