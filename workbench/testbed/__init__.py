"""Emulated venues: real servers over the shared matching core, for tests, demos and load, that misbehave on purpose.

    feed or seed -> Market -> Exchange (engine/match) -> a venue's REST and WebSockets -> any client

Lives here: the common ground (market, exchange, faults, server) and one folder a venue. Not here: the adapters that
trade at venues (brokers/), matching itself (engine/match).

Adding a venue is adding a folder; docs/emulators.md tells how.
"""

from workbench.testbed.emulator import Emulator, emulated
from workbench.testbed.faults import Fault
from workbench.testbed.venue import EmulatorSettings, find_venues

__all__ = ["Emulator", "EmulatorSettings", "Fault", "emulated", "find_venues"]
