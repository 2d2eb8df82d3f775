"""What code *is*: one hash over everything that can change what a function computes.

Covered, recursively: bytecode, constants, names, defaults, closure cells, and every global the code refers to:
helper functions wherever they live, constants, classes. Not covered on purpose: file names, line numbers, module
names. So the hash is equal in every process and whatever file or notebook cell the same text stands in, and it
changes when a helper in another file or a constant in another cell does (numba's own cache key does not).

Libraries (standard library, numpy, numba, this package) enter by name, and by version where a cache uses the hash.
"""

import collections
import datetime
import decimal
import dis
import fractions
import functools
import hashlib
import inspect
import re
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Fingerprint", "attribute_names", "fingerprint", "global_names", "is_library"]

_LIBRARY_ROOTS = tuple(
    {
        str(Path(sysconfig.get_paths()[key]).resolve())
        for key in ("stdlib", "platstdlib", "purelib", "platlib")
    }
)
# Their repr tells all there is to know about a value.
_PLAIN = (
    range,
    slice,
    decimal.Decimal,
    fractions.Fraction,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    re.Pattern,
)
# The plumbing under strategies and indicators: changing it changes no decision.
_PLUMBING = frozenset({"workbench.kernels.indicator", "workbench.kernels.parameters"})
_SKIPPED = frozenset(
    {
        "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__", "__dict__", "__doc__",
        "__firstlineno__", "__module__", "__qualname__", "__static_attributes__", "__weakref__", "parameters_declared",
        "__classcell__", "_abc_impl", "__abstractmethods__", "__parameters__", "__type_params__",
    }
)  # fmt: skip


