"""Letting requests pass in the order that matters, never more of them than a venue allows, and at once when it can.

    route (which allowances, how much of each) + lane -> admit: yes, now | wait: in its turn

Lives here: the queues and their order. Not here: how an allowance is counted (budgets.py), sending (rest.py).

A request takes from all its allowances at once or from none. Who waits stands in a queue for its lane and route; the
queues are served by lane, then by age. A request that lacks room in one allowance keeps later and lower ones from
that allowance only. Nothing polls: one timer is set for the moment at which the first of them can go.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Final

import msgspec

from workbench.brokers.pool.budgets import Budget
from workbench.brokers.pool.lanes import CANCEL, LANE_NAMES
from workbench.errors import BadValue, Busy, UnknownName

__all__ = ["Limiter", "Route"]

_LEAST_WAIT_S: Final = 0.001  # timers of some loops count whole milliseconds


class Route(msgspec.Struct, frozen=True, eq=False):
    """A kind of request: what it takes of which allowance. `name` is what metrics call it."""

    name: str
    costs: tuple[tuple[Budget, int], ...]


class _Waiting:
    __slots__ = ("granted", "number", "since_s")

    def __init__(self, number: int, since_s: float, granted: "asyncio.Future[None]") -> None:
        self.number, self.since_s, self.granted = number, since_s, granted


class Limiter:
    """The gate in front of one account at one venue. All calls belong to one loop.

    >>> from workbench.brokers.pool.budgets import Rolling
    >>> gate = Limiter([Rolling("trading", 2, 60.0)], clock=lambda: 0.0)
    >>> order = gate.route("order", trading=1)
    >>> gate.admit(order, CANCEL), gate.admit(order, CANCEL), gate.admit(order, CANCEL)
    (True, True, False)
    """

    def __init__(self, budgets: Iterable[Budget], *, clock: Callable[[], float] = monotonic) -> None:
        self.budgets = {budget.name: budget for budget in budgets}
        self.clock = clock
        self.passed = [0] * len(LANE_NAMES)  # by lane
        self.waited = [0] * len(LANE_NAMES)
        self.waited_s = 0.0
        self.longest_wait_s = 0.0
        self._queues: dict[tuple[int, str], tuple[Route, deque[_Waiting]]] = {}
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None

    def route(self, name: str, **costs: int) -> Route:
        """A route that takes `costs` by name of the allowance.

        Raises:
            UnknownName: no such allowance. BadValue: it could never pass, because it costs more than the limit.
        """
        pairs = []
        for budget_name, cost in costs.items():
            if budget_name not in self.budgets:
                raise UnknownName("allowance", budget_name, self.budgets)
            budget = self.budgets[budget_name]
            if not 0 < cost <= budget.limit:
                raise BadValue(f"{name}.{budget_name}", cost, f"give a cost from 1 to {budget.limit}")
            pairs.append((budget, cost))
        return Route(name, tuple(pairs))

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return sum(len(queue) for _, queue in self._queues.values())

    def admit(self, route: Route, lane: int) -> bool:
        """Take the route's costs now, when there is room and nobody waits; False changes nothing."""
        if self._queues and lane != CANCEL:
            return False
        if self._queues and any(key[0] == CANCEL for key in self._queues):
            return False
        return self._take(route, lane, self.clock())

    async def wait(self, route: Route, lane: int, most_s: float = float("inf")) -> float:
        """Wait for one's turn and take the costs; returns the seconds waited.

        Raises:
            Busy: not within `most_s`; nothing was taken.
        """
        if self.admit(route, lane):
            return 0.0
        since_s = self.clock()
        granted = asyncio.get_running_loop().create_future()
        self._number += 1
        _, queue = self._queues.setdefault((lane, route.name), (route, deque()))
        queue.append(_Waiting(self._number, since_s, granted))
        self.pump()
        try:
            if most_s == float("inf"):
                await granted
            else:
                await asyncio.wait_for(asyncio.shield(granted), most_s)
        except BaseException as error:
            if granted.done() and not granted.cancelled():
                self.release(route)  # let through in the same moment: give back what can be given back
            granted.cancel()
            self.pump()
            if isinstance(error, TimeoutError):
                lacking = ", ".join(self._lacking(route, lane)) or "those before it"
                text = f"'{route.name}' waited {most_s:g} s for its turn ({lacking})"
                raise Busy(f"{text}: send less, or raise the limit if the venue grants more") from None
            raise
        waited_s = self.clock() - since_s
        self.waited[lane] += 1
        self.waited_s += waited_s
        if waited_s > self.longest_wait_s:
            self.longest_wait_s = waited_s
        return waited_s

    def release(self, route: Route) -> None:
        """The answer has come: what counts requests under way counts one less."""
        for budget, cost in route.costs:
            budget.release(cost)
        if self._queues:
            self.pump()

    def penalise(self, route: Route, pause_s: float) -> None:
        """The venue asked for a pause: nothing that draws on the route's allowances passes for `pause_s`."""
        until_s = self.clock() + max(0.0, pause_s)
        for budget, _ in route.costs:
            budget.block(until_s)

    def pump(self) -> float:
        """Let pass who can; returns the seconds until the next one can (inf: nobody waits). Sets the timer itself when
        a loop runs."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self.clock()
        held: set[Budget] = set()
        soonest_s = float("inf")
        for key in sorted(self._queues, key=self._rank):
            route, queue = self._queues[key]
            lane = key[0]
            while queue:
                if queue[0].granted.done():  # it gave up
                    queue.popleft()
                elif any(budget in held for budget, _ in route.costs):
                    break
                elif self._take(route, lane, now_s):
                    queue.popleft().granted.set_result(None)
                else:
                    waits = [(budget.wait_s(cost, lane, now_s), budget) for budget, cost in route.costs]
                    longest_s = max(wait_s for wait_s, _ in waits)
                    soonest_s = min(soonest_s, longest_s)
                    # what it lacks for a shorter time others may use meanwhile
                    held.update(budget for wait_s, budget in waits if wait_s > 0 and wait_s >= longest_s)
                    break
            if not queue:
                del self._queues[key]
        if soonest_s != float("inf"):
            self._timer = _timer(max(soonest_s, _LEAST_WAIT_S), self.pump)
        return soonest_s

    def close(self) -> None:
        """Let nobody wait any longer: who does gets a CancelledError."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _, queue in self._queues.values():
            for one in queue:
                one.granted.cancel()
        self._queues.clear()

    def headroom(self) -> dict[str, float]:
        """The share left of each allowance, 0 to 1."""
        now_s = self.clock()
        return {name: round(budget.headroom(now_s), 4) for name, budget in self.budgets.items()}

    def _rank(self, key: tuple[int, str]) -> tuple[int, int]:
        return key[0], self._queues[key][1][0].number

    def _take(self, route: Route, lane: int, now_s: float) -> bool:
        costs = route.costs
        for budget, cost in costs:
            if not budget.room(cost, lane, now_s):
                return False
        for budget, cost in costs:
            budget.take(cost, now_s)
        self.passed[lane] += 1
        return True

    def _lacking(self, route: Route, lane: int) -> Sequence[str]:
        now_s = self.clock()
        return [budget.name for budget, cost in route.costs if not budget.room(cost, lane, now_s)]


def _timer(delay_s: float, call: Callable[[], object]) -> asyncio.TimerHandle | None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None  # without a loop whoever drives the clock pumps
    return loop.call_later(delay_s, call)
