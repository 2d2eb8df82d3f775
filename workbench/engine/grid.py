"""The rule GRID: known words, a positive quantity on the lot grid, prices on the tick grid where the kind needs them.

A trailing order takes one distance in place of prices; an auction (opg, cls) takes market and limit orders alone.
What the engine has sized itself is on the grid by construction. The other rules are in `rules`.
"""

from typing import TYPE_CHECKING, Final

from workbench.engine.seats import Intent, Verdict
from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    SELL,
    STOP,
    STOP_LIMIT,
    TIF_NAMES,
    TRAILING,
    TYPE_NAMES,
)
from workbench.model.scale import SCALE, from_e8

if TYPE_CHECKING:
    from workbench.engine.risk import Risk

__all__ = ["grid"]

_LARGEST_E8: Final = 10**15 * SCALE
# a trailing order cannot be decided at once; an auction takes market and limit orders
_NOT_FOR_ALL: Final = {
    OPG: (MARKET, LIMIT),
    CLS: (MARKET, LIMIT),
    IOC: (MARKET, LIMIT, STOP, STOP_LIMIT),
    FOK: (MARKET, LIMIT, STOP, STOP_LIMIT),
}


def grid(intent: Intent, risk: "Risk") -> Verdict | None:
    """GRID: known words, a positive quantity on the lot grid, prices on the tick grid where the kind needs them.
    What the engine has sized itself is on the grid by construction."""
    if intent.sized:
        return None
    qty, instrument, kind = intent.qty_e8, intent.seat.instrument, intent.kind
    limit_px, stop_px = intent.limit_px_e8, intent.stop_px_e8
    if (
        kind == MARKET
        and 0 < qty < _LARGEST_E8
        and qty % instrument.lot_e8 == 0
        and not limit_px
        and not stop_px
        and not intent.trail_e8
        and not intent.trail_rate_e8
    ):
        if (intent.side == BUY or intent.side == SELL) and DAY <= intent.tif <= FOK:
            return None
    if intent.side not in (BUY, SELL):
        return (
            "GRID",
            f"side {intent.side} is unknown: give 1 (buy) or -1 (sell)",
            (("side", float(intent.side)),),
        )
    if not MARKET <= kind <= TRAILING:
        return "GRID", f"order type {kind} is unknown: give 0 to 4", (("type", float(kind)),)
    if not DAY <= intent.tif <= CLS:
        return "GRID", f"time in force {intent.tif} is unknown: give 0 to 5", (("tif", float(intent.tif)),)
    if intent.tif in _NOT_FOR_ALL and kind not in _NOT_FOR_ALL[intent.tif]:
        text = f"time in force {TIF_NAMES[intent.tif]} does not go with a {TYPE_NAMES[kind]} order: use day or gtc"
        return "GRID", text, (("tif", float(intent.tif)), ("type", float(kind)))
    if not 0 < qty < _LARGEST_E8 or qty % instrument.lot_e8:
        lot = from_e8(instrument.lot_e8)
        text = (
            f"quantity {from_e8(qty):g} is not a positive multiple of the lot {lot:g} of {instrument.symbol}"
        )
        return "GRID", text, (("quantity", from_e8(qty)), ("lot", lot))
    for name, px, needed in (
        ("limit", limit_px, kind in (LIMIT, STOP_LIMIT)),
        ("stop", stop_px, kind in (STOP, STOP_LIMIT)),
    ):
        if needed and not 0 < px < _LARGEST_E8:
            return "GRID", f"a price above 0 is needed: {name} price {from_e8(px):g}", ((name, from_e8(px)),)
        if not needed and px:
            text = f"{name} price {from_e8(px):g} has no meaning for this order type: leave it out"
            return "GRID", text, ((name, from_e8(px)),)
        if px % instrument.tick_e8:
            tick = from_e8(instrument.tick_e8)
            near = from_e8(instrument.round_px(px))
            text = f"{name} price {from_e8(px):.10g} is off the tick {tick:g} of {instrument.symbol}: try {near:.10g}"
            return "GRID", text, ((name, from_e8(px)), ("tick", tick))
    return _trail(intent)


def _trail(intent: Intent) -> Verdict | None:
    """The part of GRID that is about trailing orders: one distance, on the tick grid or below the whole price."""
    trail, rate = intent.trail_e8, intent.trail_rate_e8
    if intent.kind != TRAILING:
        if not trail and not rate:
            return None
        return (
            "GRID",
            "a trail has no meaning for this order type: leave it out",
            (("trail", from_e8(trail)),),
        )
    if (trail == 0) == (rate == 0) or trail < 0 or rate < 0:
        text = (
            f"a trailing order takes one distance above 0: trail {from_e8(trail):g}, rate {from_e8(rate):g}"
        )
        return "GRID", text, (("trail", from_e8(trail)), ("rate", from_e8(rate)))
    if rate >= SCALE or trail >= _LARGEST_E8:
        text = f"trail {from_e8(trail or rate):g} is the whole price or more: give a smaller distance"
        return "GRID", text, (("trail", from_e8(trail)), ("rate", from_e8(rate)))
    instrument = intent.seat.instrument
    if trail % instrument.tick_e8:
        tick, near = from_e8(instrument.tick_e8), from_e8(instrument.round_px(trail))
        text = f"trail {from_e8(trail):.10g} is off the tick {tick:g} of {instrument.symbol}: try {near:.10g}"
        return "GRID", text, (("trail", from_e8(trail)), ("tick", tick))
    return None
