"""The event loop against the engine's own loop: everything equal, over random strategies, markets, limits, delays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.research.erratic import erratic
from tests.research.test_backtest import CROSS
from workbench.config import SimSettings
from workbench.engine import Engine
from workbench.errors import StrategyError
from workbench.feeds import Columns, Recording, synthetic
from workbench.model import Bar, Effect, Event
from workbench.model.orders import STATE_NAMES, TIF_NAMES, TYPE_NAMES
from workbench.model.scale import SCALE
from workbench.research import backtest
from workbench.research.engine_loop import Desk
from workbench.research.events.inputs import Inputs
from workbench.research.events.run import EventLoop, events_run
from workbench.research.plan import Placement, Plan
from workbench.strategy import Strategy, load_strategy

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NOON = 1_609_750_800 * SECOND  # a Monday at 09:00 UTC


def market(seed: int, symbols: int, kinds: str, bars: int = 40) -> Recording:
    """A market of several days: bars (with gaps), quotes (some crossed) and trades (some without a size)."""
    lucky = np.random.default_rng(seed)
    names = tuple(f"S{k}" for k in range(symbols))
    tables = []
    days = np.array([0, 1, 1, 3])[np.arange(bars) * 4 // bars]
    close_ns = NOON + days * DAY + np.arange(bars) * 60 * SECOND
    for code, name in enumerate(names):
        px = np.round(100 * np.exp(np.cumsum(lucky.normal(0, 0.002, bars + 1))), 2)
        if "b" in kinds and (code == 0 or lucky.random() < 0.9):
            kept = lucky.random(bars) < (1.0 if seed % 3 else 0.8)
            o, c = px[:-1], px[1:]
            reach = np.round(np.abs(lucky.normal(0, 0.1, (2, bars))), 2)
            table = np.column_stack(
                [o, np.maximum(o, c) + reach[0], np.minimum(o, c) - reach[1], c, lucky.integers(0, 50, bars)]
            )
            if kept.any():
                n = int(kept.sum())
                tables.append(
                    Columns("bars", (name,), close_ns[kept], np.zeros(n, np.int32), table[kept].astype(float))
                )
        n = bars * 2
        ts = np.sort(close_ns[lucky.integers(0, bars, n)] - lucky.integers(0, 60, n) * SECOND)
        near = np.round(px[np.searchsorted(close_ns, ts, side="left").clip(0, bars)], 2)
        if "q" in kinds:
            spread = np.round(lucky.integers(-1, 6, n) / 100, 2)  # some crossed, some locked
            sizes = lucky.integers(0, 30, (2, n)).astype(float)
            quotes = np.column_stack([near, sizes[0], near + spread, sizes[1]])
            tables.append(Columns("quotes", (name,), ts, np.zeros(n, np.int32), quotes))
        if "t" in kinds:
            prints = np.column_stack([near, lucky.integers(0, 30, n), lucky.integers(-1, 2, n)])
            tables.append(Columns("trades", (name,), ts, np.zeros(n, np.int32), prints.astype(float)))
    return Recording.merged(f"market {seed}", *tables)


def plan_of(strategy: Strategy, recording: Recording, **more: Any) -> Plan:
    sizing = more.pop("sizing", "quantity")
    iids = [i.iid for i in recording.instruments]
    return Plan(recording, (Placement.checked(strategy, iids, 10.0, sizing),), **more)


def outcome(play: Callable[[], None], desk: Desk, strategy: Any) -> dict[str, Any]:
    """Everything that can be seen of a run, errors included."""
    said = ""
    try:
        play()
    except StrategyError as error:
        said = str(error)
    engine, match = desk.engine, desk.match
    memory = {n: v for n, v in vars(strategy()).items() if n != "kept"}
    seen: dict[str, Any] = {
        "error": said,
        "fills": desk.fills,
        "refusals": desk.refusals,
        "orders": list(engine.orders.by_id.values()),
        "memory": memory,
        "state": next(p.state for p in engine.host.strategies.values() if p.strategy_id),
    }
    if not said:  # an engine whose strategy raised is thrown away: nobody catches up with the rest of the day
        run = desk.run("", "")
        seen |= {
            "digest": engine.digest(),
            "equity": run.equity.tolist(),
            "moves": run.cash_moves,
            "instants": run.ts_ns.tolist(),
            "book": [engine.book.previous_px, engine.book.bid, engine.book.ask, engine.book.mark_e8],
            "lines": [
                (x.held_e8, x.worst_e8, x.mark_e8, x.buys_e8, x.sells_e8) for x in engine.exposure.lines
            ],
            "venue": (match.cash_e8, match.fees_e8, match.positions),
            "day": (
                engine.risk.day_equity_e8,
                engine.ts_ns,
                engine.now_ns,
                engine.risk.ts_ns,
                engine.risk.now_ns,
            ),
        }
    return seen


def instance(engine: Engine) -> Any:
    [placed] = [p for p in engine.host.strategies.values() if p.strategy_id]
    assert placed.event_program is not None
    return placed.event_program.instance(placed.event_row)


def agree(plan: Plan) -> dict[str, Any]:
    """Both loops over one plan; every difference fails."""
    slow, fast = Desk(plan), Desk(plan)
    own = instance(slow.engine)
    expected = outcome(slow.play, slow, lambda: own)
    loop = EventLoop.of(fast)
    assert not isinstance(loop, str), loop
    got = outcome(loop.play, fast, lambda: loop.program.strategy)
    for what, value in expected.items():
        assert got[what] == value, what
    return got


HOOKS = ["on_bar", "on_quote", "on_trade", "on_fill", "on_order", "on_timer"]
LIMITS: list[dict[str, float]] = [
    {},
    {"max_order_qty": 6},
    {"allow_short": 0, "allow_reversal": 0},
    {"breaches_to_halt": 3, "duplicate_window_s": 600},
    {"max_daily_loss": 5, "max_data_age_s": 30},
    {"max_gross": 3_000, "credit": 500, "max_repeats": 2, "repeat_window_s": 600},
]
VENUES: list[dict[str, Any]] = [
    {},
    {"ack_median_us": 0.0, "fill_median_us": 0.0},
    {"ack_median_us": 9e7, "fill_median_us": 9e7, "arrival": "delayed"},
    {"participation": 0.1, "slippage": "sqrt", "slippage_amount": 0.1},
    {"queue": True, "group": "cancel"},
    {"account": "margin", "margin_call": "cancel", "borrow_rate": 2.0, "debit_rate": 1.0},
    {"account": "cash", "shorting": False, "slippage": "ticks", "slippage_amount": 1.0},
    {"borrow_rate": 5.0, "fill_at": "close"},
]


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(1, 10_000),
    symbols=st.integers(1, 3),
    kinds=st.sampled_from(["b", "b", "q", "t", "bq", "bt", "qt", "bqt"]),
    hooks=st.lists(st.sampled_from(HOOKS), min_size=1, max_size=4, unique=True),
    busy=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    limits=st.sampled_from(LIMITS),
    fill=st.sampled_from(["next_open", "close"]),
    sizing=st.sampled_from(["quantity", "percent", "notional", "kelly"]),
    venue=st.sampled_from(VENUES),
    raises=st.booleans(),
)
def test_it_equals_the_engines_own_loop(
    seed: int, symbols: int, kinds: str, hooks: list[str], busy: float, limits: dict[str, float], fill: str,
    sizing: str, venue: dict[str, Any], raises: bool,
) -> None:  # fmt: skip
    sim = SimSettings(fee_per_unit=0.01, fee_rate=0.0001, **venue)
    strategy = erratic(*hooks)(seed=seed, busy=busy, raises=raises)
    agree(
        plan_of(
            strategy,
            market(seed, symbols, kinds),
            cash=50_000.0,
            sim=sim,
            limits=limits,
            fill=fill,
            sizing=sizing,
        )
    )


def test_the_random_strategies_do_everything_that_is_compared() -> None:
    """A comparison of days on which nothing happens would prove nothing."""
    seen: dict[str, int] = {}
    for seed in range(1, 31):
        kinds = ["b", "bq", "qt", "bqt"][seed % 4]
        strategy = erratic(*HOOKS)(seed=seed, busy=0.3, raises=seed % 10 == 0)
        limits = LIMITS[seed % len(LIMITS)]
        got = agree(plan_of(strategy, market(seed, 1 + seed % 3, kinds), cash=50_000.0, limits=limits))
        for what in ("fills", "orders", "refusals", "error"):
            seen[what] = seen.get(what, 0) + len(got[what])
        for name, *_ in got["memory"]["log"]:
            seen[name] = seen.get(name, 0) + 1
        for order in got["orders"]:
            for word in (STATE_NAMES[order.state], TYPE_NAMES[order.kind], TIF_NAMES[order.tif]):
                seen[word] = seen.get(word, 0) + 1
        halted = got.get("state") == "paused"
        seen["halted"] = seen.get("halted", 0) + halted
    assert min(seen[what] for what in ("fills", "orders", "refusals", "error", "halted", *HOOKS)) > 0, seen
    words = ("filled", "cancelled", "expired", "limit", "stop", "stop_limit", "trailing", *TIF_NAMES)
    assert min(seen[word] for word in words) > 3, seen


def test_indicators_are_those_of_streaming_over_many_bars() -> None:
    """Long enough for the compiled form; several symbols; values, warm-up and orders equal."""
    recording = synthetic(symbols=2, bars=1_200, seed=4)
    got = agree(plan_of(erratic("on_bar", "on_trade", "on_timer")(seed=7, busy=0.01), recording))
    assert sum("Inputs(mean=" in str(entry) for entry in got["memory"]["log"]) > 2_000


def test_many_bars_take_the_compiled_indicators(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fall back to plain Python would be right, and eighteen times as slow: it must not happen unseen."""
    lengths: list[int] = []
    plainly = Inputs._plainly

    def counted(self: Inputs, ts_ns: Any, ohlcv: Any) -> Any:
        lengths.append(len(ts_ns))
        return plainly(self, ts_ns, ohlcv)

    monkeypatch.setattr(Inputs, "_plainly", counted)
    strategy = erratic("on_bar")(seed=3)
    Inputs(strategy, synthetic(symbols=2, bars=1_000))
    assert lengths == [1_000, 1_000]  # two indicators: few enough
    lengths.clear()
    Inputs(strategy, synthetic(symbols=2, bars=3_000))
    assert lengths == [256, 256]


