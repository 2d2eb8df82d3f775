"""A difference counts when it stands twice and nothing could explain it; then the symbol is frozen, later thawed."""

import asyncio
from typing import Any

import pytest

from tests.orchestrator.parts import engine_with_flip
from workbench.brokers.contract import BrokerAccount
from workbench.errors import Unreachable
from workbench.model import (
    Accepted,
    Bar,
    Filled,
    Freeze,
    OutcomeLost,
    PauseStrategy,
    PlaceOrder,
    Refusal,
    Submit,
    Thaw,
    to_e8,
)
from workbench.model.orders import BUY, DAY, MARKET, SELL
from workbench.orchestrator.truth_watch import BY, TruthWatch


class Desk:
    """An engine, the account as the broker tells it, and what the watch asked for."""

    def __init__(self) -> None:
        self.engine = engine_with_flip()
        self.engine.handle(PauseStrategy(2, 1, "nobody trades but the test"))
        self.engine.handle(Bar(60, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
        self.theirs: dict[int, int] = {}
        self.cash_e8 = self.engine.ledger.cash_e8
        self.broken, self.whole = False, True
        self.unheard: frozenset[int] = frozenset()
        self.asked: list[tuple[str, ...]] = []
        self.now_s = 0.0
        self.watch = TruthWatch(
            self.engine, self.account, self.freeze, self.thaw, self.tell, lambda: self.now_s
        )

    async def account(self) -> BrokerAccount:
        if self.broken:
            raise Unreachable("nobody answers")
        return BrokerAccount(self.cash_e8, self.theirs, (), self.whole, self.unheard)

    async def freeze(self, symbol: str, reason: str) -> None:
        self.asked.append(("freeze", symbol))
        self.engine.handle(Freeze(61, 0, reason, BY))

    async def thaw(self, symbol: str) -> None:
        self.asked.append(("thaw", symbol))
        self.engine.handle(Thaw(61, 0, BY))

    def tell(self, what: str, text: str) -> None:
        self.asked.append(("tell", what, text))

    def order(self, side: int, quantity: float = 1) -> Any:
        self.engine.handle(Bar(self.engine.now_ns + 1, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
        command = PlaceOrder(self.engine.now_ns, 0, side, MARKET, DAY, to_e8(quantity))
        return self.engine.handle(command)[-1]

    def fill(self, submit: Submit) -> None:
        self.engine.handle(Accepted(62, submit.order_id, "v"))
        self.engine.handle(Filled(62, submit.order_id, f"x{submit.order_id}", to_e8(100), submit.qty_e8))
        self.cash_e8 = self.engine.ledger.cash_e8


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def looks(desk: Desk, times: int) -> list[tuple[str, ...]]:
    for _ in range(times):
        await desk.watch.look()
    asked, desk.asked = desk.asked, []
    return asked


async def test_agreement_does_nothing(desk: Desk) -> None:
    assert await looks(desk, 3) == []
    assert desk.watch.last == []


async def test_a_difference_that_stands_freezes_its_symbol_and_agreement_thaws_it(desk: Desk) -> None:
    desk.theirs = {0: to_e8(5)}
    assert await looks(desk, 1) == []
    (told, froze) = await looks(desk, 1)
    assert told[:2] == ("tell", "position SPY")
    assert "the desk says 0, the broker 5: SPY is frozen" in told[2]
    assert froze == ("freeze", "SPY")
    no = desk.order(BUY)
    assert isinstance(no, Refusal)
    assert no.code == "FROZEN"
    assert [word for word, *_ in await looks(desk, 3)] == ["tell"] * 3  # the alert itself says it once
    desk.theirs = {}
    assert await looks(desk, 1) == []
    assert await looks(desk, 1) == [("thaw", "SPY")]
    assert isinstance(desk.order(BUY), Submit)


async def test_what_stands_is_shown_with_both_sides_until_it_agrees(desk: Desk) -> None:
    desk.theirs, desk.cash_e8 = {0: to_e8(5)}, desk.cash_e8 - to_e8(7)
    await looks(desk, 1)
    assert desk.watch.standing == []  # one look is none: a report may be on its way
    await looks(desk, 1)
    ours = desk.engine.ledger.cash_e8 / 1e8
    position, cash = desk.watch.standing
    assert (position.symbol, position.ours, position.theirs) == ("SPY", 0.0, 5.0)
    assert (cash.symbol, cash.ours, cash.theirs) == ("", ours, ours - 7)
    desk.theirs = {0: to_e8(6)}
    await looks(desk, 1)  # still not the same: shown as it is now, since when it began
    assert [(row.theirs, row.since_ns) for row in desk.watch.standing[:1]] == [(6.0, position.since_ns)]
    desk.theirs = {}
    await looks(desk, 1)
    assert [row.symbol for row in desk.watch.standing] == [""]


async def test_it_looks_now_and_then_until_it_is_cancelled(desk: Desk) -> None:
    stopped = True
    task = asyncio.create_task(desk.watch.run(0.001, lambda: stopped))
    try:
        await asyncio.sleep(0.01)
        assert desk.watch.looks == 0
        stopped = False
        async with asyncio.timeout(30):
            while desk.watch.looks < 3:  # noqa: ASYNC110 - a count that sets no event
                await asyncio.sleep(0)
    finally:
        task.cancel()


async def test_reducing_orders_pass_a_frozen_symbol(desk: Desk) -> None:
    desk.fill(desk.order(BUY, 3))
    desk.theirs = {0: to_e8(4)}
    await looks(desk, 2)
    assert 0 in desk.engine.risk.frozen
    assert isinstance(desk.order(SELL, 3), Submit)
    assert desk.order(SELL, 1).code == "FROZEN"  # the first may fill: this one would go short


async def test_what_moves_between_two_looks_is_no_difference(desk: Desk) -> None:
    submit = desk.order(BUY, 2)
    desk.theirs = {0: to_e8(2)}  # the broker is ahead: its report is still on the way
    assert await looks(desk, 3) == []
    desk.fill(submit)
    assert await looks(desk, 3) == []
    desk.theirs = {0: to_e8(3)}
    await looks(desk, 1)
    desk.theirs = {0: to_e8(4)}  # another figure than before: not the same difference twice
    assert await looks(desk, 1) == []


async def test_a_difference_in_cash_is_told_and_freezes_nothing(desk: Desk) -> None:
    desk.cash_e8 += 1
    asked = await looks(desk, 2)
    assert [word for word, *_ in asked] == ["tell"]
    assert desk.engine.risk.frozen == {}


async def test_a_person_may_thaw_and_what_a_person_froze_stays_frozen(desk: Desk) -> None:
    desk.engine.handle(Freeze(61, 0, "mine", "me"))
    desk.theirs = {0: to_e8(5)}
    assert [word for word, *_ in await looks(desk, 2)] == ["tell"]
    desk.theirs = {}
    assert await looks(desk, 3) == []
    assert desk.engine.risk.frozen == {0: "mine"}
    desk.engine.handle(Thaw(61, 0, "me"))
    assert isinstance(desk.engine.handle(Thaw(61, 0, "me"))[0], Refusal)


async def test_an_order_that_stays_unknown_freezes_its_symbol(desk: Desk) -> None:
    submit = desk.order(BUY, 1)
    desk.engine.handle(OutcomeLost(62, submit.order_id, "the answer was lost"))
    assert await looks(desk, 2) == []
    desk.now_s = 59.0
    assert await looks(desk, 1) == []
    desk.now_s = 61.0
    assert [asked[:2] for asked in await looks(desk, 1)] == [("tell", "order 1"), ("freeze", "SPY")]
    desk.fill(submit)
    desk.theirs = {0: to_e8(1)}
    assert await looks(desk, 1) == []
    assert await looks(desk, 1) == [("thaw", "SPY")]


async def test_no_answer_is_no_difference(desk: Desk) -> None:
    desk.theirs = {0: to_e8(5)}
    await looks(desk, 1)
    desk.broken = True
    assert await looks(desk, 5) == []
    desk.broken = False
    assert [word for word, *_ in await looks(desk, 1)] == ["tell", "freeze"]


async def test_an_account_that_is_away_does_not_hide_what_the_others_show(desk: Desk) -> None:
    desk.theirs = {0: to_e8(5)}
    assert [word for word, *_ in await looks(desk, 2)] == ["tell", "freeze"]
    desk.theirs, desk.whole, desk.unheard = {}, False, frozenset({0})
    assert await looks(desk, 3) == []  # not heard: it neither agrees nor differs anew
    assert [row.symbol for row in desk.watch.standing] == ["SPY"]
    desk.unheard, desk.cash_e8 = frozenset(), desk.cash_e8 + to_e8(1)
    assert await looks(desk, 2) == [("thaw", "SPY")]  # cash tells nothing while an account is away
    desk.theirs = {0: to_e8(7)}
    assert [word for word, *_ in await looks(desk, 2)] == ["tell", "freeze"]
