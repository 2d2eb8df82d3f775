"""Money and quantities of a fill in 64-bit integers of 1e-8, equal to the engine's exact integers to the last unit.

Compiled loops must book what the engine books, and the engine's products (price times quantity, in 1e-16) do not fit
into 64 bits. So they are split at the scale, or divided with an estimate that the wrapped remainder corrects.
Every function is plain Python over whole numbers; compiled loops wrap them. Outside `room` they may be wrong: a loop
asks it first and leaves what is too large to the engine.

Not here: when something fills (engine/match, the loops of research/).
"""

__all__ = ["fee_e8", "floor_lot", "over_e8", "percent_qty_e8", "room", "slipped_px_e8", "value_e8"]

_S = 100_000_000
_HALF = 50_000_000


def room(px_e8: int, qty_e8: int) -> bool:
    """Whether price times quantity (both in size) stays within 64 bits of 1e-8: less than 80 thousand million.

    >>> room(400 * _S, 10 * _S), room(_S * 1_000, _S * 1_000_000_000)
    (True, False)
    """
    return float(px_e8) * float(qty_e8) < 8e26


def value_e8(px_e8: int, qty_e8: int) -> int:
    """Price times quantity in 1e-8, rounded half away from zero (as `model.scale.notional_e8`); `px_e8` >= 0.

    >>> value_e8(36_748_000_000, 10 * _S), value_e8(3, -_HALF), value_e8(1, _HALF - 1)
    (367480000000, -2, 0)
    """
    size = qty_e8 if qty_e8 >= 0 else -qty_e8
    px1, qty1 = px_e8 // _S, size // _S
    px0, qty0 = px_e8 - px1 * _S, size - qty1 * _S
    value = px1 * qty1 * _S + px1 * qty0 + px0 * qty1 + (px0 * qty0 + _HALF) // _S
    return value if qty_e8 >= 0 else -value


def over_e8(px_e8: int, qty_e8: int) -> tuple[int, int]:
    """Price times quantity as (whole units of 1e-8 rounded down, the rest of them in 1e-16); `px_e8` >= 0.

    >>> over_e8(3, _HALF), over_e8(3, -_HALF)
    ((1, 50000000), (-2, 50000000))
    """
    size = qty_e8 if qty_e8 >= 0 else -qty_e8
    px1, qty1 = px_e8 // _S, size // _S
    px0, qty0 = px_e8 - px1 * _S, size - qty1 * _S
    low = px0 * qty0
    whole = low // _S
    rest = low - whole * _S
    whole += px1 * qty1 * _S + px1 * qty0 + px0 * qty1
    if qty_e8 >= 0:
        return whole, rest
    if rest == 0:
        return -whole, 0
    return -whole - 1, _S - rest


def fee_e8(value: int, qty_e8: int, unit_e8: int, rate_e8: int) -> int:
    """The fee of a fill: so much a unit plus a rate of its value (in size), each rounded half up.

    >>> fee_e8(3_674 * _S, 10 * _S, 500_000, 10_000) / _S
    0.4174
    """
    size = value if value >= 0 else -value
    return value_e8(unit_e8, qty_e8 if qty_e8 >= 0 else -qty_e8) + value_e8(rate_e8, size)


def floor_lot(qty_e8: int, lot_e8: int) -> int:
    """The largest quantity on the lot grid not above `qty_e8` in size; the sign is kept.

    >>> floor_lot(-7, 5), floor_lot(12, 5)
    (-5, 10)
    """
    size = qty_e8 if qty_e8 >= 0 else -qty_e8
    size = size // lot_e8 * lot_e8
    return size if qty_e8 >= 0 else -size


def percent_qty_e8(equity_e8: int, percent_e8: int, mark_e8: int) -> int:
    """The quantity that `percent_e8` percent of the equity buys at the mark, rounded down (as `engine.sizing`).

    Exact while equity times percent stays below 1e30. The estimate in floats is off by a few units at most; its
    remainder, though the products wrap, is exact and says by how many.

    >>> percent_qty_e8(1_000_000 * _S, 10 * _S, 400 * _S) // _S
    250
    """
    if mark_e8 <= 0 or equity_e8 <= 0:
        return 0
    unit = 100 * mark_e8
    qty = int(float(equity_e8) * float(percent_e8) / float(unit))
    rest = equity_e8 * percent_e8 - qty * unit
    qty += rest // unit
    return qty


def slipped_px_e8(px_e8: int, side: int, worse_e8: int, rate: float, tick_e8: int) -> int:
    """The price after slippage by a distance or a fraction (one of them 0), on the tick grid and rounded against the
    order (as `engine.match.slippage`).

    >>> slipped_px_e8(100 * _S, 1, 0, 0.00015, 1_000_000) / _S
    100.02
    """
    worse = worse_e8 if rate == 0.0 else round(px_e8 * rate)
    if worse == 0:
        return px_e8
    if side > 0:
        return -(-(px_e8 + worse) // tick_e8) * tick_e8
    return max((px_e8 - worse) // tick_e8 * tick_e8, tick_e8)
