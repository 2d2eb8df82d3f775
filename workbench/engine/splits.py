"""A split: every holding, mark and size of one instrument in its new units, with no unit and no cent lost.

The account's quantity becomes `quantity * numerator / denominator`, cut towards zero to the lot; the venue pays for the
rest in cash (`CashMoved`). Strategies get their own share cut the same way, and the lots between their sum and the
account's go to those with the largest remainders (Hamilton's method), the lower number first. Cost follows the
quantity: what was cut off leaves the books at its average cost, as a realized loss that the venue's cash makes good.
Open orders are not touched: the venue amends or cancels them and says so.
"""

from typing import TYPE_CHECKING

from workbench.engine.ledger import Position
from workbench.engine.seats import Seat
from workbench.model.market import Split

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["split_instrument", "split_qty_e8"]


def split_qty_e8(qty_e8: int, numerator: int, denominator: int, lot_e8: int) -> int:
    """A signed quantity after a split, cut towards zero to the lot.

    >>> split_qty_e8(300, 3, 2, 100), split_qty_e8(-300, 3, 2, 100)
    (400, -400)
    """
    whole = abs(qty_e8) * numerator // (denominator * lot_e8) * lot_e8
    return whole if qty_e8 >= 0 else -whole


def split_instrument(engine: "Engine", event: Split) -> None:
    """Follow a split of a known instrument by a ratio above 0."""
    iid, numerator, denominator = event.iid, event.numerator, event.denominator
    ledger, book = engine.ledger, engine.book
    lot_e8 = book.instruments[iid].lot_e8
    seats = [seat for (_, i), seat in sorted(engine.host.seats.items()) if i == iid]
    total = ledger.totals.get(iid)
    held_e8 = 0
    if total is not None:
        held_e8 = split_qty_e8(total.qty_e8, numerator, denominator, lot_e8)
        _cut(total, held_e8, numerator, denominator)
        shares = _shares(seats, held_e8, numerator, denominator, lot_e8)
        for seat, qty_e8 in zip(seats, shares, strict=True):
            position = ledger.positions.get((seat.placed.strategy_id, iid))
            if position is not None:
                _cut(position, qty_e8, numerator, denominator)
            seat.held_e8 = qty_e8
    book.split(iid, numerator, denominator)
    engine.exposure.split(engine.exposure.lines[iid], held_e8, book.mark_e8[iid])
    for seat in seats:
        seat.full_e8 = split_qty_e8(seat.full_e8, numerator, denominator, lot_e8)


def _shares(seats: list[Seat], total_e8: int, numerator: int, denominator: int, lot_e8: int) -> list[int]:
    """What each seat holds afterwards; the sum is `total_e8`."""
    shares = [split_qty_e8(seat.held_e8, numerator, denominator, lot_e8) for seat in seats]
    missing = total_e8 - sum(shares)
    if not missing:
        return shares
    sign = 1 if missing > 0 else -1
    # what was cut off each, in units of 1 / denominator: the largest in the missing direction comes first
    cut = [seat.held_e8 * numerator - share * denominator for seat, share in zip(seats, shares, strict=True)]
    order = sorted(range(len(seats)), key=lambda n: (-sign * cut[n], n))
    place = 0
    while missing:
        step = sign * min(lot_e8, abs(missing))
        shares[order[place % len(order)]] += step
        missing -= step
        place += 1
    return shares


def _cut(position: Position, qty_e8: int, numerator: int, denominator: int) -> None:
    """The position in its new quantity, its cost in proportion; the rest of the cost is realized."""
    exact = position.qty_e8 * numerator
    kept = position.cost_e8
    if exact and qty_e8 * denominator != exact:
        kept = position.cost_e8 * qty_e8 * denominator // exact
    position.realized_e8 -= position.cost_e8 - kept
    position.cost_e8 = kept
    position.split_e8 += qty_e8 - position.qty_e8
    position.qty_e8 = qty_e8
