"""The `workbench` command: thin words over the rooms below. One file a group of commands.

Every command takes `--json` for machines. Exit status: 0 done, 1 it ran and says no, 2 bad usage; an error is one
line that says what to do. Heavy imports happen inside the command that needs them, so `--help` is quick.
"""

import io
import sys
from importlib import import_module
from typing import Any

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


# what typer raises for bad usage: the base of the one class of them it exports, whatever it is built on
_USAGE: Any = typer.BadParameter.__base__

_INTERRUPTED = 130

GROUPS = ("demo", "processes", "desk", "accounts", "research", "sweep", "data", "emulate", "bench")


def _gather() -> None:
    if app.registered_commands:
        return
    for group in GROUPS:
        import_module(f"workbench.cli.{group}").register(app)


def main() -> None:
    """Entry point of the `workbench` command."""
    _gather()
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # an old terminal may have no minus sign: a mark for it, no traceback
        sys.stdout.reconfigure(errors="replace")
    try:
        answer = app(prog_name="workbench", standalone_mode=False)
    except _USAGE as error:
        raise SystemExit(_usage(error)) from None
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    except KeyboardInterrupt:
        answer = _INTERRUPTED
    if answer == _INTERRUPTED:  # typer keeps the interrupt to itself and answers its status
        print("workbench: stopped by Ctrl-C", file=sys.stderr)
    raise SystemExit(answer if isinstance(answer, int) else 0)


def _usage(error: Any) -> int:
    """A mistyped command or option in one line, like every other refusal, and the exit status."""
    text = " ".join(error.format_message().split()).rstrip(".")
    if text:  # without one the help was printed already
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "workbench"
        joint = "" if text.endswith("?") else ":"
        print(f"workbench: {text}{joint} see `{command} --help`", file=sys.stderr)
    return int(error.exit_code)
