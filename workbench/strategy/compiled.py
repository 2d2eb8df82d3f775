"""The live loops of one strategy class, compiled and remembered on disk. Imports numba; `program.py` imports it late.

Two entries, both plain arrays and numbers in, one number or array out, so nothing compiles after start:
`one` moves a row by one bar; `many` walks rows (one call per class and bar close).
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from numba.core import config
from numba.core.registry import cpu_target

from workbench.kernels.compose import (
    BAR,
    RINGS,
    SLOTS,
    Pieces,
    compiled_loop,
    compiling_freezer,
    compose,
    step_signatures,
    types,
    types_of,
)
from workbench.kernels.disk_cache import library_versions, remember
from workbench.kernels.fingerprint import Fingerprint
from workbench.kernels.indicator import Ohlcv
from workbench.kernels.layout import Layout

__all__ = ["Entries", "built_loop", "cannot_compile", "entries_for", "loop_key", "pieces_for"]

_ONE = types.float64(SLOTS, RINGS, types.int64, *(types.float64,) * 5, types.int64, types.float64)
_I32 = types.Array(types.int32, 1, "C")
_F64 = types.Array(types.float64, 1, "C")
_BARS = types.Array(types.float64, 2, "C")
_MANY = types.none(SLOTS, RINGS, _I32, _I32, _BARS, types.int64, _F64, _F64, SLOTS)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Entries(NamedTuple):
    """Callables at the machine code itself: no type dispatch, so callers pass exactly the types above."""

    one: Callable[..., float]
    many: Callable[..., None]
    from_disk: bool


class _Unfit(Exception):
    pass


_BUILT: dict[str, Entries] = {}


def pieces_for(layout: Layout, decide: Callable[..., Any]) -> Pieces:
    """The composed pieces of a strategy class, for loops of other rooms (a backtest, a sweep)."""
    freezer = compiling_freezer()
    steps = tuple(freezer.function(part.indicator.step) for part in layout.parts)  # type: ignore[attr-defined]
    return compose(layout, steps, freezer.function(decide))


def loop_key(layout: Layout, decide: Callable[..., Any]) -> tuple[str, bool]:
    """What a compiled loop over these pieces depends on, as a hash, and whether the hash sees all of it."""
    state = Fingerprint()
    state.add(decide)
    for part in layout.parts:
        state.add(part.indicator.step)  # type: ignore[attr-defined]
    state.text(layout.key, library_versions())
    return state.hexdigest, not state.unseen


def cannot_compile(layout: Layout, decide: Callable[..., Any]) -> str:
    """Why these functions do not compile, in one sentence; "" when they do. Costs some 50 ms: `decide` alone."""
    if getattr(config, "DISABLE_JIT", 0):
        return "NUMBA_DISABLE_JIT is set"
    freezer = compiling_freezer()
    what = "decide"
    try:
        for part in layout.parts:
            what = f"{part.indicator.__name__}.step"
            single = layout._replace(parts=(part,))
            step = freezer.function(part.indicator.step)  # type: ignore[attr-defined]
            step_signatures(single, (step,), cpu_target.typing_context)
        what = "decide"
        steps = tuple(freezer.function(part.indicator.step) for part in layout.parts)  # type: ignore[attr-defined]
        _, values = step_signatures(layout, steps, cpu_target.typing_context)
        x_type = types.BaseTuple.from_types((*values, *BAR.types), layout.x)
        chosen = freezer.function(decide)
        chosen.compile((types_of(layout).params[0], x_type, types.float64))
        answer = chosen.nopython_signatures[0].return_type
        if isinstance(answer, (types.Optional, types.NoneType)):
            raise _Unfit("it answers nothing on some path: end it with 'return pos'")
        if not isinstance(answer, (types.Float, types.Integer, types.Boolean)):
            raise _Unfit(f"it answers {answer} where a number is needed")
    except _Unfit as error:
        return f"{what} cannot be compiled: {error} ({_where(decide.__code__, 0)})"
    except Exception as error:  # noqa: BLE001 - numba fails in many ways; each one means the interpreted form
        said = _sentence(error, decide)
        texts = [name for name in layout.texts if f"attribute '{name}'" in said]
        if texts:
            where = _where(decide.__code__, 0)
            said = f"it reads the text parameter '{texts[0]}': use a whole number or a bool ({where})"
        return f"{what} cannot be compiled: {said}"
    return ""


def entries_for(layout: Layout, decide: Callable[..., Any]) -> Entries | str:
    """The compiled entries, from memory, disk or the compiler; or one sentence that says why there are none."""
    if getattr(config, "DISABLE_JIT", 0):
        return "NUMBA_DISABLE_JIT is set"
    key, complete = loop_key(layout, decide)
    if key in _BUILT and complete:
        return _BUILT[key]
    pieces = pieces_for(layout, decide)
    one = compiled_loop(_one(pieces), f"one_{key[:24]}")
    many = compiled_loop(_many(pieces, layout.stride), f"many_{key[:24]}")
    if complete:
        remember(one, key)
        remember(many, key)
    cached = complete and _on_disk(one, _ONE) and _on_disk(many, _MANY)
    if not cached and (why := cannot_compile(layout, decide)):
        return why
    try:
        one.compile(_ONE.args)
        many.compile(_MANY.args)
    except Exception as error:  # noqa: BLE001 - as above
        return f"the loop around it cannot be compiled: {_sentence(error, decide)}"
    hits = sum(one.stats.cache_hits.values()) + sum(many.stats.cache_hits.values())
    built = Entries(one.get_overload(_ONE.args), many.get_overload(_MANY.args), hits == 2)
    if complete:
        _BUILT[key] = built
    return built


def built_loop(
    layout: Layout,
    decide: Callable[..., Any],
    over: Callable[[Pieces], Callable[..., Any]],
    name: str,
    signature: tuple[Any, ...],
    key: str,
    **options: Any,
) -> Callable[..., Any] | str:
    """A loop of another room, `over(pieces)`, from disk or the compiler: machine code that takes exactly `signature`;
    or one sentence that says why there is none. `key` covers everything inside, the loop's own source too ("": not
    kept); `name` holds it."""
    if getattr(config, "DISABLE_JIT", 0):
        return "NUMBA_DISABLE_JIT is set"
    loop = compiled_loop(over(pieces_for(layout, decide)), name, **options)
    if key:
        remember(loop, key)
    if not (key and _on_disk(loop, signature)) and (why := cannot_compile(layout, decide)):
        return why
    try:
        loop.compile(signature)
    except Exception as error:  # noqa: BLE001 - as above
        return f"the loop around it cannot be compiled: {_sentence(error, decide)}"
    return loop.get_overload(signature)  # type: ignore[no-any-return]


def _on_disk(function: Any, signature: Any) -> bool:
    path = (
        Path(function._cache.cache_path or "", f"{function.py_func.__name__}.nbi")
        if function._cache.cache_path
        else None
    )
    return path is not None and path.exists()


def _one(pieces: Pieces) -> Callable[..., Any]:
    load, advance, warm, store, decide, _ = pieces

    def one(
        slots: Any,
        rings: Any,
        at: Any,
        o: float,
        h: float,
        low: float,
        c: float,
        v: float,
        ts_ns: int,
        pos: float,
    ) -> float:
        params, windows, state = load(slots, rings, at)
        state, x = advance(params, windows, state, Ohlcv(o, h, low, c, v, ts_ns / 1e9))
        store(slots, at, state)
        if not warm(x):
            return pos
        slots[at] = 1
        target: float = 1.0 * decide(params[0], x, pos)  # a number of any kind, truth values too
        if target - target != 0.0:  # NaN or infinite
            return float("nan")
        return min(max(target, -1.0), 1.0)

    return one


def _many(pieces: Pieces, stride: int) -> Callable[..., Any]:
    load, advance, warm, store, decide, _ = pieces

    def many(
        slots: Any, rings: Any, rows: Any, bar_of: Any, ohlcv: Any, ts_ns: int, pos: Any, out: Any, done: Any
    ) -> None:
        ts_s = ts_ns / 1e9
        for k in range(done[0], rows.shape[0]):
            done[0] = k  # where a raising decide leaves off
            b = bar_of[k]
            if not (0 <= rows[k] < done[1] and 0 <= b < ohlcv.shape[0]):
                raise IndexError("no such row or bar")
            at = rows[k] * stride
            params, windows, state = load(slots, rings, at)
            bar = Ohlcv(ohlcv[b, 0], ohlcv[b, 1], ohlcv[b, 2], ohlcv[b, 3], ohlcv[b, 4], ts_s)
            state, x = advance(params, windows, state, bar)
            store(slots, at, state)
            if warm(x):
                slots[at] = 1
                target = 1.0 * decide(params[0], x, pos[k])
                out[k] = min(max(target, -1.0), 1.0) if target - target == 0.0 else float("nan")
            else:
                out[k] = pos[k]
        done[0] = rows.shape[0]

    return many


def _sentence(error: Exception, decide: Callable[..., Any]) -> str:
    """numba's page of text as one sentence with the user's file and line."""
    lines = [line.strip() for line in _ANSI.sub("", str(error)).splitlines()]
    noise = (
        "Failed in",
        "During:",
        "File ",
        "[1]",
        "- Resolution",
        "For more",
        "This is not",
    )
    said = [line for line in lines if line and not line.startswith(noise) and set(line) != {"^"}]
    code = decide.__code__
    text = said[0].partition(" Raised from ")[0] if said else type(error).__name__
    if text.startswith("No implementation of function") and len(said) > 1:
        text = f"{text} {said[1].lstrip('> ')}"
    found = re.findall(r'File "([^"]+)", line (\d+)', "\n".join(lines))
    ours = [int(line) for file, line in found if Path(file).name == Path(code.co_filename).name]
    location = getattr(error, "loc", None)
    if not ours and location is not None and Path(location.filename).name == Path(code.co_filename).name:
        ours = [int(location.line)]
    return f"{text.rstrip('.:')} ({_where(code, ours[-1] if ours else 0)})"


def _where(code: Any, line: int) -> str:
    name = code.co_filename
    if os.path.exists(name):
        name = os.path.relpath(name) if Path(name).is_relative_to(Path.cwd()) else Path(name).name
    elif "ipykernel" in name or name.startswith("<ipython"):
        name = "notebook cell"
    return f"{name} line {line or code.co_firstlineno}"
