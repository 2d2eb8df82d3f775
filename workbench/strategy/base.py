"""What a strategy is. Two forms on one base, told apart by what the class defines.

Signal strategy (the default): declared indicators and one pure decision, compiled when it can be.

    class RsiReversion(Strategy):
        period: int = 14
        low: float = 30.0
        def indicators(self): return {"rsi": Rsi(self.period)}
        def decide(p, x, pos): return 1.0 if x.rsi < p.low else pos

Event strategy: `on_bar`, `on_quote`, `on_trade`, `on_fill`, `on_order`, `on_timer(self, ctx, event)` answer nothing, a
Signal, an OrderRequest, a CancelRequest, an AmendRequest, or a list of them: full Python, one call an event.
`start(self)`, when there is one, is called once before the first of them: the place to set up what is remembered.
"""

from typing import Any

from workbench.errors import BadInput
from workbench.kernels.indicator import Indicator
from workbench.kernels.parameters import Parametrised

__all__ = ["HOOKS", "Strategy", "is_event", "make", "parameters_of"]

HOOKS = ("on_bar", "on_quote", "on_trade", "on_fill", "on_order", "on_timer")


class Strategy(Parametrised):
    """Base of all strategies. Parameters are annotated class attributes (int, float, bool, str).

    Signal form, `decide(p, x, pos) -> float`: `p` holds the parameters, `x` the indicators' values by name and the
    bar's `open high low close volume`, `pos` the target held now. The answer is the new target, a fraction of full size
    from -1 (full short) to 1 (full long); beyond that it counts as -1 or 1. It is asked only once every indicator is
    warm. NaN or infinity halts the strategy. `decide` must be pure: it sees nothing but its three arguments.

    Raises:
        UnknownName: a misspelt parameter, with the nearest right name.
        BadValue: a parameter of the wrong kind.
    """

    def indicators(self) -> dict[str, Indicator]:
        """Indicators by the name under which `decide` sees them in `x`; asked once per parameter set."""
        return {}


def is_event(cls: type[Strategy]) -> bool:
    """Whether the class is an event strategy (True) or a signal strategy (False).

    Raises:
        BadInput: it is neither, or both.
    """
    hooks = [hook for hook in HOOKS if callable(getattr(cls, hook, None))]
    decides = callable(getattr(cls, "decide", None))
    if decides and hooks:
        raise BadInput(
            f"{cls.__name__} defines decide and {hooks[0]}: keep one form, signal (decide) or event (on_*)"
        )
    if not decides and not hooks:
        raise BadInput(
            f"{cls.__name__} decides nothing: define decide(p, x, pos), or one of {', '.join(HOOKS)}"
        )
    return bool(hooks)


def parameters_of(strategy: Strategy) -> tuple[tuple[str, Any], ...]:
    """Name and value pairs, in the order of declaration."""
    return tuple(strategy.parameters.items())


def make(cls: type[Strategy], pairs: Any) -> Strategy:
    """An instance from name and value pairs (or a dictionary); the inverse of `parameters_of`."""
    return cls(**dict(pairs))
