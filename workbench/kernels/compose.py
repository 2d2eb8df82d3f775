"""Indicators and one decision, fused: the pieces every compiled loop over rows is made of. Imports numba.

A loop (live entry, batch over an array, later a whole backtest) is written once, in plain numba, over a few pieces:

    params, windows, state = load(slots, rings, row_at)     # out of the row, into registers
    state, x = advance(params, windows, state, bar)         # every indicator, one bar
    if warm(x): target = decide(params[0], x, pos)
    store(slots, row_at, state)                             # back into the row
    emit(out, k, x)                                         # every indicator value into row k of a float64[n, m]

All but `decide` map over the tuple of indicators at compile time (numba intrinsics), so any number of
indicators of any kind becomes straight machine code, without generated source text.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numba.extending
import numba.np.arrayobj
from llvmlite import ir
from numba.core import cgutils
from numba.core.errors import TypingError

from workbench.kernels.array_functions import load_array_functions
from workbench.kernels.freeze import Freezer
from workbench.kernels.indicator import Ohlcv
from workbench.kernels.layout import Layout, Record

__all__ = [
    "OPTIONS",
    "Pieces",
    "compiled_loop",
    "compiling_freezer",
    "compose",
    "step_signatures",
    "types_of",
]

load_array_functions()

# numba's own annotations describe its public face; this file works below it
types: Any = numba.types
njit: Any = numba.njit
intrinsic: Any = numba.extending.intrinsic
populate_array: Any = numba.np.arrayobj.populate_array

# numpy's error model: a division by zero is infinite or NaN, never an exception in the middle of a batch.
OPTIONS = {"error_model": "numpy", "nogil": False, "boundscheck": False, "fastmath": False}

SLOTS = types.Array(types.int64, 1, "C")
RINGS = types.Array(types.float64, 1, "C")
BAR = types.NamedUniTuple(types.float64, len(Ohlcv._fields), Ohlcv)
_KIND = {"i": types.int64, "f": types.float64, "b": types.boolean}
_WORD = ir.IntType(64)
_DOUBLE = ir.DoubleType()


class Pieces(NamedTuple):
    """What a compiled loop calls; all are compiled functions or intrinsics."""

    load: Any
    advance: Any
    warm: Any
    store: Any
    decide: Any
    emit: Any


def compiling_freezer() -> Freezer:
    """A freezer whose copies are compiled functions, inlined wherever they are called, and callable from loops only.

    A `step` that is called keeps its state in memory instead of registers, which costs more than the formula. Entries
    for Python would cost a third of the time to compile.
    """
    inner = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return Freezer(lambda copy: njit(**inner, **OPTIONS)(copy))


def type_of(record: Record) -> Any:
    """The compiled type of a record."""
    return types.BaseTuple.from_types(tuple(_KIND[kind] for kind in record.kinds), record.cls)


class RowTypes(NamedTuple):
    params: Any
    windows: Any
    state: Any


def types_of(layout: Layout) -> RowTypes:
    """Types of what `load` answers: (decide's parameters, each indicator's), rings, states."""
    params = types.Tuple((type_of(layout.params), *(type_of(part.params) for part in layout.parts)))
    windows = types.Tuple(tuple(RINGS if part.ring_at >= 0 else types.none for part in layout.parts))
    return RowTypes(params, windows, types.Tuple(tuple(type_of(part.state) for part in layout.parts)))


def value_type(owner: str, answer: Any) -> Any:
    """The type `x` holds for an indicator whose `step` answers `answer`: a float, or a namedtuple of floats."""
    if isinstance(answer, types.BaseAnonymousTuple) or not isinstance(answer, types.BaseTuple):
        if isinstance(answer, (types.Float, types.Integer, types.Boolean)):
            return types.float64
        raise TypingError(
            f"{owner}.step must answer (state, value) with a number or a namedtuple of numbers as value"
        )
    for name, item in zip(answer.instance_class._fields, answer.types, strict=True):
        if not isinstance(item, (types.Float, types.Integer, types.Boolean)):
            raise TypingError(f"{owner}.step: output '{name}' is no number")
    return types.NamedUniTuple(types.float64, len(answer.types), answer.instance_class)


def _slot(builder: Any, data: Any, at: Any, k: int) -> Any:
    return builder.gep(data, [builder.add(at, ir.Constant(_WORD, k))])


def _read(context: Any, builder: Any, data: Any, at: Any, record: Record) -> Any:
    items = []
    for k, kind in enumerate(record.kinds, record.at):
        raw = builder.load(_slot(builder, data, at, k))
        if kind == "f":
            raw = builder.bitcast(raw, _DOUBLE)
        elif kind == "b":
            raw = builder.icmp_unsigned("!=", raw, ir.Constant(_WORD, 0))
        items.append(raw)
    return context.make_tuple(builder, type_of(record), items)


def _write(builder: Any, data: Any, at: Any, record: Record, value: Any) -> None:
    for k, kind in enumerate(record.kinds):
        raw = builder.extract_value(value, k)
        if kind == "f":
            raw = builder.bitcast(raw, _WORD)
        elif kind == "b":
            raw = builder.zext(raw, _WORD)
        builder.store(raw, _slot(builder, data, at, record.at + k))


def _ring(context: Any, builder: Any, rings: Any, start: Any, length: Any) -> Any:
    """A view of one indicator's ring, borrowed: it carries no reference count, for the caller holds `rings`.

    Counting costs two atomic operations a bar and indicator whenever `step` calls a function that is not inlined.
    """
    whole = context.make_array(RINGS)(context, builder, rings)
    view = context.make_array(RINGS)(context, builder)
    size = ir.Constant(_WORD, 8)
    populate_array(
        view,
        data=builder.gep(whole.data, [start]),
        shape=[length],
        strides=[size],
        itemsize=size,
        meminfo=None,
    )
    return view._getvalue()


def _compose_load(layout: Layout) -> Any:
    row = types_of(layout)

    def load(typingctx: Any, slots: Any, rings: Any, at: Any) -> Any:
        answer = types.Tuple((row.params, row.windows, row.state))

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            at = args[2]
            params = [_read(context, builder, data, at, layout.params)]
            params += [_read(context, builder, data, at, part.params) for part in layout.parts]
            state = [_read(context, builder, data, at, part.state) for part in layout.parts]
            windows = []
            for part in layout.parts:
                if part.ring_at < 0:
                    windows.append(context.get_dummy_value())
                    continue
                bounds = [builder.load(_slot(builder, data, at, part.ring_at + k)) for k in (0, 1)]
                windows.append(_ring(context, builder, args[1], *bounds))
            held = [
                context.make_tuple(builder, kind, items)
                for kind, items in zip(row, (params, windows, state), strict=True)
            ]
            return context.make_tuple(builder, answer, held)

        return answer(SLOTS, RINGS, types.int64), codegen

    return intrinsic(load)


def _compose_store(layout: Layout) -> Any:
    row = types_of(layout)

    def store(typingctx: Any, slots: Any, at: Any, state: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            for k, part in enumerate(layout.parts):
                _write(builder, data, args[1], part.state, builder.extract_value(args[2], k))
            return context.get_dummy_value()

        return types.none(SLOTS, types.int64, row.state), codegen

    return intrinsic(store)


def step_signatures(layout: Layout, steps: tuple[Any, ...], typingctx: Any) -> tuple[list[Any], list[Any]]:
    """The signature each indicator's `step` compiles to, and the value types; TypingError when one does not fit."""
    signatures, values = [], []
    for part, step in zip(layout.parts, steps, strict=True):
        ring = RINGS if part.ring_at >= 0 else types.none
        name = part.indicator.__name__
        signature = typingctx.resolve_value_type(step).get_call_type(
            typingctx, (type_of(part.params), type_of(part.state), ring, BAR), {}
        )
        answer = signature.return_type
        if not isinstance(answer, types.BaseTuple) or len(answer) != 2:
            raise TypingError(f"{name}.step must answer a pair: the new state and the value")
        state = answer[0]
        if getattr(state, "instance_class", None) is not part.state.cls:
            raise TypingError(f"{name}.step must answer a {part.state.cls.__name__}, as init does")
        for field, kind, got in zip(part.state.names, part.state.kinds, state.types, strict=True):
            if kind == "i" and isinstance(got, types.Float):
                raise TypingError(
                    f"{name}: state field '{field}' starts whole in init and step makes it a float"
                )
        signatures.append(signature)
        values.append(value_type(name, answer[1]))
    return signatures, values


