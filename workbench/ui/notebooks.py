"""Executing a notebook with papermill: parameters in, executed copy out, a progress bar on the way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from workbench.errors import WorkbenchError

__all__ = ["NotebookFailed", "execute"]


class NotebookFailed(WorkbenchError):
    """A cell raised; the message names the cell and the error, the copy holds the traceback."""


class _LocalKernel(AsyncKernelManager):
    """Talks to its kernel over files in a private folder instead of open TCP ports."""

    def _transport_default(self) -> str:
        return "ipc"


def execute(source: Path, target: Path, parameters: Mapping[str, Any], *, progress: bool = True) -> None:
    """Execute `source` in its own folder and write the copy with outputs to `target`.

    Raises:
        NotebookFailed: a cell raised; everything up to it is in `target`.
    """
    import papermill

    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=dict(parameters),
            cwd=source.parent,
            progress_bar=progress,
            kernel_name="python3",
            kernel_manager_class=_LocalKernel,
        )
    except papermill.exceptions.PapermillExecutionError as error:
        text = f"{source.name}, cell {error.exec_count}: {error.ename}: {error.evalue}"
        raise NotebookFailed(f"{text} (the executed copy is {target})") from error
