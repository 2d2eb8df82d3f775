"""What a test run had to leave out is said, and in CI it is a failure."""

import os
import shutil
from pathlib import Path

import pytest

from tools import system_packages
from tools.system_packages import NEEDS, in_ci, left_out, missing


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH but what the test puts there, outside CI, not root."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "__file__", str(tmp_path / "tools" / "system_packages.py"))
    return folder


def test_a_program_is_found_under_any_of_its_names(bare: Path) -> None:
    assert missing() == list(NEEDS)
    program(bare, "google-chrome", "")
    program(bare, "promtool", "")
    assert missing() == []


def test_without_root_the_run_goes_on_and_says_what_to_type(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert system_packages.main(["--install"]) == 0
    assert system_packages.main(["--left-out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NEEDS)
    assert lines[0].startswith(
        "left out: browser tests, as chromium is not installed; type: sudo apt-get install"
    )
    assert "fonts-dejavu-core" in lines[0]


def test_with_everything_there_nothing_is_said(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(bare, "chromium", "")
    program(bare, "promtool", "")
    assert system_packages.main(["--install"]) == 0
    assert system_packages.main(["--left-out"]) == 0
    assert capsys.readouterr().out == ""


def test_in_ci_a_missing_program_is_a_failure(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    assert system_packages.main(["--install"]) == 1
    assert "left out: browser tests" in capsys.readouterr().err


def test_root_installs_what_is_missing_and_only_that(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(bare, "chromium", "")
    asked = bare.parent / "asked"
    chmod = shutil.which("chmod", path=os.defpath)
    program(
        bare,
        "apt-get",
        f'echo "$DEBIAN_FRONTEND $@" >> {asked}\n'
        f'case "$*" in *" install "*) echo "#!/bin/sh" > {bare}/promtool;'
        f" {chmod} 755 {bare}/promtool;; esac",
    )
    assert system_packages.main(["--install"]) == 0
    update, installed = asked.read_text().splitlines()
    assert update == "noninteractive -q update"
    assert installed.endswith("install prometheus")
    assert "--no-install-recommends" in installed
    assert missing() == []


def test_an_apt_that_fails_is_told_with_its_last_line(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(bare, "apt-get", 'echo "E: Unable to fetch"; exit 100')
    assert system_packages.main(["--install"]) == 0
    assert "apt-get failed (100): E: Unable to fetch" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "ci"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_what_counts_as_ci(value: str, ci: bool) -> None:
    assert in_ci({"CI": value}) is ci
    assert not in_ci({})


def test_every_need_has_its_marker(request: pytest.FixtureRequest) -> None:
    registered = "\n".join(request.config.getini("markers"))
    assert all(f"{need.marker}:" in registered for need in NEEDS)
    assert len(left_out(NEEDS)) == len(NEEDS)
