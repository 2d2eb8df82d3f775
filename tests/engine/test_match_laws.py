"""Laws of the venue that hold for every life it can lead."""

from collections import defaultdict
from typing import Any

from hypothesis import given, settings

from tests.engine.random_venue import CASH_E8, INSTRUMENTS, hows, scripts, steps_of, venue_of
from workbench.engine.match import Match
from workbench.model import (
    Accepted,
    Amend,
    Amended,
    AmendRefused,
    Bar,
    BarSlice,
    Cancel,
    Cancelled,
    CancelRefused,
    CashMoved,
    Expired,
    Filled,
    Rejected,
    Report,
    Split,
    Submit,
    Trade,
    notional_e8,
)
from workbench.model.orders import BUY, LIMIT, STOP_LIMIT
from workbench.model.scale import SCALE

ENDS = (Cancelled, Expired, Rejected)
ANSWERS = (CancelRefused, AmendRefused)


def lived(how: dict[str, Any], script: list[Any]) -> tuple[Match, list[tuple[Any, list[Report]]]]:
    """The venue after the script, and what each step brought."""
    venue = venue_of(how)
    story: list[tuple[Any, list[Report]]] = []
    for step in steps_of(script):
        if isinstance(step, Submit):
            reports = venue.submit(step)
        elif isinstance(step, Amend):
            reports = venue.amend(step)
        elif isinstance(step, Cancel):
            reports = venue.cancel(step)
        else:
            reports = venue.on_market(step)
        story.append((step, reports))
    return venue, story


@settings(max_examples=150, deadline=None)
@given(hows, scripts)
def test_law_orders_live_by_their_words(how: dict[str, Any], script: list[Any]) -> None:
    """An answer first, nothing after the end; never more than the quantity, never beyond the limit, never early."""
    _, story = lived(how, script)
    orders: dict[int, Submit] = {}
    qty: dict[int, int] = {}
    limit: dict[int, int] = {}
    filled: dict[int, int] = defaultdict(int)
    ended: set[int] = set()
    for step, reports in story:
        if isinstance(step, Submit):
            orders[step.order_id] = step
            assert isinstance(reports[0], Accepted | Rejected)
            assert reports[0].order_id == step.order_id
        for report in reports:
            if isinstance(report, (CashMoved, *ANSWERS)):
                continue
            number = report.order_id
            order = orders[number]
            assert number not in ended
            assert report.ts_ns >= order.ts_ns
            if isinstance(report, Accepted):
                qty[number], limit[number] = order.qty_e8, order.limit_px_e8
            elif isinstance(report, Amended):
                qty[number], limit[number] = report.qty_e8, report.limit_px_e8
                assert report.qty_e8 > filled[number]
            elif isinstance(report, Filled):
                filled[number] += report.qty_e8
                assert report.qty_e8 > 0
                assert filled[number] <= qty[number]
                if order.kind in (LIMIT, STOP_LIMIT):
                    better = (limit[number] - report.px_e8) * order.side
                    assert better >= 0
                if not isinstance(step, Submit):  # at the close of the bar it was decided on
                    assert step.ts_ns > order.ts_ns
                if filled[number] == qty[number]:
                    ended.add(number)
            elif isinstance(report, ENDS):
                ended.add(number)


@settings(max_examples=150, deadline=None)
@given(hows, scripts)
def test_law_fills_lie_in_the_bar_but_for_slippage_and_take_no_more_than_their_share(
    how: dict[str, Any], script: list[Any]
) -> None:
    _, story = lived(how, script)
    share = how["participation"]
    orders = {step.order_id: step for step, _ in story if isinstance(step, Submit)}
    last: dict[int, Bar] = {}
    taken: dict[int, int] = defaultdict(int)
    for step, reports in story:
        fills = [report for report in reports if isinstance(report, Filled)]
        if isinstance(step, Bar | BarSlice):
            bars = [step] if isinstance(step, Bar) else _bars(step)
            last |= {bar.iid: bar for bar in bars}
            taken |= {bar.iid: 0 for bar in bars}
        elif isinstance(step, Trade) and share and not step.size:
            assert not fills
        for fill in fills:
            iid = orders[fill.order_id].iid
            if isinstance(step, Bar | BarSlice | Submit):
                bar = last[iid]
                order = orders[fill.order_id]
                inside = round(bar.low * SCALE) <= fill.px_e8 <= round(bar.high * SCALE)
                if how["slippage"][0] == "none" or order.kind in (LIMIT, STOP_LIMIT):
                    assert inside
                elif not inside:  # it slipped from the open or the close
                    ends = (round(bar.open * SCALE), round(bar.close * SCALE))
                    assert any((fill.px_e8 - px) * order.side > 0 for px in ends)
                taken[iid] += fill.qty_e8
                if share:
                    assert taken[iid] <= share * bar.volume * SCALE
            elif share and isinstance(step, Trade):
                assert sum(f.qty_e8 for f in fills) <= share * step.size * SCALE
            if share:
                assert fill.qty_e8 % INSTRUMENTS[iid].lot_e8 == 0


