"""What could still happen: held plus open orders, at the last marks, kept current by small additions.

The worst case counts every order that may still fill (UNKNOWN ones too), on the side that hurts. Sums are exact
integers of 1e-16 (price times quantity). No rule, no order state, no cash lives here.
"""

from workbench.model.scale import SCALE

__all__ = ["Exposure", "Line"]


class Line:
    """One instrument: `held_e8` (signed), `buys_e8` and `sells_e8` still open, `worst_e8` the largest size the
    position can reach, `mark_e8` the last price; `bids` and `asks` are our own resting limit prices by order id."""

    __slots__ = ("asks", "bids", "buys_e8", "held_e8", "mark_e8", "sells_e8", "worst_e8")

    def __init__(self) -> None:
        self.held_e8 = 0
        self.buys_e8 = 0
        self.sells_e8 = 0
        self.worst_e8 = 0
        self.mark_e8 = 0
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}


class Exposure:
    """All lines and their sums: `value_e16` (held at mark), `gross_e16` (worst case, unsigned) and `buys_e16` (open
    buys at mark)."""

    __slots__ = ("buys_e16", "gross_e16", "lines", "value_e16")

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.value_e16 = 0
        self.gross_e16 = 0
        self.buys_e16 = 0

    def mark(self, iid: int, px_e8: int) -> None:
        """Move an instrument's mark."""
        line = self.lines[iid]
        moved = px_e8 - line.mark_e8
        line.mark_e8 = px_e8
        if moved and line.worst_e8:  # else nothing is held or open: the sums cannot move
            self.value_e16 += line.held_e8 * moved
            self.gross_e16 += line.worst_e8 * moved
            if line.buys_e8:
                self.buys_e16 += line.buys_e8 * moved

    def opened(self, line: Line, side: int, qty_e8: int) -> None:
        """An order of `qty_e8` may fill from now on."""
        if side > 0:
            line.buys_e8 += qty_e8
            self.buys_e16 += qty_e8 * line.mark_e8
            worst = line.held_e8 + line.buys_e8
        else:
            line.sells_e8 += qty_e8
            worst = line.sells_e8 - line.held_e8
        if worst > line.worst_e8:  # only this side has grown
            self.gross_e16 += (worst - line.worst_e8) * line.mark_e8
            line.worst_e8 = worst

    def closed(self, line: Line, side: int, qty_e8: int) -> None:
        """`qty_e8` of an order can no longer fill."""
        if side > 0:
            line.buys_e8 -= qty_e8
            self.buys_e16 -= qty_e8 * line.mark_e8
        else:
            line.sells_e8 -= qty_e8
        self._settle(line)

    def filled(self, line: Line, side: int, qty_e8: int, was_open_e8: int) -> None:
        """`qty_e8` filled, of which `was_open_e8` had been counted as open (less only in an overfill)."""
        mark = line.mark_e8
        if side > 0:
            line.held_e8 += qty_e8
            line.buys_e8 -= was_open_e8
            self.value_e16 += qty_e8 * mark
            self.buys_e16 -= was_open_e8 * mark
        else:
            line.held_e8 -= qty_e8
            line.sells_e8 -= was_open_e8
            self.value_e16 -= qty_e8 * mark
        self._settle(line)

    def split(self, line: Line, held_e8: int, mark_e8: int) -> None:
        """The instrument in new units: another quantity held, another mark; what is open stays until the venue says
        otherwise."""
        self.value_e16 += held_e8 * mark_e8 - line.held_e8 * line.mark_e8
        self.buys_e16 += line.buys_e8 * (mark_e8 - line.mark_e8)
        self.gross_e16 += line.worst_e8 * (mark_e8 - line.mark_e8)
        line.held_e8, line.mark_e8 = held_e8, mark_e8
        self._settle(line)

    def _settle(self, line: Line) -> None:
        high = line.held_e8 + line.buys_e8
        low = line.sells_e8 - line.held_e8
        worst = high if high > low else low
        if worst != line.worst_e8:
            self.gross_e16 += (worst - line.worst_e8) * line.mark_e8
            line.worst_e8 = worst

    @property
    def value_e8(self) -> int:
        """Market value of everything held, in cash units."""
        return self.value_e16 // SCALE

    @property
    def gross_e8(self) -> int:
        """Worst-case gross exposure, in cash units."""
        return self.gross_e16 // SCALE
