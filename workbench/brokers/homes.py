"""Which account each order went to, for as long as anything can be heard of it, and no longer.

An order that is under way is never forgotten. One that has ended may still be filled late, or be asked about: the last
10,000 of them are kept (a venue's tracker remembers as many).

Lives here: that memory. Not here: choosing an account (router.py).
"""

from typing import Final

from workbench.model.effects import Submit
from workbench.model.reports import Amended, Cancelled, Expired, Filled, Rejected, Report, Unsent

__all__ = ["Homes"]

_KEPT: Final = 10_000
_ENDS: Final = (Cancelled, Expired, Rejected, Unsent)


class _Home:
    __slots__ = ("account", "filled_e8", "group", "iid", "qty_e8", "side")

    def __init__(self, account: str, iid: int, side: int, qty_e8: int, filled_e8: int, group: int) -> None:
        self.account, self.iid, self.side = account, iid, side
        self.qty_e8, self.filled_e8, self.group = qty_e8, filled_e8, group


class Homes:
    """By order: its account. At most `kept` orders that have ended are remembered, the oldest is forgotten first.

    >>> homes = Homes(kept=1)
    >>> for n in (1, 2):
    ...     homes.went(Submit(0, n, 7, 1, 0, 1, 0, 0, 10, 0, 0), "paper")
    >>> homes.heard(Filled(0, 1, "x1", 100, 10, 0)), homes.heard(Cancelled(0, 2))
    ((0, 10), None)
    >>> homes.of(1), homes.of(2), len(homes)
    ('', 'paper', 1)
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._homes: dict[int, _Home] = {}
        self._ended: dict[int, None] = {}
        self._groups: dict[int, tuple[str, int]] = {}  # account, and how many of its orders are known

    def __len__(self) -> int:
        return len(self._homes)

    def went(self, order: Submit, account: str) -> None:
        """An order was handed to an account."""
        if order.order_id in self._homes:
            return
        home = _Home(account, order.iid, order.side, order.qty_e8, 0, order.group)
        self._homes[order.order_id] = home
        if order.group:
            _, orders = self._groups.get(order.group, ("", 0))
            self._groups[order.group] = account, orders + 1

    def found(self, order_id: int, account: str, qty_e8: int = 0, filled_e8: int = 0) -> None:
        """An order that was not handed over here is at an account; a quantity of 0 is not known."""
        if order_id not in self._homes:
            self._homes[order_id] = _Home(account, -1, 0, qty_e8, filled_e8, 0)
        else:
            self._homes[order_id].account = account

    def over(self, order_id: int) -> None:
        """An order has ended: it is kept for a while."""
        if order_id not in self._homes:
            return
        self._ended[order_id] = None
        while len(self._ended) > self._kept:
            self._forget(next(iter(self._ended)))

    def of(self, order_id: int) -> str:
        """The account of an order; "" when none is known."""
        home = self._homes.get(order_id)
        return home.account if home is not None else ""

    def of_group(self, group: int) -> str:
        """The account of a group's orders; "" when none is known."""
        return self._groups.get(group, ("", 0))[0]

    def heard(self, report: Report) -> tuple[int, int] | None:
        """Take what was reported of an order; of a fill of one that was handed over here: its instrument, and by how
        much (signed) it changes what is held."""
        home = self._homes.get(report.order_id)
        if home is None:
            return None
        moved = None
        if type(report) is Filled:
            home.filled_e8 += report.qty_e8
            if home.side:
                moved = home.iid, home.side * report.qty_e8
        elif type(report) is Amended:
            home.qty_e8 = report.qty_e8
        if isinstance(report, _ENDS) or 0 < home.qty_e8 <= home.filled_e8:
            self.over(report.order_id)
        return moved

    def _forget(self, order_id: int) -> None:
        del self._ended[order_id]
        group = self._homes.pop(order_id).group
        if group:
            account, orders = self._groups.pop(group)
            if orders > 1:
                self._groups[group] = account, orders - 1
