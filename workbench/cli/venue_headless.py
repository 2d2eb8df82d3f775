"""The demo at emulated venues without a browser: trade a while, come to rest, and hold three books against each other.

Lives here: what differs from the recorded demo. Not here: the verdict's frame (headless.py), the emulators
(venue_demo.py).
"""

import asyncio
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.cli.headless import CATCH_UP_S, Headless
from workbench.cli.output import say
from workbench.cli.venue_demo import VenueDemo

if TYPE_CHECKING:
    from workbench.api import Session
    from workbench.model.snapshot import Snapshot
    from workbench.orchestrator.supervisor import Supervisor

__all__ = ["VenueHeadless"]

_OVER: Final = "the demo is over"
MONEY: Final = 2_000.0  # of the instrument's currency that a full position is about


class VenueHeadless(Headless):
    """The quickstart's strategies on every symbol of the venues, for `seconds`."""

    truths = (*Headless.truths, "open_orders_equal_broker", "positions_equal_venues")

    def __init__(
        self, name: str, root: Path, speed: float, strategies: int, venues: VenueDemo, seconds: float
    ) -> None:
        super().__init__(name, root, speed, strategies)
        self.venues, self.seconds = venues, seconds

    async def __call__(self, supervisor: "Supervisor") -> None:
        """Run the demo's main job."""
        engine = next(child for child in supervisor.children if child.name == "engine")
        self.found |= {"venues": self.venues.venues, "engine_ready_s": round(engine.ready_s, 3)}
        say(f"placing {self.strategies} strategies on {sum(map(len, self.venues.symbols.values()))} symbols")
        await asyncio.to_thread(self._place)
        await asyncio.to_thread(self._trade)
        await asyncio.to_thread(self._gather)

    def _place(self) -> None:
        from workbench.api import attach
        from workbench.strategy import find_strategy
        from workbench.testbed.venue import venue_package

        rsi, cross = find_strategy("RsiReversion"), find_strategy("MovingAverageCross")
        listed = {
            listing.symbol: listing
            for venue, symbols in self.venues.symbols.items()
            for listing in venue_package(venue).listings(tuple(symbols))
        }
        with attach(self.name) as desk:
            for n in range(self.strategies):
                listing = list(listed.values())[n % len(listed)]
                chosen = (
                    rsi(period=3 + n % 12, low=40.0, high=60.0)
                    if n % 2
                    else cross(fast=2 + n % 5, slow=8 + n % 9)
                )
                desk.run(
                    chosen, symbols=[listing.symbol], quantity=listing.round_size(MONEY / listing.start_px)
                )

    def _trade(self) -> None:
        """Let it trade with a progress bar, then pause every strategy and wait until nothing is open."""
        from rich.console import Console
        from rich.progress import Progress

        from workbench.api import attach

        with attach(self.name) as desk:
            console = Console(stderr=True)
            with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
                task = bar.add_task("trading", total=self.seconds)
                began = time.monotonic()
                while (passed := time.monotonic() - began) < self.seconds:
                    time.sleep(0.2)
                    bar.update(task, completed=passed)
            for strategy in desk.snapshot().strategies:
                desk.pause(strategy.strategy_id, _OVER)
            deadline = time.monotonic() + CATCH_UP_S
            while any(order.state not in _ENDED for order in desk.snapshot().orders):
                if time.monotonic() > deadline:
                    self.errors.append(f"orders are still open after {CATCH_UP_S:g} s")
                    break
                time.sleep(0.1)

    def _gather(self) -> None:
        from workbench.api import attach

        super()._gather()
        with attach(self.name) as desk:
            held = _held(desk)
            self.found["open_orders_equal_broker"] = desk.check()["open_orders_equal_broker"]
        theirs: dict[str, float] = {}
        for venue in self.venues.venues:
            for symbol, quantity in _books(self.venues.facts(venue)).items():
                theirs[symbol] = round(theirs.get(symbol, 0.0) + quantity, 8)
        self.found["positions_equal_venues"] = held == theirs
        if held != theirs:
            self.errors.append(f"the desk holds {held}, the venues say {theirs}")

    def _judge_end(self, shot: "Snapshot") -> None:
        if shot.session.market != "live":
            self.errors.append(f"the market is {shot.session.market}, not live")
        paused = [s for s in shot.strategies if not s.reason.startswith(_OVER)]
        self.errors = [text for text in self.errors if _OVER not in text]
        self.errors += [f"strategy {s.strategy_id} {s.name}: {s.reason}" for s in paused]


_ENDED: Final = frozenset({"filled", "cancelled", "rejected", "expired", "not_sent"})


def _held(desk: "Session") -> dict[str, float]:
    rows = desk.snapshot().positions
    return {row.symbol: round(row.quantity, 8) for row in rows if row.strategy_id == -1 and row.quantity}


def _books(facts: dict[str, Any]) -> dict[str, float]:
    """The positions in an emulator's own books, asked of its console."""
    request = urllib.request.Request(  # noqa: S310 - the address of our own emulator, on loopback
        facts["console"] + "/state", headers={"Authorization": f"Bearer {facts['console_token']}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        state: dict[str, Any] = msgspec.json.decode(answer.read())
    return {symbol: round(quantity, 8) for symbol, quantity in state["positions"].items() if quantity}
