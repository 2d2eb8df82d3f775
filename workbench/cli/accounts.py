"""`accounts`: the accounts at venues of a running desk, what is frozen and what differs."""

from typing import TYPE_CHECKING

import typer

from workbench.cli.output import AsJson, DeskName, emit

if TYPE_CHECKING:
    from workbench.model.snapshot import Snapshot

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def accounts(name: DeskName = "default", as_json: AsJson = False) -> None:
        """The accounts at venues; exit status 1 when one is not well, or a symbol is frozen."""
        from workbench.api import attach
        from workbench.ui.accounts import light_of

        with attach(name) as session:
            shot = session.snapshot()
        well = not shot.session.frozen and all(light_of(row) == "good" for row in shot.accounts)
        told = {"accounts": shot.accounts, "differences": shot.differences, "frozen": shot.session.frozen}
        none = [f"desk '{name}' has no account at a venue: its market is a recording"]
        emit(told, as_json, _lines(shot) if shot.accounts else none)
        if not well:
            raise typer.Exit(1)


def _lines(shot: "Snapshot") -> list[str]:
    from workbench.ui.accounts import account_text

    lines = [line for row in shot.accounts for line in account_text(row)]
    lines += [
        f"{symbol} is FROZEN, only reducing orders pass: {why}" for symbol, why in shot.session.frozen.items()
    ]
    for one in shot.differences:
        what = f"position {one.symbol}" if one.symbol else "cash"
        lines.append(f"{what}: the desk says {one.ours:,.10g}, the broker {one.theirs:,.10g}")
    return lines
