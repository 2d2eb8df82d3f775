"""Compiled loops shared by all processes of these tests, and a home of its own for each module."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Engines of every test find the loops that one of them compiled."""
    with pytest.MonkeyPatch.context() as patch:
        if "WORKBENCH_CACHE" not in os.environ:
            patch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`WORKBENCH_HOME` of one module's desks."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(folder))
        yield folder
