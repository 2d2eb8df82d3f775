"""The laws of the limiter, on a clock that only the test moves."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.brokers.pool.budgets import Bucket, Budget, Fixed, Rolling, Slots
from workbench.brokers.pool.lanes import CANCEL, DATA, ENTRY, EXIT, HISTORY
from workbench.brokers.pool.limiter import Limiter
from workbench.errors import BadValue, Busy, UnknownName

START_S = 1_000.0
type Passed = tuple[float, int, int, float]  # when, lane, cost, when it came


class Clock:
    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


def driven(
    budgets: Sequence[Budget], arrivals: Sequence[tuple[float, int, int]], until_s: float
) -> list[Passed]:
    """What passes of `arrivals` (seconds, lane, cost of every budget) within `until_s`."""
    clock = Clock()
    gate = Limiter(budgets, clock=clock)
    passed: list[Passed] = []
    due = sorted((START_S + at_s, lane, cost) for at_s, lane, cost in arrivals)

    async def one(came_s: float, lane: int, cost: int) -> None:
        await gate.wait(gate.route(f"r{cost}", **dict.fromkeys(gate.budgets, cost)), lane)
        passed.append((clock.now_s, lane, cost, came_s))

    async def run() -> None:
        tasks: list[asyncio.Future[None]] = []
        index = 0
        while clock.now_s < START_S + until_s:
            while index < len(due) and due[index][0] <= clock.now_s:
                tasks.append(asyncio.ensure_future(one(*due[index])))
                index += 1
            await asyncio.sleep(0)
            wait_s = gate.pump()
            for _ in range(3):
                await asyncio.sleep(0)
            following_s = due[index][0] if index < len(due) else START_S + until_s
            clock.now_s = max(min(clock.now_s + max(wait_s, 1e-3), following_s), clock.now_s + 1e-6)
        gate.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    return passed


def most_within(passed: Sequence[Passed], span_s: float) -> int:
    """The highest sum of costs in any half-open span of that length."""
    most, first, running = 0, 0, 0
    for at_s, _, cost, _ in passed:
        running += cost
        while passed[first][0] <= at_s - span_s:
            running -= passed[first][2]
            first += 1
        most = max(most, running)
    return most


ARRIVALS = st.lists(
    st.tuples(st.floats(0, 30), st.sampled_from([CANCEL, EXIT, ENTRY, DATA, HISTORY]), st.integers(1, 3)),
    min_size=1,
    max_size=150,
)


@settings(max_examples=40, deadline=None)
@given(arrivals=ARRIVALS, limit=st.integers(3, 40), period_s=st.sampled_from([1.0, 5.0, 10.0]))
def test_no_span_of_a_period_holds_more_than_the_limit(
    arrivals: list[tuple[float, int, int]], limit: int, period_s: float
) -> None:
    passed = driven([Rolling("all", limit, period_s)], arrivals, 60)
    assert most_within(passed, period_s) <= limit


@settings(max_examples=40, deadline=None)
@given(
    arrivals=ARRIVALS,
    limit=st.integers(3, 40),
    late_s=st.floats(0, 0.2),
    shift_s=st.floats(-5, 5),
)
def test_no_window_of_the_venues_clock_holds_more_than_the_limit(
    arrivals: list[tuple[float, int, int]], limit: int, late_s: float, shift_s: float
) -> None:
    budget = Fixed("all", limit, 5.0, guard_s=0.2)
    budget.shift_s = shift_s
    windows: dict[int, int] = {}
    flood = [(0.0, ENTRY, 1)] * limit * 5  # every window is used to its end
    for at_s, _, cost, _ in driven([budget], [*arrivals, *flood], 60):
        window = int((at_s + shift_s + late_s) // 5.0)  # it arrives up to the guard later
        windows[window] = windows.get(window, 0) + cost
    assert max(windows.values(), default=0) <= limit


@settings(max_examples=40, deadline=None)
@given(arrivals=ARRIVALS, burst=st.integers(3, 20), rate=st.floats(0.5, 20))
def test_a_bucket_gives_no_more_than_its_burst_and_its_rate(
    arrivals: list[tuple[float, int, int]], burst: int, rate: float
) -> None:
    passed = driven([Bucket("all", burst, rate)], arrivals, 60)
    taken = 0.0
    last_s = START_S
    for at_s, _, cost, _ in passed:
        taken = max(0.0, taken - (at_s - last_s) * rate) + cost
        last_s = at_s
        assert taken <= burst + 1e-6


@settings(max_examples=25, deadline=None)
@given(
    limit=st.integers(10, 60),
    bursts=st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from([EXIT, ENTRY, DATA])), min_size=1, max_size=4
    ),
    at_s=st.floats(0, 25),
)
@pytest.mark.parametrize("kind", [Rolling, Fixed])
def test_cancels_are_never_starved(
    kind: Callable[..., Budget], limit: int, bursts: list[tuple[float, int]], at_s: float
) -> None:
    """However much else is asked for at once: the k-th cancel waits no more than k steps (and the guard)."""
    period_s, guard_s = 10.0, 0.1
    kept = int(limit * 0.2)
    flood = [(burst_s, lane, 1) for burst_s, lane in bursts for _ in range(2 * limit)]
    cancels = [(at_s, CANCEL, 1)] * kept
    passed = driven([kind("all", limit, period_s, guard_s=guard_s)], [*flood, *cancels], 40)
    waits = [went_s - came_s for went_s, lane, _, came_s in passed if lane == CANCEL]
    assert len(waits) == kept
    assert all(wait_s <= k * period_s / kept + 2 * guard_s + 0.02 for k, wait_s in enumerate(waits, 1))


@pytest.mark.parametrize("lane", [EXIT, ENTRY, DATA, HISTORY])
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(
    "budget",
    [
        lambda: Rolling("all", 200, 60.0),
        lambda: Rolling("all", 10, 1.0),
        lambda: Fixed("all", 600, 60.0),
        lambda: Bucket("all", 10, 10.0),
    ],
)
def test_one_lane_alone_uses_the_whole_allowance(
    budget: Callable[[], Budget], smooth: bool, lane: int
) -> None:
    made = budget()
    periods = 4 if made.limit > 50 else 20
    total_s = periods * made.period_s
    wanted = int(made.limit * periods * 1.5)
    arrivals = [(k * total_s / wanted if smooth else 0.0, lane, 1) for k in range(wanted)]
    passed = driven([made], arrivals, total_s)
    assert len(passed) >= 0.95 * made.limit * periods


def test_lanes_go_by_rank_and_one_lane_by_age() -> None:
    lanes = [HISTORY, DATA, ENTRY, EXIT, CANCEL] * 3
    passed = driven([Rolling("all", 2, 1.0)], [(0.0001 * n, lane, 1) for n, lane in enumerate(lanes)], 60)
    assert len(passed) == len(lanes)
    later = passed[2:]  # two go at once
    assert [lane for _, lane, _, _ in later] == sorted(lane for _, lane, _, _ in later)
    for lane in range(5):
        ages = [came_s for _, each, _, came_s in later if each == lane]
        assert ages == sorted(ages)


async def test_what_lacks_one_allowance_does_not_hold_up_the_others() -> None:
    clock = Clock()
    gate = Limiter([Rolling("orders", 1, 60.0), Rolling("weight", 100, 60.0)], clock=clock)
    order, question = gate.route("order", orders=1, weight=1), gate.route("question", weight=5)
    assert gate.admit(order, ENTRY)
    waiting = asyncio.ensure_future(gate.wait(order, ENTRY))
    await asyncio.sleep(0)
    assert await gate.wait(question, DATA) == 0.0
    assert not waiting.done()
    clock.now_s += 63
    gate.pump()
    assert await waiting == 63
    assert (gate.waited[ENTRY], gate.longest_wait_s, gate.passed) == (1, 63, [0, 0, 2, 1, 0])


async def test_who_waits_too_long_is_told_and_takes_nothing() -> None:
    gate = Limiter([Rolling("orders", 1, 60.0)])
    order = gate.route("order", orders=1)
    assert gate.admit(order, ENTRY)
    with pytest.raises(Busy, match=r"'order' waited 0.01 s for its turn \(orders\)"):
        await gate.wait(order, ENTRY, most_s=0.01)
    assert gate.waiting == 0
    assert gate.headroom() == {"orders": 0.0}


async def test_who_gives_up_frees_the_place() -> None:
    gate = Limiter([Slots("in flight", 1, reserve=0.0)])
    call = gate.route("call", **{"in flight": 1})
    assert gate.admit(call, DATA)
    first, second = (asyncio.ensure_future(gate.wait(call, DATA)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    assert not second.done()
    gate.release(call)
    await second
    assert gate.waiting == 0
    gate.release(call)
    assert gate.headroom() == {"in flight": 1.0}


async def test_the_timer_lets_pass_without_polling() -> None:
    clock = Clock()
    gate = Limiter([Rolling("orders", 1, 0.05)], clock=clock)
    order = gate.route("order", orders=1)
    assert gate.admit(order, ENTRY)
    waiting = asyncio.ensure_future(gate.wait(order, ENTRY))
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.now_s += 1  # nobody pumps: only its own timer finds out
    assert await asyncio.wait_for(waiting, 60) == 1


async def test_closing_ends_the_waiting() -> None:
    gate = Limiter([Rolling("orders", 1, 60.0)])
    order = gate.route("order", orders=1)
    assert gate.admit(order, ENTRY)
    waiting = asyncio.ensure_future(gate.wait(order, ENTRY))
    await asyncio.sleep(0)
    gate.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_the_venue_asks_for_a_pause() -> None:
    clock = Clock()
    gate = Limiter([Rolling("orders", 10, 60.0)], clock=clock)
    order = gate.route("order", orders=1)
    gate.penalise(order, 7.0)
    assert not gate.admit(order, CANCEL)
    assert gate.headroom() == {"orders": 0.0}
    clock.now_s += 7.01
    assert gate.admit(order, CANCEL)


def test_a_venue_that_counts_more_than_we_do_is_believed() -> None:
    for budget in (Rolling("a", 100, 60.0), Fixed("a", 100, 60.0), Bucket("a", 100, 2.0)):
        budget.take(10, START_S)
        budget.observe_used(70, START_S, START_S)
        assert budget.free(START_S) == 30
        budget.observe_used(20, START_S, START_S)  # it has not seen what is on its way yet
        assert budget.free(START_S) == 30
        budget.observe_limit(200)
        assert budget.free(START_S) == 130
        budget.pinned = True
        budget.observe_limit(1)
        assert budget.limit == 200


def test_an_answer_from_the_window_before_is_not_counted_again() -> None:
    budget = Fixed("weight", 100, 60.0, guard_s=0.1)
    budget.observe_used(90, 1_019.0, 1_021.0)
    assert budget.free(1_021.0) == 100


def test_routes_that_could_never_pass_are_refused() -> None:
    gate = Limiter([Rolling("orders", 5, 60.0)])
    with pytest.raises(UnknownName, match="did you mean 'orders'"):
        gate.route("order", order=1)
    with pytest.raises(BadValue, match=r"order\.orders = 6: give a cost from 1 to 5"):
        gate.route("order", orders=6)
    with pytest.raises(BadValue, match=r"reserve = 0\.9"):
        Rolling("orders", 5, 60.0, reserve=0.9)


def test_memory_stays_small_under_a_flood() -> None:
    budget = Rolling("raw", 61_000, 300.0)
    for n in range(61_000):
        budget.take(1, START_S + n * 0.004)
    assert len(budget._spans) <= 1_001