def _compose_advance(layout: Layout, steps: tuple[Any, ...]) -> Any:
    row = types_of(layout)

    def advance(typingctx: Any, params: Any, windows: Any, state: Any, bar: Any) -> Any:
        signatures, values = step_signatures(layout, steps, typingctx)
        x_type = types.BaseTuple.from_types((*values, *BAR.types), layout.x)
        answer = types.Tuple((row.state, x_type))
        functions = [typingctx.resolve_value_type(step) for step in steps]

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            params, windows, state, bar = args
            states, xs = [], []
            for k, (part, signature) in enumerate(zip(layout.parts, signatures, strict=True)):
                call = context.get_function(functions[k], signature)
                window = builder.extract_value(windows, k) if part.ring_at >= 0 else context.get_dummy_value()
                pair = call(
                    builder,
                    [builder.extract_value(params, k + 1), builder.extract_value(state, k), window, bar],
                )
                got, want = signature.return_type[0], row.state[k]
                fields = [
                    context.cast(builder, builder.extract_value(pair, [0, f]), got.types[f], want.types[f])
                    for f in range(len(want.types))
                ]
                states.append(context.make_tuple(builder, want, fields))
                answered = signature.return_type[1]
                value = builder.extract_value(pair, 1)
                if isinstance(answered, types.BaseTuple):
                    floats = [
                        context.cast(
                            builder, builder.extract_value(value, f), answered.types[f], types.float64
                        )
                        for f in range(len(answered.types))
                    ]
                    xs.append(context.make_tuple(builder, values[k], floats))
                else:
                    xs.append(context.cast(builder, value, answered, types.float64))
            xs += [builder.extract_value(bar, k) for k in range(len(BAR.types))]
            held = [context.make_tuple(builder, row.state, states), context.make_tuple(builder, x_type, xs)]
            return context.make_tuple(builder, answer, held)

        return answer(row.params, row.windows, row.state, BAR), codegen

    return intrinsic(advance)


