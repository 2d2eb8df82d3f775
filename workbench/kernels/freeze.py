"""A function with everything it refers to, frozen into copies of its own.

A strategy's functions reach helpers and constants through module globals, which another cell or a reload may change
at any time. A frozen copy holds what they were when it was made, helpers included, so the compiled and the interpreted
form compute the same thing for good. Two kinds of copies:

- `compiled`: helpers become compiled functions too, named after their fingerprint. The name matters: object code from
  several caches meets in one process, and equal symbols would be resolved to whichever came first.
- `interpreted`: plain Python, with `math` answering as compiled code does (1 / 0 is infinite, log(-1) is NaN).
"""

import builtins
import math
import types
from collections.abc import Callable
from typing import Any

from workbench.kernels.exact_math import exact_math
from workbench.kernels.fingerprint import attribute_names, fingerprint, global_names, is_library

__all__ = ["Freezer", "interpreting_freezer"]

# Frozen copies say they live in a module every process can import: the compile cache stores that name.
HOME = "workbench.kernels.freeze"


class Freezer:
    """Copies functions; `finish(copy)` turns each copy into what callers hold (a compiled function, or itself).

    `swaps` replaces single objects (by identity) wherever a frozen function refers to them.
    """

    def __init__(
        self, finish: Callable[[types.FunctionType], Any], swaps: tuple[tuple[Any, Any], ...] = ()
    ) -> None:
        self._finish = finish
        self._swaps = {id(old): new for old, new in swaps}
        self._made: dict[int, Any] = {}
        self._alive: list[Any] = []

    def function(self, function: Callable[..., Any]) -> Any:
        """The frozen copy of a Python function (or of the Python function inside a compiled one)."""
        inner = getattr(function, "py_func", function)
        if isinstance(inner, (staticmethod, classmethod)):
            inner = inner.__func__
        if not isinstance(inner, types.FunctionType):
            raise TypeError(f"{function!r} is not a Python function")
        if id(inner) in self._made:
            return self._made[id(inner)]
        self._alive.append(inner)
        scope: dict[str, Any] = {"__builtins__": builtins, "__name__": HOME}
        code = inner.__code__
        cells = tuple(types.CellType() for _ in code.co_freevars)
        name = f"{inner.__name__}_{fingerprint(inner)[:20]}"
        copy = types.FunctionType(code, scope, name, inner.__defaults__, cells)
        copy.__kwdefaults__ = inner.__kwdefaults__
        copy.__qualname__ = name
        copy.__module__ = HOME
        self._made[id(inner)] = made = self._finish(copy)  # before its globals: functions may call each other
        attributes = attribute_names(code)
        for wanted in global_names(code):
            if wanted in inner.__globals__:
                scope[wanted] = self.value(inner.__globals__[wanted], attributes)
        for cell, original in zip(cells, inner.__closure__ or (), strict=True):
            cell.cell_contents = self.value(original.cell_contents, attributes)
        return made

    def value(self, value: Any, attributes: set[str]) -> Any:
        """What a frozen function sees where the original saw `value`."""
        if id(value) in self._swaps:
            return self._swaps[id(value)]
        inner = getattr(value, "py_func", value)
        if isinstance(inner, types.FunctionType):
            return value if inner is value and is_library(inner) else self.function(inner)
        if isinstance(value, types.ModuleType) and not is_library(value):
            proxy = types.ModuleType(value.__name__)
            for name in attributes:
                if hasattr(value, name):
                    setattr(proxy, name, self.value(getattr(value, name), attributes))
            return proxy
        return value


def interpreting_freezer() -> Freezer:
    """A freezer whose copies are plain Python over IEEE arithmetic."""
    module = exact_math()
    swaps = [(math, module)]
    swaps += [(value, getattr(module, name)) for name, value in vars(math).items() if callable(value)]
    return Freezer(lambda copy: copy, tuple(swaps))
