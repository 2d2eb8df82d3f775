"""The adapter at a venue that misbehaves: nothing is sent twice, dead without proof, or counted twice."""

from typing import Any

import pytest

from tests.brokers.binance.desk import BTC, PLACE, WAYS, trading
from tests.brokers.pool.wires import until
from workbench.errors import KeysRefused
from workbench.model.reports import Rejected, Unsent
from workbench.model.scale import SCALE
from workbench.testbed import emulated
from workbench.testbed.rigs.binance import opened

GET = "rest:GET /api/v3/*"


# -- answers to orders -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("way", "fault"),
    [
        ("rest", {"what": "lost_reply", "seconds": 0.02}),
        ("rest", {"what": "reset", "bytes": 0, "handled": True}),
        ("rest", {"what": "reset", "bytes": 200, "handled": True}),
        ("rest", {"what": "truncate", "bytes": 300}),
        ("rest", {"what": "invalid_json"}),
        ("rest", {"what": "mutate", "unset": ["orderId"]}),
        ("rest", {"what": "mutate", "set": {"status": 7}}),
        ("ws", {"what": "lost_reply"}),
        *(
            (way, {"what": "status", "status": s, "handled": True})
            for way in WAYS
            for s in (408, 500, 503, 504)
        ),
    ],
    ids=str,
)
async def test_an_order_whose_answer_is_lost_is_found_again(way: str, fault: dict[str, Any]) -> None:
    async with trading(orders=way) as desk:
        desk.fault(where=PLACE[way], count=1, **fault)
        desk.impatient()
        desk.fault("mute", "stream:ws_api:executionReport")  # the events shall not help
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Accepted", "Filled"]
        assert desk.filled(order) == 0.1
        assert len(desk.at_venue(order)) == 1
        assert desk.broker.pool.snapshot().lost == 1


@pytest.mark.parametrize(
    ("way", "fault"),
    [
        ("rest", {"what": "drop"}),
        ("rest", {"what": "reset", "bytes": 0}),
        ("ws", {"what": "drop"}),
        *((way, {"what": "status", "status": status}) for way in WAYS for status in (500, 503, 504)),
    ],
    ids=str,
)
async def test_an_order_that_never_arrived_is_called_so_after_proof_and_not_sent_again(
    way: str, fault: dict[str, Any]
) -> None:
    async with trading(orders=way) as desk:
        desk.fault(where=PLACE[way], count=1, **fault)
        desk.impatient()
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]
        answer = desk.of(order)[-1]
        assert isinstance(answer, Unsent)
        assert "not in open orders, history or fills, asked 3 times" in answer.evidence
        assert desk.at_venue(order) == []


async def test_not_found_right_after_a_time_out_is_no_proof() -> None:
    """The look-up by id says -2013 for a while; the order is among the others."""
    async with trading() as desk:
        desk.fault("lost_reply", PLACE["ws"], count=1)
        desk.impatient()
        desk.fault("mute", "stream:ws_api:executionReport")
        desk.fault("status", "rest:GET /api/v3/order", status=400, text="Order does not exist.")
        order = desk.order()
        await desk.submit(order)
        await until(lambda: desk.broker.pool.meters.requests["look"] >= 2)
        assert desk.kinds(order)[:1] == ["OutcomeLost"]
        assert "Unsent" not in desk.kinds(order)
        desk.venue.faults.clear()
        await desk.over(order)
        assert desk.filled(order) == 0.1


async def test_an_order_is_found_among_the_others_when_its_id_finds_nothing() -> None:
    async with trading() as desk:
        desk.fault("lost_reply", PLACE["ws"], count=1)
        desk.impatient()
        desk.fault("mute", "stream:ws_api:executionReport")
        order = desk.away(0.9)
        find, client = desk.broker.client.order, desk.broker.client

        async def nothing(*_: Any, **__: Any) -> None:
            return None

        client.order = nothing  # type: ignore[method-assign]
        await desk.submit(order)
        await until(lambda: desk.kinds(order) == ["OutcomeLost", "Accepted"])
        client.order = find  # type: ignore[method-assign]


async def test_questions_that_fail_prove_nothing() -> None:
    async with trading(orders="rest") as desk:
        desk.fault("lost_reply", PLACE["rest"], count=1, seconds=0.02)
        desk.fault("mute", "stream:ws_api:executionReport")
        failing = desk.fault("status", GET, status=503)
        order = desk.order()
        await desk.submit(order)
        await until(lambda: desk.broker.pool.snapshot().requests.get("look", 0) >= 6)
        assert desk.kinds(order) == ["OutcomeLost"]
        desk.venue.faults.remove(failing)
        await desk.over(order)
        assert desk.filled(order) == 0.1


async def test_a_request_sent_twice_by_the_way_makes_one_order() -> None:
    """The venue takes the id again once the first order has filled: what the second one does is told as it is."""
    async with trading() as desk:
        desk.fault("twice", PLACE["ws"], count=1)
        order = desk.away(0.9)
        await desk.submit(order)
        await desk.quiet()
        assert len(desk.at_venue(order)) == 1  # the second was refused: the id is open
        assert desk.kinds(order)[-1] == "Accepted" or desk.kinds(order) == ["Accepted", "OutcomeLost"]


