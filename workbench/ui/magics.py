"""`%desk` and `%kill`, and what `%load_ext workbench` does. Thin: they call a `Session`."""

from typing import Any

from workbench.errors import UnknownName, WorkbenchError
from workbench.ui.display import register

__all__ = ["load"]


def load(shell: Any) -> None:
    """Register the displays and the magics in an IPython shell."""
    register(shell)

    def desk(line: str) -> Any:
        """`%desk [name]`: attach to a running desk and show it live. The session is also put into `desk`."""
        session = _attach(line.strip() or "default")
        shell.user_ns["desk"] = session
        return session

    def kill(line: str) -> None:
        """`%kill [--name DESK] reason`: block all new orders of the desk and cancel what is open."""
        words = line.split()
        name = "default"
        if words[:1] == ["--name"]:
            if len(words) < 2:
                raise UnknownName("desk", "", [], "write %kill --name DESK reason")
            name, words = words[1], words[2:]
        given = shell.user_ns.get("desk")
        session = given if getattr(given, "name", None) == name and hasattr(given, "kill") else _attach(name)
        report = session.kill(" ".join(words) or "killed from a notebook")
        print(
            f"desk '{name}' STOPPED: new orders blocked after {report.blocked_after_us:,.0f} us, "
            f"{report.cancels} cancels sent, {len(report.unconfirmed)} unconfirmed"
        )
        for row in report.unconfirmed:
            print(f"  order {row.order_id}: {row.side} {row.quantity:g} {row.symbol}, {row.state}")

    for magic in (desk, kill):
        shell.register_magic_function(_short_errors(magic), "line", magic.__name__)


def _attach(name: str) -> Any:
    from workbench.api.starting import attach

    return attach(name)


def _short_errors(magic: Any) -> Any:
    """Our errors are one line that says what to do; a notebook does not need the traceback."""
    from functools import wraps

    from IPython.core.error import UsageError

    @wraps(magic)
    def run(line: str) -> Any:
        try:
            return magic(line)
        except WorkbenchError as error:
            raise UsageError(str(error)) from error

    return run
