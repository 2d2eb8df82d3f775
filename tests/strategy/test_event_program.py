"""Event strategies: hooks called with what was known, answers checked, memory saved and restored."""

from typing import Any

import pytest

from workbench.errors import BadInput, BadValue, StrategyError, UnknownName
from workbench.kernels import Bollinger, Sma, Stream
from workbench.kernels.indicator import Indicator
from workbench.model.market import Bar, Quote
from workbench.strategy import Context, EventProgram, OrderRequest, Signal, Strategy, check_strategy
from workbench.strategy.checks import sample_bars


class Crossing(Strategy):
    """Signals, orders, indicators and a memory of its own."""

    period: int = 3
    size: float = 10.0

    def indicators(self) -> dict[str, Indicator]:
        return {"mean": Sma(self.period), "bands": Bollinger(self.period)}

    def on_bar(self, ctx: Context, bar: Bar) -> Any:
        self.seen = getattr(self, "seen", 0) + 1
        if bar.close > ctx.x.bands.middle and ctx.flat:
            return Signal(1.0, why="above")
        if bar.close < ctx.x.mean:
            return [OrderRequest("sell", self.size, type="limit", limit_px=bar.close), Signal(0.0)]
        return None

    def on_quote(self, ctx: Context, quote: Quote) -> Any:
        return OrderRequest("buy", 1) if ctx.position < 5 else None


class Wrong(Strategy):
    how: str = "raise"

    def on_bar(self, ctx: Context, bar: Bar) -> Any:
        if self.how == "raise":
            return 1 // 0
        return "buy"


def bar(k: int, close: float) -> Bar:
    return Bar(k, 0, close, close, close, close, 1.0)


def call(
    program: EventProgram, row: int, k: int, close: float, symbol: str = "SPY", held: float = 0.0
) -> list[Any]:
    return program.call(row, "on_bar", Context(k, symbol, held, close), bar(k, close))


def test_on_bar_waits_for_its_symbols_indicators() -> None:
    program = EventProgram(Crossing)
    row = program.add(Crossing())
    assert not program.warm(row)
    assert [call(program, row, k, 10.0 + k) for k in range(2)] == [[], []]
    assert call(program, row, 2, 12.0, "QQQ") == []
    assert call(program, row, 3, 12.0) == [Signal(1.0, why="above")]
    assert not program.warm(row)  # QQQ has one bar
    assert call(program, row, 4, 1.0, held=3.0) == [
        OrderRequest("sell", 10.0, type="limit", limit_px=1.0),
        Signal(0.0),
    ]


def test_hooks_it_does_not_define_answer_nothing() -> None:
    program = EventProgram(Crossing)
    row = program.add(Crossing())
    quote = Quote(1, 0, 1.0, 1.0, 2.0, 1.0)
    assert program.hooks == {"on_bar", "on_quote"}
    assert program.wants_bars
    assert program.call(row, "on_timer", Context(1, "", 0.0, 1.0), quote) == []
    assert program.call(row, "on_quote", Context(1, "SPY", 4.0, 1.0), quote) == [OrderRequest("buy", 1)]
    assert program.call(row, "on_quote", Context(1, "SPY", 5.0, 1.0), quote) == []


def test_errors_name_the_users_line_and_wrong_answers_are_refused() -> None:
    program = EventProgram(Wrong)
    with pytest.raises(StrategyError, match=r"Wrong\.on_bar raised ZeroDivisionError: .*: return 1 // 0"):
        call(program, program.add(Wrong()), 0, 1.0)
    with pytest.raises(StrategyError, match=r"Wrong\.on_bar answered 'buy': give a Signal"):
        call(program, program.add(Wrong("say")), 0, 1.0)


def test_memory_and_indicators_are_saved_and_restored() -> None:
    one, two = EventProgram(Crossing), EventProgram(Crossing)
    row, other = one.add(Crossing()), two.add(Crossing())
    closes = sample_bars(60)[:, 3]
    for k in range(30):
        call(one, row, k, float(closes[k]))
    two.load_state(other, one.state_bytes(row))
    assert two.warm(other)
    for k in range(30, 60):
        assert call(one, row, k, float(closes[k])) == call(two, other, k, float(closes[k]))
    assert one.state_bytes(row) == two.state_bytes(other)
    two.restart(other, Crossing(period=4))
    assert not two.warm(other)


def test_memory_that_cannot_be_saved_is_named() -> None:
    class Hoarding(Strategy):
        def on_bar(self, ctx: Context, bar: Bar) -> None:
            self.held = {bar.close}

    program = EventProgram(Hoarding)
    row = program.add(Hoarding())
    call(program, row, 0, 1.0)
    with pytest.raises(StrategyError, match=r"Hoarding keeps self\.held \(set\), which cannot be saved"):
        program.state_bytes(row)