@pytest.mark.parametrize("way", WAYS)
async def test_an_id_the_venue_knows_is_asked_about(way: str) -> None:
    """Another run of ours has sent this id and it is open: it is not called rejected."""
    async with emulated("binance", speed=0, limits=False) as venue:
        async with trading(venue=venue) as first:
            order = first.away(0.9)
            await first.submit(order)
        async with trading(venue=venue, orders=way) as second:
            again = second.away(0.9)
            assert again.client_id == order.client_id
            await second.submit(again)
            await until(lambda: second.kinds(again)[:2] == ["OutcomeLost", "Accepted"])
            assert len(second.at_venue(order)) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_too_many_requests_is_a_rejection_and_a_pause(way: str) -> None:
    async with trading(orders=way) as desk:
        desk.fault("status", PLACE[way], count=1, status=429)
        order, other = desk.order(), desk.order()
        begun_s = desk.broker.pool.limiter.clock()
        await desk.submit(order)
        assert desk.kinds(order) == ["Rejected"]
        assert desk.broker.pool.limiter.budgets["weight"].blocked_until_s > begun_s + 0.9
        for one in desk.broker.pool.limiter.budgets.values():
            one.blocked_until_s = float("-inf")
        await desk.submit(other)
        await desk.over(other)
        assert desk.broker.pool.snapshot().limited == 1
        assert desk.at_venue(order) == []


@pytest.mark.parametrize("way", WAYS)
async def test_too_many_orders_hold_back_orders_alone(way: str) -> None:
    async with trading(orders=way, emulator={"limits": True, "options": {"orders-10s": "5"}}) as desk:
        for name in ("orders_10s", "orders_1d"):
            budget = desk.broker.pool.limiter.budgets[name]
            budget.set_limit(1_000)  # as if others used the account too
        orders = [desk.away(0.9, qty=0.001) for _ in range(12)]  # more than two windows take
        begun_s = desk.broker.pool.limiter.clock()
        await desk.submit(*orders)
        rejected = [desk.of(order)[0] for order in orders if desk.kinds(order) == ["Rejected"]]
        assert rejected
        assert all(isinstance(one, Rejected) and one.code == "-1015" for one in rejected)
        # until the venue's window ends, which may be soon
        assert desk.broker.pool.limiter.budgets["orders_10s"].blocked_until_s >= begun_s
        now_s = desk.broker.pool.limiter.clock()
        assert desk.broker.pool.limiter.budgets["weight"].blocked_until_s <= now_s
        held = next(order for order in orders if desk.kinds(order) == ["Accepted"])
        await desk.cancel(held)
        assert desk.kinds(held) == ["Accepted", "Cancelled"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_clock_that_is_off_is_asked_for_and_the_order_goes_again(way: str) -> None:
    async with trading(orders=way) as desk:
        desk.fault("clock_skew", "*", seconds=30.0)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["Accepted", "Filled"]
        clock = desk.broker.pool.health.clock
        assert abs(clock.offset_ns - 30e9) <= clock.error_ns + 1e6
        assert (await desk.broker.account()).positions == {0: SCALE // 10}


@pytest.mark.parametrize("way", WAYS)
async def test_who_waited_while_the_keys_were_refused_is_not_sent(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(orders=way) as desk:
        pool = desk.broker.pool

        async def waited(*asked: Any) -> float:
            pool.health.say("unauthorised", "the keys are refused")  # meanwhile
            return 1.0

        monkeypatch.setattr(pool.limiter, "admit", lambda *asked: False)
        monkeypatch.setattr(pool.limiter, "wait", waited)
        order = desk.order()
        await desk.submit(order)
        [answer] = desk.of(order)
        assert isinstance(answer, Rejected)
        assert "nothing was sent" in answer.text
        assert desk.at_venue(order) == []


async def test_a_revoked_key_stops_the_account() -> None:
    async with trading() as desk:
        desk.binance.keys.revoke(desk.binance.key)
        for _ in range(2):
            order = desk.order()
            await desk.submit(order)
            [answer] = desk.of(order)
            assert isinstance(answer, Rejected)
            assert "check the key" in answer.text
        numbers = desk.broker.pool.snapshot()
        assert numbers.state == "unauthorised"
        late = desk.order()
        await desk.submit(late)
        assert desk.kinds(late) == ["Rejected"]
        assert desk.broker.pool.snapshot().requests == numbers.requests  # more tries would invite a ban


# -- opening -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("keys", "text"),
    [(("A" * 64, ""), r"-2015"), (("short", ""), r"-2014"), (("", "not-the-secret"), r"check the secret")],
)
async def test_wrong_keys_are_refused_at_the_door(keys: tuple[str, str], text: str) -> None:
    async with emulated("binance", speed=0) as venue:
        key, secret = keys[0] or venue.facts["key"], keys[1] or venue.facts["secret"]
        broker = opened(venue, [BTC], keys=(key, secret))
        with pytest.raises(KeysRefused, match=text):
            await broker.connect(lambda report: None)
        assert not broker.pool.is_open
