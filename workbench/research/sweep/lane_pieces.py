"""What the lane loop is made of besides the strategy's own pieces: vectors of lanes, parameters and rows by lane.

A lane is one parameter set; `WIDTH` of them stand side by side, so that the compiler turns each line of the loop into
instructions that move eight of them at once. For that, everything a lane owns lies as [slot][lane]: neighbours in
memory are neighbours in a register. numba intrinsics; imports numba.

Lives here: reading and writing by lane. Not here: what a bar does to a lane (lane_loop.py).
"""

from collections.abc import Callable
from typing import Any

import numba.core.cgutils
import numba.extending
import numba.np.arrayobj
from llvmlite import ir

from workbench.kernels.compose import BAR, RINGS, SLOTS, type_of, types, types_of
from workbench.kernels.layout import Layout, Record
from workbench.research.sweep.lane_state import WIDTH

__all__ = [
    "element",
    "fetch",
    "keep",
    "lane_floats",
    "lane_params",
    "lane_words",
    "row_load",
    "row_store",
    "taken",
]

# numba's annotations describe its public face; this file works below it
intrinsic: Any = numba.extending.intrinsic
cgutils: Any = numba.core.cgutils
arrayobj: Any = numba.np.arrayobj

_WORD = ir.IntType(64)
_DOUBLE = ir.DoubleType()


