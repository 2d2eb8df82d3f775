"""The bridge at an exchange that misbehaves: nothing is sent twice, dead without proof, or counted twice."""

from typing import Any

import pytest

from tests.brokers.ccxt.desk import BOTH, CANCEL, LOOKS, POST, trading
from tests.brokers.pool.wires import until
from workbench.errors import KeysRefused, RateLimited, VenueDown, VenueGarbled, VenueRefused
from workbench.model.instrument import Instrument
from workbench.model.orders import SELL, STOP
from workbench.model.reports import Amended, Rejected, Unsent
from workbench.model.scale import SCALE
from workbench.testbed import Fault, emulated
from workbench.testbed.rigs.ccxt import EXCHANGES, ccxt_account, opened

LOST: list[dict[str, Any]] = [
    {"what": "lost_reply", "seconds": 0.02},
    {"what": "reset", "bytes": 40, "handled": True},
    {"what": "truncate", "bytes": 300},
    {"what": "invalid_json"},
    {"what": "mutate", "unset": ["id", "orderId"]},
    {"what": "status", "status": 503, "handled": True},
]


def _named(fault: dict[str, Any]) -> str:
    return "-".join(str(value) for value in fault.values())


# -- answers to orders -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exchange", BOTH)
@pytest.mark.parametrize("fault", LOST, ids=_named)
async def test_an_order_whose_answer_is_lost_is_found_again(fault: dict[str, Any], exchange: str) -> None:
    async with trading(exchange) as desk:
        desk.fault(where=POST[exchange], count=1, **fault)
        desk.fault("mute", "stream:*")  # the stream shall not help
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Accepted", *["Filled"] * (len(desk.of(order)) - 2)]
        assert desk.filled(order) == 1
        assert len(desk.at_venue(order)) == 1
        assert desk.broker.pool.snapshot().lost == 1


@pytest.mark.parametrize("exchange", BOTH)
@pytest.mark.parametrize("fault", [{"what": "drop"}, {"what": "status", "status": 503}], ids=_named)
async def test_an_order_that_never_arrived_is_called_so_after_proof_and_not_sent_again(
    fault: dict[str, Any], exchange: str
) -> None:
    async with trading(exchange) as desk:
        desk.fault(where=POST[exchange], count=1, **fault)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]
        answer = desk.of(order)[-1]
        assert isinstance(answer, Unsent)
        assert "not in open orders, history or fills, asked 3 times" in answer.evidence
        assert desk.at_venue(order) == []


@pytest.mark.parametrize("exchange", BOTH)
async def test_questions_that_fail_prove_nothing(exchange: str) -> None:
    async with trading(exchange) as desk:
        desk.fault("lost_reply", POST[exchange], count=1, seconds=0.02)
        desk.fault("mute", "stream:*")
        failing = desk.fault("status", LOOKS[exchange], status=503)
        order = desk.order()
        await desk.submit(order)
        await until(lambda: desk.broker.pool.snapshot().requests.get("look", 0) >= 4)
        assert desk.kinds(order) == ["OutcomeLost"]
        desk.venue.faults.remove(failing)
        await desk.over(order)
        assert desk.filled(order) == 1


async def test_a_clock_that_is_off_is_made_up_for() -> None:
    """Binance refuses what is stamped too late; what it shows of its clock is believed."""
    async with emulated("binance", speed=0, limits=False) as venue:
        venue.faults.add(Fault(what="clock_skew", seconds=30.0))
        async with trading("binance", venue=venue) as desk:
            order = desk.order()
            await desk.submit(order)
            await desk.over(order)
            assert desk.filled(order) == 1
            clock = desk.broker.pool.health.clock
            assert abs(clock.offset_ns - 30e9) <= clock.error_ns + 1e6


async def test_an_exchange_that_is_not_there_was_not_sent_anything() -> None:
    async with trading() as desk:
        await desk.venue.stop()
        kept = desk.broker.client.exchange.session._session.connector._conns  # by host
        await until(lambda: not any(way.is_connected() for ways in kept.values() for way, _ in ways))
        order = desk.order()
        await desk.submit(order)
        [answer] = desk.of(order)
        assert isinstance(answer, Unsent)
        assert "nothing was sent" in answer.evidence


