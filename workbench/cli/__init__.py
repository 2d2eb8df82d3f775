"""The `workbench` command: thin words over the rooms below. One file a group of commands.

Every command takes `--json` for machines. Exit status: 0 done, 1 it ran and says no, 2 bad usage; an error is one
line that says what to do. Heavy imports happen inside the command that needs them, so `--help` is quick.
"""

import sys
from importlib import import_module

import typer

from workbench.errors import WorkbenchError

__all__ = ["app", "main"]

app = typer.Typer(
    name="workbench",
    help="The Day Trading Orchestrator: research and live trading from Jupyter, the engine in its own process.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


GROUPS = ("demo", "processes", "desk", "research", "data", "bench")


def _gather() -> None:
    for group in GROUPS:
        import_module(f"workbench.cli.{group}").register(app)


def main() -> None:
    """Entry point of the `workbench` command."""
    _gather()
    try:
        app()
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    except KeyboardInterrupt:
        print("workbench: stopped by Ctrl-C", file=sys.stderr)
        raise SystemExit(130) from None