def test_a_hook_that_aims_at_what_it_has_costs_no_engine() -> None:
    """Answering the same target bar after bar is the habit of many: it must equal, and it must be the short way."""
    text = """
from workbench.strategy import Signal, Strategy

class Level(Strategy):
    def on_bar(self, ctx, bar):
        return Signal(1.0 if bar.close > bar.open else 0.0, symbol=ctx.symbol if bar.volume % 2 else "")
"""
    plan = plan_of(load_strategy(text, "Level")(), synthetic(1, 300))
    got = agree(plan)
    desk = Desk(plan)
    loop = EventLoop.of(desk)
    assert not isinstance(loop, str)
    bars: list[Event] = []
    handle = desk.engine.handle

    def counting(event: Event) -> list[Effect]:
        if isinstance(event, Bar):
            bars.append(event)
        return handle(event)

    desk.engine.handle = counting  # type: ignore[method-assign]
    loop.play()
    assert len(bars) == len(got["orders"]) < 200


@pytest.mark.parametrize("column", [0, 4])
def test_what_the_book_refuses_goes_through_the_engine(column: int) -> None:
    recording = market(1, 1, "b")
    values = recording.values.copy()
    values[7, column] = -1.0
    broken = Recording(
        "broken",
        recording.instruments,
        recording.ts_ns.copy(),
        recording.iid.copy(),
        recording.kind.copy(),
        values,
        bar_ns=recording.bar_ns,
    )
    run = events_run(plan_of(erratic("on_bar")(seed=3), broken))
    assert (run.loop, run.why) == ("engine", "the recording holds bars that the book refuses")


