"""A compiled loop of a strategy class: from memory, from disk, or from the compiler, with a line while one waits.

What is remembered is found by everything inside it: the strategy's and its indicators' code, the layout of a row, the
loop's own source, the libraries' versions. Not here: the loops (loop.py, panel.py), who calls them.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.kernels.layout import Layout, layout_of
from workbench.kernels.start import sample_states
from workbench.research.telling import telling
from workbench.strategy import Strategy
from workbench.strategy.program import indicators_of

__all__ = ["audit_call", "layout_and_indicators", "loop_call"]

type Call = Callable[..., None]

_built: dict[str, Call | str] = {}


@functools.cache
def _sources() -> str:
    digest = hashlib.sha256()
    for name in ("books.py", "loop.py", "panel.py", "rules.py"):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


def layout_and_indicators(strategy: Strategy) -> tuple[Layout, dict[str, Any]]:
    """How a row of this strategy lies in memory, and its indicators.

    Raises:
        StrategyError, BadInput: `indicators` or an indicator's `init` fails.
    """
    owner = type(strategy).__name__
    indicators = indicators_of(strategy)
    return layout_of(owner, strategy.parameters, indicators, sample_states(owner, indicators)), indicators


def loop_call(
    layout: Layout,
    decide: Callable[..., Any],
    kind: str,
    over: Callable[..., Any],
    signature: tuple[Any, ...],
) -> Call | str:
    """The machine code of a loop (no type dispatch: exactly `signature`), or one sentence why there is none."""
    from workbench.kernels.disk_cache import is_kept
    from workbench.strategy.compiled import built_loop, loop_key  # numba loads here, not before

    key, complete = loop_key(layout, decide)
    key = hashlib.sha256(f"{kind} {key} {_sources()}".encode()).hexdigest()
    if complete and key in _built:
        return _built[key]
    name = f"{kind}_{key[:24]}"
    quiet = complete and is_kept(name)
    with telling(f"compiling {layout.owner} (once)...", quiet=quiet):
        made = built_loop(layout, decide, over, name, signature, key if complete else "")
    if complete:
        _built[key] = made
    return made


@functools.cache
def audit_call() -> Callable[..., int]:
    """The compiled audit of one instrument's orders, kept on disk."""
    from workbench.kernels.compose import compiled_loop
    from workbench.kernels.disk_cache import library_versions, remember
    from workbench.research.fused.rules import AUDIT_SIGNATURE, audit

    key = hashlib.sha256(f"{library_versions()} {_sources()}".encode()).hexdigest()
    function = compiled_loop(audit, f"audit_{key[:24]}")
    remember(function, key)
    function.compile(AUDIT_SIGNATURE)
    return function.get_overload(AUDIT_SIGNATURE)  # type: ignore[no-any-return]
