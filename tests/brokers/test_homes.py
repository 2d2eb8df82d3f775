"""Which account an order went to: known while anything can be heard of it, and forgotten in the end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.brokers.contract import BrokerAccount, BrokerOrder, Sink
from workbench.brokers.homes import Homes
from workbench.brokers.router import Router
from workbench.errors import Unreachable
from workbench.model import Amended, Cancelled, Expired, Filled, Rejected, Submit, Unsent
from workbench.model.orders import BUY, FILLED, SELL

KEPT = 10_000


class Account:
    """An account that takes everything and says nothing by itself."""

    def __init__(self, held: int = 0) -> None:
        self.held, self.orders = held, dict[str, BrokerOrder]()
        self.away = False
        self.closed = 0
        self.sent: list[int] = []
        self.say: Sink

    name = "quiet"

    async def connect(self, sink: Sink) -> None:
        self.say = sink

    def submit(self, order: Submit) -> None:
        self.sent.append(order.order_id)

    async def account(self) -> BrokerAccount:
        if self.away:
            raise Unreachable("no answer: ask again")
        return BrokerAccount(0, {0: self.held} if self.held else {}, ())

    async def order(self, client_id: str) -> BrokerOrder | None:
        if self.away:
            raise Unreachable("no answer: ask again")
        return self.orders.get(client_id)

    async def close(self) -> None:
        self.closed += 1


def order(number: int, side: int = BUY, qty: int = 10, **more: Any) -> Submit:
    return Submit(number, number, 7, 1, 0, side, 0, 0, qty, 0, 0, **more)


async def routed(wanted: str = "one") -> tuple[Router, Account, Account]:
    one, two = Account(), Account()
    accounts: dict[str, Any] = {"one": one, "two": two}
    router = Router(accounts, lambda _: (wanted,))
    await router.connect(lambda report: None)
    return router, one, two


async def test_a_days_orders_take_no_more_memory_than_those_that_may_be_heard_of() -> None:
    router, one, _ = await routed()
    for n in range(1, 3 * KEPT + 1):
        router.submit(order(n, group=n // 2))
        if n % 1_000 == 0:
            continue  # stays open
        if n % 2:
            one.say(Filled(0, n, f"a{n}", 100, 4))
            one.say(Filled(0, n, f"b{n}", 100, 6))
        else:
            one.say((Cancelled(0, n), Rejected(0, n, "", ""), Expired(0, n), Unsent(0, n, ""))[n // 2 % 4])
    homes = router._homes
    assert len(homes) == KEPT + 3 * KEPT // 1_000
    assert len(homes._groups) <= len(homes)
    assert [router.account_of(n) for n in (1_000, 3 * KEPT, 3 * KEPT - 1, 1)] == ["one", "one", "one", ""]


async def test_a_late_fill_of_an_ended_order_still_moves_what_its_account_holds() -> None:
    router, one, two = await routed("one")
    router.submit(order(1, BUY, 10))
    one.say(Cancelled(0, 1))
    one.say(Filled(0, 1, "late", 100, 10))
    router._candidates = lambda _: ("two", "one")
    router.submit(order(2, SELL, 10))
    assert (one.sent, two.sent) == ([1, 2], [])


async def test_an_order_that_is_handed_over_again_goes_to_the_same_account() -> None:
    """A client id used again makes no second order: its account knows it, another one would not."""
    router, one, two = await routed("one")
    router.submit(order(1))
    router._candidates = lambda _: ("two",)
    router.submit(order(1))
    assert (one.sent, two.sent) == ([1, 1], [])


async def test_an_order_is_found_although_another_account_is_away() -> None:
    router, one, two = await routed()
    two.orders["wb-6-5"] = BrokerOrder("wb-6-5", 5, "v5", FILLED, 10, 10, ())
    one.away = True
    found = await router.order("wb-6-5")
    assert found is not None
    assert router.account_of(5) == "two"
    with pytest.raises(Unreachable):  # the one that is away may know it
        await router.order("wb-6-6")


async def test_accounts_that_open_and_then_do_not_answer_are_closed() -> None:
    one, two = Account(), Account()
    two.away = True
    accounts: dict[str, Any] = {"one": one, "two": two}
    with pytest.raises(Unreachable):
        await Router(accounts, lambda _: ("one",)).connect(lambda report: None)
    assert (one.closed, two.closed) == (1, 1)


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from("wfc")), max_size=200), st.integers(0, 5))
def test_law_nothing_under_way_is_forgotten_and_the_ended_are_bounded(
    steps: list[tuple[int, str]], kept: int
) -> None:
    homes, under_way = Homes(kept), dict[int, int]()  # filled so far, of 10
    for n, step in steps:
        if step == "w":
            if not homes.of(n):
                under_way[n] = 0
            homes.went(order(n), "one")
        elif step == "f":
            known = homes.of(n)
            assert homes.heard(Filled(0, n, "", 1, 5)) == ((0, 5) if known else None)
            if n in under_way:
                under_way[n] += 5
        else:
            homes.heard(Cancelled(0, n))
            under_way.pop(n, None)
        under_way = {number: filled for number, filled in under_way.items() if filled < 10}
        assert all(homes.of(number) == "one" for number in under_way)
        assert len(homes) <= len(under_way) + kept


def test_an_amended_order_is_over_when_its_new_quantity_has_filled() -> None:
    homes = Homes(kept=0)
    homes.went(order(1), "one")
    homes.heard(Amended(0, 1, 20, 0, 0, "v"))
    homes.heard(Filled(0, 1, "x", 1, 10))
    assert homes.of(1) == "one"
    homes.heard(Filled(0, 1, "y", 1, 10))
    assert homes.of(1) == ""


def test_a_pair_stays_together_while_one_of_it_is_known() -> None:
    homes = Homes(kept=1)
    homes.went(order(1, group=9), "one")
    homes.went(order(2, group=9), "one")
    for number in (1, 3):
        homes.went(order(number), "one")
        homes.heard(Cancelled(0, number))
    assert (homes.of(1), homes.of(2), homes.of_group(9)) == ("", "one", "one")
    homes.heard(Cancelled(0, 2))
    homes.went(order(4), "one")
    homes.heard(Cancelled(0, 4))
    assert homes.of_group(9) == ""
