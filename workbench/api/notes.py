"""What a session says beside its answers: that an engine starts, that a strategy compiles.

Not here: refusals and faults, which are raised.
"""

import sys

__all__ = ["note"]


def note(text: str) -> None:
    """One line: on stderr, so that what a program prints stays its own; in a notebook, where stderr is shown as an
    alarm, as plain output of the cell."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    in_notebook = getattr(shell, "kernel", None) is not None
    print(text, file=sys.stdout if in_notebook else sys.stderr, flush=True)
