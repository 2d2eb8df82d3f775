import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadValue, JournalDamaged, JournalError, JournalStopped, JournalVersion
from workbench.journal import Journal, read, read_frames, read_meta
from workbench.model import Record, Sent


def seqs(path: Path) -> list[int]:
    return [seq for seq, _ in read(path)]


def test_sequence_is_dense_over_reopenings(path: Path) -> None:
    wanted: list[tuple[int, Record]] = []
    for epoch in range(1, 5):
        with Journal.open(path) as journal:
            assert journal.epoch == epoch
            for i in range(epoch):
                wanted.append((journal.append(Sent(epoch, i)), Sent(epoch, i)))
            journal.commit()
    assert list(read(path)) == wanted
    assert seqs(path) == list(range(1, 11))
    assert [frame.epoch for frame in read_frames(path)] == [1, 2, 3, 4]


def test_nothing_is_lost_at_a_close_without_a_commit(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(Sent(1, 1))
        assert seqs(path) == []
    assert seqs(path) == [1]
    journal.close()
    for late in (lambda: journal.append(Sent(1, 2)), lambda: journal.commit(print)):
        with pytest.raises(JournalStopped, match="is closed: open it again"):
            late()


async def test_answers_come_on_the_loop_in_order_and_only_once_durable(path: Path) -> None:
    loop = asyncio.get_running_loop()
    journal = Journal.open(path, loop=loop)
    heard: list[int] = []
    finished = loop.create_future()

    def on_synced(seq: int) -> None:
        assert asyncio.get_running_loop() is loop
        assert journal.synced_seq >= seq
        assert seqs(path)[-1] >= seq
        heard.append(seq)
        if seq == 60:
            finished.set_result(None)

    for i in range(60):
        assert journal.append(Sent(1, i)) == i + 1
        journal.commit(on_synced)
    assert heard == []
    await asyncio.wait_for(finished, 100)
    assert heard == list(range(1, 61))
    stats = journal.stats
    assert stats.records == 60
    assert 1 <= stats.syncs == stats.frames <= 60
    assert len(stats.since(0)) == stats.syncs
    journal.close()


async def test_market_data_waits_for_company_and_keeps_its_place(path: Path) -> None:
    loop = asyncio.get_running_loop()
    journal = Journal.open(path, loop=loop, market_flush_ms=3_600_000)
    for i in range(5):
        journal.append(Sent(1, i))
        journal.commit(sync=False)
    assert (journal.stats.syncs, seqs(path)) == (0, [])
    journal.append(Sent(1, 5))
    answer: asyncio.Future[int] = loop.create_future()
    journal.commit(answer.set_result)
    assert await asyncio.wait_for(answer, 100) == 6
    assert journal.stats.syncs == 1
    assert [record for _, record in read(path)] == [Sent(1, i) for i in range(6)]
    journal.close()


async def test_market_data_alone_is_written_after_its_time(path: Path) -> None:
    with Journal.open(path, loop=asyncio.get_running_loop(), market_flush_ms=1) as journal:
        journal.append(Sent(1, 1))
        journal.commit(sync=False)
        async with asyncio.timeout(100):
            while journal.synced_seq < 1:  # noqa: ASYNC110  the writer's own word is what is awaited
                await asyncio.sleep(0.001)
    assert seqs(path) == [1]


def test_market_data_is_written_when_a_batch_is_full(path: Path) -> None:
    with Journal.open(path, batch_max=10, market_flush_ms=3_600_000) as journal:
        for i in range(25):
            journal.append(Sent(1, i))
            journal.commit(sync=False)
        assert (journal.synced_seq, journal.last_seq) == (20, 25)
    assert [frame.n for frame in read_frames(path)] == [10, 10, 5]


async def test_a_commit_without_records_answers_after_the_earlier_ones(path: Path) -> None:
    loop = asyncio.get_running_loop()
    with Journal.open(path, loop=loop) as journal:
        heard: list[str] = []
        last: asyncio.Future[int] = loop.create_future()
        journal.append(Sent(1, 1))
        journal.commit(lambda seq: heard.append(f"first {seq}"))
        journal.commit(last.set_result)
        assert await asyncio.wait_for(last, 100) == 1
        assert heard == ["first 1"]


async def test_one_raising_callback_is_reported_and_harms_no_other(path: Path) -> None:
    loop = asyncio.get_running_loop()
    reported: list[str] = []
    loop.set_exception_handler(lambda _loop, context: reported.append(context["message"]))
    answer: asyncio.Future[int] = loop.create_future()
    with Journal.open(path, loop=loop) as journal:
        for on_synced in (lambda _seq: 1 / 0, answer.set_result):
            journal.append(Sent(1, 1))
            journal.commit(on_synced)  # type: ignore[arg-type]
        assert await asyncio.wait_for(answer, 100) == 2
    assert reported == ["on_synced(1) raised"]


def test_every_commit_is_a_full_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def remembered(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remembered)
    with Journal.open(path) as journal:
        assert opened[0].execute("PRAGMA synchronous").fetchone() == (2,)
        assert opened[0].execute("PRAGMA journal_mode").fetchone() == (b"wal",)
        for i in range(7):
            journal.append(Sent(1, i))
            journal.commit()
        assert journal.stats.syncs == 7


def test_a_big_batch_becomes_several_frames_of_one_sync(path: Path) -> None:
    with Journal.open(path, batch_max=100) as journal:
        for i in range(250):
            journal.append(Sent(1, i))
        journal.commit()
        assert (journal.stats.syncs, journal.stats.frames) == (1, 3)
    assert [frame.n for frame in read_frames(path)] == [100, 100, 50]
    assert seqs(path) == list(range(1, 251))


@settings(max_examples=15, deadline=None)
@given(plan=st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=25), batch_max=st.integers(1, 9))
def test_any_way_of_committing_gives_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[int, bool]], batch_max: int
) -> None:
    path = tmp_path_factory.mktemp("law") / "journal.sqlite"
    wanted = []
    with Journal.open(path, batch_max=batch_max) as journal:
        for n, sync in plan:
            for i in range(n):
                wanted.append((journal.append(Sent(n, i)), Sent(n, i)))
            journal.commit(sync=sync)
    assert list(read(path)) == wanted


