"""Every rule refuses what it must, with code, one line of text and numbers, and lets the next best thing pass."""

import math
from collections.abc import Callable

import pytest
from msgspec import structs

from tests.engine.conftest import MINUTE, SECOND, T0, Bench
from workbench.engine import Limits
from workbench.errors import BadValue, UnknownName
from workbench.model import (
    Accepted,
    AddInstrument,
    AmendOrder,
    AmendRefused,
    Bar,
    Cancelled,
    Filled,
    PauseStrategy,
    PlaceOrder,
    Rejected,
    SetLimits,
    StrategyHalted,
    Submit,
    Trade,
    to_e8,
)
from workbench.model.orders import CLS, LIMIT, MARKET, OPG, STOP, STOP_LIMIT


def limits(bench: Bench, **pairs: float) -> None:
    bench.do(SetLimits(bench.ts_ns, tuple(pairs.items()), "test"))


def hold(bench: Bench, units: float, px: float = 100.0) -> None:
    """Have a position, past every rule."""
    order_id = bench.engine.orders.next_id
    (bench.buy if units > 0 else bench.sell)(abs(units))
    bench.do(Filled(bench.ts_ns, order_id, f"h{order_id}", to_e8(px), to_e8(abs(units))))
    assert bench.last_order.order_id == order_id


@pytest.fixture
def desk(bench: Bench) -> Bench:
    bench.bar(100.0)
    return bench


type Act = Callable[[Bench], object]

REFUSED: list[tuple[str, dict[str, float], Act, Act]] = [
    # code, limits, what is refused, what still passes
    ("SIZE", {"max_order_qty": 50}, lambda b: b.buy(51), lambda b: b.buy(50)),
    ("NOTIONAL", {"max_order_notional": 1_000}, lambda b: b.buy(11), lambda b: b.buy(10)),
    (
        "COLLAR",
        {"price_collar": 0.05},
        lambda b: b.buy(1, kind=LIMIT, limit_px_e8=to_e8(106)),
        lambda b: b.buy(1, kind=LIMIT, limit_px_e8=to_e8(105)),
    ),
    (
        "COLLAR",
        {"price_collar": 0.05},
        lambda b: b.sell(1, kind=STOP, stop_px_e8=to_e8(94)),
        lambda b: b.sell(1, kind=STOP, stop_px_e8=to_e8(95)),
    ),
    ("POSITION", {"max_position_qty": 20}, lambda b: b.sell(21), lambda b: b.sell(20)),
    ("POSITION", {"allow_short": 0}, lambda b: b.sell(1), lambda b: b.buy(1)),
    ("GROSS", {"max_gross": 2_000}, lambda b: b.sell(21), lambda b: b.sell(20)),
    ("CREDIT", {"max_order_notional": 2e6}, lambda b: b.buy(10_000.0) and b.buy(1), lambda b: b.sell(1)),
    ("HOURS", {"hours_from_s": 0, "hours_to_s": 3_600}, lambda b: b.buy(1), lambda b: None),
    ("RATE", {"orders_per_s_account": 2}, lambda b: [b.buy(n) for n in (1, 2, 3)], lambda b: None),
    ("REPEAT", {"max_repeats": 2}, lambda b: [b.buy(n) for n in (1, 2, 3)], lambda b: b.sell(1)),
    ("DUPLICATE", {}, lambda b: [b.buy(5), b.buy(5)], lambda b: b.buy(6)),
    (
        "SELF_CROSS",
        {},
        lambda b: [
            b.sell(1, kind=LIMIT, limit_px_e8=to_e8(101)),
            b.sell(2, kind=LIMIT, limit_px_e8=to_e8(100.5)),
            b.buy(1, kind=LIMIT, limit_px_e8=to_e8(100.5)),
        ],
        lambda b: b.buy(1, kind=LIMIT, limit_px_e8=to_e8(100.49)),
    ),
    (
        "SELF_CROSS",
        {},
        lambda b: [
            b.buy(1, kind=LIMIT, limit_px_e8=to_e8(99)),
            b.sell(2, kind=LIMIT, limit_px_e8=to_e8(98)),
        ],
        lambda b: b.sell(1, kind=LIMIT, limit_px_e8=to_e8(99.01)),
    ),
]


@pytest.mark.parametrize(("code", "pairs", "refused", "passes"), REFUSED)
def test_each_rule(desk: Bench, code: str, pairs: dict[str, float], refused: Act, passes: Act) -> None:
    limits(desk, **pairs)
    refused(desk)
    (refusal,) = desk.refusals()
    assert refusal.code == code
    assert "\n" not in refusal.text
    assert len(refusal.text) > 20
    assert refusal.numbers
    assert all(math.isfinite(value) for _, value in refusal.numbers)
    before = len(desk.engine.orders)
    if passes(desk) is not None:
        assert len(desk.engine.orders) == before + 1
    assert len(desk.refusals()) == 1


