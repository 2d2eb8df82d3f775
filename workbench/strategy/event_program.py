"""The host of event strategies: one row is one strategy instance, its hooks called with what was known at `ts_ns`."""

from collections.abc import Callable
from typing import Any

import msgspec

from workbench.errors import BadInput, BadValue, StrategyError
from workbench.kernels.layout import layout_of
from workbench.kernels.start import sample_states, told
from workbench.kernels.stream import Stream
from workbench.model.market import Bar
from workbench.strategy.base import HOOKS, Strategy, is_event
from workbench.strategy.events import ANSWERS, Answer, Context
from workbench.strategy.interpreted import Rows

__all__ = ["EventProgram", "plain_inputs"]


class EventProgram:
    """Rows of one event strategy class. A row is one instance for all its symbols; the indicators it declares run per
    symbol, on bars, and `on_bar` is called once those of the bar's symbol are warm (`ctx.x` holds them).

    `form` is always "event"; `hooks` names the hooks the class defines; `wants_bars` says whether bars must be passed
    in even without `on_bar`.

    Raises:
        BadInput: a signal strategy.
    """

    form = "event"
    why_interpreted = ""

    def __init__(self, cls: type[Strategy]) -> None:
        if not is_event(cls):
            raise BadInput(f"{cls.__name__} is a signal strategy: program_for runs it")
        self.cls = cls
        self.name = cls.__name__
        self.hooks = frozenset(hook for hook in HOOKS if callable(getattr(cls, hook, None)))
        self.wants_bars = "on_bar" in self.hooks or cls.indicators is not Strategy.indicators
        self._rows: list[_Row] = []

    def add(self, strategy: Strategy) -> int:
        """A new row: an instance with the parameters of `strategy`, just started.

        Raises:
            StrategyError: its `start` or `indicators` raised.
        """
        self._rows.append(self._started(strategy))
        return len(self._rows) - 1

    def restart(self, row: int, strategy: Strategy) -> None:
        """New parameters for a row: its memory and its indicators start anew."""
        self._row(row)
        self._rows[row] = self._started(strategy)

    def _started(self, strategy: Strategy) -> "_Row":
        row = _Row(self.name, self.cls(**strategy.parameters))
        start: Any = getattr(row.strategy, "start", None)
        if callable(start):  # a parameter may have that name
            try:
                start()
            except (Exception, SystemExit) as error:
                raise self.raised("start", error) from error
        return row

    def call(self, row: int, hook: str, ctx: Context, event: object) -> list[Answer]:
        """Call one hook of a row with an event and answer what it wants, in its order.

        A bar moves the indicators of `ctx.symbol` first. A hook the class does not define answers nothing.

        Raises:
            StrategyError: the hook raised (the message quotes the user's line), or answered something else.
        """
        held = self._row(row)
        warm = True
        if held.names and isinstance(event, Bar):
            warm = held.advance(ctx.symbol, event)
        ctx.x = held.x.get(ctx.symbol)
        if hook not in self.hooks or (hook == "on_bar" and not warm):
            return []
        method: Callable[..., Any] = getattr(held.strategy, hook)
        try:
            answer = method(ctx, event)
        except (Exception, SystemExit) as error:
            raise self.raised(hook, error) from error
        return self.answers(hook, answer)

    def answers(self, hook: str, answer: Any) -> list[Answer]:
        """What a hook answered, as a list.

        Raises:
            StrategyError: it is, or holds, something else.
        """
        if answer is None:
            return []
        answers = list(answer) if isinstance(answer, (list, tuple)) else [answer]
        for item in answers:
            if not isinstance(item, ANSWERS):
                raise StrategyError(
                    f"{self.name}.{hook} answered {item!r}: give a Signal, an OrderRequest, a CancelRequest, "
                    "an AmendRequest, a list of them, or nothing"
                )
        return answers

    def raised(self, hook: str, error: BaseException) -> StrategyError:
        """What is said about a hook that raised: its name, the error, the user's line."""
        return StrategyError(told(f"{self.name}.{hook}", error))

    def instance(self, row: int) -> Strategy:
        """The strategy object whose hooks a row calls."""
        return self._row(row).strategy

    def warm(self, row: int) -> bool:
        """Whether every symbol seen so far has warm indicators (True without indicators)."""
        held = self._row(row)
        return not held.names or (bool(held.numbers) and all(symbol in held.x for symbol in held.numbers))

    def state_bytes(self, row: int) -> bytes:
        """The row's memory: what the strategy keeps in `self`, and its indicators.

        Raises:
            StrategyError: an attribute that is not made of numbers, texts, lists, dictionaries and streams.
        """
        held = self._row(row)
        memory = {}
        for name, value in vars(held.strategy).items():
            if name in self.cls.parameters_declared:
                continue
            try:
                packed = _packed(value)
                if msgspec.msgpack.decode(msgspec.msgpack.encode(packed)) != packed:
                    raise TypeError
            except (TypeError, OverflowError) as error:
                kind = type(value).__name__
                raise StrategyError(
                    f"{self.name} keeps self.{name} ({kind}), which cannot be saved: "
                    "use numbers, texts, lists, dictionaries, streams"
                ) from error
            memory[name] = packed
        indicators = {symbol: held.indicator_bytes(symbol) for symbol in held.numbers}
        return msgspec.msgpack.encode((memory, indicators))

    def load_state(self, row: int, data: bytes) -> None:
        """Put back what `state_bytes` gave, into a row with the same parameters.

        Raises:
            BadInput: saved by other code, or a stream that `start` does not make.
        """
        held = self._row(row)
        try:
            memory, indicators = msgspec.msgpack.decode(
                data, type=tuple[dict[str, Any], dict[str, list[Any]]]
            )
        except msgspec.DecodeError as error:
            raise BadInput(f"the saved state of {self.name} cannot be read: start it anew") from error
        for name, value in memory.items():
            setattr(
                held.strategy, name, _unpacked(self.name, name, value, getattr(held.strategy, name, None))
            )
        for symbol, saved in indicators.items():
            held.load_indicators(symbol, saved)

    def _row(self, row: int) -> "_Row":
        if not 0 <= row < len(self._rows):
            raise BadValue("row", row, f"{self.name} has rows 0 to {len(self._rows) - 1}")
        return self._rows[row]