@pytest.mark.parametrize("exchange", BOTH)
async def test_a_client_id_the_exchange_knows_is_asked_about(exchange: str) -> None:
    """Another run of ours has sent this id: it is not called rejected."""
    async with emulated(EXCHANGES[exchange].venue, speed=0, limits=False) as venue:
        async with trading(exchange, venue=venue) as first:
            order = first.away()
            await first.submit(order)
        async with trading(exchange, venue=venue) as second:
            again = second.away()
            assert again.client_id == order.client_id
            await second.submit(again)
            await until(lambda: "Accepted" in second.kinds(again))
            assert second.kinds(again) == ["OutcomeLost", "Accepted"]
            assert len(second.at_venue(order)) == 1


@pytest.mark.parametrize("exchange", BOTH)
async def test_too_many_requests_is_a_rejection_and_a_pause(exchange: str) -> None:
    async with trading(exchange) as desk:
        desk.fault("status", POST[exchange], count=1, status=429, headers={"Retry-After": "0"})
        order, other = desk.order(), desk.order()
        await desk.submit(order)
        assert desk.kinds(order) == ["Rejected"]
        await desk.submit(other)
        await desk.over(other)
        assert desk.filled(other) == 1
        assert desk.broker.pool.snapshot().limited == 1
        assert desk.at_venue(order) == []


async def test_a_revoked_key_stops_the_account() -> None:
    async with trading() as desk:
        desk.fault("status", "rest:*", status=401)
        for _ in range(2):
            order = desk.order()
            await desk.submit(order)
            [answer] = desk.of(order)
            assert isinstance(answer, Rejected)
            assert "check the keys" in answer.text
        numbers = desk.broker.pool.snapshot()
        assert numbers.state == "unauthorised"
        late = desk.order()
        await desk.submit(late)
        assert desk.kinds(late) == ["Rejected"]
        assert desk.broker.pool.snapshot().requests == numbers.requests  # more tries would invite a ban


@pytest.mark.parametrize("exchange", BOTH)
async def test_what_the_exchange_refuses_is_rejected_with_its_word(exchange: str) -> None:
    async with trading(exchange) as desk:
        dear = desk.away(qty=1_000)
        await desk.submit(dear)
        [answer] = desk.of(dear)
        assert isinstance(answer, Rejected)
        assert (answer.code, "lower the quantity" in answer.text) == ("InsufficientFunds", True)
        refused = {
            "UNKNOWN_SYMBOL": desk.order(iid=7),
            "GRID": desk.order(kind=1, limit=desk.board.last + 0.001),
            "MIN_VALUE": desk.order(kind=1, limit=0.5),
            "TOGETHER": desk.order(parent_id=1),
            "TYPE": desk.order(side=SELL, kind=STOP, stop=desk.board.last / 2),
        }
        for code, order in refused.items():
            await desk.submit(order)
            [answer] = desk.of(order)
            assert isinstance(answer, Rejected)
            assert answer.code == code


async def test_symbols_that_are_not_listed_are_rejected_and_the_others_trade() -> None:
    async with trading(instruments=[Instrument(0, "BTC/USD"), Instrument(1, "NO/USD")]) as desk:
        order, other = desk.order(iid=1), desk.order()
        await desk.submit(order, other)
        assert desk.kinds(order) == ["Rejected"]
        await desk.over(other)
        assert desk.filled(other) == 1


async def test_a_wrong_key_is_refused_at_the_door() -> None:
    for exchange in BOTH:
        async with emulated(EXCHANGES[exchange].venue, speed=0) as venue:
            from workbench.brokers.ccxt.broker import CcxtBroker

            keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": "wrong-wrong"}
            broker = CcxtBroker(ccxt_account(venue, exchange), [], environ=keys)
            with pytest.raises((KeysRefused, VenueRefused), match=rf"{exchange}: ") as caught:
                await broker.connect(lambda report: None)
            assert "wrong-wrong" not in str(caught.value)
            assert "signature=" not in str(caught.value)
            assert not broker.pool.is_open


