"""Round trips against a plain queue, on any sequence of fills."""

from collections import deque
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.feeds import Recording, synthetic
from workbench.model.dtypes import FILL, ORDER
from workbench.research import backtest
from workbench.research.run import Run
from workbench.research.statistics import held_of
from workbench.research.trades import Trades, trades_of
from workbench.strategy import OrderRequest, Strategy

MARKET = synthetic(2, 50, seed=1)


def run_of(rows: list[tuple[int, int, int, int, float, float, float]], recording: Recording = MARKET) -> Run:
    """A run with fills (ts_ns, strategy, iid, side, px, qty, fee)."""
    fills = np.array(
        [
            (ts, n, sid, iid, side, px, qty, fee)
            for n, (ts, sid, iid, side, px, qty, fee) in enumerate(rows, 1)
        ],
        FILL,
    )
    ts_ns = recording.instants
    return Run(recording, "engine", 1e6, ts_ns, np.full(len(ts_ns), 1e6), fills, np.zeros(0, ORDER))


def by_queue(run: Run) -> list[tuple[Any, ...]]:
    """(strategy, iid, side, quantity, entry price, exit price or None, profit after fees or None), plainly."""
    lots: dict[tuple[int, int], deque[list[Any]]] = {}
    found: list[tuple[Any, ...]] = []
    for n, row in enumerate(run.fills):
        key = (int(row["strategy_id"]), int(row["iid"]))
        queue = lots.setdefault(key, deque())
        left, side, share = float(row["qty"]), int(row["side"]), float(row["fee"] / row["qty"])
        while left > 1e-9 and queue and queue[0][1] != side:
            number, was, quantity, px, paid = queue[0]
            part = min(left, quantity)
            profit = was * part * (row["px"] - px) - part * (paid + share)
            found.append((number, n, *key, was, part, px, float(row["px"]), profit))
            left -= part
            queue[0][2] -= part
            if queue[0][2] <= 1e-9:
                queue.popleft()
        if left > 1e-9:
            queue.append([n, side, left, float(row["px"]), share])
    for key, queue in lots.items():
        for number, side, quantity, px, _ in queue:
            found.append((number, 10**9, *key, side, quantity, px, None, None))
    return [row[2:] for row in sorted(found, key=lambda row: row[:2])]


def as_rows(trades: Trades) -> list[tuple[Any, ...]]:
    return [
        (
            int(trades.strategy_id[k]), int(trades.iid[k]), int(trades.side[k]), float(trades.quantity[k]),
            float(trades.entry_px[k]),
            None if trades.open[k] else float(trades.exit_px[k]),
            None if trades.open[k] else float(trades.profit[k]),
        )
        for k in range(len(trades.side))
    ]  # fmt: skip


fill = st.tuples(
    st.integers(1, 2),
    st.integers(0, 1),
    st.sampled_from([1, -1]),
    st.integers(1, 500).map(lambda n: n / 4),
    st.sampled_from([1.0, 2.0, 3.5, 0.25]),
    st.sampled_from([0.0, 0.5]),
)


@given(st.lists(fill, max_size=40))
def test_law_round_trips_are_those_of_a_queue(rows: list[tuple[int, int, int, float, float, float]]) -> None:
    times = MARKET.instants
    run = run_of([(int(times[min(n, 49)]), *row) for n, row in enumerate(rows)])
    trades = trades_of(run)
    got, expected = as_rows(trades), by_queue(run)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert one == pytest.approx(other)
    assert np.all(trades.worst <= 1e-12)
    assert np.all(trades.best >= -1e-12)
    # every unit that traded is in exactly one end of one trade
    ends = trades.quantity.sum() + trades.quantity[~trades.open].sum()
    assert ends == pytest.approx(run.fills["qty"].sum())


def test_a_fill_that_turns_around_leaves_and_enters() -> None:
    ts = MARKET.instants
    run = run_of(
        [
            (int(ts[1]), 1, 0, 1, 10.0, 100.0, 1.0),
            (int(ts[5]), 1, 0, -1, 12.0, 150.0, 3.0),
            (int(ts[9]), 1, 0, 1, 11.0, 50.0, 0.5),
        ]
    )
    trades = trades_of(run)
    assert trades.side.tolist() == [1, -1]
    assert trades.quantity.tolist() == [100.0, 50.0]
    assert trades.fees.tolist() == pytest.approx([1.0 + 2.0, 1.0 + 0.5])
    assert trades.profit.tolist() == pytest.approx([200.0 - 3.0, 50.0 - 1.5])
    assert trades.bars.tolist() == [4, 4]


