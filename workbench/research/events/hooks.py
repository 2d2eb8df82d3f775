"""How the event loop calls hooks: itself, with a context that is filled only as far as it is read.

`DirectProgram` stands in the engine where an `EventProgram` would. What the loop has called already is answered from
`said`; any other call (a fill's, the rest of a slice) is made for real. So every hook is called once an event, in the
engine's order, whoever calls it.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from workbench.model import Bar
from workbench.research.events.inputs import Inputs
from workbench.research.events.timetable import Timetable
from workbench.strategy import Context, EventProgram
from workbench.strategy.events import Answer

__all__ = ["DirectProgram", "Raised", "lazy_context"]


class Raised:
    """A hook did not answer but raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class DirectProgram(EventProgram):
    """One row: `strategy`. `unit` is the unit being handled, `known_before` the one before which all bars are known."""

    def __init__(self, program: EventProgram, row: int, table: Timetable, inputs: Inputs | None) -> None:
        super().__init__(program.cls)
        self.strategy = program.instance(row)
        self.table, self.inputs = table, inputs
        self.said: deque[Any] = deque()
        self.unit = self.known_before = 0
        self._iid_of = {symbol: iid for iid, symbol in enumerate(table.recording.symbols)}

    def call(self, row: int, hook: str, ctx: Context, event: object) -> list[Answer]:
        """See `EventProgram.call`."""
        if hook not in self.hooks:
            return []
        if self.inputs is not None:
            bar = self._bar(ctx.symbol, event)
            if bar is None:
                return []
            ctx.x = self.inputs.at(self._iid_of[ctx.symbol], bar) if ctx.symbol else None
        if self.said and hook not in ("on_fill", "on_order"):  # those two the loop itself calls never
            answer = self.said.popleft()
            if isinstance(answer, Raised):
                raise self.raised(hook, answer.error) from answer.error
            return self.answers(hook, answer)
        method: Callable[..., Any] = getattr(self.strategy, hook)
        try:
            answer = method(ctx, event)
        except (Exception, SystemExit) as error:
            raise self.raised(hook, error) from error
        return self.answers(hook, answer)

    def _bar(self, symbol: str, event: object) -> int | None:
        """The bar whose indicator values a hook sees, -1 for none; None when `on_bar` must still wait."""
        assert self.inputs is not None
        if not symbol:
            return -1
        iid = self._iid_of[symbol]
        if not isinstance(event, Bar):
            return self.inputs.known(iid, self.table.bars[iid].before(self.known_before))
        bar = self.table.bars[iid].before(self.unit)
        return bar if self.inputs.warm[iid][bar] else None

    def warm(self, row: int) -> bool:
        """See `EventProgram.warm`: as of the end of the recording."""
        inputs = self.inputs
        return inputs is None or all(bool(warm.any()) for warm in inputs.warm)


def lazy_context(fill: Callable[[Any], Context]) -> type[Context]:
    """A kind of `Context` of which the loop sets what most hooks read; the rest is looked up when it is first asked
    for.

    `fill` answers the whole context of one such object. Its class is called as the real one is, for errors' sake.
    """

    class Context_(Context):
        __slots__ = ("at",)  # the number of the call it is for; -1 once it is complete

        def __init__(self, orders: Any) -> None:
            self._orders = orders

        def __getattr__(self, name: str) -> Any:
            # Python comes here for a slot that holds nothing yet, and for names there are not.
            if name in _LATER:
                whole = fill(self)
                for slot in _LATER:
                    setattr(self, slot, getattr(whole, slot))
                self.at = -1
                return object.__getattribute__(self, name)
            raise AttributeError(f"'Context' object has no attribute {name!r}", name=name, obj=self)

    Context_.__name__ = Context_.__qualname__ = "Context"
    return Context_


_LATER: frozenset[str] = frozenset(Context.__slots__) - {
    "ts_ns",
    "symbol",
    "position",
    "last_px",
    "x",
    "_orders",
}