@pytest.mark.parametrize("exchange", BOTH)
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ({"what": "invalid_json"}, (VenueGarbled,)),
        ({"what": "status", "status": 503}, (VenueDown,)),
        ({"what": "status", "status": 403}, (KeysRefused, VenueRefused)),
        ({"what": "status", "status": 429, "headers": {"Retry-After": "0"}}, (RateLimited,)),
        ({"what": "drop"}, (VenueDown,)),
    ],
    ids=str,
)
async def test_what_is_wrong_at_the_start_is_typed_and_names_the_exchange(
    fault: dict[str, Any], kinds: tuple[type[Exception], ...], exchange: str
) -> None:
    async with emulated(EXCHANGES[exchange].venue, speed=0) as venue:
        venue.faults.add(Fault(where="rest:*", **fault))
        instruments = [Instrument(0, EXCHANGES[exchange].symbol)]
        broker = opened(venue, exchange, instruments, settings={"options": {"timeout_s": 20.0}})
        with pytest.raises(kinds, match=f"^{exchange}: ") as caught:
            await broker.connect(lambda report: None)
        assert "\n" not in str(caught.value)
        assert venue.facts["secret"] not in str(caught.value)
        assert not broker.pool.is_open


async def test_an_exchange_that_drops_our_ids_is_not_traded_on() -> None:
    async with trading() as desk:
        desk.fault("mutate", POST["alpaca"], count=1, set={"client_order_id": "theirs"})
        first, second = desk.order(), desk.order()
        await desk.submit(first)
        await until(lambda: bool(desk.broker._no_ids))
        await desk.submit(second)
        [answer] = desk.of(second)
        assert isinstance(answer, Rejected)
        assert answer.code == "NO_CLIENT_IDS"
        assert desk.broker.pool.health.state == "degraded"


# -- cancels and amendments --------------------------------------------------------------------------------------
@pytest.mark.parametrize("exchange", BOTH)
@pytest.mark.parametrize("fault", [LOST[0], {"what": "drop"}, {"what": "status", "status": 503}], ids=_named)
async def test_a_cancel_is_repeated_until_it_is_answered(fault: dict[str, Any], exchange: str) -> None:
    async with trading(exchange) as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault(where=CANCEL[exchange], count=1, **fault)
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


async def test_cancels_go_out_while_the_exchange_refuses_orders() -> None:
    async with trading() as desk:
        resting = desk.away()
        await desk.submit(resting)
        desk.broker.pool.breakers["orders"]._pause_s = 600.0  # it stays open to the end
        desk.fault("status", POST["alpaca"], status=503)
        for _ in range(6):
            await desk.submit(desk.order())
        assert desk.broker.pool.breakers["orders"].state == "open"
        late = desk.order()
        await desk.submit(late)
        assert desk.kinds(late) == ["Unsent"]
        await desk.cancel(resting)
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]


@pytest.mark.parametrize("exchange", BOTH)
async def test_an_amendment_whose_answer_is_lost_is_found(exchange: str) -> None:
    where = {"alpaca": "rest:PATCH *", "binance": "rest:POST /api/v3/order/cancelReplace"}[exchange]
    async with trading(exchange) as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        desk.fault("lost_reply", where, count=1, seconds=0.02)
        limit = round(desk.board.last * 0.91, 2)
        await desk.amend(order, 1.5, limit)
        [amended] = [r for r in desk.of(order) if isinstance(r, Amended)]
        assert (amended.qty_e8, amended.limit_px_e8) == (1.5 * SCALE, round(limit * SCALE))
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Amended", "Cancelled"]


@pytest.mark.parametrize("exchange", BOTH)
async def test_an_amendment_that_never_arrived_is_refused_after_proof(exchange: str) -> None:
    where = {"alpaca": "rest:PATCH *", "binance": "rest:POST /api/v3/order/cancelReplace"}[exchange]
    async with trading(exchange) as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        desk.fault("drop", where, count=1)
        await desk.amend(order, 2, round(desk.board.last * 0.91, 2))
        assert desk.kinds(order) == ["Accepted", "AmendRefused"]
        await desk.cancel(order)
        assert desk.kinds(order)[-1] == "Cancelled"


async def test_what_has_filled_in_part_is_not_replaced() -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        desk.print_at(order.limit_px_e8 / SCALE, 0.4)
        await until(lambda: desk.filled(order) == 0.4)
        await desk.amend(order, 2, round(desk.board.last * 0.99, 2))
        assert desk.kinds(order) == ["Accepted", "Filled", "AmendRefused"]
