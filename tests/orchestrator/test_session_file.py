"""The note beside the journal, and moving a journal away."""

from pathlib import Path

import pytest

from workbench.errors import AccountLocked
from workbench.journal import Journal
from workbench.model import StartSession
from workbench.orchestrator.session_file import SessionFile, archive_journal


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    file = SessionFile(tmp_path)
    assert file.load() is None
    file.save(data="SPY", progress=0.25, finished=False, playing=True)
    note = file.load()
    assert note is not None
    assert (note.data, note.progress, note.finished, note.playing) == ("SPY", 0.25, False, True)
    file.save(data="SPY", progress=1.0, finished=True)
    note = file.load()
    assert note is not None
    assert (note.finished, note.playing) == (True, False)
    assert [p.name for p in tmp_path.iterdir()] == ["session.json"]


@pytest.mark.parametrize("text", [b"", b"{", b'{"data": 3}', b"[]"])
def test_a_damaged_note_counts_as_none(tmp_path: Path, text: bytes) -> None:
    file = SessionFile(tmp_path)
    file.path.write_bytes(text)
    assert file.load() is None


def test_a_note_without_the_newer_fields_is_read(tmp_path: Path) -> None:
    file = SessionFile(tmp_path)
    file.path.write_bytes(b'{"data":"SPY","progress":0.5,"finished":false,"saved_s":1.0}')
    note = file.load()
    assert note is not None
    assert note.playing is False


def _journal(folder: Path) -> Path:
    path = folder / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.append(StartSession(1, journal.epoch, "x", "paper", ""))
        journal.commit()
    return path


def test_a_journal_moves_to_the_archive_whole(tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    path = _journal(folder)
    SessionFile(folder).save(data="SPY", progress=1.0, finished=True)
    data = path.read_bytes()
    target = archive_journal(folder)
    assert target is not None
    assert (target / "journal.sqlite").read_bytes() == data
    assert (target / "session.json").exists()
    assert not list(folder.glob("journal.sqlite*"))
    with Journal.open(path) as journal:
        assert journal.epoch == 1  # a new account, not an old copy put back
    second = archive_journal(folder)
    assert second is not None
    assert second != target


def test_without_a_journal_nothing_moves(tmp_path: Path) -> None:
    assert archive_journal(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_journal_in_use_stays(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        with pytest.raises(AccountLocked, match="one engine per account"):
            archive_journal(tmp_path)
        assert journal.append(StartSession(1, journal.epoch, "x", "paper", "")) == 1
    assert path.exists()
