"""Waiting for a loop in another thread: what counts as too late, and whose time-out it is."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from workbench.api.loop_thread import LoopThread
from workbench.errors import Unreachable


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread("test")
    yield thread
    thread.close()


def test_no_answer_in_time_cancels_the_work(thread: LoopThread) -> None:
    async def endless() -> None:
        await asyncio.Event().wait()

    async def alone() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    with pytest.raises(Unreachable, match=r"no answer within 0\.1 s"):
        thread.call(endless(), 0.1)
    thread.call(alone(), 60.0)


def test_an_answer_in_the_last_moment_counts(thread: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = thread.submit

    def answered_late(work: Any) -> Future[Any]:
        future = submit(work)
        whole = future.result

        def result(timeout: float | None = None) -> Any:
            answer = whole()  # came right after the wait for it was over
            if timeout is not None:
                raise TimeoutError
            return answer

        monkeypatch.setattr(future, "result", result)
        return future

    async def work() -> int:
        return 7

    monkeypatch.setattr(thread, "submit", answered_late)
    assert thread.call(work(), 60.0) == 7


def test_a_time_out_of_the_work_itself_stays_its_own(thread: LoopThread) -> None:
    async def work() -> None:
        raise TimeoutError("the venue's")

    with pytest.raises(TimeoutError, match="the venue's"):
        thread.call(work(), 60.0)
