"""One line on the terminal, or under a notebook cell, while something slow goes on; nothing where nobody watches.

It is wiped when the work is done: a terminal shows what it showed before, a saved notebook an empty output.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

__all__ = ["telling", "watched"]


def _notebook() -> Any:
    """The shell of a notebook's kernel, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


def watched() -> bool:
    """Whether somebody sees it: a terminal, or a notebook's page."""
    return sys.stderr.isatty() or _notebook() is not None


@contextmanager
def telling(text: str, *, quiet: bool = False) -> Iterator[None]:
    """Show `text` while the block runs, unless it is to be `quiet`."""
    if quiet:
        yield
    elif _notebook() is not None:
        from IPython.display import HTML, display

        handle: Any = display(  # type: ignore[no-untyped-call]
            HTML(f"<i>{escape(text)}</i>"),  # type: ignore[no-untyped-call]
            display_id=True,
        )
        try:
            yield
        finally:
            handle.update(HTML(""))  # type: ignore[no-untyped-call]
    elif sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)
        try:
            yield
        finally:
            print("\r" + " " * len(text) + "\r", end="", file=sys.stderr, flush=True)
    else:
        yield
