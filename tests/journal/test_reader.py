import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import JournalDamaged, JournalError, JournalVersion
from workbench.journal import Frame, Journal, Tail, read, read_frames, read_inputs
from workbench.journal.codec import frame_hash, join
from workbench.journal.reader import read_meta
from workbench.model import Bar, Sent, SetLimits, Stamped, Submit


def edit(path: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_a_reader_sees_each_commit_while_the_writer_is_open(path: Path) -> None:
    with Journal.open(path) as journal, Tail(path) as tail:
        assert tail.poll() == []
        for i in range(1, 4):
            journal.append(Sent(1, i))
            journal.append(Sent(2, i))
            journal.commit()
            (frame,) = tail.poll()
            assert (frame.first_seq, frame.last_seq, frame.epoch) == (2 * i - 1, 2 * i, 1)
            assert frame.records == [Sent(1, i), Sent(2, i)]
            assert tail.next_seq == 2 * i + 1
            assert tail.poll() == []


def test_a_reader_in_another_process_follows(path: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    code = """
import sys, pathlib, time
from workbench.journal import Tail
with Tail(pathlib.Path(sys.argv[1])) as tail:
    print("ready", flush=True)
    while tail.next_seq <= 30:
        for frame in tail.poll():
            print(*[record.order_id for record in frame.records], flush=True)
        time.sleep(0.001)
"""
    with Journal.open(path) as journal:
        other = child(code, str(path))
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        for i in range(30):
            journal.append(Sent(1, i))
            journal.commit()
        out, err = other.communicate(timeout=30)
    assert err == ""
    assert [int(word) for word in out.split()] == list(range(30))


def test_tail_starts_anywhere_and_never_gives_twice(filled: Path) -> None:
    everything = list(read(filled))
    for from_seq in range(len(everything) + 2):
        assert list(read(filled, from_seq)) == everything[max(from_seq - 1, 0) :]
    with Tail(filled, from_seq=len(everything) + 1) as tail:
        assert tail.poll() == []
        with Journal.open(filled) as journal:
            journal.append(Sent(1, 1))
            journal.commit()
            assert [frame.first_seq for frame in tail.poll()] == [len(everything) + 1]


def test_a_reader_ahead_of_the_journal_is_told(filled: Path, path: Path) -> None:
    n = len(list(read(filled)))
    with pytest.raises(
        JournalError, match=f"ends at seq {n}, seq {n + 2} was asked for: the reader is ahead"
    ):
        Tail(filled, n + 2)


def test_pages_of_any_size_give_the_same(filled: Path) -> None:
    wanted = list(read_frames(filled))
    for most in (1, 2, 7):
        got: list[Frame] = []
        with Tail(filled) as tail:
            while frames := tail.poll(most):
                assert len(frames) <= most
                got += frames
        assert got == wanted


def test_inputs_carry_their_effects_and_no_notes() -> None:
    order = Submit(3, 1, 1, 1, 0, 1, 0, 0, 5, 0, 0)
    bar = Bar(3, 0, 1, 1, 1, 1, 1)
    note = Stamped(3, 1, (1, 2))
    frames = [Frame(1, 3, 1, 0, [Sent(1, 1), note, bar]), Frame(4, 3, 1, 0, [order, note, Sent(4, 1)])]
    assert list(read_inputs(frames)) == [(1, Sent(1, 1), []), (3, bar, [order]), (6, Sent(4, 1), [])]


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("UPDATE frames SET payload = zeroblob(length(payload)) WHERE first_seq = 11", "fails its hash"),
        ("UPDATE frames SET epoch = 9 WHERE first_seq = 11", "fails its hash"),
        ("UPDATE frames SET ts_ns = ts_ns + 1 WHERE first_seq = 11", "fails its hash"),
        ("UPDATE frames SET hash = zeroblob(16) WHERE first_seq = 11", "fails its hash"),
        ("DELETE FROM frames WHERE first_seq = 11", "hole up to seq 12"),
        ("UPDATE frames SET first_seq = 900 WHERE first_seq = 11", "hole up to seq 12"),
        ("DELETE FROM frames WHERE first_seq > 10", "it once reached seq"),
    ],
)
def test_what_was_changed_is_named_by_file_and_seq(filled: Path, sql: str, text: str) -> None:
    edit(filled, sql)
    with pytest.raises(JournalDamaged, match=rf"journal\.sqlite' is damaged at seq 11: .*{text}.*backup"):
        list(read(filled))