def plain_inputs(x: Any) -> Any:
    """`x` in Python's own floats, as hooks see it: what they keep of it can be saved, and compares quickly."""
    values: list[Any] = list(x)
    return x._make([v._make(map(float, v)) if hasattr(v, "_make") else float(v) for v in values])


_STREAM = "workbench.stream"


def _packed(value: Any) -> Any:
    """What a strategy keeps, with the memory of its streams in their place."""
    if isinstance(value, Stream):
        return {_STREAM: value.saved()}
    if isinstance(value, dict):
        return {key: _packed(item) for key, item in value.items()}
    return [_packed(item) for item in value] if isinstance(value, list) else value


def _unpacked(owner: str, name: str, value: Any, there: Any) -> Any:
    """The other way; `there` is what the strategy keeps now, with the streams that `start` made."""
    if isinstance(value, dict) and list(value) == [_STREAM]:
        if not isinstance(there, Stream):
            raise BadInput(
                f"{owner} has no stream at self.{name} to put saved memory into: make it in start()"
            )
        return there.restored(value[_STREAM])
    if isinstance(value, dict):
        now = there if isinstance(there, dict) else {}
        return {key: _unpacked(owner, f"{name}[{key!r}]", item, now.get(key)) for key, item in value.items()}
    if isinstance(value, list):
        held = there if isinstance(there, list) and len(there) == len(value) else [None] * len(value)
        return [_unpacked(owner, f"{name}[{k}]", item, held[k]) for k, item in enumerate(value)]
    return value


class _Row:
    """One instance with the indicators of each of its symbols."""

    def __init__(self, owner: str, strategy: Strategy) -> None:
        self.strategy = strategy
        indicators = strategy.indicators()
        self.names = tuple(indicators)
        self.numbers: dict[str, int] = {}
        self.x: dict[str, Any] = {}
        self._indicators = indicators
        layout = layout_of(owner, strategy.parameters, indicators, sample_states(owner, indicators))
        self._rows = Rows(layout, None)

    def advance(self, symbol: str, bar: Bar) -> bool:
        """Move the symbol's indicators by one bar; whether all have answered."""
        x, warm = self._rows.advance(
            self._number(symbol), (bar.open, bar.high, bar.low, bar.close, bar.volume), bar.ts_ns
        )
        if warm:
            self.x[symbol] = plain_inputs(x)
        return warm

    def indicator_bytes(self, symbol: str) -> list[Any]:
        x = self.x.get(symbol)
        last = None if x is None else [list(i) if isinstance(i, tuple) else i for i in x]
        return [self._rows.saved(self.numbers[symbol]), last]

    def load_indicators(self, symbol: str, saved: list[Any]) -> None:
        states, last = saved
        self._rows.restored(self._number(symbol), states)
        if last is not None:
            self.x[symbol] = plain_inputs(self._rows.inputs(last))

    def _number(self, symbol: str) -> int:
        if symbol not in self.numbers:
            self.numbers[symbol] = len(self.numbers)
            self._rows.fresh(self.numbers[symbol], self.strategy, self._indicators)
        return self.numbers[symbol]
