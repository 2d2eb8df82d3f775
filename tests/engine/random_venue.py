"""Random lives of a venue, for its laws: orders of every kind, amendments, cancellations, and a market."""

from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.engine.venues import DAY_NS, T
from workbench.engine import Latency
from workbench.engine.match import Match, Slippage, Terms, TradingSessions
from workbench.model import (
    Amend,
    Bar,
    BarSlice,
    Cancel,
    Dividend,
    Instrument,
    MarketEvent,
    Quote,
    Split,
    Submit,
    Trade,
)
from workbench.model.orders import BUY, LIMIT, MARKET, SELL, STOP, STOP_LIMIT, TRAILING
from workbench.model.scale import SCALE

CASH_E8 = 5_000 * SCALE
STEP_NS = 1_000_000_000
INSTRUMENTS = [Instrument(0, "A"), Instrument(1, "B", tick_e8=5_000_000)]

type Step = Submit | Amend | Cancel | MarketEvent

hows = st.fixed_dictionaries(
    {
        "fill_at": st.sampled_from(["next", "next", "close"]),
        "arrival": st.sampled_from(["at_once", "at_once", "delayed"]),
        "group": st.sampled_from(["reduce", "cancel"]),
        "queue": st.booleans(),
        "participation": st.sampled_from([0.0, 0.0, 0.3]),
        "slippage": st.sampled_from([("none", 0.0), ("ticks", 2.0), ("sqrt", 0.05)]),
        "fees": st.sampled_from([None, "ibkr-fixed", "alpaca-crypto"]),
        "terms": st.sampled_from([{}, {"account": "cash"}, {"account": "margin", "margin_call": "cancel"}]),
        "rates": st.sampled_from([{}, {"borrow_rate": 0.2, "debit_rate": 0.1}]),
    }
)


def venue_of(how: dict[str, Any]) -> Match:
    words = {name: how[name] for name in ("fill_at", "arrival", "group", "queue", "participation", "fees")}
    hours = [T + n * DAY_NS for n in range(40)]
    return Match(
        CASH_E8,
        Latency(0.4, 0.9, 0.5),  # under a microsecond: far below a step
        slippage=Slippage(*how["slippage"]),
        instruments=INSTRUMENTS,
        sessions=TradingSessions([ns - 1 for ns in hours], [ns + 20 * STEP_NS for ns in hours]),
        terms=Terms(**how["terms"], **how["rates"]),
        **words,
    )


scripts = st.builds(lambda seed, length: script_of(seed, length), st.integers(0, 2**32), st.integers(4, 90))
"""Dense by chance (Hypothesis' own lists hold few fills); shorter ones are tried when one breaks a law."""


def script_of(seed: int, length: int) -> list[tuple[Any, ...]]:
    """Steps around a price that wanders."""
    draw = Random(seed)
    px, script = 100.0, list[tuple[Any, ...]]()
    weights: dict[str, float] = {
        "order": 14,
        "amend": 3,
        "cancel": 2,
        "bar": 8,
        "slice": 1,
        "trade": 8,
        "quote": 8,
    }
    weights |= {"night": 1, "split": 0.3, "dividend": 0.3}
    for what in draw.choices(list(weights), list(weights.values()), k=length):
        px = round(px + draw.uniform(-0.6, 0.6), 2)

        def near(width: float = 0.6, at: float = px) -> float:
            return round(at + draw.uniform(-width, width), 2)

        steps: dict[str, tuple[Any, ...]] = {
            "order": (
                draw.choice([BUY, SELL]),
                draw.choice([MARKET, LIMIT, LIMIT, LIMIT, STOP, STOP_LIMIT, TRAILING]),
                draw.choice([0, 0, 1, 1, 1, 2, 3, 4, 5]),
                draw.randint(1, 12),
                near(),
                near(),
                draw.choice([0, 0, 0, 0, 1, 1, 2, 3]),  # how many orders back the parent is
                draw.choice([0, 0, 0, 1, 2, 3]),
                draw.choice([0, 0, 0, 0, 1]),
            ),
            "amend": (draw.randint(1, 6), draw.randint(1, 14), near(), near()),
            "cancel": (draw.randint(1, 6),),
            "bar": (px, near(), near(), near(), draw.randint(0, 60), draw.choice([0, 0, 0, 1])),
            "slice": (px, near(), near(), near(), draw.randint(0, 60)),
            "trade": (near(), draw.choice([0, 2, 5, 20]), draw.choice([-1, 0, 1]), draw.choice([0, 0, 0, 1])),
            "quote": (near(), draw.randint(1, 30), draw.randint(0, 20), draw.randint(0, 20)),
            "night": (),
            "split": (draw.choice([(2, 1), (1, 3)]),),
            "dividend": (draw.randint(1, 200),),
        }
        script.append((what, *steps[what]))
    return script


