"""The built-in exchange: what is delivered when, in which order, and that the clock changes no outcome."""

import asyncio
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.brokers.sim import SimBroker
from workbench.config import SimSettings
from workbench.errors import Unreachable
from workbench.model import SCALE, Amend, AmendRefused, Cancel, Instrument, Report, Submit, Trade, to_e8
from workbench.model.orders import BUY, DAY, LIMIT, MARKET, SELL

AT_ONCE = SimSettings.model_validate({"ack_median_us": 0, "fill_median_us": 0})
SLOW = SimSettings.model_validate({"ack_median_us": 2_000, "fill_median_us": 4_000, "sigma": 0.0})
SPY = Instrument(0, "SPY")


def order(
    order_id: int, ts_ns: int = 1, side: int = BUY, limit: float = 0.0, quantity: float = 10, iid: int = 0
) -> Submit:
    kind = LIMIT if limit else MARKET
    return Submit(ts_ns, order_id, 1, 1, iid, side, kind, DAY, to_e8(quantity), to_e8(limit), 0)


async def connected(sim: SimSettings = AT_ONCE) -> tuple[SimBroker, list[Report]]:
    broker, reports = SimBroker(sim, cash_e8=10_000 * SCALE, instruments=[SPY]), list[Report]()
    await broker.connect(reports.append)
    return broker, reports


def kinds(reports: list[Report]) -> list[str]:
    return [type(report).__name__ for report in reports]


async def test_delays_pass_on_the_wall_clock_and_orders_that_rest_do_not_count() -> None:
    broker, reports = await connected(SLOW)
    started = monotonic()
    broker.submit(order(1, limit=100.0))
    assert (broker.pending, kinds(reports)) == (1, [])
    await broker.settled()
    assert monotonic() - started >= 0.002
    assert (broker.pending, kinds(reports)) == (0, ["Accepted"])
    await broker.settled()  # the order rests: nothing to wait for
    broker.on_market(Trade(2, 0, 99.0))
    await broker.settled()
    assert monotonic() - started >= 0.004
    assert kinds(reports) == ["Accepted", "Filled"]
    await broker.close()


async def test_a_fill_never_overtakes_its_acceptance() -> None:
    broker, reports = await connected(SimSettings.model_validate({"sigma": 2.0, "ack_median_us": 300}))
    for number in range(1, 60):
        broker.submit(order(number, ts_ns=number))
    broker.on_market(Trade(100, 0, 367.5))
    await broker.settled()
    for number in range(1, 60):
        assert kinds([report for report in reports if report.order_id == number]) == ["Accepted", "Filled"]
    assert [report.order_id for report in reports if type(report).__name__ == "Filled"] != list(range(1, 60))
    await broker.close()


async def test_a_cancel_behind_a_fill_on_its_way_comes_too_late() -> None:
    broker, reports = await connected(SLOW)
    broker.submit(order(1))
    broker.on_market(Trade(2, 0, 367.5))
    broker.cancel(Cancel(3, 1))
    assert reports == []
    await broker.settled()
    assert kinds(reports) == ["Accepted", "Filled", "CancelRefused"]
    await broker.close()


async def test_what_is_not_on_the_grid_or_not_known_is_rejected() -> None:
    broker, reports = await connected()
    for bad in (order(1, iid=9), order(2, quantity=0.5), order(3, limit=100.001)):
        broker.submit(bad)
    await broker.settled()
    assert [(report.order_id, report.code) for report in reports if hasattr(report, "code")] == [
        (1, "UNKNOWN_SYMBOL"),
        (2, "GRID"),
        (3, "GRID"),
    ]
    known = await broker.order("wb-1-2")
    assert known is not None
    assert "rejected" in repr(known)
    await broker.close()


async def test_nothing_can_be_handed_over_before_the_connection() -> None:
    broker = SimBroker(AT_ONCE)
    with pytest.raises(Unreachable, match=r"call connect\(\) first; nothing was sent"):
        broker.submit(order(1))
    with pytest.raises(Unreachable):
        broker.cancel(Cancel(1, 1))


async def test_closing_delivers_what_is_on_its_way() -> None:
    broker, reports = await connected(
        SimSettings.model_validate({"ack_median_us": 60e6, "fill_median_us": 90e6})
    )
    broker.submit(order(1))
    broker.on_market(Trade(2, 0, 367.5))
    await broker.close()
    assert kinds(reports) == ["Accepted", "Filled"]
    assert broker.pending == 0
    await broker.settled()


async def test_a_second_connection_takes_over() -> None:
    broker, first = await connected()
    await broker.close()
    second: list[Report] = []
    await broker.connect(second.append)
    broker.submit(order(1))
    await broker.settled()
    assert (kinds(first), kinds(second)) == ([], ["Accepted"])
    await broker.close()


