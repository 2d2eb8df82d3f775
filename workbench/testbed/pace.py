"""When the market of an emulated venue moves: on an absolute schedule, a slow step does not push the others back.

Lives here: the timing. Not here: what a step does (exchange.py), how far it goes (tape.py).
"""

import asyncio
from typing import Final

from workbench.testbed.exchange import Exchange
from workbench.testbed.market import MINUTE_NS

__all__ = ["STEP_S", "Pace", "steps_of"]

STEP_S: Final = 0.25
_FEWEST: Final = 4
_YIELD: Final = 64
_CATCH_UP: Final = 2_000  # steps taken at once before a request: minutes of the market, not days


def steps_of(speed: float) -> tuple[int, int]:
    """(how long a candle lasts in ns, steps of the market in it) at a speed; speed 0 counts as 1.

    >>> steps_of(1.0), steps_of(3_600.0)
    ((60000000000, 240), (16666667, 4))
    """
    span_ns = round(MINUTE_NS / (speed or 1.0))
    return span_ns, max(_FEWEST, round(span_ns / 1e9 / STEP_S))


class Pace:
    """Steps every board of an exchange; a candle closes on time at its boundary.

    With speed 0 nothing moves by itself: `step` is called by the console.
    """

    def __init__(self, exchange: Exchange, speed: float) -> None:
        self.exchange = exchange
        self.speed = speed
        market = exchange.market
        self._step_ns = market.span_ns / market.steps
        self._done = 0  # steps since the base of the first candle
        self._runs = False

    def step(self) -> None:
        """One step of every board; the last of a candle closes it."""
        market = self.exchange.market
        self._done += 1
        boundary = self._done % market.steps == 0
        self.exchange.watch_hours()
        for board in market.boards.values():
            self.exchange.step(board)
            if boundary:
                end_ns = self._end_ns()
                if board.forming is not None:
                    market.tell(board, board.close_candle(end_ns))
                else:
                    board.forming_ns = end_ns

    def _end_ns(self) -> int:
        market = self.exchange.market
        if not self.speed:
            return market.clock.now_ns()
        return market.base_ns + self._done // market.steps * market.span_ns

    @property
    def _due_ns(self) -> float:
        return self.exchange.market.base_ns + (self._done + 1) * self._step_ns

    def catch_up(self) -> None:
        """Take the steps that are due by the clock: what is answered now must not come from a market that is behind
        (its candle under way would look like one that is over)."""
        if not self._runs:
            return
        now_ns = self.exchange.market.clock.now_ns()
        for _ in range(_CATCH_UP):
            if self._due_ns > now_ns:
                return
            self.step()

    async def run(self) -> None:
        """Step until cancelled."""
        if not self.speed:
            await asyncio.get_running_loop().create_future()
        market, clock = self.exchange.market, self.exchange.clock
        self._done = int((clock.now_ns() - market.base_ns) // self._step_ns)
        for board in market.boards.values():  # the first candle is under way: its first steps are past
            board.forming_ns = market.base_ns + self._done // market.steps * market.span_ns
            for _ in range(self._done % market.steps):
                board.next_px(market.steps)
        self._runs = True
        while True:
            for _ in range(_YIELD):
                ahead_s = (self._due_ns - clock.now_ns()) / 1e9
                if ahead_s > 0:
                    break
                self.step()
            await asyncio.sleep(max(0.0, ahead_s))
