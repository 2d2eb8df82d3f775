"""Desks in the test's own loop, each with a home of its own, stopped in the end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.config import load_settings
from workbench.orchestrator import Desk
from workbench.orchestrator.market import RecordedMarket

SPEED = 60_000.0  # the day in 0.4 s: quick, and slow enough to be held where a test wants it

type OpenDesk = Callable[..., Awaitable[Desk]]


def recorded(desk: Desk) -> RecordedMarket:
    """The desk's market, which here is a recorded one."""
    assert isinstance(desk.market, RecordedMarket)
    return desk.market


@pytest.fixture
async def open_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenDesk]:
    """Start a desk on a day of the sample whose market waits: `desk = await open_desk(limits={...})`."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    monkeypatch.setattr("workbench.orchestrator.desk.SNAPSHOT_NS", 0)  # what is looked at is how it is now
    monkeypatch.setattr("workbench.orchestrator.operations.CONFIRM_S", 60.0)  # a disk may be slow to sync
    running: list[Desk] = []

    async def start(name: str = "desk", *, play: bool | None = False, **overrides: Any) -> Desk:
        market = {"data": "SPY", "start": "2020-12-16", "end": "2020-12-16", "speed": SPEED}
        overrides["market"] = {**market, **overrides.get("market", {})}
        desk = Desk(load_settings(name=name, **overrides), tmp_path, play=play)
        await desk.start()
        running.append(desk)
        return desk

    yield start
    for desk in running:
        if desk.state not in ("stopping", "stopped"):
            await desk.stop()


@pytest.fixture
async def desk(open_desk: OpenDesk) -> Desk:
    """One desk, its market waiting before the first bar."""
    return await open_desk()