async def test_a_sink_that_raises_loses_no_other_report() -> None:
    broker, reports = await connected()
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(str(context["exception"])))

    def sink(report: Report) -> None:
        reports.append(report)
        if report.order_id == 1:
            raise RuntimeError("the sink broke")

    await broker.connect(sink)
    broker.submit(order(1))
    broker.submit(order(2))
    await broker.settled()
    assert [report.order_id for report in reports] == [1, 2]
    assert failures == ["the sink broke"]
    await broker.close()


async def test_everybody_who_waits_is_woken_also_by_what_a_report_sets_off() -> None:
    broker, reports = await connected()

    def sink(report: Report) -> None:
        reports.append(report)
        if len(reports) < 5:
            broker.submit(order(len(reports) + 1))

    await broker.connect(sink)
    broker.submit(order(1))
    await asyncio.gather(broker.settled(), broker.settled())
    assert len(reports) == 5
    assert broker.pending == 0
    await broker.close()


async def test_delivery_times_are_forgotten_with_the_orders() -> None:
    broker, reports = await connected()
    for number in range(1, 200):
        broker.submit(order(number, ts_ns=number))
        broker.on_market(Trade(1_000 + number, 0, 367.5))
        broker.cancel(Cancel(2_000, number))
        await broker.settled()
    assert len(reports) == 3 * 199
    assert (broker._due_s, broker._submitted_s) == ({}, {})
    await broker.close()


type Step = tuple[str, int, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "limit", "cancel", "print", "print"]),
        st.integers(1, 5),
        st.integers(95, 105),
        st.integers(0, 3),
    ),
    max_size=25,
)


async def _played(script: list[Step], sim: SimSettings, settle_every: int) -> tuple[list[str], object]:
    broker = SimBroker(sim, cash_e8=10_000 * SCALE, instruments=[SPY])
    by_order: dict[int, list[Report]] = {}
    await broker.connect(lambda report: by_order.setdefault(report.order_id, []).append(report))
    for number, (what, quantity, px, target) in enumerate(script, start=1):
        ts_ns = number * 1_000_000_000
        if what == "print":
            broker.on_market(Trade(ts_ns, 0, float(px)))
        elif what == "cancel":
            broker.cancel(Cancel(ts_ns, max(1, number - target)))
        else:
            side = SELL if what == "sell" else BUY
            broker.submit(order(number, ts_ns, side, float(px) if what == "limit" else 0.0, quantity))
        if settle_every and number % settle_every == 0:
            await broker.settled()
    await broker.settled()
    account = await broker.account()
    await broker.close()
    return [
        f"{number}: " + " ".join(f"{type(r).__name__}/{getattr(r, 'px_e8', '')}" for r in reports)
        for number, reports in sorted(by_order.items())
    ], account


@settings(max_examples=30, deadline=None)
@given(steps)
def test_law_no_delay_and_no_pacing_changes_what_happens(script: list[Step]) -> None:
    quick = SimSettings.model_validate({"ack_median_us": 200, "fill_median_us": 300, "sigma": 1.0})
    outcomes = [
        asyncio.run(_played(script, sim, settle_every))
        for sim, settle_every in ((AT_ONCE, 1), (AT_ONCE, 0), (quick, 1), (quick, 3))
    ]
    assert all(outcome == outcomes[0] for outcome in outcomes)


async def test_amendments_are_answered_after_their_delay_and_kept_on_the_grid() -> None:
    broker, reports = await connected(SLOW)
    broker.submit(order(1, limit=360.0))
    broker.amend(Amend(2, 1, 7 * SCALE, 361 * SCALE, 0))
    assert reports == []  # hand over, like a submit
    await broker.settled()
    broker.amend(Amend(3, 1, 7 * SCALE, 361 * SCALE + 1, 0))
    broker.amend(Amend(4, 1, SCALE // 2, 361 * SCALE, 0))
    broker.amend(Amend(5, 99, SCALE, SCALE, 0))
    await broker.settled()
    assert kinds(reports) == ["Accepted", "Amended", "AmendRefused", "AmendRefused", "AmendRefused"]
    assert [r.code for r in reports if isinstance(r, AmendRefused)] == ["GRID", "GRID", "UNKNOWN_ORDER"]
    known = await broker.order("wb-1-1")
    assert known is not None
    assert known.qty_e8 == 7 * SCALE
    assert kinds(list(known.reports)) == ["Accepted", "Amended"]  # a refusal is no part of an order's history
    await broker.close()
    broker.amend(Amend(6, 1, 8 * SCALE, 361 * SCALE, 0))
    await asyncio.sleep(0)
    assert isinstance(reports[-1], AmendRefused)
    assert reports[-1].code == "CLOSED"
