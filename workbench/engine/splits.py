"""A split in the books: every holding of one instrument in its new units, with no unit and no cent lost.

The account's quantity becomes `quantity * numerator / denominator`, cut towards zero to the lot; the venue pays for the
rest in cash (`CashMoved`). Strategies get their own share cut the same way, and the lots between their sum and the
account's go to those with the largest remainders (Hamilton's method), the lower number first. Cost follows the
quantity: what was cut off leaves the books at its average cost, as a realized loss that the venue's cash makes good.
Open orders are not touched: the venue amends or cancels them and says so.
"""

from collections.abc import Sequence

from workbench.engine.ledger import Ledger, Position

__all__ = ["split_holdings", "split_qty_e8"]


def split_qty_e8(qty_e8: int, numerator: int, denominator: int, lot_e8: int) -> int:
    """A signed quantity after a split, cut towards zero to the lot.

    >>> split_qty_e8(300, 3, 2, 100), split_qty_e8(-300, 3, 2, 100)
    (400, -400)
    """
    whole = abs(qty_e8) * numerator // (denominator * lot_e8) * lot_e8
    return whole if qty_e8 >= 0 else -whole


def split_holdings(ledger: Ledger, iid: int, numerator: int, denominator: int, lot_e8: int) -> None:
    """Follow a split of one instrument by a ratio above 0: the account's position, and every strategy's."""
    total = ledger.totals.get(iid)
    if total is None:
        return
    total_e8 = split_qty_e8(total.qty_e8, numerator, denominator, lot_e8)
    _cut(total, total_e8, numerator, denominator)
    held = [position for (_, i), position in sorted(ledger.positions.items()) if i == iid]
    shares = _shares([p.qty_e8 for p in held], total_e8, numerator, denominator, lot_e8)
    for position, qty_e8 in zip(held, shares, strict=True):
        _cut(position, qty_e8, numerator, denominator)


def _shares(held: Sequence[int], total_e8: int, numerator: int, denominator: int, lot_e8: int) -> list[int]:
    """What each holding becomes; the sum is `total_e8`."""
    shares = [split_qty_e8(qty_e8, numerator, denominator, lot_e8) for qty_e8 in held]
    missing = total_e8 - sum(shares)
    sign = 1 if missing > 0 else -1
    # what was cut off each, times the denominator: the largest in the missing direction comes first
    cut = [qty_e8 * numerator - share * denominator for qty_e8, share in zip(held, shares, strict=True)]
    order = sorted(range(len(held)), key=lambda n: (-sign * cut[n], n))
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
    position.given_e8 += qty_e8 - position.qty_e8
    position.qty_e8 = qty_e8
