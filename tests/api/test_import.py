"""`import workbench` is light, its names exist, and a misspelt one is told."""

import subprocess
import sys

import pytest

import workbench
import workbench.api

HEAVY = {
    "numpy",
    "numba",
    "pandas",
    "duckdb",
    "pyarrow",
    "panel",
    "bokeh",
    "aiohttp",
    "msgspec",
    "pydantic",
    "asyncio",
}


def test_every_name_is_there_and_they_are_few() -> None:
    assert len(workbench.__all__) <= 15
    for name in workbench.__all__:
        assert getattr(workbench, name) is not None
    for name in workbench.api.__all__:
        assert getattr(workbench.api, name) is not None
    assert workbench.__version__


def test_the_import_loads_nothing_heavy() -> None:
    script = "import sys, workbench; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert HEAVY.isdisjoint(loaded)


def test_a_misspelt_name_is_told() -> None:
    with pytest.raises(AttributeError, match="did you mean 'attach'"):
        _ = workbench.atach
    with pytest.raises(AttributeError):
        _ = workbench.api.atach
