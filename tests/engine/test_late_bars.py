"""Bars that come late are seen by strategies like any others, and nothing is traded at their prices."""

from tests.engine.conftest import MINUTE, Bench
from workbench.model import Bar, Submit
from workbench.model.commands import LATE, Timer
from workbench.strategy import Strategy


def late(bench: Bench, minutes: int, closes: tuple[float, ...]) -> int:
    """The stream was away for `minutes`; the first bars after that come late, one for each of `closes`. Returns the
    time it is."""
    now_ns = bench.ts_ns + minutes * MINUTE
    bench.do(Timer(now_ns, LATE))
    for close in closes:
        bench.bar(close)
    return now_ns


def test_orders_decided_on_late_bars_are_refused_and_the_next_live_bar_trades() -> None:
    bench = Bench()
    bench.place(1, mode="flip")
    bench.bar(100.0)
    bench.bar(100.1)
    sent = sum(isinstance(e, Submit) for e in bench.effects)
    now_ns = late(bench, 10, (100.2, 100.3, 100.2, 100.1))
    assert sum(isinstance(e, Submit) for e in bench.effects) == sent
    refused = [e for e in bench.effects if getattr(e, "code", "") == "STALE"]
    assert refused
    assert dict(refused[0].numbers)["age_s"] == 9 * 60.0  # type: ignore[union-attr]
    assert bench.engine.host.strategies[1].bars == 6  # it has seen them all
    bench.ts_ns = now_ns - MINUTE
    assert any(isinstance(e, Submit) for e in bench.bar(100.2))


def test_a_bar_that_is_late_but_young_enough_trades() -> None:
    bench = Bench()
    bench.place(1, mode="flip")
    bench.bar(100.0)
    late(bench, 3, (100.1,))  # it closed two minutes ago: as old as a price may be
    assert [e for e in bench.effects if getattr(e, "code", "") == "STALE"] == []


def test_a_late_bar_behind_a_newer_price_is_as_old_as_it_is() -> None:
    """Quotes go on while bars are fetched: the newest time that was seen counts, not the event in hand."""
    bench = Bench()
    bench.place(1, mode="flip")
    bench.bar(100.0)
    bench.do(Bar(bench.ts_ns + 10 * MINUTE, 0, 100.0, 100.5, 99.5, 100.0, 1.0))
    sent = sum(isinstance(e, Submit) for e in bench.effects)
    bench.bar(100.1)
    assert sum(isinstance(e, Submit) for e in bench.effects) == sent
    assert [e for e in bench.effects if getattr(e, "code", "") == "STALE"]


def test_a_strategy_with_a_timer_is_not_called_by_the_clock_of_late_bars() -> None:
    called = []

    class Timed(Strategy):
        def on_timer(self, ctx, timer):  # type: ignore[no-untyped-def]
            called.append(timer.name)

    from workbench.engine import Engine
    from workbench.model import AddInstrument, AddStrategy, Instrument, OpenAccount, StartSession, to_e8

    engine = Engine(load=lambda source, name: Timed)
    for command in (
        StartSession(1, 1, "test", "test", ""),
        OpenAccount(1, "TEST", to_e8(1_000_000)),
        AddInstrument.of(1, Instrument(0, "SPY")),
        AddStrategy(1, 1, "Timed", "class Timed: ...", "hash", (), (0,), "quantity", to_e8(10)),
        Timer(2, "bar"),
        Timer(600, LATE),
        Timer(3, "bar"),
    ):
        engine.handle(command)
    assert called == ["bar", "bar"]
    assert engine.now_ns == 600
