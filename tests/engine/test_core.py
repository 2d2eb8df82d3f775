"""A bar becomes a decision, an order, a fill and a position; commands and bad input answer as they must."""

import numpy as np
import pytest

from tests.engine.conftest import MINUTE, T0, Bench
from workbench.model import (
    AddInstrument,
    Arm,
    Bar,
    BarSlice,
    Cancel,
    CancelOrder,
    Filled,
    Kill,
    OpenAccount,
    PauseStrategy,
    RemoveStrategy,
    ResumeStrategy,
    SetLimits,
    SetParameters,
    Submit,
    Timer,
    Trade,
    to_e8,
)
from workbench.model.orders import CANCELLED, FILLED, LIMIT


def test_a_bar_becomes_an_order_and_a_position(bench: Bench) -> None:
    bench.place(quantity=10)
    bench.bar(105.0)
    (submit,) = bench.bar(110.0 - 0.5)  # target (9.5 - 5) / 5 = 0.9 -> 9 units
    assert isinstance(submit, Submit)
    assert (submit.side, submit.qty_e8, submit.ts_ns) == (1, to_e8(9), T0 + 2 * MINUTE)
    assert bench.held() == 0
    bench.bar(109.5)
    assert bench.held() == 9
    assert bench.last_order.state == FILLED
    assert bench.engine.ledger.cash_e8 == to_e8(1_000_000 - 9 * 109.5) == bench.venue.cash_e8


def test_the_same_target_sends_nothing_more(bench: Bench) -> None:
    bench.place(quantity=10)
    for _ in range(6):
        bench.bar(109.5)
    assert len(bench.engine.orders) == 1


