"""The asking for missed bars: what is asked when, how long bars wait for it, and what it costs."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.brokers.pool.wires import until
from workbench.brokers.pool import MOST_LATE_BARS, AskTogether, LateBars
from workbench.errors import KeysRefused, VenueDown, VenueGarbled, VenueRefused
from workbench.model.market import Bar

MINUTE = 60_000_000_000
T0 = 1_000 * MINUTE


def bar(iid: int, minute: int) -> Bar:
    return Bar(T0 + minute * MINUTE, iid, 1.0, 1.0, 1.0, 1.0, 0.0)


class Venue:
    """A venue whose history knows `minutes` of every instrument; errors are raised first, in their order."""

    def __init__(self, *iids: int, hold_s: float = 60.0, together: int = 0) -> None:
        self.minutes, self.now = list[int](), 0
        self.errors: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()
        self.slow: set[int] = set()  # of these alone the answer waits for `open`; of all when there are none
        self.counts = SimpleNamespace(name="bars", gaps=0, backfilled=0, unfilled=0)
        self.told: list[tuple[int, int]] = []
        self.since: list[tuple[int, int]] = []
        self.questions: list[tuple[int, ...]] = []
        self.bad: dict[int, Exception] = {}  # what a question with this instrument in it is answered by
        ask = AskTogether(self.ask_together, together) if together else self.ask
        self.late = LateBars(
            self.counts, iids or (0,), ask, self.tell, self.now_ns, hold_s=hold_s, first_s=0.0
        )

    def now_ns(self) -> int:
        return T0 + self.now * MINUTE + 30 * MINUTE // 60

    def tell(self, one: Bar) -> None:
        self.told.append((one.iid, (one.ts_ns - T0) // MINUTE))

    async def ask(self, iid: int, since_ns: int) -> list[Bar]:
        self.since.append((iid, (since_ns - T0) // MINUTE))
        if not self.slow or iid in self.slow:
            await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        return [bar(iid, m) for m in reversed(self.minutes)]

    async def ask_together(self, since_ns: Mapping[int, int]) -> list[Bar]:
        self.questions.append(tuple(since_ns))
        for iid in since_ns.keys() & self.bad.keys():
            raise self.bad[iid]
        return [one for iid, ns in since_ns.items() for one in [*await self.ask(iid, ns), bar(99, 1)]]

    def streamed(self, minute: int, *iids: int) -> None:
        self.now = max(self.now, minute)
        self.minutes.append(minute)
        for iid in iids or (0,):
            self.late.take(bar(iid, minute))

    def missed(self, *minutes: int) -> None:
        self.now = max(minutes)
        self.minutes += minutes


async def opened(*iids: int, hold_s: float = 60.0, together: int = 0) -> Venue:
    venue = Venue(*iids, hold_s=hold_s, together=together)
    assert not venue.late.look()
    venue.streamed(1, *iids)
    return venue


async def test_missed_bars_of_all_instruments_come_in_order_of_time() -> None:
    venue = await opened(0, 1)
    venue.missed(2, 3, 4)
    assert venue.late.look()
    venue.streamed(5, 0, 1)  # waits
    assert len(venue.told) == 2
    await until(lambda: len(venue.told) == 10)
    assert venue.told == [(iid, m) for m in range(1, 6) for iid in (0, 1)]
    assert (venue.counts.backfilled, venue.counts.gaps, venue.counts.unfilled) == (6, 1, 0)
    assert set(venue.since) == {(0, 1), (1, 1)}
    venue.streamed(6, 0, 1)
    assert venue.told[-2:] == [(0, 6), (1, 6)]


async def test_the_first_bar_that_does_not_follow_is_a_reason_to_ask_once_more() -> None:
    """The history was behind the stream when it was asked first."""
    venue = await opened()
    venue.now = 3
    venue.late.look()
    await until(lambda: venue.late.asked == 1)
    venue.minutes += [2, 3]
    venue.streamed(4)
    await until(lambda: len(venue.told) == 4)
    assert [m for _, m in venue.told] == [1, 2, 3, 4]
    venue.streamed(9)  # nothing traded for a while, and nothing was broken
    assert venue.late.asked == 2
    assert venue.told[-1] == (0, 9)


async def test_a_bar_that_does_not_follow_is_asked_about_while_others_are_not_answered_yet() -> None:
    """Its own answer came when the minute before was not known to be over."""
    venue = await opened(0, 1)
    venue.slow = {1}
    venue.open.clear()
    venue.late.look()
    await until(lambda: venue.late._asking == {1})
    venue.missed(2)
    venue.streamed(3, 0)
    venue.streamed(4, 0)
    await until(lambda: venue.late._asking == {1} and venue.since.count((0, 1)) == 2)
    venue.open.set()
    await until(lambda: (0, 4) in venue.told)
    assert [m for iid, m in venue.told if iid == 0] == [1, 2, 3, 4]
    assert venue.counts.unfilled == 0


async def test_a_symbol_that_has_not_traded_has_no_gap() -> None:
    venue = await opened()
    venue.now = 5
    venue.late.look()
    await until(lambda: venue.late.asked == 1)
    venue.streamed(6)
    await until(lambda: len(venue.told) == 2)
    assert (venue.counts.backfilled, venue.counts.gaps, venue.counts.unfilled) == (0, 0, 0)


async def test_failures_are_asked_again_and_refusals_are_not(caplog: pytest.LogCaptureFixture) -> None:
    venue = await opened()
    venue.errors = [VenueDown("v", "away", "wait"), VenueDown("v", "away", "wait")]
    venue.missed(2)
    venue.late.look()
    await until(lambda: len(venue.told) == 2)
    assert (venue.late.asked, venue.counts.unfilled) == (3, 0)
    venue.errors = [VenueRefused("v", "not for you", "pay")]
    venue.missed(3)
    venue.late.look()
    await until(lambda: venue.counts.unfilled == 1)
    assert "not for you" in caplog.text
    assert venue.late.asked == 4


async def test_a_readers_mistake_is_told_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    venue = await opened()
    venue.errors = [KeyError("t")]
    venue.missed(2)
    venue.late.look()
    venue.streamed(3)
    await until(lambda: len(venue.told) == 2)
    assert venue.counts.unfilled == 1
    assert "missed bars were not understood" in caplog.text


async def test_no_bar_waits_longer_than_it_may() -> None:
    venue = await opened(hold_s=0.01)
    venue.open.clear()
    venue.missed(2)
    venue.late.look()
    venue.streamed(3)
    await until(lambda: len(venue.told) == 2)
    assert [m for _, m in venue.told] == [1, 3]
    assert venue.counts.unfilled == 1
    venue.open.set()
    venue.streamed(4)
    assert [m for _, m in venue.told] == [1, 3, 4]


async def test_a_look_while_it_asks_asks_again() -> None:
    venue = await opened()
    venue.open.clear()
    venue.late.look()
    await until(lambda: len(venue.since) == 1)
    venue.late.look()
    venue.missed(2)
    venue.open.set()
    await until(lambda: len(venue.told) == 2)
    assert len(venue.since) == 2


async def test_no_more_than_a_session_comes_late_and_the_rest_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    venue = await opened()
    venue.missed(*range(2, MOST_LATE_BARS + 12))
    venue.late.look()
    await until(lambda: venue.counts.backfilled > 0)
    assert [m for _, m in venue.told[1:]] == list(range(12, MOST_LATE_BARS + 12))
    assert "are not told" in caplog.text


async def test_one_that_is_closed_asks_and_tells_nothing() -> None:
    venue = await opened()
    venue.open.clear()
    venue.missed(2)
    venue.late.look()
    venue.streamed(3)
    await venue.late.close()
    venue.open.set()
    await asyncio.sleep(0)
    assert [m for _, m in venue.told] == [1]
    assert not venue.late.look()


async def test_several_are_asked_about_together_as_many_as_one_question_takes() -> None:
    venue = await opened(*range(7), together=3)
    venue.missed(2)
    venue.late.look()
    await until(lambda: len(venue.told) == 14)
    assert venue.questions == [(0, 1, 2), (3, 4, 5), (6,)]
    assert (venue.counts.backfilled, venue.counts.unfilled) == (7, 0)


async def test_bars_of_one_frame_that_do_not_follow_are_asked_about_together() -> None:
    venue = await opened(*range(6), together=6)
    venue.late.look()
    await until(lambda: venue.late.asked == 1)
    await settled(lambda: not venue.late._asking)
    venue.missed(2)
    venue.streamed(3, *range(6))
    await until(lambda: len(venue.told) == 18)
    assert venue.questions == [tuple(range(6))] * 2


@pytest.mark.parametrize(
    "error",
    [
        VenueRefused("v", "no such symbol", "correct it"),
        VenueGarbled("v", "what", "ask again"),
        KeyError("t"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_one_that_cannot_be_answered_keeps_the_others_from_nothing(error: Exception) -> None:
    venue = await opened(*range(8), together=8, hold_s=0.05)
    venue.bad[5] = error
    venue.missed(2)
    venue.late.look()
    if isinstance(error, VenueGarbled):  # it is asked again, for as long as bars may wait
        await until(lambda: venue.late._asking == {5} and venue.questions.count((5,)) > 1)
        venue.streamed(3, *range(8))
    await until(lambda: bool(venue.counts.unfilled))
    assert {iid for iid, minute in venue.told if minute == 2} == {0, 1, 2, 3, 4, 6, 7}
    assert venue.counts.unfilled == 1
    assert venue.late.missed is not None
    assert (venue.late.missed.iids, venue.late.missed.after_ns) == ((5,), bar(5, 1).ts_ns)
    assert {len(question) for question in venue.questions} == {8, 4, 2, 1}


async def test_refused_keys_are_not_shown_again_for_each() -> None:
    venue = await opened(*range(8), together=8)
    venue.bad[5] = KeysRefused("v", "revoked", "renew them")
    venue.late.look()
    await until(lambda: bool(venue.counts.unfilled))
    assert (len(venue.questions), venue.counts.unfilled) == (1, 8)


async def test_of_several_only_those_that_are_looked_at_again_are_asked_about_again() -> None:
    venue = await opened(0, 1, 2, together=3)
    venue.open.clear()
    venue.late.look()
    await until(lambda: len(venue.questions) == 1)
    venue.streamed(4, 1)  # meanwhile: whether it follows is known only when the venue is asked once more
    venue.missed(2, 3)
    venue.open.set()
    await settled(lambda: not venue.late._asking)
    assert venue.questions == [(0, 1, 2), (1,)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["minute", "missed", "look", "turn", "fail"]), max_size=40),
    st.sampled_from([0, 1, 2, 3]),
)
def test_law_whatever_happens_no_bar_is_told_twice_or_out_of_order(steps: list[str], together: int) -> None:
    """And when the history answers in the end, none is missing. One instrument a question, or several."""

    async def play() -> None:
        iids = tuple(range(together + 1))
        venue, minute = await opened(*iids, together=together), 1
        for step in [*steps, "look", "minute"]:
            if step == "minute":
                minute += 1
                venue.streamed(minute, *iids)
            elif step == "missed":  # the stream breaks, and comes back
                minute += 1
                venue.missed(minute)
                venue.late.look()
            elif step == "look":
                venue.late.look()
            elif step == "fail":
                venue.errors.append(VenueDown("v", "away", "wait"))
            else:
                await asyncio.sleep(0)
        await settled(lambda: not venue.late._asking)
        for iid in iids:
            told = [m for one, m in venue.told if one == iid]
            assert all(before < after for before, after in pairwise(told))
            assert told == list(range(1, minute + 1))
        await venue.late.close()

    asyncio.run(play())


async def settled(condition: Callable[[], bool]) -> None:
    await until(condition)
    await asyncio.sleep(0)
    await until(condition)