class Fingerprint:
    """A hash with what it could not see: `unseen` names objects whose content has no stable form."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []  # ids stay unique only while their objects live
        self.unseen: list[str] = []

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def text(self, *parts: str) -> None:
        for part in parts:
            raw = part.encode("utf-8", "surrogatepass")
            self._hash.update(f"{len(raw)}:".encode() + raw)

    def add(self, value: Any, name: str = "") -> None:
        """Fold `value` in; `name` is how the code calls it (for `unseen`)."""
        if value is None or value is Ellipsis or isinstance(value, (bool, int, float, complex, str, bytes)):
            self.text(type(value).__name__, repr(value))
            return
        if not isinstance(value, (tuple, frozenset, types.CodeType)):  # these have no identity of their own
            if id(value) in self._seen:
                self.text("again", str(self._seen[id(value)]))
                return
            self._seen[id(value)] = len(self._seen)
            self._alive.append(value)
        if isinstance(value, types.CodeType):
            self._code(value)
        elif isinstance(value, types.ModuleType):
            self.text("module", value.__name__)
        elif isinstance(value, (staticmethod, classmethod)):
            self.text(type(value).__name__)
            self.add(value.__func__, name)
        elif isinstance(value, property):
            self._each("property", (value.fget, value.fset, value.fdel))
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(py_func := getattr(value, "py_func", None), types.FunctionType):
            self.text("compiled")
            self.add(py_func, name)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, (types.BuiltinFunctionType, types.MethodType)):
            self.text("builtin", str(getattr(value, "__module__", "")), value.__qualname__)
            if isinstance(value, types.MethodType):
                self._each("bound", (value.__func__, value.__self__))
        elif isinstance(value, types.SimpleNamespace):
            self.text("namespace")
            self.add(vars(value), name)
        elif isinstance(value, (tuple, list, collections.deque)):
            self._each(type(value).__name__, value)
        elif isinstance(value, (set, frozenset)):
            self._each("set", sorted(value, key=lambda item: (type(item).__name__, repr(item))))
        elif isinstance(value, dict):
            self.text("dict", str(len(value)))
            for key, item in value.items():
                self.add(key)
                self.add(item, name)
        else:
            self._object(value, name)

    def _each(self, kind: str, items: Iterable[Any]) -> None:
        held = list(items)
        self.text(kind, str(len(held)))
        for item in held:
            self.add(item)

    def _code(self, code: types.CodeType) -> None:
        self.text("code", str(code.co_argcount), str(code.co_kwonlyargcount), str(code.co_posonlyargcount))
        self.text(str(code.co_flags), *code.co_varnames, "|", *code.co_freevars, "|", *code.co_cellvars, "|")
        self.text(*code.co_names, "|", *_instructions(code))
        self._each("consts", code.co_consts)

    def _function(self, function: types.FunctionType) -> None:
        if is_library(function):
            self.text("library", str(function.__module__), function.__qualname__)
            return
        self.text("function")
        self.add(function.__code__)
        self.add(function.__defaults__)
        self.add(function.__kwdefaults__)
        for cell_name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self.text("cell", cell_name)
            try:
                content = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            self.add(content, cell_name)
        for name in sorted(global_names(function.__code__)):
            if name not in function.__globals__:  # a builtin, or not there yet
                continue
            held = function.__globals__[name]
            self.text("global", name)
            self.add(held, name)
            if isinstance(held, types.ModuleType) and not is_library(held):
                for attribute in sorted(attribute_names(function.__code__)):  # what the code may reach in it
                    if hasattr(held, attribute):
                        self.text("attribute", attribute)
                        self.add(getattr(held, attribute), f"{name}.{attribute}")

    def _class(self, cls: type) -> None:
        if is_library(cls):
            self.text("library", cls.__module__, cls.__qualname__)
            return
        self.text("class", cls.__name__)
        self._each("bases", cls.__bases__)
        for name, kind in inspect.get_annotations(cls).items():
            self.text(
                "annotated", name, kind if isinstance(kind, str) else getattr(kind, "__name__", repr(kind))
            )
        fields = getattr(cls, "_fields", None)
        if issubclass(cls, tuple) and isinstance(fields, tuple):  # a namedtuple: its methods are generated
            self.text("namedtuple", *fields)
            self.add(getattr(cls, "_field_defaults", {}))
            return
        for name in sorted(cls.__dict__):
            if name not in _SKIPPED:
                self.text("member", name)
                self.add(cls.__dict__[name], f"{cls.__name__}.{name}")

    def _object(self, value: Any, name: str) -> None:
        kind = type(value)
        self.text("object", kind.__module__, kind.__qualname__)
        if isinstance(
            value, (types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType)
        ):
            self.text(value.__name__)
        elif kind.__module__ == "numpy" and hasattr(value, "tobytes"):
            self.text(str(value.dtype), str(value.shape), value.tobytes().hex())
        elif isinstance(value, _PLAIN) or kind.__module__ == "numpy.dtypes":
            self.text(repr(value))
        elif not is_library(kind):
            self.add(kind)
            slots = getattr(kind, "__struct_fields__", getattr(kind, "__slots__", ()))
            held = {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)}
            self.add({**held, **getattr(value, "__dict__", {})}, name)
        else:
            self.unseen.append(name or kind.__qualname__)


def fingerprint(*values: Any) -> str:
    """Hex sha256 of what `values` (functions, classes, constants) compute.

    >>> def f(x): return x + 1
    >>> def g(x): return x + 2
    >>> fingerprint(f) == fingerprint(f), fingerprint(f) == fingerprint(g)
    (True, False)
    """
    state = Fingerprint()
    for value in values:
        state.add(value)
    return state.hexdigest


_SILENT = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PUSH_NULL", "RESUME"})
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_BY_NAME = frozenset({"LOAD_ATTR", "LOAD_GLOBAL", "LOAD_METHOD", "LOAD_NAME"})


@functools.lru_cache(
    maxsize=2_048
)  # a code object never changes; taking it apart is most of a fingerprint's time
def _instructions(code: types.CodeType) -> tuple[str, ...]:
    """The bytecode as words that do not depend on where the names it reads were imported.

    Python compiles `math.sqrt(v)` in two ways, by whether `import math` stands in the same text (file or cell) or not.
    """
    bytecode = dis.Bytecode(code)
    listed = [instruction for instruction in bytecode if instruction.opname not in _SILENT]
    place: dict[int, int] = {}  # byte offset -> number of the first listed instruction from there on
    number = len(listed)
    for offset in range(len(code.co_code), -1, -2):
        if number and listed[number - 1].offset == offset:
            number -= 1
        place[offset] = number
    words = []
    for instruction in listed:
        argument: object = instruction.arg
        if instruction.opname in _BY_NAME:
            argument = instruction.argval
        elif instruction.opcode in _JUMPS:
            argument = f"to {place[instruction.argval]}"
        words.append(f"{instruction.opname} {argument}")
    for entry in getattr(bytecode, "exception_entries", ()):
        words.append(
            f"{place[entry.start]} {place[entry.end]} {place[entry.target]} {entry.depth} {entry.lasti}"
        )
    return tuple(words)


@functools.lru_cache(maxsize=2_048)
def global_names(code: types.CodeType) -> frozenset[str]:
    """Every global or builtin name the code, or code nested in it, reads."""
    names = {str(i.argval) for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for nested in _nested(code):
        names |= global_names(nested)
    return frozenset(names)


def attribute_names(code: types.CodeType) -> set[str]:
    """Every name the code, or code nested in it, mentions in any way (attributes among them)."""
    names = set(code.co_names)
    for nested in _nested(code):
        names |= attribute_names(nested)
    return names


def is_library(value: Any) -> bool:
    """Whether a function, class or module belongs to a library and not to the user.

    This package counts as one (its sources enter every cache key), but for the formulas in `kernels`: they are code.
    """
    module_name = (
        value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    )
    if not module_name:
        return False
    root = module_name.partition(".")[0]
    if root == "workbench":
        return not module_name.startswith("workbench.kernels.") or module_name in _PLUMBING
    if root == "__main__":
        return False
    if root in sys.builtin_module_names or root in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return file is not None and any(Path(file).resolve().is_relative_to(root) for root in _LIBRARY_ROOTS)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
