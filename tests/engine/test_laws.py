"""Laws that hold for every history a bad outside can produce: books, states, exposure, replay."""

import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.books import check
from tests.engine.conftest import MINUTE, T0, Bench
from workbench.engine import effects_hash
from workbench.model import (
    Accepted,
    AddStrategy,
    Amend,
    Amended,
    AmendOrder,
    AmendRefused,
    Arm,
    Bar,
    BarSlice,
    Cancelled,
    CancelOrder,
    CancelRefused,
    CashMoved,
    Dividend,
    Event,
    Expired,
    Filled,
    Flatten,
    Kill,
    OutcomeLost,
    PauseStrategy,
    PlaceOrder,
    Quote,
    Rejected,
    RemoveStrategy,
    ResumeStrategy,
    Sent,
    SetLimits,
    SetParameters,
    Split,
    StartSession,
    Submit,
    Timer,
    Trade,
    Unsent,
    notional_e8,
    to_e8,
)
from workbench.model.orders import ALLOWED, TERMINAL

ids = st.integers(0, 12)
iids = st.integers(-1, 2)
times = st.integers(0, 30).map(lambda n: T0 + n * MINUTE // 4)
texts = st.sampled_from(["", "a", "b"])
floats = st.one_of(st.floats(90, 110), st.sampled_from([0.0, -1.0, float("nan"), float("inf"), 1e300]))
units = st.integers(-2, 30).map(lambda n: n * 10**8)
pxs = st.integers(9_000, 11_000).map(lambda n: n * 10**6)
pairs = st.sampled_from(
    [(), (("mode", "flip"),), (("mode", "nan"),), (("mode", "raise"),), (("mode", "oops"),)]
)


def bar_slice(ts_ns: int, close: float, same: bool) -> BarSlice:
    import numpy as np

    iids_ = np.array([0, 0] if same else [0, 1], "<i4")
    return BarSlice(ts_ns, iids_.tobytes(), np.full((2, 5), close, "<f8").tobytes())


events: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda t, i, c: Bar(t, i, c, c, c, c, 1.0), times, iids, floats),
    st.builds(bar_slice, times, floats, st.booleans()),
    st.builds(Trade, times, iids, floats, floats),
    st.builds(Quote, times, iids, floats, st.just(1.0), floats, st.just(1.0)),
    st.builds(Sent, times, ids),
    st.builds(Accepted, times, ids, texts),
    st.builds(Filled, times, ids, st.integers(0, 40).map(str), pxs, units, st.integers(0, 100)),
    st.builds(Filled, times, ids, st.integers(0, 40).map(str), pxs, units, st.integers(0, 100)),
    st.builds(Cancelled, times, ids, texts),
    st.builds(Rejected, times, ids, texts, texts),
    st.builds(Expired, times, ids),
    st.builds(CancelRefused, times, ids, texts, texts),
    st.builds(OutcomeLost, times, ids, texts),
    st.builds(Unsent, times, ids, texts),
    st.builds(StartSession, times, st.integers(1, 5), texts, texts, texts),
    st.builds(
        lambda t, s, p, i: AddStrategy(t, s, "S", "src", "h", p, i, "quantity", 10**9),
        times,
        st.integers(0, 4),
        pairs,
        st.sampled_from([(0,), (1,), (0, 1), (9,), ()]),
    ),
    st.builds(PauseStrategy, times, st.integers(0, 5), texts, st.booleans()),
    st.builds(ResumeStrategy, times, st.integers(0, 5)),
    st.builds(RemoveStrategy, times, st.integers(0, 5)),
    st.builds(SetParameters, times, st.integers(0, 5), pairs),
    st.builds(
        PlaceOrder,
        times,
        iids,
        st.sampled_from([1, -1, 0]),
        st.integers(0, 4),
        st.integers(0, 3),
        units,
        pxs,
        pxs,
        texts,
    ),
    st.builds(PlaceOrder, times, iids, st.sampled_from([1, -1]), st.just(0), st.just(0), units),
    st.builds(PlaceOrder, times, iids, st.sampled_from([1, -1]), st.just(1), st.just(0), units, pxs),
    st.builds(  # brackets, around where the prices are
        lambda t, i, s, k, q, up, down, cap: PlaceOrder(
            t,
            i,
            s,
            k,
            0,
            q,
            10**10 if k == 1 else 0,
            take_profit_px_e8=10**10 + s * up,
            stop_loss_px_e8=down and 10**10 - s * down,
            stop_loss_limit_px_e8=cap,
        ),
        times,
        iids,
        st.sampled_from([1, -1]),
        st.integers(0, 1),
        units,
        st.sampled_from([0, 10**6, 5 * 10**8]),
        st.sampled_from([0, 10**6, 5 * 10**8]),
        st.sampled_from([0, 95 * 10**8]),
    ),
    st.builds(
        lambda t, i, s, d, r: PlaceOrder(t, i, s, 4, 0, 10**9, trail_e8=d, trail_rate_e8=r),
        times,
        iids,
        st.sampled_from([1, -1]),
        st.sampled_from([0, 10**6, 10**8]),
        st.sampled_from([0, 10**6, -1]),
    ),
    st.builds(AmendOrder, times, ids, st.one_of(st.just(0), units), st.one_of(st.just(0), pxs), st.just(0)),
    st.builds(AmendOrder, times, ids, st.one_of(st.just(0), units), st.just(0), st.just(0)),
    st.builds(Amended, times, ids, units, st.one_of(st.just(0), pxs), st.just(0), texts),
    st.builds(AmendRefused, times, ids, texts, texts),
    st.builds(
        CashMoved, times, texts, st.integers(-(10**9), 10**9), iids, st.sampled_from(["dividend", "transfer"])
    ),
    st.builds(Split, times, iids, st.integers(-1, 7), st.integers(0, 4)),
    st.builds(Dividend, times, iids, st.integers(0, 10**8)),
    st.builds(Flatten, times, iids, texts, texts),
    st.builds(CancelOrder, times, ids),
    st.builds(Kill, times, texts, texts),
    st.builds(Arm, times, texts),
    st.builds(
        SetLimits,
        times,
        st.sampled_from(
            [(("max_order_qty", 5),), (("max_gros", 1),), (("allow_reversal", 0), ("max_repeats", 2))]
        ),
        texts,
    ),
    st.builds(Timer, times, texts),
)

