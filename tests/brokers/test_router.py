"""Several accounts as one broker: the shared checks hold over it, orders go where they shall and stay there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.brokers import Broker
from workbench.brokers.checks import CHECKS, BrokerRig, run_check
from workbench.brokers.contract import BrokerAccount
from workbench.brokers.router import Router, health_of
from workbench.brokers.sim import SimBroker
from workbench.brokers.sim.rig import make_rig
from workbench.errors import BadValue, Unreachable
from workbench.model import (
    Accepted,
    Cancel,
    Cancelled,
    CancelRefused,
    Filled,
    Instrument,
    Report,
    Submit,
    Trade,
    Unsent,
)
from workbench.model.orders import BUY, DAY, GTC, LIMIT, MARKET, SELL
from workbench.model.scale import SCALE, to_e8

PX = 367.5


@asynccontextmanager
async def routed_rig() -> AsyncIterator[BrokerRig]:
    """The built-in exchange's rig with a router in front, and a second exchange that gets nothing."""
    async with make_rig() as rig:
        first = rig.broker
        rig.broker = Router({"one": first, "two": SimBroker()}, lambda order: ("one",))
        await rig.broker.connect(rig.reports.append)
        exchange_settles = rig.market.settle

        async def settle() -> None:
            await exchange_settles()
            await asyncio.sleep(0)  # what the router itself answers comes with the next turn

        rig.market.settle = settle  # type: ignore[method-assign]
        yield rig
        await rig.broker.close()


@pytest.mark.parametrize("check", CHECKS)
async def test_a_router_keeps_the_contract(check: str) -> None:
    async with routed_rig() as rig:
        assert await run_check(check, rig)


class Two:
    """Two exchanges that see the same market, and a router whose preferences the test sets."""

    def __init__(self) -> None:
        spy = [Instrument(0, "SPY")]
        self.one = SimBroker(cash_e8=1_000 * SCALE, instruments=spy)
        self.two = SimBroker(cash_e8=500 * SCALE, instruments=spy)
        self.wanted: Sequence[str] = ("one", "two")
        self.router = Router({"one": self.one, "two": self.two}, lambda order: self.wanted)
        self.reports: list[Report] = []
        self.number = 0

    def order(self, side: int, quantity: float = 1.0, **more: int) -> Submit:
        self.number += 1
        fields = {"kind": MARKET, "tif": DAY, "limit": 0} | more
        return Submit(
            self.number, self.number, 1, 1, 0, side, fields["kind"], fields["tif"], to_e8(quantity),
            fields["limit"], 0, "", 0, 0, more.get("parent", 0), more.get("group", 0),
        )  # fmt: skip

    async def trade(self, order: Submit) -> str:
        self.router.submit(order)
        await self.print_at(PX)
        return self.router.account_of(order.order_id)

    async def print_at(self, px: float) -> None:
        self.number += 1
        for broker in (self.one, self.two):
            broker.on_market(Trade(self.number, 0, px))
            await broker.settled()


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    pair = Two()
    await pair.router.connect(pair.reports.append)
    yield pair
    await pair.router.close()


def ill(broker: Broker, state: str = "down") -> None:
    broker.pool = SimpleNamespace(health=SimpleNamespace(state=state, reason="no answer"))  # type: ignore[attr-defined]


async def test_new_orders_go_to_the_first_account_that_is_well(two: Two) -> None:
    assert await two.trade(two.order(BUY)) == "one"
    ill(two.one)
    assert health_of(two.one) == ("down", "no answer")
    assert await two.trade(two.order(BUY)) == "two"
    assert two.router.moved == {"two": 1}
    ill(two.two)
    assert await two.trade(two.order(BUY)) == "one"  # nobody is well: the first named has the word


@pytest.mark.parametrize("state", ["healthy", "degraded", "unknown"])
async def test_an_account_that_is_not_down_is_not_left(two: Two, state: str) -> None:
    ill(two.one, state)
    assert await two.trade(two.order(BUY)) == "one"


async def test_what_closes_a_position_goes_where_it_is(two: Two) -> None:
    two.wanted = ("two",)
    assert await two.trade(two.order(BUY, 2)) == "two"
    two.wanted = ("one", "two")
    ill(two.two)
    assert await two.trade(two.order(SELL, 2)) == "two"
    assert await two.trade(two.order(SELL, 2)) == "one"  # flat again: a new short position


async def test_what_an_earlier_session_or_a_person_traded_is_known_after_two_looks(two: Two) -> None:
    """Fills of orders the router has not sent change positions too: what closes them goes there."""
    unseen = two.order(BUY, 2)
    two.two.submit(unseen)
    await two.print_at(PX)
    assert await two.trade(two.order(BUY, 1)) == "one"
    for _ in range(2):  # the desk compares its books now and then
        await two.router.account()
    two.wanted = ("one", "two")
    assert await two.trade(two.order(SELL, 2)) == "two"


