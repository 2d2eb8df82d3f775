"""Where a strategy's code comes from, and its text in a form that travels: to the engine, into the journal.

`strategy_source` answers one self-contained text: the class, and every helper, constant, indicator and base class of
the user's own that it refers to, in whatever file or notebook cell they stand; libraries stay imports. The text is
loaded once to prove that it gives the same code hash, so what is journaled is what ran.
"""

import ast
import builtins
import importlib
import linecache
import os
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import msgspec

from workbench.errors import StrategyError
from workbench.kernels.fingerprint import global_names, is_library
from workbench.strategy.base import Strategy
from workbench.strategy.loader import load_strategy, source_of_loaded
from workbench.strategy.program import code_hash

__all__ = ["StrategySource", "strategy_source"]


class StrategySource(msgspec.Struct, frozen=True):
    """A strategy class as text. `provenance` tells people the file, or the notebook and cell."""

    name: str
    source: str
    code_hash: str
    provenance: str


def strategy_source(cls: type[Strategy]) -> StrategySource:
    """The class as self-contained text, with its code hash and where it was written.

    Raises:
        StrategyError: it refers to something that cannot travel (a module of the user's own as a whole, an object
            without a text), its text is not to be found, or its file was edited after it was imported.
    """
    held = source_of_loaded(cls)
    if held is not None:
        return StrategySource(cls.__name__, held, code_hash(cls), _provenance(cls, None))
    collected = _Collected(cls.__name__)
    where = collected.definition(cls.__name__, cls)
    source = collected.text()
    wanted = code_hash(cls)
    if code_hash(load_strategy(source, cls.__name__)) != wanted:
        raise StrategyError(
            f"{cls.__name__}: the text in {_shown(where)} is not the code that runs: "
            "import it again, or run its cell again"
        )
    return StrategySource(cls.__name__, source, wanted, _provenance(cls, where))


