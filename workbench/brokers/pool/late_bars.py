"""Bars that a broken stream has missed, asked for by REST as soon as it is open again.

    look()      the stream is open (again), or has told that frames are missing: ask for every instrument's bars since
                the last one sent; streamed bars wait meanwhile, `hold_s` at most
    take(bar)   a streamed bar: sent, or it waits

The first bar an instrument streams after a look shows whether something lies between: a venue's REST may be behind its
stream, and a subscription begins a moment later than it was asked for. When it does not follow the last one sent, the
venue is asked once more before it goes on (an instrument that has not traded has no bar, and then nothing is found).

Instruments that are looked at in one turn of the loop are asked about together, where the venue answers for several.

Lives here: the asking, for all venues alike. Not here: the law of the joining (feeds/joining.py), how a venue is asked
(its feed.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import gmtime, strftime, time_ns
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from workbench.brokers.pool.backoff import Backoff
from workbench.errors import Retryable, UnsafeVenue, VenueGarbled, VenueRefused, WorkbenchError
from workbench.feeds.joining import BarJoin
from workbench.model.market import Bar

__all__ = ["MOST_LATE_BARS", "AskBars", "AskTogether", "LateBars", "LateCounts", "Missed"]

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


class AskTogether(NamedTuple):
    """The same for several instruments, `most` of them by one question: `await ask({iid: since_ns})`."""

    ask: Callable[[Mapping[int, int]], Awaitable[list[Bar]]]
    most: int


class Missed(NamedTuple):
    """Bars that could not be had: noticed when (wall ns), of which instruments, after which of their bars (the
    earliest, venue ns), and why."""

    at_ns: int
    iids: tuple[int, ...]
    after_ns: int
    why: str


class LateCounts(Protocol):
    """Where it is counted: a stream."""

    name: str
    gaps: int
    backfilled: int
    unfilled: int


class LateBars:
    """The bars of some instruments behind one stream, in order and each once, whatever happens to the stream.

    `send` gets them; `now_ns` tells the time at the venue. `counts.backfilled` counts bars that came by REST alone,
    `gaps` how often there were such bars, `unfilled` instruments whose bars could not be had in time; `missed` tells of
    the last time that happened. `asked` counts questions.
    """

    def __init__(
        self,
        counts: LateCounts,
        iids: Iterable[int],
        ask: AskBars | AskTogether,
        send: Callable[[Bar], None],
        now_ns: Callable[[], int],
        *,
        bar_ns: int = _MINUTE_NS,
        hold_s: float = _HOLD_S,
        final_ns: int = _FINAL_NS,
        first_s: float = 0.25,
    ) -> None:
        self._counts, self._iids, self._send, self._now_ns = counts, tuple(iids), send, now_ns
        self._ask, self._most = ask if isinstance(ask, AskTogether) else _one_by_one(ask)
        self._bar_ns, self._hold_s, self._final_ns, self._first_s = bar_ns, hold_s, final_ns, first_s
        self._join = BarJoin(self._iids)
        self.asked = 0
        self.missed: Missed | None = None
        self._begun_ns = 0  # when the stream was open for the first time
        self._unsure: set[int] = set()  # instruments of which nothing has been streamed since the last look
        self._asking: set[int] = set()  # instruments that are asked about
        self._soon: list[int] = []  # those of them that are asked about when this turn of the loop is over
        self._turn: asyncio.Handle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
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
        # not sure about it, or it has been answered about while others have not: that was before this bar
        if iid in self._unsure if not join.waits(iid) else iid not in self._asking:
            self._unsure.discard(iid)
            if bar.ts_ns - join.newest_ns(iid) != self._bar_ns:
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
        tasks = list(self._tasks)
        self._done()
        self._join.release()
        self._unsure.clear()
        self._begun_ns = 0
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _look_at(self, iid: int) -> None:
        self._join.hold(iid)
        if iid in self._asking:
            self._again.add(iid)
            return
        self._asking.add(iid)
        self._missing[iid] = "not answered yet"
        if not self._soon:
            self._turn = asyncio.get_running_loop().call_soon(self._begin)
        self._soon.append(iid)

    def _begin(self) -> None:
        soon, self._soon, self._turn = self._soon, [], None
        for at in range(0, len(soon), self._most):
            self._start(soon[at : at + self._most])

    def _start(self, iids: Sequence[int]) -> None:
        work, name = self._fill(iids), f"late bars {self._counts.name}"
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._hold_s, self._finish)

    async def _fill(self, iids: Sequence[int]) -> None:
        """Ask until there is an answer about each; what can never be answered is not asked again."""
        backoff, join, left = Backoff(self._first_s, 30.0), self._join, list(iids)
        repeated = set[int]()
        while left:
            self._again.difference_update(left)
            try:
                async with self._gate:
                    now_ns = self._now_ns() - self._final_ns
                    finished_ns = {iid: join.finished_ns(iid, now_ns) for iid in left}
                    since_ns = {iid: max(join.sent_ns[iid], self._begun_ns) for iid in left}
                    self.asked += 1
                    bars = await self._ask(since_ns)
            except (
                Exception
            ) as error:  # a mistake in a venue's reader too: the stream goes on, and the gap is told
                if len(left) > 1 and _by_one(error):
                    half = len(left) // 2
                    self._start(left[:half])
                    self._start(left[half:])
                    return
                known = isinstance(error, WorkbenchError)
                why = str(error) if known else f"{type(error).__name__}: {error}"
                self._missing.update(dict.fromkeys(left, why))
                if not known:
                    logger.exception("%s: missed bars were not understood", self._counts.name)
                if not isinstance(error, Retryable):
                    self._asking.difference_update(left)
                    return
                await asyncio.sleep(max(backoff.next_s(), getattr(error, "retry_after_s", 0.0)))
            else:
                found: dict[int, list[Bar]] = {iid: [] for iid in left}
                for bar in bars:
                    found.get(bar.iid, []).append(bar)
                for iid, some in found.items():
                    join.found(iid, self._newest(iid, some, since_ns[iid]), finished_ns[iid])
                # a bar was streamed meanwhile: whether it follows is known only when the venue is asked once more
                newer = {iid for iid in left if join.finished_ns(iid, 0) > finished_ns[iid]} - repeated
                repeated |= newer
                answered = set(left) - newer - self._again
                for iid in answered:
                    self._missing.pop(iid, None)
                self._asking -= answered
                left = [iid for iid in left if iid not in answered]

    def _newest(self, iid: int, bars: list[Bar], since_ns: int) -> list[Bar]:
        newer = sorted((bar for bar in bars if bar.ts_ns > since_ns), key=lambda bar: bar.ts_ns)
        if len(newer) < MOST_LATE_BARS:
            return newer
        newest = newer[-MOST_LATE_BARS:]
        text = "%s: instrument %d may have missed more than %d bars: those from %s to %s UTC are not told"
        first, last = _clock(since_ns), _clock(newest[0].ts_ns - self._bar_ns)
        logger.warning(text, self._counts.name, iid, MOST_LATE_BARS, first, last)
        return newest

    def _answered(self, task: "asyncio.Task[None]") -> None:
        if task in self._tasks:
            self._tasks.discard(task)
            if not self._tasks and not self._soon:
                self._finish()

    def _done(self) -> dict[int, str]:
        """Nothing is asked any more; returns what has not been answered, and why."""
        tasks, missing = self._tasks, self._missing
        self._tasks, self._missing, self._soon = set(), {}, []
        self._asking.clear()
        self._again.clear()
        for task in tasks:
            task.cancel()
        for later in (self._timer, self._turn):
            if later is not None:
                later.cancel()
        self._timer = self._turn = None
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
            first_ns, why = min((before_ns[iid], why) for iid, why in missing.items())
            self.missed = Missed(time_ns(), tuple(sorted(missing)), first_ns, why)
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


def _one_by_one(ask: AskBars) -> AskTogether:
    async def ask_one(since_ns: Mapping[int, int]) -> list[Bar]:
        [(iid, from_ns)] = since_ns.items()
        return await ask(iid, from_ns)

    return AskTogether(ask_one, 1)


def _by_one(error: Exception) -> bool:
    """Whether a single instrument may be the reason why a question about several failed."""
    if isinstance(error, WorkbenchError):
        return isinstance(error, VenueRefused | VenueGarbled) and not isinstance(error, UnsafeVenue)
    return True


def _clock(ts_ns: int) -> str:
    return strftime("%Y-%m-%d %H:%M", gmtime(ts_ns // 1_000_000_000))