_HEAD: list[Event] = [
    Bar(T0, 0, 100, 100, 100, 100, 1),
    Bar(T0, 1, 50, 50, 50, 50, 1),
    AddStrategy(T0, 1, "S", "src", "h", (("mode", "flip"),), (0, 1), "quantity", 10**9),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, max_size=40))
def test_any_history_keeps_the_books_and_replays_equal(history: list[Event]) -> None:
    bench = Bench(symbols=("SPY", "QQQ"))
    engine = bench.engine
    moves: dict[str, int] = {}
    for event in _HEAD + history:
        states = {o.order_id: o.state for o in engine.orders}
        cumulative = {o.order_id: o.filled_e8 for o in engine.orders}
        killed = engine.risk.killed
        effects = bench.do(event)
        if isinstance(event, CashMoved):
            moves.setdefault(event.move_id, event.amount_e8)
        for order in engine.orders:
            before = states.get(order.order_id)
            if before is not None and before != order.state:
                assert before not in TERMINAL
                two_steps = {
                    s for mid in ALLOWED[before] for s in ALLOWED[mid]
                }  # unsent goes through unknown
                assert order.state in ALLOWED[before] | two_steps
            assert order.filled_e8 >= cumulative.get(order.order_id, 0)
        if killed and engine.risk.killed:
            assert not any(isinstance(e, Submit | Amend) for e in effects)
        check(engine, sum(moves.values()))
    again = Bench(symbols=("SPY", "QQQ"))
    for event in _HEAD + history:
        again.do(event)
    assert again.engine.digest() == engine.digest()
    assert effects_hash(again.effects) == effects_hash(bench.effects)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(95, 105), min_size=5, max_size=60), st.sampled_from(["follow", "flip"]))
def test_engine_and_venue_agree_after_any_market(closes: list[float], mode: str) -> None:
    bench = Bench()
    bench.place(1, mode=mode, quantity=10)
    bench.place(2, mode="flip", quantity=3)
    for close in closes:
        bench.bar(round(close, 2))
    ledger = bench.engine.ledger
    assert ledger.cash_e8 == bench.venue.cash_e8
    assert ledger.held_e8(1, 0) + ledger.held_e8(2, 0) == bench.venue.positions.get(0, 0)
    assert sorted(bench.engine.orders.active) == bench.venue.open_orders
    check(bench.engine)
    fills = [e for e in bench.events if isinstance(e, Filled)]
    cash = to_e8(1_000_000)
    for fill in fills:
        side = bench.engine.orders.by_id[fill.order_id].side
        cash -= notional_e8(fill.px_e8, side * fill.qty_e8) + fill.fee_e8
    assert cash == ledger.cash_e8


SCRIPT = """
from tests.engine.conftest import Bench
bench = Bench(symbols=("SPY", "QQQ", "IWM"))
for sid in range(1, 8):
    bench.place(sid, iids=(sid % 3, (sid + 1) % 3), mode="flip" if sid % 2 else "follow", gain=sid / 7)
for n in range(30):
    bench.bar(100 + (n * 7 % 10) / 2, iid=n % 3)
    bench.buy(n % 4 + 1, key=f"k{n // 2}")
from workbench.engine import effects_hash
print(bench.engine.digest(), effects_hash(bench.effects), len(bench.effects))
"""


def test_another_process_with_another_hash_seed_says_the_same() -> None:
    root = Path(__file__).resolve().parents[2]
    said = set()
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(run.stdout)
    assert len(said) == 1
    assert int(said.pop().split()[2]) > 30