def test_the_way_is_told_by_the_bars_between_the_fills() -> None:
    """Entered at the open of bar 10 and left at the open of bar 14: bars 10 to 13 count, no other."""
    series = MARKET.series("S000")
    ts = series.ts_ns
    px = float(series.open[10])
    run = run_of(
        [
            (int(ts[9]) + 1, 1, 0, 1, px, 5.0, 0.0),
            (int(ts[13]) + 1, 1, 0, -1, float(series.open[14]), 5.0, 0.0),
        ]
    )
    trades = trades_of(run)
    low = min(series.low[10:14].min(), px, series.open[14])
    high = max(series.high[10:14].max(), px, series.open[14])
    assert trades.worst[0] == pytest.approx(low / px - 1)
    assert trades.best[0] == pytest.approx(high / px - 1)
    assert trades.bars[0] == 4


def test_what_is_still_held_is_valued_at_the_last_close() -> None:
    ts = MARKET.instants
    trades = trades_of(run_of([(int(ts[3]), 1, 1, -1, 100.0, 2.0, 0.5)]))
    last = float(MARKET.series("S001").close[-1])
    assert trades.open.tolist() == [True]
    assert trades.exit_px[0] == last
    assert trades.profit[0] == pytest.approx(-2.0 * (last - 100.0) - 0.5)


def test_no_fill_no_trade() -> None:
    assert all(len(column) == 0 for column in trades_of(run_of([])))


def test_splits_are_reckoned_in() -> None:
    """Ten bought at 100 are seventy after 7 for 1; sold at 15 they have gained 50, and one round trip it is."""
    ts = pd.date_range("2020-01-06 21:00", periods=6, freq="D", tz="UTC")
    px = np.array([100.0, 100.0, 100.0, 14.0, 15.0, 15.0])
    frame = pd.DataFrame(
        {"ts": ts, "open": px, "high": px + 0.5, "low": px - 0.5, "close": px, "volume": 1e6}
    )
    frame["split"] = [1, 1, 1, 7, 1, 1]

    result = backtest(BuysThenSells(), frame, limits="off")
    trades = result.trades
    assert len(trades) == 1
    assert trades["quantity"].tolist() == [70.0]
    assert trades["entry_px"].tolist() == pytest.approx([100 / 7])
    assert trades["profit"].tolist() == pytest.approx([50.0])
    assert result.stats["final_equity"] - result.cash == pytest.approx(50.0)
    assert result.held("DATA").tolist()[:3] == [0.0, 10.0, 10.0]
    assert trades["mae"].iloc[0] == pytest.approx(13.5 / (100 / 7) - 1)
    assert result.stats["benchmark_return"] == pytest.approx(15 * 7 / 100 - 1)
    held_value = (result.exposure * result.equity).to_numpy()
    assert held_value[1] == pytest.approx(1_000.0)
    assert held_value.max() == pytest.approx(1_000.0)


class BuysThenSells(Strategy):
    """Ten on the first bar; all of it after the fourth."""

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == 1:
            return OrderRequest("buy", 10)
        return OrderRequest("sell", ctx.position) if self.seen == 4 else None


@pytest.mark.parametrize("quantity", [1e9, 1e9 + 0.25, 4e13])
def test_more_units_than_64_bits_count_in_1e8_are_matched_all_the_same(quantity: float) -> None:
    """A coin that costs next to nothing: all units that were ever traded do not fit into int64 of 1e-8."""
    ts = MARKET.instants
    rows = [(int(ts[1]), 1, 0, side, px, quantity, 0.0) for side, px in ((1, 0.01), (-1, 0.02)) * 150]
    run = run_of(rows)
    trades = trades_of(run)
    assert len(trades.side) == 150
    assert not trades.open.any()
    assert trades.quantity.tolist() == [quantity] * 150
    assert trades.profit.sum() == pytest.approx(150 * 0.01 * quantity)
    assert held_of(run, 0)[-1] == 0.0
