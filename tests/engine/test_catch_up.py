"""Catching up leaves an engine as handling every event would: clock, day, prices, marks; and back again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.conftest import MINUTE, SECOND, T0
from workbench.engine import Engine
from workbench.engine.catch_up import clock_of, new_day, set_clock, set_price, set_quote, tell_time
from workbench.model import (
    AddInstrument,
    Event,
    Filled,
    OpenAccount,
    PlaceOrder,
    Quote,
    StartSession,
    Trade,
    to_e8,
)

HOURS = 3_600 * SECOND


def held() -> Engine:
    """An engine with an instrument of which it holds ten at 100."""
    engine = Engine()
    for event in (
        StartSession(T0, 1, "test", "test", ""),
        OpenAccount(T0, "TEST", to_e8(10_000)),
        AddInstrument(T0, 0, "SPY", "SIM", "USD", 1_000_000, 100_000_000, "XNYS"),
        Trade(T0, 0, 100.0),
        PlaceOrder(T0, 0, 1, 0, 0, to_e8(10)),
        Filled(T0 + SECOND, 1, "x1", to_e8(100), to_e8(10)),
    ):
        engine.handle(event)
    return engine


def state(engine: Engine) -> tuple[Any, ...]:
    book, risk, exposure = engine.book, engine.risk, engine.exposure
    lines = [(x.mark_e8, x.worst_e8, x.held_e8) for x in exposure.lines]
    prices = (book.last_px, book.previous_px, book.last_ts, book.mark_e8, book.bid, book.ask)
    return (
        clock_of(engine),
        prices,
        lines,
        exposure.value_e16,
        exposure.gross_e16,
        risk.equity_e8,
        risk.now_ns,
        risk.ts_ns,
    )


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 30 * HOURS), st.integers(5_000, 20_000), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_law_it_equals_handling_every_event(steps: list[tuple[int, int, bool]]) -> None:
    handling, catching = held(), held()
    ts_ns, previous = T0 + MINUTE, 0.0
    prices = [100.0]
    bid = ask = 0.0
    for step_ns, cents, quoted in steps:
        ts_ns += step_ns
        px = cents / 100
        event: Event = Quote(ts_ns, 0, px - 0.01, 0.0, px + 0.01, 0.0) if quoted else Trade(ts_ns, 0, px)
        handling.handle(event)
        if new_day(catching, ts_ns):  # the day begins with what was before: only then the price
            set_price(catching, 0, prices[-1], previous, catching.book.last_ts[0])
        tell_time(catching, ts_ns)
        if quoted:
            bid, ask = px - 0.01, px + 0.01
        previous = prices[-1]
        prices.append((px - 0.01 + (px + 0.01)) * 0.5 if quoted else px)
    set_price(catching, 0, prices[-1], prices[-2], ts_ns)
    set_quote(catching, 0, bid, ask)
    assert state(catching) == state(handling)


def test_the_clock_can_be_put_back() -> None:
    engine = held()
    before, equity_e8 = state(engine), engine.risk.equity_e8
    clock = clock_of(engine)
    tell_time(engine, T0 + 40 * HOURS)
    set_price(engine, 0, 120.0, 100.0, T0 + 40 * HOURS)
    assert state(engine) != before
    assert engine.risk.day_equity_e8 == equity_e8  # a new day starts from the equity there was
    set_clock(engine, clock)
    set_price(engine, 0, 100.0, 0.0, T0)
    assert state(engine) == before
