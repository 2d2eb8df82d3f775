"""Notebook pages out of their texts: executed, cleaned, written; and whether they still belong together.

    notebooks/text/NAME.py  ->  notebooks/NAME.ipynb

The text is the source: cells begin with `# %%` (code) or `# %% [markdown]`. A page is what the text gives, with the
outputs of one run, as far as they are small and say the same on every machine: text, tables, small pictures. Scripts
and live figures are left out; they appear when the page is run. `quickstart.ipynb` is no page: it needs a desk.

    python tools/notebooks.py [NAME ...]      execute and write the pages (all of them without a name)
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ROOT / "notebooks" / "text"
MOST_HTML, MOST_PICTURE = 60_000, 80_000
_nbformat: Any = nbformat  # its functions are untyped
_CELL = re.compile(r"^# %%( \[markdown\])?$")


def cells_of(text: str) -> list[tuple[str, str]]:
    """The cells of a text: (kind, source).

    >>> cells_of("# before the first cell\\n# %% [markdown]\\n# # Title\\n#\\n# Words.\\n# %%\\nx = 1\\n")
    [('markdown', '# Title\\n\\nWords.'), ('code', 'x = 1')]
    """
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        begins = _CELL.match(line)
        if begins:
            found.append(("markdown" if begins[1] else "code", []))
        elif found:
            found[-1][1].append(line)
    return [
        (kind, "\n".join(_bare(line) if kind == "markdown" else line for line in lines).strip("\n"))
        for kind, lines in found
    ]


def _bare(line: str) -> str:
    return line.removeprefix("#").removeprefix(" ")


def page_of(text: str) -> Any:
    """The notebook a text gives, not yet executed."""
    page = _nbformat.v4.new_notebook()
    page.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, (kind, source) in enumerate(cells_of(text), 1):
        make = _nbformat.v4.new_markdown_cell if kind == "markdown" else _nbformat.v4.new_code_cell
        page.cells.append(make(source, id=f"cell-{number:02d}"))
    return page


class _LocalKernel(AsyncKernelManager):
    """Talks to its kernel over sockets of a private folder: no port is opened."""

    def _transport_default(self) -> str:
        return "ipc"


def execute(page: Any, folder: Path, home: Path) -> None:
    """Run every cell in a kernel of its own, in `folder`, with the workbench's home at `home`.

    Raises:
        CellExecutionError: a cell raised.
    """
    with tempfile.TemporaryDirectory(prefix="wb-") as private:
        client = NotebookClient(
            page, timeout=120, kernel_name="python3", kernel_manager_class=_LocalKernel,
            resources={"metadata": {"path": str(folder)}},
        )  # fmt: skip
        manager: Any = client.create_kernel_manager()  # the client's own, so that it ends the kernel as well
        manager.ip = f"{private}/kernel"
        client.execute(env={**os.environ, "WORKBENCH_HOME": str(home)})


def end_desks(home: Path) -> None:
    """End the engines that a page which failed left behind in `home`: they are made to outlive their kernel."""
    for address in home.glob("*/engine.json"):
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(int(json.loads(address.read_text("utf-8"))["pid"]), signal.SIGTERM)


def clean(page: Any, *folders: Path) -> None:
    """Keep of the outputs what is small and the same everywhere; `folders` are left out of every text."""
    count = 0
    for cell in page.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        kept = [_kept(output, folders) for output in cell.outputs]
        cell.outputs = _joined([output for output in kept if output is not None])
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


def _joined(outputs: list[Any]) -> list[Any]:
    """What was printed piece by piece, as one."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _kept(output: Any, folders: Sequence[Path]) -> Any:
    if output.output_type == "stream":
        output.text = _without(output.text, folders)
        return output if output.name == "stdout" else None
    if output.output_type not in ("display_data", "execute_result"):
        return None
    if output.metadata.get("workbench") == "note":
        return None  # that an engine starts, or compiles: told where it takes a while
    if output.data.get("text/html") == "":
        return None  # a progress line that has gone: it is drawn only where there was something to wait for
    data = {
        kind: _without("".join(value), folders) for kind, value in output.data.items() if _small(kind, value)
    }
    if not data or (set(data) == {"text/plain"} and len(output.data) > 1):
        return None  # a live figure, of which only its name would be left
    output.data, output.metadata = data, {}
    return output


def _small(kind: str, value: Any) -> bool:
    text = value if isinstance(value, str) else "".join(value) if isinstance(value, list) else ""
    if kind == "text/plain":
        return True
    if kind == "text/html":
        return len(text) <= MOST_HTML and "<script" not in text
    return kind in ("image/svg+xml", "image/png") and len(text) <= MOST_PICTURE


def _without(text: str, folders: Sequence[Path]) -> str:
    for folder in folders:
        text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    return text


def drift(root: Path = ROOT) -> list[str]:
    """What is wrong between texts and pages: a page that is missing, or whose cells are not its text's."""
    problems = []
    for text in sorted((root / "notebooks" / "text").glob("*.py")):
        page, again = (
            text.parent.parent / f"{text.stem}.ipynb",
            f"run `python tools/notebooks.py {text.stem}`",
        )
        if not page.exists():
            problems.append(f"{page.relative_to(root)} is missing; {again}")
            continue
        notebook = _nbformat.read(page, as_version=4)
        there = [(cell.cell_type, cell.source) for cell in notebook.cells]
        if there != cells_of(text.read_text("utf-8")):
            problems.append(f"{page.relative_to(root)} is not what {text.relative_to(root)} says; {again}")
        elif any(cell.cell_type == "code" and not cell.execution_count for cell in notebook.cells):
            problems.append(f"{page.relative_to(root)} was never run; {again}")
    return problems


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="of a text in notebooks/text; all without one"
    )
    parser.add_argument("--out", type=Path, default=TEXTS.parent, help="write the pages there instead")
    options = parser.parse_args(argv)
    texts = {path.stem: path for path in sorted(TEXTS.glob("*.py"))}
    for name in options.names or texts:
        if name not in texts:
            parser.error(f"no text {name!r}; there are {', '.join(texts)}")
        page = page_of(texts[name].read_text("utf-8"))
        with tempfile.TemporaryDirectory() as home:
            try:
                execute(page, TEXTS.parent, Path(home))
            except CellExecutionError as error:
                print(f"notebooks: {name}: {error.ename}: {error.evalue}", file=sys.stderr)
                return 1
            finally:
                end_desks(Path(home))
            clean(page, Path(home), ROOT)
        target = options.out / f"{name}.ipynb"
        _nbformat.write(page, target)
        print(f"notebooks: {target.name}: {target.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
