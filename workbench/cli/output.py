"""How commands answer: one JSON document for machines, a table or a few lines for people."""

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import typer

__all__ = ["AsJson", "DeskName", "emit", "say", "table"]

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document instead of text")]
DeskName = Annotated[str, typer.Option("--name", "-n", help="which desk")]


def emit(value: Any, as_json: bool, lines: Iterable[str] = ()) -> None:
    """Print `value` as JSON, or `lines` for a person."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    else:
        for line in lines:
            print(line)
    sys.stdout.flush()


def say(text: str) -> None:
    """A line of progress; goes to stderr so that it never mixes with an answer."""
    print(text, file=sys.stderr, flush=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for a person; columns whose values are numbers are set to the right."""
    from rich.console import Console
    from rich.table import Table

    listed = [list(row) for row in rows]
    grid = Table(title=title, title_justify="left", header_style="bold")
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in listed) and bool(listed)
        grid.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        grid.add_row(*(_cell(value) for value in row))
    Console().print(grid)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 else f"{value:,.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
