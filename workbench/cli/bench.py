"""`workbench bench NAME`: the measurements in `benchmarks/`, each against a raw limit in the same run."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from workbench.cli.output import AsJson, emit, say, table
from workbench.errors import BadInput, UnknownName

__all__ = ["register"]


def _folder() -> Path:
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    if not folder.is_dir():
        raise BadInput(f"folder '{folder}' is missing: run benchmarks from a checkout of the project")
    return folder


def _names() -> list[str]:
    return sorted(path.stem.replace("_", "-") for path in _folder().glob("[a-z]*.py"))


def _load(name: str) -> ModuleType:
    if name not in _names():
        raise UnknownName("benchmark", name, _names())
    path = _folder() / f"{name.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(f"benchmarks.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadInput(f"benchmark file '{path}' cannot be loaded: it must be a Python file")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # benchmarks share pieces
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _scratch() -> Iterator[None]:
    """A folder for everything a benchmark keeps for a while, here and in its processes; it goes with the block."""
    before, told = tempfile.tempdir, os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        try:
            yield
        finally:
            tempfile.tempdir = before
            if told is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = told


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def bench(
        name: Annotated[
            str, typer.Argument(autocompletion=_names, help="which one; without it, the list")
        ] = "",
        as_json: AsJson = False,
    ) -> None:
        """Measure this machine: figures as one JSON object (--json) or a table."""
        if not name:
            rows = [(n, (_load(n).__doc__ or "").strip().splitlines()[0]) for n in _names()]
            if as_json:
                emit(dict(rows), True)
            else:
                table("benchmarks", ["name", "what it measures"], rows)
            return
        run: Callable[[Callable[[str], None]], dict[str, Any]] = _load(name).run
        with _scratch():
            figures = run(say)
        if as_json:
            emit(figures, True)
        else:
            table(f"bench {name}", ["figure", "value"], [(key, str(value)) for key, value in figures.items()])
