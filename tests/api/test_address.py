"""The address book: private, atomic, and believed only when it is ours and its process lives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.api.address import (
    Address,
    desk_folder,
    desks,
    pid_alive,
    read_address,
    remove_address,
    write_address,
)
from workbench.errors import NotRunning, Refused


def address(pid: int | None = None) -> Address:
    return Address("http://127.0.0.1:1", "secret-token", pid or os.getpid(), 3, 0, "0.1.0")


def ended_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_written_private_and_read_back(tmp_path: Path) -> None:
    folder = desk_folder("d", tmp_path)
    path = write_address(folder, "engine", address())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_address(folder) == address()
    assert [p.name for p in folder.iterdir()] == ["engine.json"]
    assert desks(tmp_path) == ["d"]


def test_the_token_never_shows_in_text() -> None:
    for text in (repr(address()), str(address()), f"{address()}", f"{[address()]}", "%s" % (address(),)):  # noqa: UP031
        assert "secret-token" not in text


def test_a_folder_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o755)
    assert desk_folder("d", tmp_path).stat().st_mode & 0o777 == 0o700


def test_missing_or_dead_says_not_running_and_what_to_do(tmp_path: Path) -> None:
    folder = desk_folder("d", tmp_path)
    write_address(desk_folder("other", tmp_path), "engine", address())
    with pytest.raises(
        NotRunning, match=r"desk 'd' is not running \(running: other\).*workbench\.start\('d'\)"
    ):
        read_address(folder)
    write_address(folder, "engine", address(ended_pid()))
    with pytest.raises(NotRunning, match="is gone"):
        read_address(folder)
    assert desks(tmp_path) == ["other"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o777])
def test_a_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    folder = desk_folder("d", tmp_path)
    write_address(folder, "engine", address()).chmod(mode)
    with pytest.raises(Refused, match="open to other users"):
        read_address(folder)


def test_links_and_nonsense_are_refused(tmp_path: Path) -> None:
    folder = desk_folder("d", tmp_path)
    real = write_address(desk_folder("real", tmp_path), "engine", address())
    (folder / "engine.json").symlink_to(real)
    with pytest.raises(Refused, match="cannot be read"):
        read_address(folder)
    (folder / "engine.json").unlink()
    write_address(folder, "engine", address())
    (folder / "engine.json").write_text("{}")
    with pytest.raises(Refused, match="not readable as an address"):
        read_address(folder)


def test_only_the_writer_removes_its_file(tmp_path: Path) -> None:
    folder = desk_folder("d", tmp_path)
    path = write_address(folder, "engine", address())
    remove_address(folder, "engine", os.getpid() + 1)
    assert path.exists()
    remove_address(folder, "engine", os.getpid())
    assert not path.exists()
    remove_address(folder, "engine", os.getpid())


def test_an_unwritable_home_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"cannot be used.*WORKBENCH_HOME"):
        desk_folder("d", tmp_path / "file")


def test_a_zombie_counts_as_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not pid_alive(child.pid)
    child.wait()
    assert pid_alive(os.getpid())