def test_a_signal_strategy_and_a_failing_indicator_go_through_the_engine() -> None:
    signal = load_strategy(CROSS, "AroundMean")()
    assert events_run(plan_of(signal, market(1, 1, "b"))).why == "it takes one event strategy"
    text = """
from collections import namedtuple
from workbench.kernels import Indicator
from workbench.strategy import Strategy, load_strategy

class Failing(Indicator):
    def init(p):
        return namedtuple("S", "n")(0)
    def step(p, s, buf, bar):
        return s, 1.0 + [1.0][int(bar.close)]

class Uses(Strategy):
    def indicators(self):
        return {"failing": Failing()}
    def on_bar(self, ctx, bar):
        pass
"""
    with pytest.raises(StrategyError, match=r"Failing\.step raised IndexError"):
        events_run(plan_of(load_strategy(text, "Uses")(), market(1, 1, "b")))


def test_the_desk_is_flattened_after_the_last_bar() -> None:
    plan = plan_of(erratic("on_bar")(seed=5, busy=0.5), market(5, 1, "b"), flat_at_end=True)
    agree(plan)
    run = events_run(plan)
    assert (run.loop, run.why) == ("events", "")
    assert np.bincount(run.fills["iid"], run.fills["side"] * run.fills["qty"]).tolist() == [0.0]


def test_what_is_borrowed_costs_by_the_day_in_both() -> None:
    """A venue that charges nights must see them, though no order is open."""
    text = """
from workbench.strategy import Signal, Strategy

class Short(Strategy):
    def on_bar(self, ctx, bar):
        return Signal(-1.0)
"""
    sim = SimSettings(borrow_rate=3.6)
    got = agree(plan_of(load_strategy(text, "Short")(), market(2, 1, "b"), sim=sim))
    assert (got["venue"][2], len(got["orders"])) == ({0: -10 * SCALE}, 1)
    assert got["moves"] < -25  # 10 units of about 100 for three nights, at a hundredth a day


@pytest.mark.parametrize("loop", ["events", "engine"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("raise SystemExit(3)", r"Odd\.on_bar raised SystemExit: 3 \(line 4: .*raise SystemExit"),
        ("ctx.positon", r"Odd\.on_bar raised AttributeError: .*'positon' \(line 4: .*ctx\.positon"),
    ],
)
def test_what_a_hook_raises_is_told_with_the_users_line(loop: str, line: str, said: str) -> None:
    """An exit in a strategy's code ends the strategy and not the process it runs in."""
    text = f"from workbench.strategy import Strategy\nclass Odd(Strategy):\n  def on_bar(self, ctx, bar):\n    {line}\n"
    with pytest.raises(StrategyError, match=said):
        backtest(load_strategy(text, "Odd"), synthetic(1, 20), loop=loop)