def test_a_frame_of_another_journal_is_not_taken(filled: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "journal.sqlite"
    with Journal.open(other) as journal:
        journal.append(Sent(1, 1))
    columns = rows(other, "SELECT * FROM frames")[0]
    edit(filled, "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?)", *columns)
    with pytest.raises(JournalDamaged, match="at seq 1"):
        list(read(filled))


def test_opening_checks_the_end(filled: Path) -> None:
    edit(filled, "UPDATE frames SET epoch = 3 WHERE first_seq = (SELECT max(first_seq) FROM frames)")
    with pytest.raises(JournalDamaged, match="last frame fails its hash"):
        Journal.open(filled)


def test_a_record_from_the_future_is_a_matter_of_versions(filled: Path) -> None:
    tail = rows(filled, "SELECT first_seq + count, hash FROM frames ORDER BY 1 DESC")[0]
    payload = join([b"\x92\xcc\xfa\x01"])  # tag 250
    digest = frame_hash(tail[1], tail[0], 1, 2, 5, payload)
    edit(filled, "INSERT INTO frames VALUES (?, 1, 2, 5, ?, ?)", tail[0], payload, digest)
    with pytest.raises(JournalVersion, match=rf"does not know at seq {tail[0]} .*: run the version"):
        list(read(filled))


def test_no_flipped_byte_is_ever_read_as_something_else(filled: Path, tmp_path: Path) -> None:
    """Bytes all over the file: each flip is noticed, or it hit a place that holds nothing."""
    whole = filled.read_bytes()
    wanted = list(read(filled))
    pages = rows(filled, "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0")
    used = sorted({0, *(page - 1 for (page,) in pages)})
    spots = [page * 4096 + offset for page in used for offset in range(0, 4096, 29)]
    noticed = 0
    target = tmp_path / "flipped.sqlite"
    for spot in spots:
        broken = bytearray(whole)
        broken[spot] ^= 0x5A
        target.write_bytes(broken)
        try:
            got = list(read(target))
        except JournalError:
            noticed += 1
        else:
            assert got == wanted, f"byte {spot}"
    assert noticed > 40


def test_every_flipped_byte_of_a_frame_is_noticed(filled: Path, tmp_path: Path) -> None:
    whole = filled.read_bytes()
    payload, digest = rows(filled, "SELECT payload, hash FROM frames WHERE first_seq = 2")[0]
    target = tmp_path / "flipped.sqlite"
    for part in (payload, digest):
        start = whole.index(part)
        for spot in range(start, start + len(part)):
            target.write_bytes(whole[:spot] + bytes([whole[spot] ^ 1]) + whole[spot + 1 :])
            with pytest.raises(JournalDamaged, match="at seq 2"):
                list(read(target))


def test_missing_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"nothing\.sqlite' does not exist: start a desk first"):
        read_meta(tmp_path / "nothing.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_reading_changes_nothing(filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    shutil.copy(filled, copy)
    list(read(copy))
    assert copy.read_bytes() == filled.read_bytes()
    with Tail(copy) as tail, pytest.raises(sqlite3.OperationalError, match="readonly"):
        tail._connection.execute("DELETE FROM frames")


def test_limits_record_survives(filled: Path) -> None:
    assert SetLimits(6, (("size", 0.0),), "me") in [record for _, record in read(filled)]
