"""Bars that a broken stream has missed, asked for by REST as soon as it is open again.

    look()      the stream is open (again), or has told that frames are missing: ask for every instrument's bars since
                the last one sent; streamed bars wait meanwhile, `hold_s` at most
    take(bar)   a streamed bar: sent, or it waits

The first bar an instrument streams after a look shows whether something lies between: a venue's REST may be behind its
stream, and a subscription begins a moment later than it was asked for. When it does not follow the last one sent, the
venue is asked once more before it goes on (an instrument that has not traded has no bar, and then nothing is found).

Lives here: the asking, for all venues alike. Not here: the law of the joining (feeds/joining.py), how a venue is asked
(its feed.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from time import gmtime, strftime
from typing import Final, Protocol

from msgspec.structs import replace

from workbench.brokers.pool.backoff import Backoff
from workbench.errors import Retryable, WorkbenchError
from workbench.feeds.joining import BarJoin
from workbench.model.market import Bar

__all__ = ["MOST_LATE_BARS", "AskBars", "LateBars", "LateCounts"]

logger = logging.getLogger(__name__)

type AskBars = Callable[[int, int], Awaitable[list[Bar]]]
"""`await ask(iid, since_ns)`: the bars of an instrument that close after `since_ns`, in any order; one that still forms
may be among them. When there are more than `MOST_LATE_BARS`, the newest."""

MOST_LATE_BARS: Final = 1_000
_MINUTE_NS: Final = 60_000_000_000
_HOLD_S: Final = 5.0
_AT_ONCE: Final = 4
_FINAL_NS: Final = 1_000_000_000  # how long after its end the last word on a bar may come, and clocks differ
_AHEAD_NS: Final = 5_000_000_000


class LateCounts(Protocol):
    """Where it is counted: a stream."""

    name: str
    gaps: int
    backfilled: int
    unfilled: int


class LateBars:
    """The bars of some instruments behind one stream, in order and each once, whatever happens to the stream.

    `send` gets them; `now_ns` tells the time at the venue. `counts.backfilled` counts bars that came by REST alone,
    `gaps` how often there were such bars, `unfilled` instruments whose bars could not be had in time. `asked` counts
    questions.
    """

    def __init__(
        self,
        counts: LateCounts,
        iids: Iterable[int],
        ask: AskBars,
        send: Callable[[Bar], None],
        now_ns: Callable[[], int],
        *,
        bar_ns: int = _MINUTE_NS,
        hold_s: float = _HOLD_S,
        final_ns: int = _FINAL_NS,
        first_s: float = 0.25,
    ) -> None:
        self._counts, self._iids, self._ask, self._send, self._now_ns = counts, tuple(iids), ask, send, now_ns
        self._bar_ns, self._hold_s, self._final_ns, self._first_s = bar_ns, hold_s, final_ns, first_s
        self._join = BarJoin(self._iids)
        self.asked = 0
        self._begun_ns = 0  # when the stream was open for the first time
        self._unsure: set[int] = set()  # instruments of which nothing has been streamed since the last look
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._again: set[int] = set()
        self._missing: dict[int, str] = {}  # instruments without an answer, and why
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._timer: asyncio.TimerHandle | None = None
        self._told_ns: dict[int, int] = {}

    def look(self) -> bool:
        """The stream is open, or frames are missing in it: ask what was missed. Returns whether it does: what was
        before the first time is no event."""
        if not self._begun_ns:
            self._begun_ns = self._now_ns()
            return False
        for iid in self._iids:
            self._look_at(iid)
        return True

    def take(self, bar: Bar) -> bool:
        """Take a finished bar of the stream; False when it was told before."""
        join, iid = self._join, bar.iid
        if not join.is_new(bar):
            return False
        if iid in self._unsure and not join.waits(iid):
            self._unsure.discard(iid)
            if bar.ts_ns - join.sent_ns[iid] != self._bar_ns:
                join.hold(iid)
                join.take(bar)  # before the question: what is older than this is finished
                self._look_at(iid)
                self._wait()
                return True
        if join.take(bar):
            self._out(bar)
        else:
            self._wait()
        return True

    async def close(self) -> None:
        """Ask no more; what waits is not sent."""
        tasks = list(self._asking.values())
        self._done()
        self._join.release()
        self._unsure.clear()
        self._begun_ns = 0
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _look_at(self, iid: int) -> None:
        self._join.hold(iid)
        asking = self._asking.get(iid)
        if asking is not None and not asking.done():  # one that is done has not heard of this any more
            self._again.add(iid)
            return
        self._missing[iid] = "not answered yet"
        work = self._fill(iid)
        task = asyncio.get_running_loop().create_task(work, name=f"late bars {self._counts.name} {iid}")
        self._asking[iid] = task
        task.add_done_callback(lambda task: self._answered(iid, task))

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._hold_s, self._finish)

    async def _fill(self, iid: int) -> None:
        """Ask until there is an answer; what can never be answered is not asked again."""
        backoff, join, repeated = Backoff(self._first_s, 30.0), self._join, False
        while True:
            self._again.discard(iid)
            try:
                async with self._gate:
                    finished_ns = join.finished_ns(iid, self._now_ns() - self._final_ns)
                    since_ns = max(join.sent_ns[iid], self._begun_ns)
                    self.asked += 1
                    bars = await self._ask(iid, since_ns)
            except Retryable as error:
                self._missing[iid] = str(error)
                await asyncio.sleep(max(backoff.next_s(), getattr(error, "retry_after_s", 0.0)))
            except WorkbenchError as error:
                self._missing[iid] = str(error)
                return
            except Exception as error:
                # a mistake in a venue's reader: the stream goes on, and the gap is told
                logger.exception("%s: missed bars were not understood", self._counts.name)
                self._missing[iid] = f"{type(error).__name__}: {error}"
                return
            else:
                join.found(iid, self._newest(iid, bars, since_ns), finished_ns)
                # a bar was streamed meanwhile: whether it follows is known only when the venue is asked once more
                newer = not repeated and join.finished_ns(iid, 0) > finished_ns
                repeated = repeated or newer
                if iid not in self._again and not newer:
                    self._missing.pop(iid, None)
                    return

    def _newest(self, iid: int, bars: list[Bar], since_ns: int) -> list[Bar]:
        newer = sorted((bar for bar in bars if bar.ts_ns > since_ns), key=lambda bar: bar.ts_ns)
        if len(newer) < MOST_LATE_BARS:
            return newer
        newest = newer[-MOST_LATE_BARS:]
        text = "%s: instrument %d may have missed more than %d bars: those from %s to %s UTC are not told"
        first, last = _clock(since_ns), _clock(newest[0].ts_ns - self._bar_ns)
        logger.warning(text, self._counts.name, iid, MOST_LATE_BARS, first, last)
        return newest

    def _answered(self, iid: int, task: "asyncio.Task[None]") -> None:
        if self._asking.get(iid) is task:
            del self._asking[iid]
            if not self._asking:
                self._finish()

    def _done(self) -> dict[int, str]:
        """Nothing is asked any more; returns what has not been answered, and why."""
        tasks, missing = list(self._asking.values()), self._missing
        self._asking, self._missing = {}, {}
        self._again.clear()
        for task in tasks:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return missing

    def _finish(self) -> None:
        """All have answered, or bars have waited long enough: everything goes on."""
        missing, counts = self._done(), self._counts
        # nothing streamed yet: the first bar will show whether there is still something between
        self._unsure.update(self._join.silent())
        before_ns = dict(self._join.sent_ns)
        bars, late = self._join.release()
        if late or missing:
            counts.gaps += 1
        if late:
            counts.backfilled += late
            text = "%s: %d bars that the stream has missed came by REST"
            logger.info(text, counts.name, late)
        if missing:
            counts.unfilled += len(missing)
            some = "; ".join(
                f"instrument {iid} after {_clock(before_ns[iid])} UTC ({why})"
                for iid, why in sorted(missing.items())[:3]
            )
            text = "%s: what %d instruments have missed could not be had, and is not told: %s"
            logger.warning(text, counts.name, len(missing), some)
        for bar in bars:
            self._out(bar)

    def _out(self, bar: Bar) -> None:
        now_ns = self._now_ns()
        if bar.ts_ns > now_ns + _AHEAD_NS:
            # a venue that plays faster than the clock (an emulated one): it is over, so it closed by now
            bar = replace(bar, ts_ns=max(now_ns, self._told_ns.get(bar.iid, 0) + 1))
        self._told_ns[bar.iid] = bar.ts_ns
        self._send(bar)


def _clock(ts_ns: int) -> str:
    return strftime("%Y-%m-%d %H:%M", gmtime(ts_ns // 1_000_000_000))
