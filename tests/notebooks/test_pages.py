"""Every notebook page runs, in a kernel of its own, and shows what its text says."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tools.notebooks import drift
from tools.tracked_files import unwanted_in

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted((ROOT / "notebooks" / "text").glob("*.py"))
PAGES = [ROOT / "notebooks" / f"{text.stem}.ipynb" for text in TEXTS]
NAMES = [page.stem for page in PAGES]
OTHERS = {"live_venues"}  # pages about something else than one strategy

type Runs = dict[str, Future[subprocess.CompletedProcess[str]]]


def read(page: Path) -> Any:
    return nbformat.read(page, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def runs(folder: Path) -> Iterator[Runs]:
    """Each page's run by name, two at a time. Compiled loops are kept from run to run: they are found by what they
    compute, and most of a page's time would go into making them anew."""
    environment = {**os.environ, "WORKBENCH_CACHE": str(ROOT / ".cache" / "pages")}

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "tools" / "notebooks.py"), "--out", str(folder), name]
        return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)

    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run, name) for name in NAMES}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_runs(name: str, folder: Path, runs: Runs) -> None:
    run = runs[name].result()
    assert run.returncode == 0, run.stderr
    made, committed = read(folder / f"{name}.ipynb"), read(PAGES[NAMES.index(name)])
    shown, kept = ([len(cell.get("outputs", ())) for cell in page.cells] for page in (made, committed))
    assert shown == kept
    assert sum(shown) >= 5


def test_pages_are_what_their_texts_say() -> None:
    assert drift(ROOT) == []


def test_every_example_has_its_page() -> None:
    listed = re.findall(
        r"^\| \[`(\w+)`\]\(\.\./strategies/(\w+)\.py\).*\(\.\./notebooks/(\w+)\.ipynb\) \|$",
        (ROOT / "docs" / "examples.md").read_text("utf-8"), re.MULTILINE,
    )  # fmt: skip
    assert sorted({page for _, _, page in listed} | OTHERS) == NAMES
    for name, file, page in listed:
        assert file == page
        assert f"strategies.{name}(" in (ROOT / "notebooks" / "text" / f"{page}.py").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_committed_page_is_light_and_names_no_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    assert len(text) < 150_000
    assert list(unwanted_in(text)) == []
    assert not re.search(r"/(tmp|home|root|Users)/", text)
    assert str(ROOT) not in text
    for cell in read(page).cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
            assert cell.execution_count
            assert all(output.output_type != "error" for output in cell.outputs)