class _Collected:
    """Definitions in an order that can be executed, each after what it needs."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._imports: dict[str, None] = {}
        self._pieces: list[str] = []
        self._names: dict[str, Any] = {}

    def text(self) -> str:
        return "\n".join([*sorted(self._imports), "", "", "\n\n\n".join(self._pieces), ""])

    def definition(self, name: str, value: Any) -> str:
        """Add a function or class and all it needs; answers the file name of its text."""
        self._names[name] = value
        file, node, text = _located(self._owner, value)
        scope = _scope(value)
        segment = _segment(text, node)
        if any(line.lstrip().startswith("from __future__") for line in text.splitlines()[:60]):
            flags = getattr(value, "__code__", None)
            if flags is None or flags.co_flags & 0x1000000:  # CO_FUTURE_ANNOTATIONS
                self._imports["from __future__ import annotations"] = None
        self._needs(segment, scope, file)
        self._pieces.append(segment)
        own = getattr(value, "__name__", name)
        if own != name:
            self._pieces.append(f"{name} = {own}")
        return file

    def _needs(self, segment: str, scope: dict[str, Any], file: str) -> None:
        code = compile(segment, "<piece>", "exec", dont_inherit=True)
        for name in sorted(global_names(code)):
            if name not in scope or (name.startswith("__") and name.endswith("__")):
                continue  # a builtin, or defined by the piece itself
            value = scope[name]
            if name in self._names:
                if self._names[name] is not value and self._names[name] != value:
                    raise StrategyError(
                        f"{self._owner} needs two different things called '{name}': rename one of them"
                    )
                continue
            if value is getattr(builtins, name, None):
                continue
            self._add(name, value, scope, file)

    def _add(self, name: str, value: Any, scope: dict[str, Any], file: str) -> None:
        if isinstance(value, types.ModuleType):
            if not is_library(value):
                raise StrategyError(
                    f"{self._owner} uses your module '{value.__name__}' as a whole: "
                    f"write 'from {value.__name__} import ...'"
                )
            self._names[name] = value
            plain = value.__name__ == name
            self._imports[f"import {value.__name__}" + ("" if plain else f" as {name}")] = None
        elif line := _import_line(name, value):
            self._names[name] = value
            self._imports[line] = None
        elif isinstance(getattr(value, "py_func", value), types.FunctionType) or (
            isinstance(value, type) and not hasattr(value, "_fields")
        ):
            self.definition(name, value)
        else:
            self._constant(name, value, scope, file)

    def _constant(self, name: str, value: Any, scope: dict[str, Any], file: str) -> None:
        self._names[name] = value
        if _is_literal(value):
            self._pieces.append(f"{name} = {value!r}")
            return
        for place in dict.fromkeys(
            [file, *_cells()]
        ):  # another cell may hold it; the closing hash check decides
            text = _text(place)
            found = [node for node in _statements(text) if _assigns(node, name)]
            if found:
                segment = _segment(text, found[-1])
                self._needs(segment, scope, place)
                self._pieces.append(segment)
                return
        kind = type(value).__name__
        raise StrategyError(
            f"{self._owner} uses '{name}' ({kind}), which cannot travel to the engine: make it a parameter, "
            "a number or a text, or build it in the same file or cell"
        )


def _located(owner: str, value: Any) -> tuple[str, ast.stmt, str]:
    """File name, syntax node and whole text of the place that defines a function or class."""
    inner = getattr(value, "py_func", value)
    name = inner.__name__
    wanted: tuple[type[ast.FunctionDef] | type[ast.ClassDef], ...] = (ast.FunctionDef,)
    if isinstance(inner, type):
        wanted = (ast.ClassDef,)
    line = getattr(inner, "__firstlineno__", None)
    if isinstance(inner, types.FunctionType):
        line = inner.__code__.co_firstlineno
    for file in _files(inner):
        text = _text(file)
        if not text:
            continue
        nodes = [
            n for top in _statements(text) for n in ast.walk(top) if isinstance(n, wanted) and n.name == name
        ]
        if nodes:
            exact = [node for node in nodes if _first_line(node) == line]
            return file, (exact or nodes)[-1], text
    raise StrategyError(
        f"{owner}: the text of {name} is not to be found: define it in a file or a notebook cell"
    )


def _files(value: Any) -> list[str]:
    """File names (real, or of notebook cells) that may hold the definition, most likely first."""
    files = []
    if isinstance(value, types.FunctionType):
        return [value.__code__.co_filename]
    for member in vars(value).values():
        inner = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(inner, types.FunctionType) and inner.__module__ == value.__module__:
            files.append(inner.__code__.co_filename)
    module_file = getattr(sys.modules.get(value.__module__), "__file__", None)
    if module_file:
        files.append(module_file)
    elif not files:  # a class without functions, in a notebook: the newest cells first
        files += [
            name for name in reversed(list(linecache.cache)) if "ipykernel" in name or name.startswith("<")
        ]
    return list(dict.fromkeys(files))


def _cells() -> list[str]:
    """File names of notebook cells, the newest first."""
    return [
        name for name in reversed(list(linecache.cache)) if "ipykernel" in name or name.startswith("<ipython")
    ]


def _statements(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except SyntaxError:  # a cell of another language, or a half-typed one
        return []


def _text(file: str) -> str:
    linecache.checkcache(file)
    return "".join(linecache.getlines(file))


def _scope(value: Any) -> dict[str, Any]:
    inner = getattr(value, "py_func", value)
    if isinstance(inner, types.FunctionType):
        return inner.__globals__
    for member in vars(inner).values():
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(function, types.FunctionType) and function.__module__ == inner.__module__:
            return function.__globals__
    return vars(sys.modules[inner.__module__]) if inner.__module__ in sys.modules else {}


def _segment(text: str, node: ast.stmt) -> str:
    first = _first_line(node)
    lines = text.splitlines()[first - 1 : node.end_lineno]
    return textwrap.dedent("\n".join(line.rstrip() for line in lines))


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _import_line(name: str, value: Any) -> str:
    """`from module import value as name` for a thing of a library, by its shortest public module; else ""."""
    own = getattr(value, "__name__", None)
    module_name = getattr(value, "__module__", None)
    if not isinstance(own, str) or not isinstance(module_name, str) or not _importable(value):
        return ""
    parts = module_name.split(".")
    for k in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:k]))
        if module is not None and vars(module).get(own) is value:
            return f"from {module.__name__} import {own}" + ("" if own == name else f" as {name}")
    try:
        if getattr(importlib.import_module(module_name), own, None) is value:
            return f"from {module_name} import {own}" + ("" if own == name else f" as {name}")
    except ImportError:
        return ""
    return ""


def _importable(value: Any) -> bool:
    """Whether every process of the workbench can import it."""
    return str(getattr(value, "__module__", "")).partition(".")[0] == "workbench" or is_library(value)


def _is_literal(value: Any) -> bool:
    try:
        return type(value) is type(back := ast.literal_eval(repr(value))) and back == value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


def _assigns(node: ast.stmt, name: str) -> bool:
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _provenance(cls: type, file: str | None) -> str:
    if file is None:
        file = str(getattr(sys.modules.get(cls.__module__), "__file__", "") or "")
    return _shown(file)


def _shown(file: str) -> str:
    """A file or cell as people call it."""
    path = Path(file)
    if path.exists():
        cwd = Path.cwd()
        return f"file {path.resolve().relative_to(cwd) if path.resolve().is_relative_to(cwd) else path.name}"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    number = getattr(getattr(shell, "compile", None), "_filename_map", {}).get(file)
    if number is not None:
        notebook = Path(os.environ.get("JPY_SESSION_NAME") or "notebook").name
        return f"{notebook} cell In[{number}]"
    return file.strip("<>") or "unknown"