GRID: list[dict[str, int]] = [
    {"qty_e8": 0},
    {"qty_e8": -to_e8(5)},
    {"qty_e8": to_e8("1.5")},
    {"qty_e8": 1},
    {"qty_e8": 10**26},
    {"side": 0},
    {"side": 2},
    {"kind": 4},
    {"kind": -1},
    {"tif": 9},
    {"kind": LIMIT},
    {"kind": LIMIT, "limit_px_e8": -to_e8(100)},
    {"kind": LIMIT, "limit_px_e8": to_e8("100.001")},
    {"kind": LIMIT, "limit_px_e8": to_e8(100), "stop_px_e8": to_e8(100)},
    {"kind": STOP},
    {"kind": STOP_LIMIT, "limit_px_e8": to_e8(100)},
    {"kind": MARKET, "limit_px_e8": to_e8(100)},
]


@pytest.mark.parametrize("how", GRID, ids=str)
def test_what_is_off_the_grid_is_refused(desk: Bench, how: dict[str, int]) -> None:
    plain = PlaceOrder(desk.ts_ns, 0, 1, MARKET, 0, to_e8(5))
    assert desk.do(structs.replace(plain, **how))[0] == desk.refusals("GRID")[0]
    assert not desk.engine.orders.by_id


def test_no_price_no_order_and_old_price_no_order(bench: Bench) -> None:
    bench.buy(1)
    assert "no price" in bench.refusals("STALE")[0].text
    bench.bar(100.0)
    bench.ts_ns += 121 * SECOND
    bench.buy(1)
    assert dict(bench.refusals("STALE")[1].numbers)["age_s"] == 121.0


def test_no_market_order_on_a_price_that_jumped(desk: Bench) -> None:
    desk.bar(140.0)
    desk.buy(1)
    assert "jumped" in desk.refusals("COLLAR")[0].text
    assert isinstance(desk.buy(1, kind=LIMIT, limit_px_e8=to_e8(141))[0], Submit)
    desk.bar(140.5)
    assert isinstance(desk.buy(1)[0], Submit)


def test_the_worst_case_counts_open_and_unknown_orders(desk: Bench) -> None:
    from workbench.model import OutcomeLost

    limits(desk, max_position_qty=20)
    desk.buy(15)
    desk.do(OutcomeLost(desk.ts_ns, 1, "timeout"))
    desk.buy(6)
    assert dict(desk.refusals("POSITION")[0].numbers)["worst"] == 21.0
    desk.do(Rejected(desk.ts_ns, 1, "R", "no"))
    assert isinstance(desk.buy(6)[0], Submit)


def test_reducing_orders_pass_position_gross_credit_and_loss(desk: Bench) -> None:
    hold(desk, -50)
    limits(desk, max_position_qty=10, max_gross=100, max_daily_loss=1)
    desk.bar(109.0)
    desk.sell(1)
    desk.buy(51)
    assert [r.code for r in desk.refusals()] == ["POSITION", "DAILY_LOSS"]
    assert isinstance(desk.buy(50)[0], Submit)


def test_daily_loss_starts_anew_each_day(desk: Bench) -> None:
    limits(desk, max_daily_loss=100)
    hold(desk, 100)
    desk.bar(98.5)
    desk.buy(1)
    loss = dict(desk.refusals("DAILY_LOSS")[0].numbers)
    assert loss == {"loss": 150.0, "max_daily_loss": 100.0}
    assert isinstance(desk.sell(100)[0], Submit)  # only smaller
    desk.do(Trade(T0 + 86_400 * SECOND, 0, 98.5))
    desk.ts_ns = T0 + 86_400 * SECOND
    assert isinstance(desk.buy(1)[0], Submit)


def test_paused_is_about_strategies_only(desk: Bench) -> None:
    desk.place(mode="flip")
    desk.bar(100.0)
    desk.do(PauseStrategy(desk.ts_ns, 1, "lunch"))
    engine = desk.engine
    engine.order(engine.host.seats[1, 0], 1, MARKET, 0, to_e8(1), 0, 0, "by hand")
    assert engine.effects[-1].code == "PAUSED"  # type: ignore[union-attr]
    assert "lunch" in engine.effects[-1].text  # type: ignore[union-attr]
    assert isinstance(desk.buy(1)[0], Submit)


