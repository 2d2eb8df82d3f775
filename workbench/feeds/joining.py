"""Streamed bars and bars fetched after a break, joined: each bar once, in order of time.

Lives here: the law alone. Not here: who asks, when, and for how long bars may wait (brokers/pool/late_bars.py).
"""

from collections.abc import Iterable

from workbench.model.market import Bar

__all__ = ["BarJoin"]


class BarJoin:
    """The bars of some instruments at one feed.

    A bar that is sent is newer than all of its instrument sent before. While an instrument waits, its streamed bars
    are kept; `release` lets them go on behind those that were fetched. Where both tell a bar, the streamed one counts.

    >>> def bar(ts_ns: int) -> Bar: return Bar(ts_ns, 0, 1.0, 1.0, 1.0, 1.0, 0.0)
    >>> join = BarJoin([0])
    >>> join.take(bar(60))
    True
    >>> join.hold(0)
    >>> join.take(bar(240)), join.is_new(bar(240)), join.is_new(bar(60))
    (False, False, False)
    >>> join.found(0, [bar(60), bar(120), bar(180), bar(240), bar(300)], join.finished_ns(0, 230))
    >>> bars, late = join.release()
    >>> [b.ts_ns for b in bars], late
    ([120, 180, 240], 2)
    """

    def __init__(self, iids: Iterable[int]) -> None:
        self.sent_ns = dict.fromkeys(iids, 0)
        self._held: dict[int, dict[int, Bar]] = {}
        self._found: dict[int, dict[int, Bar]] = {}

    def is_new(self, bar: Bar) -> bool:
        """Whether a streamed bar has neither been sent nor waits already."""
        return bar.ts_ns > self.sent_ns.get(bar.iid, 0) and bar.ts_ns not in self._held.get(bar.iid, ())

    def take(self, bar: Bar) -> bool:
        """Take a streamed bar that is new: True when it is to be sent now, False when it waits."""
        held = self._held.get(bar.iid)
        if held is None:
            self.sent_ns[bar.iid] = bar.ts_ns
            return True
        held[bar.ts_ns] = bar
        return False

    def hold(self, iid: int) -> None:
        """From now on streamed bars of an instrument wait."""
        self._held.setdefault(iid, {})
        self._found.setdefault(iid, {})

    def waits(self, iid: int) -> bool:
        """Whether streamed bars of an instrument wait."""
        return iid in self._held

    def newest_ns(self, iid: int) -> int:
        """When the newest bar of an instrument closed that has been sent, waits, or was found."""
        waits = (*self._held.get(iid, ()), *self._found.get(iid, ()))
        return max(waits) if waits else self.sent_ns.get(iid, 0)

    def silent(self) -> set[int]:
        """The instruments that wait and of which nothing has been streamed meanwhile."""
        return {iid for iid, held in self._held.items() if not held}

    def finished_ns(self, iid: int, now_ns: int) -> int:
        """The newest time at which a bar that is fetched from now on is finished for certain: what the clock says, and
        everything before a bar that has been streamed. To be asked before the venue is."""
        return max(now_ns, max(self._held.get(iid, ()), default=0) - 1)

    def found(self, iid: int, bars: Iterable[Bar], finished_ns: int) -> None:
        """Take fetched bars, those that close at `finished_ns` at the latest; none when nothing waits for them."""
        found = self._found.get(iid)
        if found is not None:
            sent_ns = self.sent_ns[iid]
            found.update({bar.ts_ns: bar for bar in bars if sent_ns < bar.ts_ns <= finished_ns})

    def release(self) -> tuple[list[Bar], int]:
        """(all that waited and all that was found, in order of time, how many of them only the fetching told). Nothing
        waits any more."""
        bars, late = list[Bar](), 0
        for iid, held in self._held.items():
            found = self._found[iid]
            late += sum(ts_ns not in held for ts_ns in found)
            joined = found | held
            bars += joined.values()
            self.sent_ns[iid] = max(joined, default=self.sent_ns[iid])
        self._held.clear()
        self._found.clear()
        return sorted(bars, key=lambda bar: (bar.ts_ns, bar.iid)), late
