"""One strategy over one market, everything it decided written down: what the look-ahead detector compares.

    signal form    the target after every bar of every instrument, from the program alone
    event form     every effect of the engine: orders, cancels, amendments, refusals

Each trial can load the class anew from its text, so that what a class keeps from run to run shows. What its own code
opens meanwhile, files and connections, is noted. Not here: what is concluded (check.py).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.model import Bar, Effect, Event, Submit
from workbench.model.scale import SCALE
from workbench.research.engine_loop import Desk
from workbench.research.events.run import EventLoop
from workbench.research.plan import Placement, Plan
from workbench.strategy import Program, Strategy, is_event, load_strategy, strategy_source
from workbench.strategy.base import HOOKS

__all__ = ["Trace", "Trials"]


class Trace(NamedTuple):
    """Decisions in order: `ts_ns` when, `what` each; `core` says the same without numbers that count orders.

    `wants` holds, for each instrument, series that would foresee prices if anything did: (times, values) of what it
    aimed at, held, or asked for. `warm_bars` is the longest warm-up of an instrument, -1 when unknown.
    """

    ts_ns: npt.NDArray[np.int64]
    what: list[Any]
    core: list[Any]
    wants: dict[int, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]]
    warm_bars: int = -1

    def through(self, ts_ns: int) -> list[Any]:
        """What was decided up to an instant."""
        return self.what[: int(np.searchsorted(self.ts_ns, ts_ns, side="right"))]

    def between(self, first_ns: int, last_ns: int) -> list[Any]:
        """What was decided from one instant to another, both included, however many orders came before."""
        low = int(np.searchsorted(self.ts_ns, first_ns, side="left"))
        return self.core[low : int(np.searchsorted(self.ts_ns, last_ns, side="right"))]


class Trials:
    """Runs one strategy, with its parameters, as often as asked. `opened` are the files and addresses its own code
    opened while it was loaded, by `loading`, and while it decided, by `deciding`."""

    def __init__(self, strategy: Strategy, quantity: float) -> None:
        self.quantity, self.name = quantity, type(strategy).__name__
        self.events = is_event(type(strategy))
        self.loading: dict[str, None] = {}
        self.deciding: dict[str, None] = {}
        self._source = strategy_source(type(strategy)).source
        self._parameters = strategy.parameters
        self._loads = 0
        self.strategy = self.loaded_anew()  # a class of its own: what runs leave behind in it harms nobody

    def loaded_anew(self) -> Strategy:
        """The same strategy of a class that has never run: its text executed once more."""
        self._loads += 1
        with _noting(self.loading, self.deciding):
            cls = load_strategy(f"{self._source}\n# loaded {id(self)} {self._loads}\n", self.name)
            return cls(**self._parameters)

    def run(self, recording: Recording, strategy: Strategy | None = None) -> Trace:
        """One run; of `strategy` (from `loaded_anew`) when given, else of the class as it is.

        Raises:
            StrategyError: its code raised.
        """
        chosen = self.strategy if strategy is None else strategy
        with _noting(self.loading, self.deciding):
            return self._by_engine(recording, chosen) if self.events else self.by_program(recording, chosen)

    def by_program(
        self, recording: Recording, strategy: Strategy, before: "dict[int, list[float]] | None" = None
    ) -> Trace:
        """Targets of a signal strategy. `before` holds, for each instrument, targets of its first bars that count as
        what it decided there (its own answers are left out): a past that is given."""
        program = Program(type(strategy))
        times, what, wants, warm_bars = [], [], {}, 0
        for iid, symbol in enumerate(recording.symbols):
            ts_ns, ohlcv = recording.bars(symbol)
            row, target, targets = program.add(strategy), 0.0, []
            given, warm = (before or {}).get(iid, []), False
            for k, (ts, bar) in enumerate(zip(ts_ns.tolist(), ohlcv.tolist(), strict=True)):
                answer = program.step(row, Bar(ts, iid, *bar), target)
                target = given[k] if k < len(given) else answer
                targets.append(target)
                if not warm and program.warm(row):
                    warm, warm_bars = True, max(warm_bars, k + 1)
                if target != target:
                    break
            program.release(row)
            times.append(ts_ns[: len(targets)])
            what += [(symbol, repr(t)) for t in targets]
            wants[iid] = [(ts_ns[: len(targets)], np.nan_to_num(np.array(targets)))]
        ts = np.concatenate(times)
        order = np.argsort(ts, kind="stable")
        in_order = [what[k] for k in order.tolist()]
        return Trace(ts[order], in_order, in_order, wants, warm_bars)

    def _by_engine(self, recording: Recording, strategy: Strategy) -> Trace:
        iids = [instrument.iid for instrument in recording.instruments]
        desk = Desk(Plan(recording, (Placement.checked(strategy, iids, self.quantity, "quantity"),)))
        effects: list[Effect] = []
        handle = desk.engine.handle

        def noted(event: Event) -> list[Effect]:
            made = handle(event)
            effects.extend(made)
            return made

        desk.engine.handle = noted  # type: ignore[method-assign]
        loop = EventLoop.of(desk)
        if isinstance(loop, str):
            desk.play()
        else:
            loop.play()
        ts = np.array([effect.ts_ns for effect in effects], np.int64)
        orders = desk.engine.orders.by_id
        wants: dict[int, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]] = {}
        for iid in iids:
            sent = [e for e in effects if type(e) is Submit and e.iid == iid]
            asked = _steps([(e.ts_ns, e.side * e.qty_e8 / SCALE) for e in sent])
            fills = [f for f in desk.fills if orders[f.order_id].iid == iid]
            held = _steps([(f.ts_ns, orders[f.order_id].side * f.qty_e8 / SCALE) for f in fills])
            wants[iid] = [asked, (held[0], np.cumsum(held[1]))]
        return Trace(ts, [repr(effect) for effect in effects], [_core(effect) for effect in effects], wants)


def _core(effect: Effect) -> Any:
    """An effect without the numbers of orders: runs that began elsewhere count differently."""
    names = [
        n for n in effect.__struct_fields__ if n not in ("order_id", "parent_id", "group", "text", "numbers")
    ]
    return (type(effect).__name__, *(getattr(effect, name) for name in names))


def _steps(pairs: list[tuple[int, float]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    return np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.float64)


# -- what a strategy's own code opens ------------------------------------------------------------------------------

_EVENTS: Final = frozenset(
    {"open", "os.listdir", "os.scandir", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}
)
_CODE: Final = (".py", ".pyc", ".so", ".pyd")
_DECIDES: Final = frozenset({*HOOKS, "decide", "step"})
_armed: list[tuple[dict[str, None], dict[str, None]]] = []


@contextmanager
def _noting(loading: dict[str, None], deciding: dict[str, None]) -> Iterator[None]:
    """Note what code of strategies opens within the block."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_heard)
    _armed.append((loading, deciding))
    try:
        yield
    finally:
        _armed.pop()


_installed: list[bool] = []


def _heard(event: str, args: tuple[Any, ...]) -> None:
    if not _armed or event not in _EVENTS:
        return
    what = str(args[1] if event == "socket.connect" else args[0])
    if event == "open" and (what.endswith(_CODE) or isinstance(args[0], int)):
        return
    frame: Any = sys._getframe()
    inside = None
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib"):
            return  # an import looks around
        if code.co_filename.startswith("<strategy "):
            inside = inside or _armed[-1][0]
            if code.co_name in _DECIDES:
                inside = _armed[-1][1]
        frame = frame.f_back
    if inside is not None:
        inside[what] = None
