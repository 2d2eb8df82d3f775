"""What a session says beside its answers: that an engine starts, that a strategy compiles.

Not here: refusals and faults, which are raised.
"""

import sys
from html import escape
from typing import Final

__all__ = ["NOTE", "note"]

NOTE: Final = {"workbench": "note"}
"""The metadata of a note among a cell's outputs: whoever keeps outputs can tell it from what a cell answers."""


def note(text: str) -> None:
    """One line: on stderr, so that what a program prints stays its own; in a notebook, where stderr is shown as an
    alarm, small print below the cell."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        print(text, file=sys.stderr, flush=True)
        return
    from IPython.display import display

    page = {"text/plain": text, "text/html": f"<small>{escape(text)}</small>"}
    display(page, raw=True, metadata=NOTE)  # type: ignore[no-untyped-call]
