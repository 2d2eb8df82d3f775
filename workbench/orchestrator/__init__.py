"""The running desk: the one room that starts loops. It wires feed, engine, journal and broker, and drives them.

`Desk` is what the engine process holds; `Driver` is the loop itself. HTTP lives above, in `api`.
"""

__all__ = ["Desk", "Driver", "SessionClock"]

from workbench.orchestrator.clock import SessionClock
from workbench.orchestrator.desk import Desk
from workbench.orchestrator.driver import Driver
