"""The Day Trading Orchestrator: research and live trading from a notebook, the engine in a process of its own.

    import workbench as wb
    desk = wb.start()
    desk.run(RsiReversion(period=14), symbols=["SPY"], quantity=10)

Every name here is loaded when it is first used, so the import itself is quick.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.api.session import Session
    from workbench.api.starting import attach, start
    from workbench.research import backtest, parity, sweep, walk_forward
    from workbench.strategy import (
        AmendRequest,
        CancelRequest,
        Context,
        OrderRequest,
        Signal,
        Strategy,
        strategies,
    )
    from workbench.warehouse.client import query

__all__ = [
    "AmendRequest",
    "CancelRequest",
    "Context",
    "OrderRequest",
    "Session",
    "Signal",
    "Strategy",
    "attach",
    "backtest",
    "parity",
    "query",
    "start",
    "strategies",
    "sweep",
    "walk_forward",
]

_WHERE = {
    "AmendRequest": "workbench.strategy",
    "CancelRequest": "workbench.strategy",
    "Context": "workbench.strategy",
    "OrderRequest": "workbench.strategy",
    "Session": "workbench.api.session",
    "Signal": "workbench.strategy",
    "Strategy": "workbench.strategy",
    "attach": "workbench.api.starting",
    "backtest": "workbench.research",
    "parity": "workbench.research",
    "query": "workbench.warehouse.client",
    "start": "workbench.api.starting",
    "strategies": "workbench.strategy",
    "sweep": "workbench.research",
    "walk_forward": "workbench.research",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("workbench")
    if name not in _WHERE:
        from difflib import get_close_matches

        near = get_close_matches(name, _WHERE, n=1)
        raise AttributeError(f"workbench has no '{name}'" + (f": did you mean '{near[0]}'?" if near else ""))
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    _show_well()
    return value


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext workbench`: values show themselves well, and `%desk` and `%kill` are there."""
    from workbench.ui.magics import load

    load(shell)


def _show_well() -> None:
    """In a notebook, tell IPython how our values look; anywhere else do nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is not None:
        from workbench.ui.display import register

        register(shell)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