def _bars(event: BarSlice) -> list[Bar]:
    import numpy as np

    rows = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5).tolist()
    return [Bar(event.ts_ns, iid, *row) for iid, row in enumerate(rows)]


@settings(max_examples=150, deadline=None)
@given(hows, scripts)
def test_law_groups_share_one_quantity_and_exits_cover_their_entry(
    how: dict[str, Any], script: list[Any]
) -> None:
    venue, story = lived(how, [step for step in script if step[0] not in ("split", "amend")])
    groups: dict[int, list[int]] = defaultdict(list)
    for step, reports in story:
        if isinstance(step, Submit) and isinstance(reports[0], Accepted):
            groups[step.group].append(step.order_id)
            _exits_cover(venue)
    for group, members in groups.items():
        orders = [venue.orders[number] for number in members]
        if group and how["group"] == "reduce":
            largest = max(
                step.qty_e8 for step, _ in story if isinstance(step, Submit) and step.order_id in members
            )
            assert sum(order.filled_e8 for order in orders) <= largest


def _exits_cover(venue: Match) -> None:
    for resting in venue.orders.values():
        children = [r for r in venue.orders.values() if r.parent is resting]
        assert sum(child.filled_e8 for child in children) == resting.covered_e8 <= resting.filled_e8


@settings(max_examples=150, deadline=None)
@given(hows, scripts)
def test_law_the_books_are_the_fills_and_the_moves(how: dict[str, Any], script: list[Any]) -> None:
    venue, story = lived(how, script)
    cash_e8, held = CASH_E8, {0: 0, 1: 0}
    orders = {step.order_id: step for step, _ in story if isinstance(step, Submit)}
    moves: set[str] = set()
    for step, reports in story:
        if isinstance(step, Split):
            sign = 1 if held[0] >= 0 else -1
            held[0] = sign * (abs(held[0]) * step.numerator // step.denominator // SCALE * SCALE)
        for report in reports:
            if isinstance(report, Filled):
                order = orders[report.order_id]
                value_e8 = notional_e8(report.px_e8, report.qty_e8)
                cash_e8 -= (value_e8 if order.side == BUY else -value_e8) + report.fee_e8
                held[order.iid] += order.side * report.qty_e8
            elif isinstance(report, CashMoved):
                assert report.move_id not in moves
                moves.add(report.move_id)
                cash_e8 += report.amount_e8
    assert cash_e8 == venue.cash_e8
    assert held == {0: 0, 1: 0} | venue.positions
    open_now = {n for n, r in venue.orders.items() if r.state == "open"}
    assert open_now == set(venue.open_orders) == {r.order.order_id for i in (0, 1) for r in venue.resting(i)}


@settings(max_examples=60, deadline=None)
@given(hows, scripts)
def test_law_the_same_life_is_the_same_to_the_bit(how: dict[str, Any], script: list[Any]) -> None:
    assert [reports for _, reports in lived(how, script)[1]] == [
        reports for _, reports in lived(how, script)[1]
    ]


@settings(max_examples=100, deadline=None)
@given(scripts)
def test_law_a_cash_account_never_sells_what_it_does_not_hold(script: list[Any]) -> None:
    how = {
        "fill_at": "next",
        "arrival": "at_once",
        "group": "reduce",
        "queue": False,
        "participation": 0.0,
        "slippage": ("none", 0.0),
        "fees": None,
        "terms": {"account": "cash"},
        "rates": {},
    }
    venue = venue_of(how)
    for step in steps_of([step for step in script if step[0] != "split"]):
        if isinstance(step, Submit):
            venue.submit(step)
        elif isinstance(step, Cancel):
            venue.cancel(step)
        elif not isinstance(step, Amend):
            venue.on_market(step)
        assert all(qty >= 0 for qty in venue.positions.values())
