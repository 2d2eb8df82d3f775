"""Snapshots as data frames: same columns with and without rows, figures unchanged."""

import pandas as pd
import pytest

from workbench.model.snapshot import Snapshot
from workbench.ui.dashboard import frames

ALL = [getattr(frames, name) for name in frames.__all__]


@pytest.mark.parametrize("frame", ALL, ids=frames.__all__)
def test_columns_and_types_do_not_depend_on_rows(frame: object, snapshot: Snapshot, empty: Snapshot) -> None:
    assert callable(frame)
    full, none = frame(snapshot), frame(empty)
    assert list(full.columns) == list(none.columns)
    assert list(full.dtypes) == list(none.dtypes)


def test_orders_are_told_newest_first_with_their_states(snapshot: Snapshot) -> None:
    told = frames.orders(snapshot)
    assert told["Order"].tolist() == [row.order_id for row in reversed(snapshot.orders)]
    assert set(told["State"]) == {row.state for row in snapshot.orders}


def test_the_accounts_positions_come_before_the_strategies(snapshot: Snapshot) -> None:
    held = frames.positions(snapshot)["Held by"].tolist()
    assert held[: held.count("account")] == ["account"] * held.count("account")


def test_latency_says_which_stage_is_over_its_budget(snapshot: Snapshot) -> None:
    told = frames.latency(snapshot)
    over = told[(told["p99 µs"] > told["Budget µs"]) & (told["Measured"] > 0)]
    assert (over["Verdict"] == "▲ over").all()
    assert (told.drop(over.index)["Verdict"] != "▲ over").all()


def test_figures_are_not_rounded(snapshot: Snapshot) -> None:
    told = frames.fills(snapshot)
    paid = pd.Series([row.quantity * row.px for row in reversed(snapshot.fills)], dtype="float64")
    pd.testing.assert_series_equal(told["Value"], paid, check_names=False)