def test_a_bad_record_takes_no_number(path: Path) -> None:
    with Journal.open(path) as journal:
        with pytest.raises(BadValue, match="Sent"):
            journal.append(Sent(1, "one"))  # type: ignore[arg-type]
        assert journal.append(Sent(1, 1)) == 1
    assert seqs(path) == [1]


def test_an_epoch_is_never_used_twice(path: Path) -> None:
    Journal.open(path, epoch=7).close()
    with pytest.raises(BadValue, match="epoch = 7: give a number above 7"):
        Journal.open(path, epoch=7)
    with Journal.open(path) as journal:
        assert journal.epoch == 8


def test_another_account_is_refused(path: Path) -> None:
    Journal.open(path, account="SIM-1").close()
    with pytest.raises(JournalError, match="belongs to account 'SIM-1', not 'LIVE-1'"):
        Journal.open(path, account="LIVE-1")
    assert read_meta(path).account == "SIM-1"


@pytest.mark.parametrize("written", ["0", "2"])
def test_another_format_says_who_wrote_it(path: Path, written: str) -> None:
    Journal.open(path, code_version="0.9").close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (written,))
    connection.commit()
    connection.close()
    for action in (Journal.open, read_meta, lambda p: list(read(p))):
        with pytest.raises(
            JournalVersion, match=rf"format {written}, this code reads format 1: run .*\(0\.9\)"
        ):
            action(path)


@pytest.mark.parametrize("make", [lambda p: p.write_text("date,open\n" * 200), lambda p: _other_database(p)])
def test_what_is_no_journal_is_refused_and_left_alone(path: Path, make: Callable[[Path], object]) -> None:
    path.parent.mkdir()
    make(path)
    with pytest.raises(JournalError, match="journal") as caught:
        Journal.open(path)
    assert isinstance(caught.value, JournalDamaged | JournalVersion)
    assert "\n" not in str(caught.value)


def _other_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trades (x)")
    connection.commit()
    connection.close()


def test_an_old_copy_put_back_is_noticed(path: Path) -> None:
    Journal.open(path).close()
    old = path.read_bytes()
    Journal.open(path).close()
    path.write_bytes(old)
    with pytest.raises(JournalDamaged, match=r"ends in epoch 1, its account has been in epoch 2.*put back"):
        Journal.open(path)


def test_files_are_private(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(Sent(1, 1))
        journal.commit()
        modes = {p.name: oct(p.stat().st_mode & 0o077) for p in path.parent.iterdir()}
    assert set(modes.values()) == {"0o0"}, modes
    assert path.parent.stat().st_mode & 0o077 == 0