def _vector(item: Any, kind: Any) -> Any:
    def made(typingctx: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            held = cgutils.alloca_once(builder, ir.ArrayType(item, WIDTH))
            return builder.gep(held, [ir.Constant(ir.IntType(32), 0)] * 2)

        return types.CPointer(kind)(), codegen

    return intrinsic(made)


lane_floats = _vector(_DOUBLE, types.float64)
"""A float64 for every lane. It never leaves the function, so the compiler knows nothing else can change it."""

lane_words = _vector(_WORD, types.int64)
"""An int64 for every lane."""


def _moved(into_lanes: bool) -> Any:
    def moved(typingctx: Any, lanes: Any, array: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            whole = ir.VectorType(data.type.pointee, WIDTH).as_pointer()
            held, there = (builder.bitcast(p, whole) for p in (args[0], builder.gep(data, [args[2]])))
            source, target = (there, held) if into_lanes else (held, there)
            builder.store(builder.load(source, align=8), target, align=8)
            return context.get_dummy_value()

        return types.none(lanes, array, types.int64), codegen

    return intrinsic(moved)


def _element(typingctx: Any, array: Any, at: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return array.dtype(array, types.int64), codegen


element = intrinsic(_element)
"""`element(array, at)`: as array[at], for a place that is never negative: numba asks each time."""

fetch = _moved(True)
"""`fetch(lanes, array, at)`: `WIDTH` neighbours of an array, from `at` on, into a vector of lanes."""

keep = _moved(False)
"""`keep(lanes, array, at)`: a vector of lanes back into the array."""


def _at(builder: Any, data: Any, at: Any, step: int) -> Any:
    return builder.gep(data, [builder.add(at, ir.Constant(_WORD, step))])


def _read(context: Any, builder: Any, data: Any, at: Any, record: Record, first: int, lanes: int) -> Any:
    items = []
    for k, kind in enumerate(record.kinds, first):
        raw = builder.load(_at(builder, data, at, k * lanes))
        if kind == "f":
            raw = builder.bitcast(raw, _DOUBLE)
        elif kind == "b":
            raw = builder.icmp_unsigned("!=", raw, ir.Constant(_WORD, 0))
        items.append(raw)
    return context.make_tuple(builder, type_of(record), items)


def _ring(context: Any, builder: Any, rings: Any, start: Any, length: Any) -> Any:
    """The part of `rings` that is one ring; nobody counts its users: it lives as long as the loop."""
    whole = context.make_array(RINGS)(context, builder, rings)
    part = context.make_array(RINGS)(context, builder)
    arrayobj.populate_array(
        part,
        data=builder.gep(whole.data, [start]),
        shape=[length],
        strides=[ir.Constant(_WORD, 8)],
        itemsize=ir.Constant(_WORD, 8),
        meminfo=None,
    )
    return part._getvalue()


def lane_params(layout: Layout) -> Any:
    """`pick(words, at)`: decide's parameters of the lane whose first word is words[at]."""
    answer = type_of(layout.params)

    def pick(typingctx: Any, words: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            return _read(context, builder, data, args[1], layout.params, 0, WIDTH)

        return answer(SLOTS, types.int64), codegen

    return intrinsic(pick)


def row_load(layout: Layout, lanes: int) -> Any:
    """`load(slots, rings, at)`: parameters, rings and states, as `compose.load` gives them, of a row that lies by
    itself (`lanes` 1) or among others by lane (`lanes` WIDTH)."""
    row = types_of(layout)
    answer = types.Tuple((row.params, row.windows, row.state))

    def load(typingctx: Any, slots: Any, rings: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            at = args[2]

            def read(record: Record) -> Any:
                return _read(context, builder, data, at, record, record.at, lanes)

            params = [read(layout.params), *(read(part.params) for part in layout.parts)]
            state = [read(part.state) for part in layout.parts]
            windows = []
            for part in layout.parts:
                if part.ring_at < 0:
                    windows.append(context.get_dummy_value())
                    continue
                start, length = (
                    builder.load(_at(builder, data, at, (part.ring_at + k) * lanes)) for k in (0, 1)
                )
                windows.append(_ring(context, builder, args[1], start, length))
            held = [
                context.make_tuple(builder, kind, items)
                for kind, items in zip(row, (params, windows, state), strict=True)
            ]
            return context.make_tuple(builder, answer, held)

        return answer(SLOTS, RINGS, types.int64), codegen

    return intrinsic(load)


def row_store(layout: Layout) -> Any:
    """`store(slots, at, state)`: the states back into the lane they were read from."""
    row = types_of(layout)

    def store(typingctx: Any, slots: Any, at: Any, state: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            for k, part in enumerate(layout.parts):
                value = builder.extract_value(args[2], k)
                for f, kind in enumerate(part.state.kinds):
                    raw = builder.extract_value(value, f)
                    if kind == "f":
                        raw = builder.bitcast(raw, _WORD)
                    elif kind == "b":
                        raw = builder.zext(raw, _WORD)
                    builder.store(raw, _at(builder, data, args[1], (part.state.at + f) * WIDTH))
            return context.get_dummy_value()

        return types.none(SLOTS, types.int64, row.state), codegen

    return intrinsic(store)


def taken(layout: Layout, advance: Any, lanes: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`put(table, at, x, good)` and `take(table, at, bar)`: indicator values into and out of a table of floats.

    Value `c` of the entry at `at` lies at table[at + c * lanes], the last one is 1.0 when all were warm: `lanes` is 1
    where all lanes share their indicators, `WIDTH` where each has its own.
    """

    row = types_of(layout)

    def x_type(typingctx: Any) -> Any:
        moves = typingctx.resolve_value_type(advance)
        return moves.get_call_type(typingctx, (row.params, row.windows, row.state, BAR), {}).return_type[1]

    def put(typingctx: Any, table: Any, at: Any, x: Any, good: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            column = 0
            for k, kind in enumerate(sig.args[2].types[: len(layout.parts)]):
                value = builder.extract_value(args[2], k)
                several = isinstance(kind, types.BaseTuple)
                for part in range(len(kind.types)) if several else (None,):
                    number = value if part is None else builder.extract_value(value, part)
                    builder.store(number, _at(builder, data, args[1], column * lanes))
                    column += 1
            builder.store(args[3], _at(builder, data, args[1], column * lanes))
            return context.get_dummy_value()

        return types.none(RINGS, types.int64, x, types.float64), codegen

    def take(typingctx: Any, table: Any, at: Any, bar: Any) -> Any:
        answer = x_type(typingctx)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            items, column = [], 0
            for kind in answer.types[: len(layout.parts)]:
                several = isinstance(kind, types.BaseTuple)
                numbers = [
                    builder.load(_at(builder, data, args[1], (column + k) * lanes))
                    for k in range(len(kind.types) if several else 1)
                ]
                column += len(numbers)
                items.append(context.make_tuple(builder, kind, numbers) if several else numbers[0])
            items += [builder.extract_value(args[2], k) for k in range(len(BAR.types))]
            return context.make_tuple(builder, answer, items)

        return answer(RINGS, types.int64, BAR), codegen

    return intrinsic(put), intrinsic(take)