def test_a_strategy_that_breaks_the_throttle_is_halted_and_others_go_on(desk: Bench) -> None:
    limits(desk, orders_per_s_strategy=5, breaches_to_halt=3, max_repeats=10_000)
    desk.place(1, mode="flip")
    desk.place(2, mode="flip")
    desk.bar(100.0)
    engine = desk.engine
    seat = engine.host.seats[1, 0]
    engine.effects = []
    for n in range(10_000):
        engine.order(seat, 1 if n % 2 else -1, MARKET, 0, to_e8(1), 0, 0, "burst")
    halts = [e for e in engine.effects if isinstance(e, StrategyHalted)]
    assert [h.code for h in halts] == ["RATE"]
    assert engine.host.strategies[1].orders == 5
    assert engine.risk.account_window.count(engine.now_ns) == 5
    desk.ts_ns += SECOND
    desk.bar(100.0)
    assert engine.host.strategies[2].orders == 1


def test_sliding_window_is_exact(desk: Bench) -> None:
    limits(desk, orders_per_s_account=2, duplicate_window_s=0)
    for ms, passes in ((0, 1), (500, 1), (999, 0), (1_000, 1), (1_499, 0), (1_500, 1)):
        ts_ns = T0 + MINUTE + ms * 1_000_000
        effects = desk.do(PlaceOrder(ts_ns, 0, 1, MARKET, 0, to_e8(1)))
        assert isinstance(effects[0], Submit) is bool(passes), ms


def test_signal_refusals_are_said_once_a_minute_and_counted_always(desk: Bench) -> None:
    limits(desk, max_order_qty=5)
    desk.place(quantity=10, mode="flip")
    for _ in range(4):
        desk.ts_ns -= 50 * SECOND  # bars ten seconds apart
        desk.bar(100.0)
    assert len(desk.refusals("SIZE")) == 1
    assert desk.engine.host.strategies[1].refusals == 3
    assert desk.engine.oddities == {"SIZE again": 2}
    assert desk.engine.host.seats[1, 0].target == 0.0


def test_rejections_in_a_row_halt_a_strategy(desk: Bench) -> None:
    limits(desk, rejects_to_halt=3)
    desk.place(mode="flip")
    engine = desk.engine
    for _ in range(5):
        desk.ts_ns += MINUTE
        for effect in desk.do(Bar(desk.ts_ns, 0, 100, 100, 100, 100, 1)):
            assert isinstance(effect, Submit)
            desk.do(Rejected(desk.ts_ns, effect.order_id, "FUNDS", "insufficient buying power"))
    (halt,) = desk.halts()
    assert halt.code == "REJECTS"
    assert "insufficient buying power" in halt.text
    assert len(engine.orders) == 3


def test_exposure_follows_marks_and_fills(desk: Bench) -> None:
    desk.do(AddInstrument(desk.ts_ns, 1, "QQQ", "SIM", "USD", 1_000_000, 100_000_000, "XNYS"))
    hold(desk, 10)
    desk.bar(50.0, iid=1)
    desk.sell(4, iid=1)
    exposure = desk.engine.exposure
    assert (exposure.value_e8, exposure.gross_e8) == (to_e8(1_000), to_e8(1_200))
    desk.bar(110.0)
    desk.ts_ns -= MINUTE
    desk.bar(55.0, iid=1)
    assert (exposure.value_e8, exposure.gross_e8) == (to_e8(1_100), to_e8(1_320))
    assert desk.engine.risk.equity_e8 == to_e8(1_000_100)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1e30])
def test_impossible_limits_are_refused(value: float) -> None:
    with pytest.raises(BadValue, match=r"limits\.max_gross"):
        Limits().changed([("max_gross", value)])


def test_unknown_limits_name_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'max_order_qty'"):
        Limits().changed([("max_order_quantity", 5)])
    with pytest.raises(BadValue, match="1 or more"):
        Limits().changed([("breaches_to_halt", 0)])


def stop_limit(side: int, stop: float, limit: float) -> tuple[int, float, float]:
    return side, stop, limit