async def test_a_fill_that_comes_while_the_accounts_are_asked_is_not_forgotten(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = two.one.account

    async def slow() -> BrokerAccount:
        before = await plain()
        assert await two.trade(two.order(BUY, 3)) == "one"
        return before

    await two.router.each()
    monkeypatch.setattr(two.one, "account", slow)
    await two.router.each()
    monkeypatch.setattr(two.one, "account", plain)
    two.wanted = ("two", "one")
    assert await two.trade(two.order(SELL, 3)) == "one"


async def test_books_add_up_and_orders_are_found_wherever_they_are(two: Two) -> None:
    first, second = two.order(BUY, 1), two.order(BUY, 3)
    await two.trade(first)
    two.wanted = ("two",)
    await two.trade(second)
    account = await two.router.account()
    assert account.positions == {0: to_e8(4)}
    assert account.cash_e8 == to_e8(1_500) - 4 * to_e8(PX)
    each = await two.router.each()
    assert {name: part.positions for name, part in each.items()} == {
        "one": {0: to_e8(1)},
        "two": {0: to_e8(3)},
    }
    for order, broker in ((first, "one"), (second, "two")):
        fresh = Router(two.router.accounts, lambda order: ())
        known = await fresh.order(order.client_id)
        assert known is not None
        assert known.filled_e8 == order.qty_e8
        assert fresh.account_of(order.order_id) == broker
    assert await two.router.order("wb-9-99") is None


async def test_those_who_answer_are_added_to_what_the_others_said_last(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> BrokerAccount:
        raise Unreachable("no answer")

    await two.trade(two.order(BUY, 1))
    await two.router.each()
    monkeypatch.setattr(two.one, "account", away)
    two.wanted = ("two",)
    await two.trade(two.order(BUY, 3))
    account = await two.router.heard()
    assert (account.positions, account.whole, account.unheard) == ({0: to_e8(4)}, False, frozenset({0}))
    with pytest.raises(Unreachable):
        await two.router.account()
    assert two.router.told["two"][1].positions == {0: to_e8(3)}
    monkeypatch.setattr(two.two, "account", away)
    with pytest.raises(Unreachable):
        await two.router.heard()


async def test_an_order_is_cancelled_where_it_rests(two: Two) -> None:
    two.wanted = ("two",)
    order = two.order(BUY, 1, kind=LIMIT, tif=GTC, limit=to_e8(300))
    assert await two.trade(order) == "two"
    two.wanted = ("one",)
    two.router.cancel(Cancel(50, order.order_id))
    two.router.cancel(Cancel(51, 4711))
    await two.print_at(PX)
    kinds = [(type(report), report.order_id) for report in two.reports]
    assert (Accepted, order.order_id) in kinds
    assert (Cancelled, order.order_id) in kinds
    assert (CancelRefused, 4711) in kinds


async def test_an_order_that_one_account_has_is_not_absent_because_the_other_lacks_it(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are asked to look for it. The one that lacks it says so long after the other has told of it."""
    for broker in (two.one, two.two):
        monkeypatch.setattr(broker, "find_out", lambda client_id, qty_e8: True, raising=False)
    assert two.router.find_out("wb-1-9", SCALE)
    assert two.router.find_out("wb-1-8", SCALE)
    one, other = (two.router._listener(name) for name in ("one", "two"))
    one(Accepted(5, 9, "v9"))
    other(Unsent(6, 9, "not found"))
    assert two.reports == [Accepted(5, 9, "v9")]
    assert two.router.account_of(9) == "one"
    for n, listen in enumerate((one, other)):
        listen(Unsent(7 + n, 8, "not found"))
    assert two.reports[1:] == [Unsent(8, 8, "not found")]


async def test_a_bracket_stays_together(two: Two) -> None:
    two.wanted = ("two",)
    entry = two.order(BUY, 1)
    two.router.submit(entry)
    two.wanted = ("one",)
    gain = two.order(SELL, 1, kind=LIMIT, tif=GTC, limit=to_e8(400), parent=entry.order_id, group=7)
    two.router.submit(gain)
    alone = two.order(SELL, 1, kind=LIMIT, tif=GTC, limit=to_e8(410), group=7)
    two.router.submit(alone)
    await two.print_at(PX)
    assert {two.router.account_of(o.order_id) for o in (entry, gain, alone)} == {"two"}
    assert [r.order_id for r in two.reports if isinstance(r, Filled)] == [entry.order_id]


async def test_when_one_account_cannot_be_opened_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Two()
    closed: list[str] = []

    async def refuse(_: Any) -> None:
        raise Unreachable("two does not answer")

    async def note() -> None:
        closed.append("one")

    monkeypatch.setattr(pair.two, "connect", refuse)
    monkeypatch.setattr(pair.one, "close", note)
    with pytest.raises(Unreachable, match="two does not answer"):
        await pair.router.connect(pair.reports.append)
    assert closed == ["one"]


def test_no_account_is_a_mistake() -> None:
    with pytest.raises(BadValue, match=r"name at least one account"):
        Router({}, lambda order: ())
