"""What a finished bar does to the orders in its instrument: one path through its four prices, orders as it meets them.

Lives here: the path and the order of things on it. Not here: prints and quotes (ticks.py), what an order says to a
price (resting.py), execution (venue.py).

The path is open, low, high, close when the bar closed up or level, else open, high, low, close. Orders that were there
for all of it trade at the open, then where the path meets them, nearest first; equally near ones in order of arrival.
A parent's fill wakes its children on the spot: they see the rest of the path. Orders that arrived inside the bar can
only trade at its close, since the path before is unknown.
"""

from bisect import insort
from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.engine.match.queue import lines_up
from workbench.engine.match.resting import NOWHERE, Resting
from workbench.engine.match.tape import Tape
from workbench.model.market import Bar
from workbench.model.orders import CLS, FOK, IOC, OPG
from workbench.model.reports import Report

if TYPE_CHECKING:
    from workbench.engine.match.venue import Match

__all__ = ["on_bar"]

type _Hit = tuple[float, int, Resting, float]  # how far along, place among the walkers, the order, its price


def on_bar(venue: "Match", tape: Tape, bar: Bar, reports: list[Report]) -> None:
    """Let a bar of an instrument with orders fill what it reaches."""
    low, high = bar.low, bar.high
    if not 0 < low <= high:
        return
    ts_ns, whole_ns = bar.ts_ns, tape.whole_ns
    walkers: list[Resting] = []
    closers: list[Resting] = []
    session, brief = venue.session_of(ts_ns), False
    queued = venue.keeps_queue and tape.has_sizes  # then quotes and prints tell what a resting order gets
    for resting in list(tape.orders.values()):
        tif = resting.order.tif
        if resting.after_ns >= ts_ns or not resting.woken or resting.state != "open":
            continue
        if resting.session < 0:
            resting.session = session
        elif resting.session != session and venue.expired(resting, ts_ns, reports):
            continue
        if tif == CLS:
            if venue.is_closing(ts_ns):
                closers.append(resting)
        elif tif == OPG:
            if resting.since_ns <= whole_ns and venue.is_opening(tape, ts_ns):
                walkers.append(resting)
                brief = True
        elif resting.since_ns > whole_ns:
            closers.append(resting)
        elif tif in (IOC, FOK):
            walkers.append(resting)
            brief = True
        elif queued and lines_up(resting):
            continue
        elif resting.may_trade(low, high):
            walkers.append(resting)
        else:
            resting.rested = True
    if walkers:
        walk = _Walk(venue, tape, bar, walkers, reports)
        walk.step(bar.open, bar.open)
        if brief:
            for resting in walkers:
                venue.now_or_never(resting, ts_ns, reports)
            walk.walkers = [r for r in walkers if r.order.tif not in (IOC, FOK, OPG)]
        turns = (low, high) if bar.close >= bar.open else (high, low)
        for start, end in pairwise((bar.open, *turns, bar.close)):
            walk.step(start, end)
    for resting in closers:
        if resting.state == "open":
            if resting.at(bar.close):
                venue.trade(resting, ts_ns, bar.close, tape, reports, bar)
            venue.now_or_never(resting, ts_ns, reports)
    venue.woken.clear()  # children of what filled at the close see later data only


class _Walk:
    """The market on its way through one bar."""

    __slots__ = ("bar", "reports", "tape", "venue", "walkers")

    def __init__(
        self, venue: "Match", tape: Tape, bar: Bar, walkers: list[Resting], reports: list[Report]
    ) -> None:
        self.venue, self.tape, self.bar, self.walkers, self.reports = venue, tape, bar, walkers, reports

    def step(self, start: float, end: float) -> None:
        """One leg of the path; at the open both ends are the same."""
        hits: list[_Hit] = []
        still = start == end
        for place, resting in enumerate(self.walkers):
            if resting.state == "open":
                px = resting.along(start, end) if not still else start if resting.at(start) else NOWHERE
                if px != NOWHERE:
                    hits.append((abs(px - start), place, resting, px))
        if len(hits) > 1:
            hits.sort(key=_along)
        venue, ts_ns = self.venue, self.bar.ts_ns
        at = 0
        while at < len(hits):
            way, _, resting, px = hits[at]
            at += 1
            if resting.state == "open":
                venue.trade(resting, ts_ns, px, self.tape, self.reports, self.bar)
                if venue.woken:
                    self._wake(way, px, end, hits, at)

    def _wake(self, way: float, px: float, end: float, hits: list[_Hit], at: int) -> None:
        """Let the children that the last fill has woken see the rest of the way."""
        for child in self.venue.woken:
            if child.order.iid != self.tape.iid or child.state != "open":
                continue
            self.venue.expired(child, self.bar.ts_ns, self.reports)  # notes the session it is good for
            self.walkers.append(child)
            child_px = px if child.at(px) else child.along(px, end) if px != end else NOWHERE
            if child_px != NOWHERE:
                hit = (way + abs(child_px - px), len(self.walkers) - 1, child, child_px)
                insort(hits, hit, lo=at, key=_along)
        self.venue.woken.clear()


def _along(hit: _Hit) -> tuple[float, int]:
    return hit[:2]