@pytest.mark.parametrize(
    ("resting", "new", "passes"),
    [
        # a purchase above a protective stop has filled before the stop is met
        (stop_limit(-1, 98, 97.5), (1, 0, 99), True),
        (stop_limit(-1, 98, 97.5), (1, 0, 98.01), True),
        # a trade at 98 meets the stop, and need not have reached our place in the queue
        (stop_limit(-1, 98, 97.5), (1, 0, 98), False),
        ((1, 0, 98), stop_limit(-1, 98, 97.5), False),
        (stop_limit(-1, 98, 97.5), (1, 0, 97.9), False),  # the stop would sell into it
        (stop_limit(-1, 98, 97.5), (1, 0, 97.4), True),
        ((1, 0, 99), stop_limit(-1, 98, 97.5), True),
        ((1, 0, 97.9), stop_limit(-1, 98, 97.5), False),
        # two stops around the price, either first
        (stop_limit(1, 102, 103), stop_limit(-1, 97, 95), True),
        (stop_limit(-1, 97, 95), stop_limit(1, 102, 103), True),
        # a buy that will rest far below its stop is met by the sale that waits there
        (stop_limit(1, 102, 100.5), stop_limit(-1, 97, 95), True),
        (stop_limit(1, 102, 96), stop_limit(-1, 97, 95), False),
        # the price is at or past the stop: it may be in the book by now
        (stop_limit(-1, 100, 99), (1, 0, 100), False),
        (stop_limit(1, 100, 101), (-1, 0, 100), False),
        (stop_limit(1, 103, 104), (-1, 0, 102), True),
        (stop_limit(1, 103, 104), (-1, 0, 103.5), False),
    ],
)
def test_a_stop_limit_order_meets_ours_only_where_both_can_rest(
    desk: Bench, resting: tuple[int, float, float], new: tuple[int, float, float], passes: bool
) -> None:
    for side, stop, limit in (resting, new):
        send = desk.buy if side > 0 else desk.sell
        kind = STOP_LIMIT if stop else LIMIT
        send(1, kind=kind, limit_px_e8=to_e8(limit), stop_px_e8=to_e8(stop))
    assert [refusal.code for refusal in desk.refusals()] == ([] if passes else ["SELF_CROSS"])


def test_a_stop_limit_order_that_has_filled_in_part_is_in_the_book(desk: Bench) -> None:
    desk.sell(2, kind=STOP_LIMIT, limit_px_e8=to_e8(97.5), stop_px_e8=to_e8(98))
    number = desk.last_order.order_id
    desk.buy(1, kind=LIMIT, limit_px_e8=to_e8(99))
    assert not desk.refusals()
    desk.do(Filled(desk.ts_ns, number, "part", to_e8(97.9), to_e8(1)))
    desk.buy(2, kind=LIMIT, limit_px_e8=to_e8(99))
    assert [refusal.code for refusal in desk.refusals()] == ["SELF_CROSS"]


@pytest.mark.parametrize("tif", [OPG, CLS])
def test_an_order_for_an_auction_has_not_filled_when_a_stop_is_met(desk: Bench, tif: int) -> None:
    stop_px_e8, limit_px_e8 = to_e8(98), to_e8(97.5)
    desk.sell(1, kind=STOP_LIMIT, limit_px_e8=limit_px_e8, stop_px_e8=stop_px_e8)
    desk.do(PlaceOrder(desk.ts_ns, 0, 1, LIMIT, tif, to_e8(1), to_e8(99)))
    assert [refusal.code for refusal in desk.refusals()] == ["SELF_CROSS"]
    desk.do(Cancelled(desk.ts_ns, desk.last_order.order_id))
    desk.do(PlaceOrder(desk.ts_ns, 0, 1, LIMIT, tif, to_e8(1), to_e8(99)))
    desk.sell(1, kind=STOP_LIMIT, limit_px_e8=limit_px_e8, stop_px_e8=stop_px_e8)
    assert [refusal.code for refusal in desk.refusals()] == ["SELF_CROSS"] * 2


def test_while_a_stop_is_being_moved_either_may_be_met(desk: Bench) -> None:
    desk.sell(1, kind=STOP_LIMIT, limit_px_e8=to_e8(97.5), stop_px_e8=to_e8(98))
    number = desk.last_order.order_id
    desk.do(Accepted(desk.ts_ns, number, "v"))
    desk.do(AmendOrder(desk.ts_ns, number, 0, 0, to_e8(99.5)))
    desk.buy(1, kind=LIMIT, limit_px_e8=to_e8(98.5))  # the new stop would sell into it
    assert [refusal.code for refusal in desk.refusals()] == ["SELF_CROSS"]
    desk.do(AmendRefused(desk.ts_ns, number, "NO", "no"))
    desk.buy(2, kind=LIMIT, limit_px_e8=to_e8(98.5))
    assert len(desk.refusals()) == 1


def test_a_stop_limit_order_whose_stop_was_met_is_amended_like_one_in_the_book(desk: Bench) -> None:
    desk.bar(99.0)
    desk.buy(1, kind=STOP_LIMIT, limit_px_e8=to_e8(99.5), stop_px_e8=to_e8(102))
    number = desk.last_order.order_id
    desk.do(Accepted(desk.ts_ns, number, "v"))
    desk.do(Trade(desk.ts_ns, 0, 102.5, 1.0))  # the stop is met, and the limit is left to wait
    desk.do(Trade(desk.ts_ns, 0, 100.0, 1.0))
    desk.sell(1, kind=LIMIT, limit_px_e8=to_e8(101))
    desk.do(AmendOrder(desk.ts_ns, number, 0, to_e8(101.5), 0))
    assert [refusal.code for refusal in desk.refusals()] == ["SELF_CROSS"]
