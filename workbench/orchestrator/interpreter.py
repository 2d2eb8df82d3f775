"""How the engine's process runs Python: garbage collection and thread switches out of the order path's way.

Orders, events and effects hold no cycles, so what the collector could find is little and can wait: the survivors of
start-up are frozen, and the generations grow large before they are looked at. The journal's thread wakes from its sync
needing the interpreter; a short switch interval gives it that soon although the loop is busy.
"""

import gc
import sys

__all__ = ["release", "settle"]

SWITCH_S = 0.0005
THRESHOLDS = (50_000, 20, 100)


def settle() -> None:
    """Call once everything of a session's start is in memory."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def release() -> None:
    """Give back what `settle` froze; the session is over."""
    gc.unfreeze()
