"""One in-memory desk for all tests of the room, and snapshots to draw."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.fake_desk import FakeDesk
from tests.ui.processes import RunningDesk, fake_desk, until
from workbench.model.snapshot import Snapshot
from workbench.ui.desk_calls import DeskCalls


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    """A desk that runs, with some orders behind it."""
    with fake_desk(tmp_path_factory.mktemp("home")) as running:
        calls = DeskCalls(running.name, running.home)
        until(lambda: calls.snapshot().fills, "the desk to trade")
        yield running


@pytest.fixture
def calls(desk: RunningDesk) -> DeskCalls:
    return DeskCalls(desk.name, desk.home)


@pytest.fixture
def snapshot(calls: DeskCalls) -> Snapshot:
    return calls.snapshot()


@pytest.fixture
def empty(tmp_path: Path) -> Snapshot:
    """A desk before its first bar: no order, no fill, no strategy."""
    return FakeDesk(tmp_path).snapshot()
