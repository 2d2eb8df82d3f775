"""What has come apart is found, and what has not is left in peace."""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tools import check_drift
from tools.check_drift import docs_drift, environment_drift, generated_drift, lock_drift, tracked_drift
from tools.tracked_files import unwanted_in

ROOT = Path(__file__).resolve().parents[2]
HASH = "--hash=sha256:" + "0" * 64
LOCK = f"numpy==2.5.5 \\\n    {HASH}\npytest==9.2.0 ; sys_platform != 'x' \\\n    {HASH}\n"
PYPROJECT = """
[project]
name = "house"
version = "1"
requires-python = ">=3.12"
dependencies = ["NumPy>=2.5,<3"]
[project.optional-dependencies]
test = ["pytest>=9"]
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small git repository in which nothing has come apart."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "Makefile").write_text("setup: ## make it\ndocs-check: setup\n")
    (tmp_path / "README.md").write_text(
        "See [how](docs/how.md#top), `make setup`, `docs/how.md`.\n\n    make test-x\n"
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "how.md").write_text("Back to [the start](../README.md) or https://example.org\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)
    return tmp_path


def test_nothing_has_come_apart_here() -> None:
    assert lock_drift(ROOT) == []
    assert environment_drift(ROOT) == []
    assert tracked_drift(ROOT) == []
    assert generated_drift(ROOT) == []
    assert docs_drift(ROOT) == []


def test_a_house_in_order(house: Path) -> None:
    assert lock_drift(house) == docs_drift(house) == tracked_drift(house) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"NumPy>=2.5,<3"', '"NumPy>=2.6,<3"', "has NumPy 2.5.5, pyproject.toml wants"),
        ('"NumPy>=2.5,<3"', '"NumPy>=2.5,<3", "duckdb"', "lacks duckdb"),
        ('"pytest>=9"', '"pytest>=10"', "has pytest 9.2.0"),
    ],
)
def test_a_lock_that_is_behind_pyproject(house: Path, old: str, new: str, said: str) -> None:
    (house / "pyproject.toml").write_text(PYPROJECT.replace(old, new))
    (problem,) = lock_drift(house)
    assert said in problem
    assert problem.endswith("run `make lock`")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOCK + "--find-links somewhere\n", "names an address"),
        (LOCK.replace("numpy==2.5.5", "numpy @ https://example.org/numpy==2.5.5"), "lacks NumPy"),
        (LOCK.replace(f"numpy==2.5.5 \\\n    {HASH}", "numpy==2.5.5"), "no hash for numpy"),
    ],
)
def test_a_lock_with_an_address_or_without_a_hash(house: Path, text: str, said: str) -> None:
    (house / "requirements.lock").write_text(text)
    assert any(said in problem for problem in lock_drift(house))


def test_an_environment_that_is_missing_or_edited_by_hand(house: Path) -> None:
    assert len(environment_drift(house)) == 1
    (house / "environment.yml").write_text(check_drift.environment_text(house))
    assert environment_drift(house) == []
    assert "numpy" in (house / "environment.yml").read_text()
    (house / "environment.yml").write_text("name: other\n")
    assert len(environment_drift(house)) == 1


def test_a_generated_file_that_differs_from_its_module(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_drift, "GENERATED", (("docs/made.json", "made_by_a_room", "document"),))
    (house / "docs" / "made.json").write_text("{}\n")
    assert "nothing makes it" in generated_drift(house)[0]
    module = types.ModuleType("made_by_a_room")
    module.__spec__ = types.SimpleNamespace(name="made_by_a_room")  # type: ignore[assignment]
    module.document = lambda: {"openapi": "3.1.0"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_by_a_room", module)
    assert "is not what made_by_a_room gives" in generated_drift(house)[0]
    (house / "docs" / "made.json").write_text(json.dumps({"openapi": "3.1.0"}, indent=2) + "\n")
    assert generated_drift(house) == []
    (house / "docs" / "made.json").unlink()
    assert len(generated_drift(house)) == 1


@pytest.mark.parametrize(
    "text", ["[gone](docs/gone.md)", "`docs/gone.md`", "`make nothing`", "```\nmake nothing\n```"]
)
def test_a_page_that_points_at_nothing(house: Path, text: str) -> None:
    (house / "README.md").write_text(text + "\n")
    (problem,) = docs_drift(house)
    assert problem.startswith("README.md ")


# Written in two parts, so that this file itself holds none of it.
@pytest.mark.parametrize(
    "line",
    [
        "cd /ro" + "ot/x",
        "open('/ho" + "me/ann/data.csv')",
        "pip install --index" + "-url x",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        'api_key = "' + 'a1b2c3d4e5f6a7b8c9d0e1f2"',
        '"token": "' + 'a1b2c3d4e5f6a7b8c9d0e1f2"',
    ],
)
def test_what_no_tracked_file_may_hold(house: Path, line: str) -> None:
    assert [number for number, _ in unwanted_in(f"fine\n{line}\n")] == [2]
    assert list(unwanted_in(f"{line}  # not-a-secret")) == []
    (house / "docs" / "how.md").write_text(line)
    (problem,) = tracked_drift(house)
    assert problem.startswith("docs/how.md:1: names ")


@pytest.mark.parametrize(
    "line",
    [
        'token = settings["token"]',
        "GET /api/v1/workers and workbench/engine/",
        'password = "correct-horse-battery-staple"',
        "https://example.org/home/x",
        "$HOME/work/notes",
    ],
)
def test_what_is_no_secret_and_no_address(line: str) -> None:
    assert list(unwanted_in(line)) == []


def test_an_unknown_check_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        check_drift.main(["locks"])
    assert stopped.value.code == 2
    assert "there are lock, environment" in capsys.readouterr().err


def test_what_is_wrong_decides_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_drift, "CHECKS", {"a": lambda root: [], "b": lambda root: ["b is wrong"]})
    assert check_drift.main(["a"]) == 0
    assert check_drift.main([]) == 1
    printed = capsys.readouterr()
    assert "drift: b: 1 wrong" in printed.out
    assert "b is wrong" in printed.err
