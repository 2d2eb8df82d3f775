"""The tool that makes notebook pages: what it reads out of a text, and what it keeps of outputs."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

from tools.notebooks import cells_of, clean, drift, end_desks, page_of
from workbench.api.notes import NOTE

TEXT = '''"""A page."""

# %% [markdown]
# # Title
#
# - a point
#   that goes on
# ```python
# x = 1
# ```

# %%
x = 1
# a comment stays


x

# %%
print(x)
'''


def test_a_text_is_cells() -> None:
    assert cells_of(TEXT) == [
        ("markdown", "# Title\n\n- a point\n  that goes on\n```python\nx = 1\n```"),
        ("code", "x = 1\n# a comment stays\n\n\nx"),
        ("code", "print(x)"),
    ]
    page = page_of(TEXT)
    nbformat.validate(page)
    assert [cell.id for cell in page.cells] == ["cell-01", "cell-02", "cell-03"]


def output(**data: str) -> Any:
    kinds = {
        "plain": "text/plain",
        "html": "text/html",
        "svg": "image/svg+xml",
        "bokeh": "application/vnd.bokehjs_exec.v0+json",
    }
    bundle = {kinds[name]: value for name, value in data.items()}
    return nbformat.v4.new_output("execute_result", bundle, execution_count=7)  # type: ignore[no-untyped-call]


def printed(text: str, name: str = "stdout") -> Any:
    return nbformat.v4.new_output("stream", name=name, text=text)  # type: ignore[no-untyped-call]


def test_what_is_large_live_or_of_one_machine_is_left_out() -> None:
    page = page_of(TEXT)
    page.cells[1].outputs = [
        output(plain="Column(id='p1')", html="<div></div><script>live()</script>", bokeh="{}"),
        output(plain="<Backtest>", html="<b>table</b>"),
        output(plain="long", html="x" * 100_000),
        output(plain="a note", html="<small>a note</small>"),
        output(plain="42"),
    ]
    page.cells[1].outputs[3].metadata = dict(NOTE)
    page.cells[2].outputs = [
        printed("in /made/up/home/x.py\n"),
        printed("and again\n"),
        printed("a bar", "stderr"),
    ]
    page.cells[2].metadata = {"trusted": True}
    clean(page, Path("/made/up/home"))
    first, second = page.cells[1].outputs, page.cells[2].outputs
    assert [dict(o.data) for o in first] == [
        {"text/plain": "<Backtest>", "text/html": "<b>table</b>"},
        {"text/plain": "42"},
    ]
    assert [o.execution_count for o in first] == [1, 1]
    assert [o.text for o in second] == ["in x.py\nand again\n"]
    assert (page.cells[2].execution_count, page.cells[2].metadata) == (2, {})


def test_the_engine_of_a_page_that_failed_is_ended(tmp_path: Path) -> None:
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "engine.json").write_text(json.dumps({"pid": engine.pid}))
    end_desks(tmp_path)
    assert engine.wait(20) == -signal.SIGTERM
    end_desks(tmp_path)  # it is gone: nothing to end, nothing to say


def test_a_page_that_came_apart_is_noticed(tmp_path: Path) -> None:
    texts = tmp_path / "notebooks" / "text"
    texts.mkdir(parents=True)
    (texts / "one.py").write_text(TEXT)
    assert [line.split(";")[0] for line in drift(tmp_path)] == ["notebooks/one.ipynb is missing"]
    page = page_of(TEXT)
    nbformat.write(page, tmp_path / "notebooks" / "one.ipynb")  # type: ignore[no-untyped-call]
    assert drift(tmp_path)[0].startswith("notebooks/one.ipynb was never run")
    clean(page)
    nbformat.write(page, tmp_path / "notebooks" / "one.ipynb")  # type: ignore[no-untyped-call]
    assert drift(tmp_path) == []
    (texts / "one.py").write_text(TEXT.replace("x = 1", "x = 2"))
    [line] = drift(tmp_path)
    assert (
        line
        == "notebooks/one.ipynb is not what notebooks/text/one.py says; run `python tools/notebooks.py one`"
    )
