"""What `workbench check STRATEGY` does: run the look-ahead detector, print what it found. The command is in desk.py."""

import sys
from typing import Any

import typer

from workbench.cli.output import emit, table

__all__ = ["check_strategy_named"]


def check_strategy_named(name: str, parameters: dict[str, Any], data: str, as_json: bool) -> None:
    """Check a strategy by name; exit status 1 when one of the checks says no."""
    from rich.console import Console

    from workbench.research import check
    from workbench.strategy import find_strategy

    chosen = find_strategy(name)(**parameters)
    console = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())
    with console.status("starting") as status:
        results = check(chosen, data or None, say=status.update)
    ok = all(result.ok for result in results)
    if as_json:
        emit({"strategy": repr(chosen), "ok": ok, "checks": [result._asdict() for result in results]}, True)
    else:
        rows = [("ok" if result.ok else "NO", result.name, result.text) for result in results]
        table(repr(chosen), ["", "check", "what was seen"], rows)
    if not ok:
        raise typer.Exit(1)
