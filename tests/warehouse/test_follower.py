from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from workbench.errors import Busy
from workbench.warehouse.client import segments
from workbench.warehouse.follower import Follower

type Until = Callable[..., None]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    made: list[Follower] = []

    def start(journal: Path, **more: Any) -> Follower:
        made.append(Follower(journal, tmp_path, poll_ms=5, first_wait_s=0.02, **more))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


def count(follower: Follower, table: str = "bars") -> int:
    cursor = follower.cursor()
    try:
        found = cursor.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert found is not None
        return int(found[0])
    finally:
        cursor.close()


def level(follower: Follower, recorder: Any) -> Callable[[], bool]:
    return lambda: (
        follower.state.applied_seq == recorder.journal.synced_seq and follower.state.state == "following"
    )


def test_what_is_written_while_it_follows_appears(recorder: Any, follow: Any, until: Until) -> None:
    follower = follow(recorder.path)
    until(level(follower, recorder))
    for n in range(20):
        recorder.bar(0, 100.0 + n)
        until(level(follower, recorder))
        assert count(follower) == n + 1
    assert follower.state.lag == 0
    assert follower.state.faults == 0


def test_it_waits_for_a_journal_and_says_so(
    tmp_path: Path, follow: Any, make_recorder: Any, until: Until
) -> None:
    follower = follow(tmp_path / "journal.sqlite")
    with pytest.raises(Busy, match="there is no journal yet"):
        follower.cursor()
    assert follower.state.state == "waiting"
    recorder = make_recorder(tmp_path / "journal.sqlite")
    recorder.bar(0, 100.0)
    until(level(follower, recorder))
    assert count(follower) == 1


def test_a_journal_that_is_replaced_is_followed_anew(
    tmp_path: Path, recorder: Any, follow: Any, make_recorder: Any, until: Until
) -> None:
    recorder.bar(0, 100.0)
    follower = follow(recorder.path)
    until(level(follower, recorder))
    recorder.journal.close()
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    (tmp_path / "account.lock").unlink()
    other = make_recorder(recorder.path)
    until(lambda: follower.state.rebuilt != "" and level(follower, other)())
    assert follower.state.rebuilt == "it belongs to another journal"
    assert count(follower) == 0


def test_a_damaged_journal_stalls_it_and_it_goes_on_once_repaired(
    recorder: Any, follow: Any, until: Until
) -> None:
    recorder.bar(0, 100.0)
    recorder.journal.close()
    good = recorder.path.read_bytes()
    bad = bytearray(good)
    at = good.index(b"SIM-1")
    bad[at : at + 5] = b"XXX-1"
    recorder.path.write_bytes(bytes(bad))
    follower = follow(recorder.path)
    until(lambda: follower.state.state == "stalled")
    assert "damaged" in follower.state.reason
    assert follower.state.rebuilt == ""
    until(lambda: follower.state.faults >= 3)  # it tries again and again, and never ends
    recorder.path.write_bytes(good)
    until(lambda: follower.state.state == "following")
    assert count(follower) == 1


def test_a_full_disk_stalls_it_and_nothing_is_lost(
    recorder: Any, follow: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.warehouse.store import Store

    full = True
    note = Store._note

    def filled_up(self: Store, *values: Any) -> None:
        if full and values[0]:
            raise duckdb.IOException("IO Error: Could not write file: No space left on device")
        note(self, *values)

    monkeypatch.setattr(Store, "_note", filled_up)
    recorder.bar(0, 100.0)
    follower = follow(recorder.path)
    until(lambda: follower.state.state == "stalled")
    assert "No space left" in follower.state.reason
    assert follower.state.rebuilt == ""
    with pytest.raises(Busy, match="No space left"):
        follower.cursor()
    full = False
    until(level(follower, recorder))
    assert count(follower) == 1


def test_damage_that_a_query_finds_rebuilds_the_file(
    recorder: Any, follow: Any, until: Until, tmp_path: Path
) -> None:
    recorder.bar(0, 100.0)
    follower = follow(recorder.path)
    until(level(follower, recorder))
    follower.report(
        duckdb.IOException("IO Error: Corrupt database file: computed checksum 1 does not match 2")
    )
    until(lambda: follower.state.rebuilt != "" and level(follower, recorder)())
    assert "checksum" in follower.state.rebuilt
    assert count(follower) == 1
    assert len(list((tmp_path / "aside").iterdir())) == 1
    follower.report(duckdb.BinderException("Binder Error: no such column"))
    recorder.bar(0, 101.0)
    until(level(follower, recorder))
    assert follower.state.faults == 1


def test_segments_hold_every_row_once_and_survive_restarts(
    recorder: Any, until: Until, tmp_path: Path
) -> None:
    home, folder = tmp_path, tmp_path / "desk"
    folder.mkdir()

    def follow() -> Follower:
        follower = Follower(recorder.path, folder, poll_ms=5, segment_rows=4)
        follower.start()
        return follower

    follower = follow()
    for n in range(10):
        recorder.bar(0, 100.0 + n)
        recorder.buy(0, 1, 100.0 + n)
        until(level(follower, recorder))
    follower.stop()
    assert follower.state.faults == 0
    parts = sorted((folder / "parquet" / "bars").iterdir())
    assert len(parts) >= 2
    stray = folder / "parquet" / "bars" / "7-9.parquet.part"
    stray.write_bytes(b"half a file")
    again = follow()
    until(level(again, recorder))
    assert not stray.exists()
    recorder.bar(0, 110.0)
    until(level(again, recorder))
    again.stop()
    bars = pq.read_table(sorted((folder / "parquet" / "bars").iterdir())).sort_by("seq")
    assert bars.column("close").to_pylist() == [100.0 + n for n in range(11)]
    fills = segments("fills", "desk", home=home)
    assert fills.column("exec_id").to_pylist() == [f"X{n}" for n in range(1, 11)]
    with duckdb.connect() as plain:  # and any other program can read them
        where = str(folder / "parquet" / "fills" / "*.parquet")
        assert plain.execute("SELECT count(DISTINCT exec_id) FROM read_parquet($1)", [where]).fetchall() == [
            (10,)
        ]
    orders = segments("orders", "desk", home=home)
    assert set(orders.column("state").to_pylist()) == {"filled"}
    assert orders.num_rows == 10
