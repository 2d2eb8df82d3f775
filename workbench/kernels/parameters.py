"""Parameters as annotated class attributes: what strategies and indicators share.

    class Cross(Strategy):
        fast: int = 10          # name, kind, default; without a default it must be given

Kinds are `int`, `float`, `bool`, `str`. A value is brought to its annotated kind when nothing is lost (`30` for a
float, `14.0` for an int) and refused otherwise, so one strategy has one compiled form whatever was typed.
"""

import inspect
import math
from typing import Any, ClassVar, NamedTuple

from workbench.errors import BadInput, BadValue, UnknownName

__all__ = ["KINDS", "Parameter", "Parametrised", "coerced"]

KINDS: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}
_MISSING: Any = object()


class Parameter(NamedTuple):
    """One declared parameter; `default` is absent when `required`."""

    name: str
    kind: str
    default: Any
    required: bool


def coerced(field: str, value: Any, kind: str) -> Any:
    """`value` as the Python type of `kind`, or BadValue naming `field`.

    >>> coerced("low", 30, "float"), coerced("period", 14.0, "int")
    (30.0, 14)
    """
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a numpy scalar from a sweep's axis
        value = value.item()
    if kind == "bool":
        if isinstance(value, bool):
            return value
        raise BadValue(field, value, "give True or False")
    if kind == "str":
        if isinstance(value, str):
            return value
        raise BadValue(field, value, "give a text")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadValue(field, value, "give a whole number" if kind == "int" else "give a number")
    if math.isnan(value):
        raise BadValue(field, value, "give a number, not NaN")
    if kind == "float":
        return float(value)
    if isinstance(value, float) and not value.is_integer():
        raise BadValue(field, value, "give a whole number")
    if not -(2**63) <= value < 2**63:
        raise BadValue(field, value, "give a whole number of at most 64 bits")
    return int(value)


class Parametrised:
    """A class whose annotated attributes are its parameters, given by position or by name.

    >>> class Box(Parametrised):
    ...     width: int
    ...     height: float = 2.0
    >>> Box(3)
    Box(width=3, height=2.0)
    >>> Box(3, hight=1)
    Traceback (most recent call last):
    workbench.errors.UnknownName: parameter of Box 'hight' is unknown: did you mean 'height'? Known: height, width
    """

    parameters_declared: ClassVar[dict[str, Parameter]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = dict(cls.parameters_declared)
        for name, annotation in inspect.get_annotations(cls).items():
            text = (
                annotation
                if isinstance(annotation, str)
                else getattr(annotation, "__name__", str(annotation))
            )
            if name.startswith("_") or "ClassVar" in str(annotation):
                continue
            if text not in KINDS:
                raise BadValue(
                    f"{cls.__name__}.{name}: {text}", "annotation", "annotate int, float, bool or str"
                )
            default = cls.__dict__.get(name, _MISSING)
            if default is not _MISSING:
                default = coerced(f"{cls.__name__}.{name}", default, text)
            declared[name] = Parameter(
                name, text, None if default is _MISSING else default, default is _MISSING
            )
        for name in set(declared) & set(
            cls.__dict__
        ):  # a subclass may give a new default without annotating again
            held = declared[name]
            value = coerced(f"{cls.__name__}.{name}", cls.__dict__[name], held.kind)
            declared[name] = Parameter(name, held.kind, value, False)
        cls.parameters_declared = declared

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        declared = self.parameters_declared
        kind = type(self).__name__
        if len(args) > len(declared):
            raise BadInput(
                f"{kind} takes {len(declared)} parameters ({', '.join(declared)}), {len(args)} were given"
            )
        given = dict(zip(declared, args, strict=False))
        for name, value in kwargs.items():
            if name not in declared:
                raise UnknownName(f"parameter of {kind}", name, declared)
            if name in given:
                raise BadInput(f"{kind}.{name} was given twice: once by position, once by name")
            given[name] = value
        for name, parameter in declared.items():
            if name in given:
                self.__dict__[name] = coerced(f"{kind}.{name}", given[name], parameter.kind)
            elif parameter.required:
                raise BadInput(f"{kind} needs {name} ({parameter.kind}): give it, as in {kind}({name}=...)")
            else:
                self.__dict__[name] = parameter.default

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.parameters_declared:
            raise BadInput(
                f"{type(self).__name__}.{name} is fixed once made: make a new one with {name}={value!r}"
            )
        self.__dict__[name] = value

    @property
    def parameters(self) -> dict[str, Any]:
        """Name to value, in the order of declaration."""
        return {name: self.__dict__[name] for name in self.parameters_declared}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.parameters.items())})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.parameters.items())))
