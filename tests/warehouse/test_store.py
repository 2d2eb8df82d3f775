import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from workbench.errors import Refused
from workbench.journal.reader import read_frames
from workbench.warehouse.store import Store, frame_tip


def caught_up(path: Path, journal: Path) -> Store:
    store = Store.open(path, journal)
    frames = list(read_frames(journal, store.applied_seq + 1))
    if frames:
        store.write(frames, store.fold())
    return store


def bars(store: Store) -> int:
    found = store.writer.execute("SELECT count(*) FROM bars").fetchone()
    assert found is not None
    return int(found[0])


@pytest.fixture
def traded(recorder: Any) -> Any:
    for n in range(30):
        recorder.bar(0, 100.0 + n)
    recorder.buy(0, 5, 129.0)
    return recorder


def test_reopening_goes_on_where_it_stopped(traded: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    store = caught_up(path, traded.path)
    seq = store.applied_seq
    assert seq == traded.journal.last_seq
    store.close()
    traded.bar(0, 150.0)
    store = Store.open(path, traded.path)
    assert (store.applied_seq, store.rebuilt) == (seq, "")
    store.close()
    store = caught_up(path, traded.path)
    assert bars(store) == 31
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600


def flip(path: Path, at: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_damaged_file_is_moved_aside_or_seen_by_its_query_and_rebuilt(
    traded: Any, tmp_path: Path, at: float
) -> None:
    path = tmp_path / "w.duckdb"
    caught_up(path, traded.path).close()
    flip(path, at)
    store = Store.open(path, traded.path)
    complaint: Exception | None = None
    try:
        store.writer.execute("SELECT * FROM bars ORDER BY seq").fetchall()
    except duckdb.Error as error:
        complaint = error
    assert complaint is None or store.is_damage(complaint)
    store.close()
    assert bool(store.rebuilt) == (tmp_path / "aside").is_dir()
    if complaint is None:  # moved aside, or the flipped byte held nothing
        store = caught_up(path, traded.path)
        found = store.writer.execute("SELECT close FROM bars ORDER BY seq").fetchall()
        assert found == [(100.0 + n,) for n in range(30)]
        store.close()


KILLED = """
import os, sys
from pathlib import Path
from workbench.journal.reader import read_frames
from workbench.warehouse.store import Store
path, journal = Path(sys.argv[1]), Path(sys.argv[2])
store = Store.open(path, journal)
fold = store.fold()
for frame in read_frames(journal, store.applied_seq + 1):
    store.write([frame], fold)
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a journal and the warehouse of a process that died with everything in its write-ahead log."""
    from tests.warehouse.conftest import Recorder

    folder = tmp_path_factory.mktemp("killed")
    recorder = Recorder(folder / "journal.sqlite")
    recorder.begin()
    for n in range(30):
        recorder.bar(0, 100.0 + n)
    recorder.buy(0, 5, 129.0)
    recorder.journal.close()
    command = [sys.executable, "-c", KILLED, str(folder / "w.duckdb"), str(recorder.path)]
    assert subprocess.run(command, timeout=120, check=False).returncode == -9
    assert (folder / "w.duckdb.wal").stat().st_size > 10_000
    return folder


@pytest.fixture
def killed(killed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed_once, tmp_path / "desk"))


def everything_is_there(folder: Path) -> None:
    journal = folder / "journal.sqlite"
    store = caught_up(folder / "w.duckdb", journal)
    assert store.applied_seq == [frame.last_seq for frame in read_frames(journal)][-1]
    assert bars(store) == 30
    assert store.writer.execute("SELECT equal FROM position_check").fetchall() == [(True,), (True,)]
    store.close()


def test_a_killed_warehouse_has_what_it_wrote(killed: Path) -> None:
    store = Store.open(killed / "w.duckdb", killed / "journal.sqlite")
    assert (store.rebuilt, bars(store)) == ("", 30)
    store.close()
    everything_is_there(killed)


@pytest.mark.parametrize("at", [0.05, 0.2, 0.5, 0.8, 0.95])
def test_a_flipped_byte_in_the_log_of_a_killed_warehouse_loses_nothing_in_the_end(
    killed: Path, at: float
) -> None:
    flip(killed / "w.duckdb.wal", at)
    everything_is_there(killed)


@pytest.mark.parametrize("cut", [1, 17, 5000])
def test_a_cut_log_loses_nothing_in_the_end(killed: Path, cut: int) -> None:
    log = killed / "w.duckdb.wal"
    log.write_bytes(log.read_bytes()[:-cut])
    everything_is_there(killed)


def test_a_lost_log_loses_nothing_in_the_end(killed: Path) -> None:
    (killed / "w.duckdb.wal").unlink()
    everything_is_there(killed)


def test_a_full_disk_at_the_opening_moves_nothing_aside(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    monkeypatch.setattr(Store, "_load_marks", full)
    with pytest.raises(duckdb.IOException, match="No space left"):
        Store.open(killed / "w.duckdb", killed / "journal.sqlite")
    monkeypatch.undo()
    assert not (killed / "aside").exists()
    everything_is_there(killed)


def test_rows_that_vanished_silently_are_seen(traded: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    caught_up(path, traded.path).close()
    with duckdb.connect(str(path)) as raw:
        raw.execute("DELETE FROM bars WHERE seq = (SELECT max(seq) FROM bars)")
    store = caught_up(path, traded.path)
    assert store.rebuilt == "table bars has 29 rows where 30 were written"
    assert bars(store) == 30
    store.close()
    assert (next((tmp_path / "aside").iterdir()) / "reason.txt").read_text().startswith("table bars has 29")


def test_a_journal_that_was_put_back_makes_it_begin_anew(traded: Any, tmp_path: Path) -> None:
    traded.journal.close()
    backup = tmp_path / "backup.sqlite"
    shutil.copy(traded.path, backup)
    traded.restart()
    traded.bar(0, 500.0)
    path = tmp_path / "w.duckdb"
    caught_up(path, traded.path).close()
    store = caught_up(path, backup)
    assert "ahead" in store.rebuilt
    assert bars(store) == 30
    store.close()


def test_another_journal_makes_it_begin_anew(traded: Any, make_recorder: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    caught_up(path, traded.path).close()
    other = make_recorder(tmp_path / "other" / "journal.sqlite")
    store = caught_up(path, other.path)
    assert store.rebuilt == "it belongs to another journal"
    assert bars(store) == 0
    store.close()


def test_another_format_and_no_database_at_all_are_moved_aside(traded: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    caught_up(path, traded.path).close()
    with duckdb.connect(str(path)) as raw:
        raw.execute("UPDATE applied SET format = 99")
    store = Store.open(path, traded.path)
    assert store.rebuilt.startswith("it has format 99")
    store.close()
    for n in range(4):
        path.write_bytes(b"this is no database " * (n + 1) * 1000)
        store = Store.open(path, traded.path)
        assert store.rebuilt
        store.close()
    assert len(list((tmp_path / "aside").iterdir())) == 3


HOLD = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_held_by_another_process_is_refused_and_left_alone(traded: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    caught_up(path, traded.path).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match="held by another process"):
            Store.open(path, traded.path)
    finally:
        holder.communicate(timeout=30)
    assert not (tmp_path / "aside").exists()


def test_a_failed_batch_leaves_nothing_behind(
    traded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.duckdb"
    store = Store.open(path, traded.path)
    frames = list(read_frames(traded.path))
    monkeypatch.setattr(
        store, "_note", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(OSError, match="No space"):
        store.write(frames, store.fold())
    assert bars(store) == 0
    store.close()
    store = caught_up(path, traded.path)
    assert (store.rebuilt, bars(store)) == ("", 30)
    store.close()


def test_the_tip_is_known_only_where_a_frame_ends(recorder: Any) -> None:
    before = recorder.journal.last_seq
    for record in (recorder.bar, recorder.bar):
        record(0, 100.0)
    assert len(frame_tip(recorder.path, before)) == 32
    assert frame_tip(recorder.path, before + 10) == ""
    assert frame_tip(recorder.path, before) != frame_tip(recorder.path, before + 1)
