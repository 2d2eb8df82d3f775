"""How commands answer: one JSON document for machines, a table or a few lines for people."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from workbench.cli.completion import desk_names
from workbench.errors import BadValue

__all__ = ["AsJson", "DeskName", "emit", "say", "table", "writable"]

_UNFOLDED = 400  # columns of a file or a pipe: a row stays one line for whoever searches it

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document instead of text")]
DeskName = Annotated[str, typer.Option("--name", "-n", autocompletion=desk_names, help="which desk")]


def emit(value: Any, as_json: bool, lines: Iterable[str] = ()) -> None:
    """Print `value` as JSON, or `lines` for a person."""
    if as_json:
        text = msgspec.json.encode(value).decode()
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:  # where the terminal has too few letters JSON can write them by number
            text = json.dumps(json.loads(text), separators=(",", ":"))
        sys.stdout.write(text + "\n")
    else:
        for line in lines:
            print(line)
    sys.stdout.flush()


def say(text: str) -> None:
    """A line of progress; goes to stderr so that it never mixes with an answer."""
    print(text, file=sys.stderr, flush=True)


def writable(option: str, path: Path | None) -> None:
    """Refuse a file that cannot be written before the work whose result it is to take; nothing is left in it.

    Raises:
        BadValue: a folder, or a place where nothing may be written.
    """
    if path is None:
        return
    if path.is_dir():
        raise BadValue(option, str(path), "it is a folder: give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        text = f"it cannot be written ({error.strerror}): give a file in a folder of your own"
        raise BadValue(option, str(path), text) from error


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for a person; columns whose values are numbers are set to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = [list(row) for row in rows]
    grid = Table(header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in listed) and bool(listed)
        grid.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        grid.add_row(*(Text(_cell(value)) for value in row))  # as it is: brackets in it are no style
    console = Console(width=None if sys.stdout.isatty() else _UNFOLDED)
    if title:  # above the table and not in it: a title in it is folded to the table's width
        console.print(Text(title, style="italic"), soft_wrap=True)
    console.print(grid)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 else f"{value:,.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
