"""Executing a notebook: the outputs are in the copy, and nothing of the kernel's own log is on the terminal."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from workbench.research.notebooks import execute

_nbformat: Any = nbformat  # its functions are untyped


def test_the_kernels_own_log_stays_off_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    page = _nbformat.v4.new_notebook()
    # a kernel that is told to end is interrupted, and now and then logs that as an error; this one always does
    page.cells = [_nbformat.v4.new_code_cell("get_ipython().kernel.log.error('interrupted')\n6 * 7")]
    source, target = tmp_path / "page.ipynb", tmp_path / "executed.ipynb"
    _nbformat.write(page, source)
    execute(source, target, {}, progress=False)
    [output] = _nbformat.read(target, as_version=4).cells[-1].outputs
    assert output.data["text/plain"] == "42"
    assert "interrupted" not in capfd.readouterr().err
