"""What a shell offers after Tab: names of strategies, data, desks, venues, objectives, and a strategy's parameters.

Each looks up what is there now and answers an empty list where there is nothing. Not here: the options themselves.
"""

import typer

from workbench.errors import WorkbenchError

__all__ = [
    "axis_names", "data_names", "desk_names", "loops", "objectives", "strategy_names", "trading_venues", "venue_names",
]  # fmt: skip


def strategy_names() -> list[str]:
    """Strategies found by folder."""
    from workbench.strategy import strategies

    return dir(strategies)


def data_names() -> list[str]:
    """Data sets, and the symbols in them."""
    from workbench.feeds import list_data

    sets = list_data()
    return [facts.name for facts in sets] + [symbol for facts in sets for symbol in facts.symbols]


def desk_names() -> list[str]:
    """Desks that run."""
    from workbench.api.address import desks

    return desks()


def venue_names() -> list[str]:
    """Venues there is an emulator of."""
    from workbench.testbed import find_venues

    return find_venues()


def trading_venues() -> list[str]:
    """Emulated venues that a demo can trade at."""
    from workbench.cli.venue_demo import ALL, tradable

    return [*tradable(), ALL]


def axis_names(ctx: typer.Context) -> list[str]:
    """The parameters of the strategy that was typed before, ready for their values."""
    from workbench.strategy import find_strategy

    typed = ctx.params.get("strategy") or next(
        iter(ctx.args), ""
    )  # unread while an option still lacks its value
    try:
        cls = find_strategy(typed)
    except WorkbenchError:  # not typed yet, or not to be found: nothing to offer
        return []
    return [f"{name}=" for name in cls.parameters_declared]


def objectives() -> list[str]:
    """What a sweep can rank by."""
    from workbench.research.sweep.scores import OBJECTIVES

    return list(OBJECTIVES)


def loops() -> list[str]:
    """What can run a backtest."""
    from workbench.research.loops import LOOPS

    return list(LOOPS)