def steps_of(script: list[tuple[Any, ...]]) -> list[Step]:
    """The script as what a venue is handed, in order of time."""
    steps: list[Step] = []
    ts_ns, number, day = T, 0, 0
    for what, *how in script:
        ts_ns += STEP_NS
        if what == "night":
            day += 1
            ts_ns = T + day * DAY_NS
        elif what == "order":
            number += 1
            steps.append(_order(ts_ns, number, *how))
        elif what == "amend":
            back, qty, limit, stop = how
            if number >= back:
                steps.append(_amend(steps, ts_ns, number - back + 1, qty, limit, stop))
        elif what == "cancel":
            steps.append(Cancel(ts_ns, max(1, number - how[0] + 1)))
        else:
            steps.append(_market(ts_ns, what, how))
    return steps


def _order(
    ts_ns: int, number: int, side: int, kind: int, tif: int, units: int, px: float, other: float, *ties: int
) -> Submit:
    back, group, iid = ties
    limit = px if kind in (LIMIT, STOP_LIMIT) else 0.0
    stop = other if kind in (STOP, STOP_LIMIT) else 0.0
    trail_e8 = 50_000_000 if kind == TRAILING and units % 2 else 0
    rate_e8 = 400_000 if kind == TRAILING and not trail_e8 else 0
    parent = max(0, number - back) if back else 0
    prices = (round(limit * SCALE), round(stop * SCALE))
    return Submit(
        ts_ns,
        number,
        1,
        1,
        iid,
        side,
        kind,
        tif,
        units * SCALE,
        *prices,
        "",
        trail_e8,
        rate_e8,
        parent,
        group,
    )


def _amend(steps: list[Step], ts_ns: int, number: int, qty: int, limit: float, stop: float) -> Amend:
    order = next(step for step in steps if isinstance(step, Submit) and step.order_id == number)
    limit_e8 = round(limit * SCALE) if order.kind in (LIMIT, STOP_LIMIT) else 0
    stop_e8 = order.stop_px_e8 if qty % 2 else round(stop * SCALE)
    return Amend(ts_ns, number, qty * SCALE, limit_e8, stop_e8 if order.kind in (STOP, STOP_LIMIT) else 0)


def _market(ts_ns: int, what: str, how: list[Any]) -> MarketEvent:
    if what in ("bar", "slice"):
        o, a, b, c, volume = how[:5]
        bar = Bar(
            ts_ns, how[5] if what == "bar" else 0, o, max(o, a, b, c), min(o, a, b, c), c, float(volume)
        )
        return bar if what == "bar" else slice_of(bar)
    if what == "trade":
        px, size, side, iid = how
        return Trade(ts_ns, iid, px, float(size), side)
    if what == "quote":
        bid, spread, bid_size, ask_size = how
        return Quote(ts_ns, 0, bid, float(bid_size), bid + spread / 100, float(ask_size))
    if what == "split":
        return Split(ts_ns, 0, *how[0])
    return Dividend(ts_ns, 0, how[0] * 1_000_000)


def slice_of(bar: Bar) -> BarSlice:
    """A slice of this bar and one of the other instrument that never moves."""
    import numpy as np

    rows = [[bar.open, bar.high, bar.low, bar.close, bar.volume], [100.0, 100.0, 100.0, 100.0, 10.0]]
    return BarSlice(bar.ts_ns, np.arange(2, dtype="<i4").tobytes(), np.array(rows, "<f8").tobytes())