def test_a_reversal_is_one_order_through_zero(bench: Bench) -> None:
    bench.place(quantity=10, mode="flip")
    for _ in range(4):
        bench.bar(100.0)
    quantities = [(o.side, o.qty_e8 // 10**8) for o in bench.engine.orders]
    assert quantities == [(1, 10), (-1, 20), (1, 20)]


def test_without_reversal_it_closes_first(bench: Bench) -> None:
    bench.do(SetLimits(T0, (("allow_reversal", 0),), "test"))
    bench.place(quantity=10, mode="flip")
    for _ in range(5):
        bench.bar(100.0)
    quantities = [(o.side, o.qty_e8 // 10**8) for o in bench.engine.orders]
    assert quantities == [(1, 10), (-1, 10), (1, 10), (-1, 10)]


def test_what_works_counts_as_if_held(bench: Bench) -> None:
    bench.place(quantity=10)
    engine = bench.engine
    for close in (105.0, 109.5, 107.0):  # 0.9, then 0.4 while the first order still works
        bench.ts_ns += MINUTE
        bench.do(Bar(bench.ts_ns, 0, close, close, close, close, 1.0))
    assert [(o.side, o.qty_e8 // 10**8) for o in engine.orders] == [(1, 9), (-1, 5)]
    assert engine.host.seats[1, 0].working_e8 == to_e8(4)


def test_percent_of_equity_sizes_by_price(bench: Bench) -> None:
    bench.place(quantity=10.0, sizing="percent", mode="flip")
    bench.bar(100.0)
    (submit,) = bench.bar(100.0)
    assert isinstance(submit, Submit)
    assert submit.qty_e8 == to_e8(1_000)  # 10 % of a million at 100


def test_many_strategies_in_one_slice_trade_like_alone() -> None:
    bench = Bench(symbols=[f"S{i}" for i in range(10)])
    for sid in range(1, 21):
        bench.place(sid, quantity=sid, iids=(sid % 10, (sid + 3) % 10))
    iids = np.arange(10, dtype="<i4")
    closes = 100.0 + np.arange(10)
    ohlcv = np.repeat(closes[:, None], 5, axis=1).astype("<f8")
    for n in (1, 2):
        bench.do(BarSlice(T0 + n * MINUTE, iids.tobytes(), ohlcv.tobytes()))
    want = {}
    for sid in range(1, 21):
        for iid in (sid % 10, (sid + 3) % 10):
            units = int(abs((iid - 5) / 5) * sid) * (1 if iid > 5 else -1)
            if units:
                want[sid, iid] = units
    got = {(o.strategy_id, o.iid): o.side * o.qty_e8 // 10**8 for o in bench.engine.orders}
    assert got == want
    assert [o.strategy_id for o in bench.engine.orders] == sorted(o.strategy_id for o in bench.engine.orders)
    assert bench.engine.host.bars_seen(bench.engine.host.strategies[1]) == 4


def test_one_symbol_many_strategies_takes_the_batch_call() -> None:
    bench = Bench()
    for sid in range(1, 101):
        bench.place(sid, quantity=1, mode="flip")
    bench.bar(100.0)
    effects = bench.bar(100.0)
    assert len(effects) == 100
    bench.bar(100.0)
    assert bench.engine.ledger.totals[0].qty_e8 == to_e8(100)


@pytest.mark.parametrize("others", [3, 8])  # few: one call a row; more: one call for all
@pytest.mark.parametrize("mode", ["raise", "nan"])
def test_a_strategy_that_fails_stops_alone(others: int, mode: str) -> None:
    bench = Bench()
    for sid in range(1, others + 1):
        bench.place(sid, mode=mode if sid == 3 else "flip")
    bench.bar(100.0)
    bench.bar(100.0)
    (halt,) = bench.halts()
    assert halt.strategy_id == 3
    placed = bench.engine.host.strategies[3]
    assert (placed.state, placed.halted) == ("paused", True)
    assert "division by zero" in placed.reason or "nan" in placed.reason
    assert [o.strategy_id for o in bench.engine.orders] == [sid for sid in range(1, others + 1) if sid != 3]


def test_source_that_does_not_load_is_halted_and_seen(bench: Bench) -> None:
    bench.place(source="broken(")
    (halt,) = bench.halts()
    assert halt.code == "LOAD"
    assert "invalid syntax" in halt.text
    bench.do(ResumeStrategy(T0, 1))
    assert bench.refusals("STRATEGY")
    bench.bar(100.0)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"mode": "flipp"}, "did you mean 'flip'"),
        ({"sizing": "percnt"}, "did you mean 'percent'"),
        ({"iids": (7,)}, "name known instruments"),
        ({"quantity": -1.0}, "above 0"),
        ({"gian": 2.0}, "gian"),
    ],
)
def test_bad_placements_say_what_to_do(bench: Bench, how: dict[str, object], said: str) -> None:
    bench.place(**how)  # type: ignore[arg-type]
    assert said in bench.halts()[0].text
    bench.bar(100.0)
    bench.bar(100.0)
    assert not bench.engine.orders.by_id


def test_pause_keeps_indicators_going_and_sends_nothing(bench: Bench) -> None:
    bench.place(mode="flip")
    bench.bar(100.0)
    bench.do(PauseStrategy(bench.ts_ns, 1, "lunch"))
    bench.bar(100.0)
    assert not bench.engine.orders.by_id
    assert bench.engine.host.bars_seen(bench.engine.host.strategies[1]) == 2
    bench.do(ResumeStrategy(bench.ts_ns, 1))
    bench.bar(100.0)
    assert len(bench.engine.orders) == 1


def test_pause_with_cancel_cancels_its_own_orders_only(bench: Bench) -> None:
    bench.place(mode="flip")
    bench.bar(100.0)
    bench.bar(100.0)
    bench.perform(bench.buy(5, kind=LIMIT, limit_px_e8=to_e8(99)))
    effects = bench.do(PauseStrategy(bench.ts_ns, 1, "stop", True))
    assert effects == [Cancel(bench.ts_ns, 1)]


def test_new_parameters_start_anew_and_keep_the_position(bench: Bench) -> None:
    bench.place(quantity=10)
    for _ in range(3):
        bench.bar(109.5)
    assert bench.held() == 9
    bench.do(SetParameters(bench.ts_ns, 1, (("gain", 0.5),)))
    assert bench.engine.host.warming(bench.engine.host.strategies[1])
    bench.bar(109.5)
    bench.bar(109.5)
    assert (bench.last_order.side, bench.last_order.qty_e8) == (-1, to_e8(5))
    assert dict(bench.engine.host.strategies[1].parameters) == {"gain": 0.5, "mode": "follow"}
    bench.do(SetParameters(bench.ts_ns, 1, (("mode", "folow"),)))
    assert "did you mean 'follow'" in bench.refusals("PARAMETER")[0].text
    assert dict(bench.engine.host.strategies[1].parameters) == {"gain": 0.5, "mode": "follow"}


def test_removed_strategies_are_asked_no_more_but_keep_their_fills(bench: Bench) -> None:
    bench.place(mode="flip")
    bench.bar(100.0)
    bench.bar(100.0)
    effects = bench.do(RemoveStrategy(bench.ts_ns, 1))
    assert effects == [Cancel(bench.ts_ns, 1)]
    bench.do(Filled(bench.ts_ns, 1, "late", to_e8(100), to_e8(10)))
    assert bench.held() == 10
    bench.bar(100.0)
    assert len(bench.engine.orders) == 1
    bench.do(ResumeStrategy(bench.ts_ns, 1))
    assert "removed" in bench.refusals("STRATEGY")[0].text


def test_kill_blocks_at_once_cancels_all_and_only_arm_ends_it(bench: Bench) -> None:
    bench.bar(100.0)
    bench.perform(bench.buy(5, kind=LIMIT, limit_px_e8=to_e8(99)))
    bench.perform(bench.buy(6, kind=LIMIT, limit_px_e8=to_e8(99)))
    effects = bench.do(Kill(bench.ts_ns, "drill", "me"))
    assert effects == [Cancel(bench.ts_ns, 1), Cancel(bench.ts_ns, 2)]
    bench.buy(1)
    assert bench.refusals("KILLED")
    assert bench.do(Timer(bench.ts_ns, "second")) == effects  # asked again while unconfirmed
    bench.perform(effects)
    assert {o.state for o in bench.engine.orders} == {CANCELLED}
    bench.do(Arm(bench.ts_ns, "me"))
    assert isinstance(bench.buy(1)[0], Submit)


def test_an_order_that_dies_gives_the_strategy_the_truth(bench: Bench) -> None:
    bench.place(quantity=10)
    bench.bar(109.5)
    bench.bar(109.5)
    seat = bench.engine.host.seats[1, 0]
    assert seat.target == pytest.approx(0.9)
    bench.do(Filled(bench.ts_ns, 1, "x1", to_e8(109.5), to_e8(2)))
    bench.do(CancelOrder(bench.ts_ns, 1))
    from workbench.model import Cancelled

    bench.do(Cancelled(bench.ts_ns, 1))
    assert seat.target == pytest.approx(0.2)
    assert seat.working_e8 == 0


def test_manual_orders_with_a_key_are_sent_once(bench: Bench) -> None:
    bench.bar(100.0)
    assert isinstance(bench.buy(1, key="k1")[0], Submit)
    bench.buy(1, key="k1")
    (refusal,) = bench.refusals("DUPLICATE")
    assert "order 1" in refusal.text
    assert dict(refusal.numbers) == {"order_id": 1.0}


def test_bad_data_stops_at_the_book(bench: Bench) -> None:
    bench.place(mode="flip")
    nan = float("nan")
    for bar in (
        Bar(T0 + 1, 0, nan, 1, 1, 1, 1),
        Bar(T0 + 1, 0, 100, 99, 101, 100, 1),
        Bar(T0 + 1, 0, 100, 101, 99, -100, 1),
        Bar(T0 + 1, 9, 100, 101, 99, 100, 1),
        Bar(T0 + 1, -1, 100, 101, 99, 100, 1),
        Bar(T0 + 1, 0, 100, 1e308, 99, 100, 1),
        Bar(T0 + 1, 0, 100, 101, 99, 100, float("inf")),
    ):
        bench.do(bar)
    bench.do(Trade(T0 + 1, 3, 1.0))
    bench.do(BarSlice(T0 + 1, b"123", b""))
    assert sum(bench.engine.book.dropped.values()) == 9
    assert bench.engine.book.last_px == [0.0]
    assert bench.engine.host.bars_seen(bench.engine.host.strategies[1]) == 0


def test_commands_that_cannot_be_followed_say_so(bench: Bench) -> None:
    engine = bench.engine
    bench.do(OpenAccount(T0, "SIM-2", 5))
    bench.do(AddInstrument(T0, 5, "QQQ", "SIM", "USD", 1, 1, "XNYS"))
    bench.do(AddInstrument(T0, 0, "QQQ", "SIM", "USD", 1, 1, "XNYS"))
    bench.do(AddInstrument(T0, 1, "", "SIM", "USD", 1, 1, "XNYS"))
    bench.do(
        AddInstrument(T0, 0, "SPY", "SIM", "USD", 1_000_000, 100_000_000, "XNYS")
    )  # the same again: fine
    bench.do(PauseStrategy(T0, 4, "x"))
    bench.do(CancelOrder(T0, 99))
    bench.do(SetLimits(T0, (("max_order_qty", 5), ("max_gros", 1)), "me"))
    bench.buy(1, iid=3)
    codes = [r.code for r in bench.refusals()]
    assert codes == [
        "ACCOUNT",
        "INSTRUMENT",
        "INSTRUMENT",
        "INSTRUMENT",
        "STRATEGY",
        "CANCEL",
        "LIMITS",
        "GRID",
    ]
    assert "did you mean 'max_gross'" in bench.refusals("LIMITS")[0].text
    assert engine.risk.limits.max_order_qty == 10_000
    assert engine.ledger.account == "SIM-1"


def test_stamps_bound_the_stages_of_an_order() -> None:
    from tests.engine.conftest import fake_engine
    from workbench.model.stages import BOOKED, DECIDED, EDGE, FILL_SEEN, INBOX, RISKED

    ticks = iter(range(100, 10_000))
    bench = Bench()
    bench.engine = fake_engine(stamp=lambda: next(ticks))
    for event in bench.events.copy():
        bench.do(event)
    bench.place(mode="flip")
    bench.engine.edge_ns = 7
    bench.bar(100.0)
    bench.bar(100.0)
    bench.bar(100.0)
    stamps = bench.engine.orders.by_id[1].stamps
    assert stamps[EDGE] == 7
    assert 0 < stamps[INBOX] < stamps[DECIDED] < stamps[RISKED] < stamps[BOOKED]
    assert stamps[FILL_SEEN] == 7