def test_the_context_cannot_be_used_to_write() -> None:
    context = Context(1, "SPY", 0.0, 5.0)
    with pytest.raises(TypeError):
        context.positions["SPY"] = 5.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        context.future = 1.0  # type: ignore[attr-defined]


def test_signals_and_orders_are_checked_when_made() -> None:
    with pytest.raises(BadValue, match="from -1 to 1"):
        Signal(1.5)
    with pytest.raises(UnknownName, match="order side 'bye' is unknown: did you mean 'buy'"):
        OrderRequest("bye", 1)
    with pytest.raises(BadValue, match=r"OrderRequest\.quantity = 0"):
        OrderRequest("buy", 0)
    with pytest.raises(BadValue, match="a limit order needs a price above 0"):
        OrderRequest("buy", 1, type="limit")
    with pytest.raises(BadValue, match="a market order takes none"):
        OrderRequest("buy", 1, limit_px=5.0)


def test_a_signal_strategy_is_refused() -> None:
    class Deciding(Strategy):
        def decide(p: Any, x: Any, pos: Any) -> Any:
            return pos

    with pytest.raises(BadInput, match="program_for runs it"):
        EventProgram(Deciding)


def test_the_shared_check_covers_event_strategies() -> None:
    results = check_strategy(Crossing)
    assert [r for r in results if not r.ok] == []
    assert len(results) == 5


def test_hooks_see_plain_floats_that_can_be_kept() -> None:
    class Keeping(Strategy):
        def indicators(self) -> dict[str, Indicator]:
            return {"mean": Sma(2), "bands": Bollinger(2)}

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            self.kept = [ctx.x.mean, *ctx.x.bands, ctx.x.close, ctx.x.ts_s]

    program = EventProgram(Keeping)
    row = program.add(Keeping())
    for k in range(4):
        call(program, row, k, 10.0 + k)
    assert {type(value) for value in program.instance(row).kept} == {float}  # type: ignore[attr-defined]
    other = program.add(Keeping())
    program.load_state(other, program.state_bytes(row))
    assert program.state_bytes(other) == program.state_bytes(row)
    seen = Context(9, "SPY", 0.0, 1.0)
    program.call(other, "on_quote", seen, Quote(9, 0, 1.0, 1.0, 2.0, 1.0))
    assert {type(value) for value in (*seen.x.bands, seen.x.mean)} == {float}


class Starting(Strategy):
    period: int = 3

    def start(self) -> None:
        self.seen: list[float] = [float(self.period)]

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen.append(bar.close)


def test_start_is_called_once_before_the_first_event_and_again_at_a_restart() -> None:
    program = EventProgram(Starting)
    row = program.add(Starting())
    call(program, row, 1, 5.0)
    assert program.instance(row).seen == [3.0, 5.0]  # type: ignore[attr-defined]
    program.restart(row, Starting(4))
    assert program.instance(row).seen == [4.0]  # type: ignore[attr-defined]

    class Clumsy(Starting):
        def start(self) -> None:
            self.seen = [1 / 0]

    with pytest.raises(
        StrategyError, match=r"Clumsy\.start raised ZeroDivisionError: .*: self\.seen = \[1 / 0\]"
    ):
        EventProgram(Clumsy).add(Clumsy())

    class Named(Strategy):
        start: float = 9.5

        def on_bar(self, ctx: Context, bar: Bar) -> None:
            pass

    assert EventProgram(Named).add(Named()) == 0


class Streaming(Strategy):
    period: int = 3

    def start(self) -> None:
        self.mean = Stream(Sma(self.period))
        self.both = {"SPY": [Stream(Bollinger(2)), 1.0]}

    def on_bar(self, ctx: Context, bar: Bar) -> Any:
        bands: Any = self.both["SPY"][0]
        self.mean.update(bar)
        return Signal(1.0 if bands.update(bar.close).middle < self.mean.value else 0.0)


def test_streams_are_saved_and_restored() -> None:
    one, two = EventProgram(Streaming), EventProgram(Streaming)
    row, other = one.add(Streaming()), two.add(Streaming())
    closes = sample_bars(40)[:, 3].tolist()
    for k in range(20):
        call(one, row, k, closes[k])
    two.load_state(other, one.state_bytes(row))
    for k in range(20, 40):
        assert call(one, row, k, closes[k]) == call(two, other, k, closes[k])
    assert one.state_bytes(row) == two.state_bytes(other)
    starting, saved = EventProgram(Starting), one.state_bytes(row)
    starting.add(Starting())
    with pytest.raises(
        BadInput, match=r"has no stream at self\.mean to put saved memory into: make it in start"
    ):
        starting.load_state(0, saved)
