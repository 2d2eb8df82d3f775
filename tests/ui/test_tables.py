"""The dashboard's tables: what changes is put in, what a person has ticked stays ticked."""

import pandas as pd
import pytest

from workbench.model.snapshot import Snapshot
from workbench.ui.dashboard import frames as frames_of
from workbench.ui.dashboard.tables import SnapshotTable


class Frames:
    """Stands in for snapshots: a table that is asked gets the frame the test has put here."""

    def __init__(self) -> None:
        self.now = pd.DataFrame({"#": [1, 2, 3], "State": ["running"] * 3, "P&L": [0.0, 1.0, 2.0]})
        self.refills = 0

    def __call__(self, _: Snapshot) -> pd.DataFrame:
        return self.now.copy()


@pytest.fixture
def frames() -> Frames:
    return Frames()


@pytest.fixture
def table(frames: Frames, snapshot: Snapshot) -> SnapshotTable:
    made = SnapshotTable(frames, "strategies", style="", theme="simple", selectable=True)
    made.update(snapshot)

    def refilled(_: object) -> None:
        frames.refills += 1

    made.view.param.watch(refilled, "value", onlychanged=False)
    return made


def test_cells_that_change_do_not_untick_rows(
    table: SnapshotTable, frames: Frames, snapshot: Snapshot
) -> None:
    table.view.selection = [1]
    frames.now["State"], frames.now["P&L"] = ["running", "paused", "running"], [0.0, 1.5, 2.0]
    table.update(snapshot)
    assert (table.view.selection, frames.refills) == ([1], 0)
    assert table.view.value["State"].tolist() == ["running", "paused", "running"]
    assert table.view.value["P&L"].tolist() == [0.0, 1.5, 2.0]
    assert table.chosen("#") == [2]


def test_rows_that_come_refill_the_table_and_ticks_stay(
    table: SnapshotTable, frames: Frames, snapshot: Snapshot
) -> None:
    table.view.selection = [2]
    frames.now = pd.DataFrame({"#": [1, 2, 3, 4], "State": ["running"] * 4, "P&L": [0.0, 1.0, 2.0, 0.0]})
    table.update(snapshot)
    assert frames.refills == 1
    assert table.chosen("#") == [3]
    frames.now = frames.now.head(2)
    table.update(snapshot)
    assert table.chosen("#") == []


def test_long_words_take_several_lines_where_a_table_folds(snapshot: Snapshot) -> None:
    def alerts(_: Snapshot) -> pd.DataFrame:
        return pd.DataFrame({"Code": ["BUDGET"], "What": ["a long sentence " * 20]})

    made = {
        folds: SnapshotTable(alerts, "Alerts", style="", theme="simple", folds=folds)
        for folds in (True, False)
    }
    for table in made.values():
        table.update(snapshot)
    assert made[True].view.formatters["What"] == {"type": "textarea"}
    assert "What" not in made[False].view.formatters


def test_an_even_table_gives_times_and_names_more_than_a_share(snapshot: Snapshot) -> None:
    made = SnapshotTable(frames_of.fills, "fills", style="", theme="simple", even=True)
    made.update(snapshot)
    long = {name: made.view.widths[name] for name in ("Time (UTC)", "Strategy", "Execution")}
    assert min(long.values()) >= 150  # a time with its seconds needs as much
