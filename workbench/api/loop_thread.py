"""An event loop in a daemon thread of its own: plain code, also inside Jupyter's running loop, can wait for it."""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from workbench.errors import Refused, Unreachable

__all__ = ["LoopThread"]


class LoopThread:
    """Runs coroutines for other threads. `close()` ends it; as a daemon it never keeps the process alive."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def call[T](
        self, work: Coroutine[Any, Any, T], timeout_s: float, waiting: Callable[[float], None] | None = None
    ) -> T:
        """Run `work` there and wait for its result here; `waiting(seconds)` is called about every second meanwhile.

        Raises:
            Refused: the session is closed, or this is the session's own thread (it would wait for itself).
            Unreachable: no result in time; the work is cancelled.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise Refused("this is the session's own loop: await session.aio.<name>(...) instead")
        future = self.submit(work)
        try:
            if waiting is not None:
                begun_s = time.monotonic()
                while (waited_s := time.monotonic() - begun_s) < timeout_s - 1.0:
                    if concurrent.futures.wait([future], 1.0).done:
                        break
                    waiting(waited_s + 1.0)
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError as error:
            if not future.cancel():  # the work's own time-out, or an answer in the last moment
                return future.result()
            raise Unreachable(
                f"no answer within {timeout_s:g} s: the engine is busy or stopped, try again"
            ) from error
        except KeyboardInterrupt:
            future.cancel()
            raise

    def submit[T](self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Start `work` there."""
        if not self._thread.is_alive():
            work.close()
            raise Refused("the session is closed: attach again with workbench.attach(name)")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        """End the loop; harmless twice."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            if threading.current_thread() is not self._thread:
                self._thread.join(5.0)
