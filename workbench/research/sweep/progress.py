"""How far a sweep is, for whoever watches: a bar with a time estimate on a terminal or under a notebook cell, silence
otherwise. Rich draws; it knows both.

Lives here: showing. Not here: counting (board.py).
"""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["Meter", "meter_for"]

type Told = Callable[[int, int], None]


class Meter:
    """Told (sets done, sets in all); shows nothing."""

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, done: int, total: int) -> None:
        """Show that `done` of `total` sets are through."""

    def end(self, total: int) -> None:
        """All `total` are through."""


class _Calls(Meter):
    def __init__(self, told: Told) -> None:
        self._told = told

    def show(self, done: int, total: int) -> None:
        self._told(done, total)

    def end(self, total: int) -> None:
        self._told(total, total)


class _Bar(Meter):
    """A Rich progress bar; it starts with the first thing shown, so that quick sweeps draw nothing."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._progress: Any = None
        self._task: Any = None

    def show(self, done: int, total: int) -> None:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("sets"),
                TimeRemainingColumn(),
                TextColumn("left"),
                console=Console(stderr=True) if sys.stderr.isatty() else None,
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(self._title, total=total, completed=done)
        self._progress.update(self._task, completed=done, total=total)

    def end(self, total: int) -> None:
        if self._progress is not None:
            self.show(total, total)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()


def meter_for(progress: "bool | Told | None", title: str) -> Meter:
    """A meter: `progress` is a function to call, False for silence, True for a bar, None for a bar where somebody
    watches."""
    if callable(progress):
        return _Calls(progress)
    if progress is None:
        from workbench.research.telling import watched

        progress = watched()
    return _Bar(title) if progress else Meter()
