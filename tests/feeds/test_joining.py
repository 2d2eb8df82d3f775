"""The law of the joining: whatever is streamed and fetched in whatever order, each bar goes on once, in order."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from workbench.feeds.joining import BarJoin
from workbench.model.market import Bar

SPAN = 60
type Step = tuple[str, int, int]

STEPS = st.lists(
    st.tuples(st.sampled_from(["stream", "hold", "fetch", "release"]), st.integers(0, 1), st.integers(1, 12)),
    max_size=60,
)


def bar(iid: int, number: int, source: float = 1.0) -> Bar:
    return Bar(number * SPAN, iid, source, source, source, source, float(number))


def played(steps: list[Step]) -> tuple[list[Bar], int, set[tuple[int, int]]]:
    """(what went on, how much of it was late, what was streamed and is new) of steps upon two instruments; a fetch
    finds everything up to its number, and one bar that still forms."""
    join, out, late, streamed = BarJoin((0, 1)), list[Bar](), 0, set[tuple[int, int]]()
    for what, iid, number in [*steps, ("release", 0, 1)]:
        if what == "stream":
            one = bar(iid, number)
            if join.is_new(one):
                streamed.add((iid, one.ts_ns))
                if join.take(one):
                    out.append(one)
        elif what == "hold":
            join.hold(iid)
        elif what == "fetch":
            finished_ns = join.finished_ns(iid, number * SPAN)
            join.found(iid, [bar(iid, n, 2.0) for n in range(number + 1, 0, -1)], finished_ns)
        else:
            more, count = join.release()
            out += more
            late += count
    return out, late, streamed


@given(STEPS)
def test_law_each_bar_goes_on_once_and_in_order(steps: list[Step]) -> None:
    out, late, streamed = played(steps)
    for iid in (0, 1):
        times = [b.ts_ns for b in out if b.iid == iid]
        assert all(before < after for before, after in pairwise(times))
    assert streamed <= {(b.iid, b.ts_ns) for b in out}  # nothing that was taken is lost
    assert late == sum(b.open == 2.0 for b in out)  # where both tell a bar, the streamed one counts
    assert {(b.iid, b.ts_ns) for b in out if b.open == 1.0} == streamed


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 6), st.data())
def test_law_a_gap_is_filled_whatever_comes_meanwhile(
    before: int, missed: int, after: int, data: st.DataObject
) -> None:
    """Bars before, a gap, bars after: those after come before, between or after the answers, some of them twice."""
    join, out = BarJoin((0,)), list[Bar]()
    for n in range(1, before + 1):
        assert join.take(bar(0, n))
        out.append(bar(0, n))
    join.hold(0)
    first = before + missed + 1
    live = [bar(0, n) for n in range(first, first + after)]
    cut = data.draw(st.integers(0, after))
    for one in (*live[:cut], *live[:cut]):
        if join.is_new(one):
            assert not join.take(one)
    known = join.finished_ns(0, (first - 1 + cut) * SPAN)
    join.found(0, [bar(0, n) for n in range(data.draw(st.integers(1, first)), first + cut + 1)], known)
    join.found(0, [bar(0, n) for n in range(1, first + cut + 1)], known)  # another answer, overlapping
    for one in live[cut:]:
        assert not join.take(one) if join.is_new(one) else True
    more, late = join.release()
    out += more
    for one in live:
        assert not join.is_new(one)
    assert [b.ts_ns for b in out] == [n * SPAN for n in range(1, first + after)]
    assert late == missed


@given(STEPS, st.integers(0, 1))
def test_law_a_bar_that_still_forms_never_goes_on(steps: list[Step], iid: int) -> None:
    """Not before the clock says that it is over, or a later one has been streamed."""
    join, finished = BarJoin((0, 1)), {0: 0, 1: 0}
    for what, at, number in steps:
        if what == "stream" and join.is_new(bar(at, number)):
            finished[at] = max(finished[at], number * SPAN)
            join.take(bar(at, number))
        elif what == "fetch":
            finished[at] = max(finished[at], number * SPAN)
            join.hold(at)
            join.found(at, [bar(at, n) for n in range(1, 20)], join.finished_ns(at, number * SPAN))
    bars, _ = join.release()
    assert all(b.ts_ns <= finished[b.iid] for b in bars if b.iid == iid)
