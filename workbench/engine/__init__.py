"""The pure core of the workbench: one event in, effects out. No clock, file, socket, await or randomness.

`Engine` keeps the book, the placed strategies, the orders, the ledger, the exposure and the risk desk; `Match` is the
simulated venue for one account; `EffectsHash` proves that a replay did the same.
"""

__all__ = [
    "EffectsHash",
    "Engine",
    "Latency",
    "Ledger",
    "Limits",
    "Match",
    "OrderTable",
    "Placed",
    "Position",
    "Risk",
    "Seat",
    "Sizing",
    "StrategyHost",
    "effects_hash",
]

from workbench.engine.core import Engine
from workbench.engine.hashing import EffectsHash, effects_hash
from workbench.engine.host import StrategyHost
from workbench.engine.latency import Latency
from workbench.engine.ledger import Ledger, Position
from workbench.engine.limits import Limits
from workbench.engine.match import Match
from workbench.engine.orders import OrderTable
from workbench.engine.risk import Risk
from workbench.engine.seats import Placed, Seat
from workbench.engine.sizing import Sizing
