"""One line on the terminal, or under a notebook cell, while something slow goes on; nothing where nobody watches."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["telling", "watched"]

_PATIENCE_S = 0.15


def watched() -> bool:
    """Whether somebody sees standard error: a terminal, or a notebook's page."""
    if sys.stderr.isatty():
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


@contextmanager
def telling(text: str) -> Iterator[None]:
    """Show `text` while the block runs, from a moment after its start on, and wipe it at the end."""
    if not watched():
        yield
        return
    shown = threading.Event()

    def show() -> None:
        shown.set()
        print(text, end="", file=sys.stderr, flush=True)

    timer = threading.Timer(_PATIENCE_S, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if shown.is_set():
            print("\r" + " " * len(text) + "\r", end="", file=sys.stderr, flush=True)
