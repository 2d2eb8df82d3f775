"""One line on the terminal, or under a notebook cell, while something slow goes on; nothing where nobody watches.

It is wiped when the work is done: a terminal shows what it showed before, a saved notebook an empty output.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

__all__ = ["counting", "telling", "watched"]

_PATIENCE_S = 0.7  # what is done sooner needs no word
_EVERY_S = 0.25


def _notebook() -> Any:
    """The shell of a notebook's kernel, or None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


def watched() -> bool:
    """Whether somebody sees it: a terminal, or a notebook's page."""
    return sys.stderr.isatty() or _notebook() is not None


class _Line:
    """One line that can be replaced and wiped: on a terminal, or as an output of a cell."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = ""

    def show(self, text: str) -> None:
        if _notebook() is not None:
            from IPython.display import HTML, display

            page: Any = HTML(f"<i>{escape(text)}</i>" if text else "")  # type: ignore[no-untyped-call]
            if self._handle is None:
                self._handle = display(page, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(page)
            return
        print("\r" + text.ljust(len(self._shown)), end="", file=sys.stderr, flush=True)
        self._shown = text

    def wipe(self) -> None:
        if _notebook() is None:
            self.show("")
            print("\r", end="", file=sys.stderr, flush=True)
        else:
            self.show("")


@contextmanager
def telling(text: str, *, quiet: bool = False) -> Iterator[None]:
    """Show `text` while the block runs, unless it is to be `quiet`."""
    if quiet or not watched():
        yield
        return
    line = _Line()
    line.show(text)
    try:
        yield
    finally:
        line.wipe()


@contextmanager
def counting(text: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function to be told (done, in all) while the block runs: it shows the share that is done, once the work takes
    longer than a moment. None where nobody watches."""
    if not watched():
        yield None
        return
    line, begun, told = _Line(), time.monotonic(), 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - begun >= _PATIENCE_S and now - told >= _EVERY_S and done < total:
            told = now
            left_s = (now - begun) * (total - done) / max(done, 1)
            line.show(f"{text}: {done / total:.0%}, {left_s:.0f} s left")

    try:
        yield tell
    finally:
        if told:
            line.wipe()
