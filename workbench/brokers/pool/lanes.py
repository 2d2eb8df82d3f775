"""Who goes first when a venue's allowance is short: five lanes, the smaller number first.

Only the words live here. What a lane may take of an allowance is `budgets.py`, who waits for whom `limiter.py`.
"""

from typing import Final

__all__ = ["CANCEL", "DATA", "ENTRY", "EXIT", "HISTORY", "LANE_NAMES"]

CANCEL: Final = 0  # cancels, and questions about an order nobody knows the fate of
EXIT: Final = 1  # orders and amendments that make a position smaller
ENTRY: Final = 2  # every other order
DATA: Final = 3  # account, positions, sweeps, probes
HISTORY: Final = 4  # bars and trades of the past, lists of assets
LANE_NAMES: Final = ("cancel", "exit", "entry", "data", "history")
