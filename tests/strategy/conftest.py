"""Compiled loops of these tests lie in a folder of the run's own, shared by its files."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    before = os.environ.get("WORKBENCH_CACHE")
    folder = tmp_path_factory.mktemp("compiled")
    os.environ["WORKBENCH_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["WORKBENCH_CACHE"]
    else:
        os.environ["WORKBENCH_CACHE"] = before
