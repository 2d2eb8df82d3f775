"""Executing a notebook with papermill: parameters in, executed copy out, a progress bar on the way.

Not here: which notebooks there are, pages made of them (report/page.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

__all__ = ["NotebookFailed", "execute"]


class NotebookFailed(WorkbenchError):
    """A cell raised; the message names the cell and the error, the copy holds the traceback."""


def execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    *,
    progress: bool = True,
    folder: Path | None = None,
) -> None:
    """Execute `source` in its own folder (or in `folder`) and write the copy with outputs to `target`.

    Raises:
        NotebookFailed: a cell raised; everything up to it is in `target`.
    """
    import papermill
    from jupyter_client.manager import AsyncKernelManager

    class LocalKernel(AsyncKernelManager):
        """Talks to its kernel over files in a private folder instead of open TCP ports."""

        def _transport_default(self) -> str:
            return "ipc"

    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=dict(parameters),
            cwd=folder or source.parent,
            progress_bar=progress,
            kernel_name="python3",
            kernel_manager_class=LocalKernel,
            # it is interrupted when it is told to end, and now and then says so on the terminal, as an error
            extra_arguments=["--log-level=CRITICAL"],
        )
    except papermill.exceptions.PapermillExecutionError as error:
        text = f"{source.name}, cell {error.exec_count}: {error.ename}: {error.evalue}"
        raise NotebookFailed(f"{text} (the executed copy is {target})") from error
