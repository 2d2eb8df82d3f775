"""Which Python is taken: only one that starts, new enough, newest first."""

import sys
from pathlib import Path

import pytest

from tools.pythons import candidates, places, probe


def fake_python(path: Path, said: str, status: int = 0) -> Path:
    """A program that answers as an interpreter would, or fails as a shim does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{said}'\nexit {status}\n")
    path.chmod(0o755)
    return path


def environment(tmp_path: Path, *folders: Path) -> dict[str, str]:
    return {"PATH": ":".join(map(str, folders)), "HOME": str(tmp_path / "home")}


def test_a_real_interpreter_tells_its_version() -> None:
    python = probe(Path(sys.executable))
    assert python is not None
    assert python.version == sys.version_info[:3]
    assert python.fits
    assert python.answers(None)
    assert python.answers(f"3.{sys.version_info[1]}")
    assert not python.answers("3.9")


def test_the_newest_that_starts_is_first(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    fake_python(a / "python3", "3.12.4 cpython final 0")
    fake_python(b / "python3.13", "3.13.1 cpython final 0")
    fake_python(b / "python3.14", "3.14.0 cpython final 0")
    found = candidates(environment(tmp_path, a, b))
    assert [python.text for python in found] == ["3.14.0", "3.13.1", "3.12.4"]


def test_a_shim_that_fails_is_passed_over(tmp_path: Path) -> None:
    shims, real = tmp_path / "shims", tmp_path / "real"
    fake_python(shims / "python3.13", "python3.13: command not found", status=127)
    fake_python(real / "python3.12", "3.12.9 cpython final 0")
    assert [python.path for python in candidates(environment(tmp_path, shims, real))] == [real / "python3.12"]


@pytest.mark.parametrize(
    "said",
    [
        "3.11.9 cpython final 0",
        "3.13.0 pypy final 0",
        "3.15.0 cpython beta 0",
        "3.13.0 cpython final 1",  # the build without the GIL
        "not a version",
    ],
)
def test_what_has_no_ready_made_packages_is_not_taken(tmp_path: Path, said: str) -> None:
    fake_python(tmp_path / "bin" / "python3", said)
    assert candidates(environment(tmp_path, tmp_path / "bin")) == []


def test_a_name_that_promises_too_old_a_version_is_not_even_started(tmp_path: Path) -> None:
    started = tmp_path / "started"
    old = tmp_path / "bin" / "python3.9"
    old.parent.mkdir()
    old.write_text(f"#!/bin/sh\ntouch {started}\n")
    old.chmod(0o755)
    assert candidates(environment(tmp_path, tmp_path / "bin")) == []
    assert not started.exists()


def test_pyenv_versions_are_found_without_being_on_path(tmp_path: Path) -> None:
    env = environment(tmp_path)
    fake_python(
        tmp_path / "home" / ".pyenv" / "versions" / "3.13.2" / "bin" / "python", "3.13.2 cpython final 0"
    )
    assert [python.text for python in candidates(env)] == ["3.13.2"]
    env["PYENV_ROOT"] = str(tmp_path / "elsewhere")
    assert candidates(env) == []


def test_a_wanted_version_is_the_only_one_taken(tmp_path: Path) -> None:
    fake_python(tmp_path / "bin" / "python3.12", "3.12.4 cpython final 0")
    fake_python(tmp_path / "bin" / "python3.13", "3.13.1 cpython final 0")
    env = environment(tmp_path, tmp_path / "bin")
    assert [python.text for python in candidates(env, "3.12")] == ["3.12.4"]
    assert candidates(env, "3.14") == []


def test_other_programs_and_missing_folders_are_no_candidates(tmp_path: Path) -> None:
    for name in ("python3-config", "python2", "ipython3", "python3.13t", "python3.13"):
        fake_python(tmp_path / "bin" / name, "3.13.1 cpython final 0")
    env = environment(tmp_path, tmp_path / "bin", tmp_path / "gone")
    assert [path.name for path in places(env)] == ["python3.13"]


def test_a_file_that_cannot_run_is_none(tmp_path: Path) -> None:
    dead = tmp_path / "python3"
    dead.write_bytes(b"\x00\x01")
    dead.chmod(0o755)
    assert probe(dead) is None
    assert probe(tmp_path / "missing") is None
