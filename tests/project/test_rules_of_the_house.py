"""The rules that no other tool holds: sizes, names, doors, and the order of a test run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.tracked_files import tracked

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE_LINES = 400
MOST_NAMES = 15
MOST_TARGETS = 12
TAKEN_BY_NOBODY = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "handlers"}


def python_files(*folders: str) -> list[Path]:
    files = [path for path in tracked(ROOT) if path.suffix == ".py"]
    return [path for path in files if path.relative_to(ROOT).parts[0] in folders]


def test_no_file_is_longer_than_a_reader_holds() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files("workbench", "strategies", "tools")
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE_LINES
    }
    assert long == {}


def test_no_file_and_no_folder_is_a_drawer() -> None:
    parts = {part for path in python_files("workbench", "strategies") for part in path.with_suffix("").parts}
    assert parts & TAKEN_BY_NOBODY == set()


def test_no_class_is_called_manager_or_handler() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in python_files("workbench", "strategies")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Handler|Helper|Utils)$", node.name)
    ]
    assert named == []


def test_every_file_says_what_lives_there() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in python_files("workbench", "strategies", "tools")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_no_error_is_swallowed() -> None:
    swallowed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files("workbench", "strategies", "tools")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
        )
        and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
    ]
    assert swallowed == []


def test_the_package_offers_what_a_notebook_needs_and_no_more() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import workbench; print(*getattr(workbench, '__all__', []))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout.split()
    assert len(said) <= MOST_NAMES
    assert len(set(said)) == len(said)


def test_importing_the_package_brings_nothing_heavy() -> None:
    heavy = "pandas numpy numba panel bokeh duckdb pyarrow aiohttp jupyterlab IPython ipywidgets matplotlib"
    code = f"import sys, workbench; print(*sorted(set({heavy.split()!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_the_makefile_is_short_and_explains_itself() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z][\w-]*):", text, re.MULTILINE)
    assert len(targets) < MOST_TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert phony[1].split() == targets
    shown = subprocess.run(
        ["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(re.search(rf"make {target} +\w", shown) for target in targets)


@pytest.mark.parametrize(
    ("typed", "run"),
    [
        (["demo"], ".venv/bin/workbench demo"),
        (["demo", "HEADLESS=1"], ".venv/bin/workbench demo --headless"),
        (["demo", "HEADLESS=0"], ".venv/bin/workbench demo"),
        (["setup", "PYTHON=3.12"], "tools/setup --python 3.12"),
    ],
)
def test_what_a_target_runs(typed: list[str], run: str) -> None:
    dry = subprocess.run(["make", "-n", *typed], cwd=ROOT, capture_output=True, text=True, check=True)
    assert dry.stdout.rstrip().splitlines()[-1].strip() == run


def test_ci_runs_the_tests_last() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.strip()]
    assert lines[-1] == "step make test"
    assert "set -euo pipefail" in lines


def test_setup_runs_on_the_oldest_python_it_promises() -> None:
    for name in ("setup", "pythons", "steps", "workspace", "fetch_uv"):
        source = (ROOT / "tools" / f"{name}.py").read_text()
        ast.parse(source, feature_version=(3, 9))
        assert "from __future__ import annotations" in source


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pytest run of its own, to be given this project's conftest; without plugins, to start quickly."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    markers = ["slow", "flow", "e2e", "chromium", "promtool"]
    pytester.makeini("[pytest]\nmarkers =\n" + "".join(f"    {name}: as here\n" for name in markers))
    return pytester


def test_flows_and_the_browser_come_last(inner: pytest.Pytester) -> None:
    conftest = (ROOT / "tests" / "conftest.py").read_text()
    inner.mkdir("tests").joinpath("conftest.py").write_text(conftest)
    for folder in ("e2e", "flows", "zebra"):
        room = inner.path / "tests" / folder
        room.mkdir()
        room.joinpath(f"test_{folder}.py").write_text(
            "import pytest\n@pytest.mark.slow\ndef test_b(): pass\ndef test_a(): pass\n"
        )
    result = inner.runpytest_subprocess("-p", "no:cacheprovider", f"--rootdir={inner.path}", "-v")
    result.assert_outcomes(passed=6)
    order = re.findall(r"tests/(\w+)/test_\w+\.py::test_([ab]) PASSED", result.stdout.str())
    assert order == [
        ("zebra", "a"),
        ("zebra", "b"),
        *[("flows", x) for x in "ba"],
        *[("e2e", x) for x in "ba"],
    ]


@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "failed")])
def test_a_test_whose_program_is_missing(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: str
) -> None:
    monkeypatch.setenv("PATH", str(inner.path))
    monkeypatch.setenv("CI", ci)
    inner.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    inner.makepyfile("import pytest\n@pytest.mark.chromium\ndef test_browser(): pass\n")
    result = inner.runpytest_subprocess("-p", "no:cacheprovider", "-rA")
    if outcome == "skipped":
        result.assert_outcomes(skipped=1)
    else:
        result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*chromium is not installed*"])


def test_a_test_that_leaves_the_machine_fails(inner: pytest.Pytester) -> None:
    inner.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    inner.makepyfile(
        "import socket\n"
        "def test_out():\n"
        "    with socket.socket() as s: s.connect(('192.0.2.1', 80))\n"
        "def test_in():\n"
        "    with socket.create_server(('127.0.0.1', 0)) as a:\n"
        "        socket.create_connection(a.getsockname()).close()\n"
    )
    result = inner.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*a test connects to 192.0.2.1:80*"])
