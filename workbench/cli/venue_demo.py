"""The demo at emulated venues: `workbench demo --broker alpaca` trades live there instead of playing a recording.

    emulators -> ready: their keys and addresses -> the engine's environment -> engine, warehouse, dashboard, lab

Lives here: which symbols go where, the emulators as children, what the engine is told. Not here: the demo's order of
things (demo.py), the verdict (headless.py).
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.cli.output import say
from workbench.config import home_folder
from workbench.errors import UnknownName

if TYPE_CHECKING:
    from workbench.orchestrator.supervisor import Child

__all__ = ["ALL", "VenueDemo", "chosen_venues", "tradable"]

ALL: Final = "all"


def tradable() -> list[str]:
    """Emulated venues that an adapter trades at."""
    from workbench.brokers import find_brokers
    from workbench.testbed import find_venues

    adapters = find_brokers()
    return [name for name in find_venues() if name in adapters]


def chosen_venues(asked: Sequence[str]) -> list[str]:
    """The venues of `--broker`, "all" among them; each once.

    Raises:
        UnknownName: no emulator of that name that an adapter trades at, with the nearest.
    """
    known = tradable()
    for name in asked:
        if name not in (*known, ALL):
            raise UnknownName("emulated venue", name, [*known, ALL])
    return known if ALL in asked else list(dict.fromkeys(asked))


class VenueDemo:
    """Emulators for a desk. `children` go before the desk's own; `tell(engine)` once they are ready."""

    def __init__(self, desk: str, venues: Sequence[str], speed: float) -> None:
        self._folder = home_folder() / desk
        self._desk = desk
        self.venues = list(venues)
        self.symbols = _dealt(self.venues)
        self.children = [self._child(venue, speed) for venue in self.venues]

    def facts(self, venue: str) -> dict[str, Any]:
        """What an emulator that runs says of itself."""
        found: dict[str, Any] = msgspec.json.decode(self._file(venue).read_bytes())
        return found

    def tell(self, engine: "Child") -> None:
        """Let the engine find its venues: accounts, symbols and routes, in its environment; keys stay in files."""
        from workbench.testbed.accounts import account_at, write_keys

        accounts: dict[str, Any] = {}
        routes: dict[str, str] = {}
        for venue in self.venues:
            facts = self.facts(venue)
            reference = write_keys(home_folder() / "secrets", f"{self._desk}-{venue}", facts)
            accounts[venue] = account_at(facts, reference, limited=False)
            routes |= dict.fromkeys(self.symbols[venue], venue)
        everything = [symbol for symbols in self.symbols.values() for symbol in symbols]
        market = {"BROKERS": self.venues, "SYMBOLS": everything}
        engine.env |= {f"WORKBENCH_MARKET__{key}": _json(value) for key, value in market.items()}
        engine.env |= {"WORKBENCH_BROKERS": _json(accounts), "WORKBENCH_ROUTES": _json(routes)}

    def on_change(self, children: "Sequence[Child]", child: "Child") -> None:
        """One status line; the last emulator that is ready lets the engine know."""
        from workbench.cli.processes import print_state

        print_state(child)
        mine = [other for other in children if other in self.children]
        if child in mine and all(other.state == "running" for other in mine):
            engine = next(other for other in children if other.name == "engine")
            self.tell(engine)
            for venue in self.venues:
                say(f"    {venue}: {', '.join(self.symbols[venue])} at {self.facts(venue)['rest']}")

    def _file(self, venue: str) -> Path:
        return self._folder / f"emulator-{venue}.json"

    def _child(self, venue: str, speed: float) -> "Child":
        from workbench.orchestrator.supervisor import Child

        argv = [sys.executable, "-m", "workbench.cli", "emulate", venue, "--no-limits", "--speed", str(speed)]
        argv += ["--facts", str(self._file(venue)), "--port", "0", "--json"]
        log = self._folder / f"emulator-{venue}.out"
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return Child(f"{venue}*", argv, self._file(venue), log)


def _dealt(venues: Sequence[str]) -> dict[str, list[str]]:
    """The symbols each venue trades: its own, and of those that several list each one somewhere."""
    from workbench.testbed.venue import venue_package

    listed = {venue: venue_package(venue).SYMBOLS for venue in venues}
    shared = [s for s in dict.fromkeys(x for y in listed.values() for x in y) if _count(listed, s) > 1]
    home: dict[str, str] = {}
    for number, symbol in enumerate(shared):
        able = [venue for venue in venues if symbol in listed[venue]]
        home[symbol] = able[number % len(able)]
    return {
        venue: [symbol for symbol in listed[venue] if home.get(symbol, venue) == venue] for venue in venues
    }


def _count(listed: dict[str, tuple[str, ...]], symbol: str) -> int:
    return sum(symbol in symbols for symbols in listed.values())


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