def _compose_warm(layout: Layout) -> Any:
    n_values = len(layout.parts)

    def warm(typingctx: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            good = cgutils.true_bit
            for k, kind in enumerate(sig.args[0].types[:n_values]):
                value = builder.extract_value(args[0], k)
                parts = [value]
                if isinstance(kind, types.BaseTuple):
                    parts = [builder.extract_value(value, f) for f in range(len(kind.types))]
                for part in parts:
                    good = builder.and_(good, builder.fcmp_ordered("ord", part, part))
            return good

        return types.boolean(x), codegen

    return intrinsic(warm)


def _compose_emit(layout: Layout) -> Any:
    n_values = len(layout.parts)

    def emit(typingctx: Any, out: Any, k: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            array = context.make_array(sig.args[0])(context, builder, args[0])
            columns = builder.extract_value(array.shape, 1)
            at = builder.mul(args[1], columns)
            column = 0
            for k, kind in enumerate(sig.args[2].types[:n_values]):
                value = builder.extract_value(args[2], k)
                several = isinstance(kind, types.BaseTuple)
                for part in range(len(kind.types)) if several else (None,):
                    number = value if part is None else builder.extract_value(value, part)
                    builder.store(number, _slot(builder, array.data, at, column))
                    column += 1
            return context.get_dummy_value()

        return types.none(out, types.int64, x), codegen

    return intrinsic(emit)


def compose(layout: Layout, steps: tuple[Any, ...], decide: Any) -> Pieces:
    """The pieces for one strategy class. `steps` and `decide` are compiled functions of `compiling_freezer`."""
    return Pieces(
        _compose_load(layout),
        _compose_advance(layout, steps),
        _compose_warm(layout),
        _compose_store(layout),
        decide,
        _compose_emit(layout),
    )


def compiled_loop(loop: Callable[..., Any], name: str, **options: Any) -> Any:
    """A loop over the pieces as a compiled function called `name` (its symbol: must tell loops apart); `options` of
    numba beside the usual ones."""
    loop.__name__ = loop.__qualname__ = name
    loop.__module__ = __name__
    return njit(**{**OPTIONS, **options})(loop)
