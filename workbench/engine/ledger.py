"""Money and positions: exact integers, booked fill by fill. Nothing here estimates, rounds up or forgets.

Average cost is kept as the whole cost of what is held, so partial exits split it without losing a unit:
`cash + cost of everything held - realized + fees - moved = starting cash`, exactly, at all times; `moved` is cash
that came or went without a trade.
Market value (unrealized profit) belongs to `exposure`, which knows the marks.
"""

from workbench.model.scale import SCALE, notional_e8

__all__ = ["Ledger", "Position"]


class Position:
    """What is held of one instrument. `qty_e8` is signed; `cost_e8` is its signed cost (negative when short);
    `given_e8` is what came without a fill: holdings an account began with, and what splits added.

    >>> p = Position()
    >>> p.book(10 * SCALE, 1_000 * SCALE, 0)        # buy 10 at 100
    >>> p.book(-15 * SCALE, -1_650 * SCALE, 0)      # sell 15 at 110: through zero
    >>> p.qty_e8 // SCALE, p.average_px, p.realized_e8 // SCALE
    (-5, 110.0, 100)
    """

    __slots__ = ("cost_e8", "fees_e8", "fills", "given_e8", "qty_e8", "realized_e8")

    def __init__(self) -> None:
        self.qty_e8 = 0
        self.cost_e8 = 0
        self.realized_e8 = 0
        self.fees_e8 = 0
        self.fills = 0
        self.given_e8 = 0

    def book(self, signed_qty_e8: int, value_e8: int, fee_e8: int) -> None:
        """Add one fill: signed quantity, its signed value (same sign), and the fee paid."""
        held = self.qty_e8
        if held == 0 or (held > 0) == (signed_qty_e8 > 0):
            self.cost_e8 += value_e8
        elif abs(signed_qty_e8) <= abs(held):
            part = self.cost_e8 * -signed_qty_e8 // held
            self.cost_e8 -= part
            self.realized_e8 -= value_e8 + part
        else:
            closing = value_e8 * -held // signed_qty_e8
            self.realized_e8 -= closing + self.cost_e8
            self.cost_e8 = value_e8 - closing
        self.qty_e8 = held + signed_qty_e8
        self.fees_e8 += fee_e8
        self.fills += 1

    @property
    def average_px(self) -> float:
        """Average entry price of what is held; 0.0 when flat."""
        return self.cost_e8 / self.qty_e8 if self.qty_e8 else 0.0

    def unrealized_e8(self, mark_e8: int) -> int:
        """Profit not taken yet, at a mark price."""
        return notional_e8(mark_e8, self.qty_e8) - self.cost_e8


class Ledger:
    """The account's books: cash, fees, positions by (strategy_id, iid) and totals by iid; `moves` holds the ids of the
    cash moves counted, in order of arrival, and `moved_e8` their sum.

    `realized_e8` of an instrument's total follows the account's own average cost, so it may differ from the sum over
    strategies that hold opposite sides; realized plus unrealized agree.
    """

    __slots__ = (
        "account",
        "brought_e8",
        "cash_e8",
        "currency",
        "fees_e8",
        "fills",
        "moved_e8",
        "moves",
        "opened",
        "positions",
        "start_cash_e8",
        "totals",
    )

    def __init__(self) -> None:
        self.account = ""
        self.currency = "USD"
        self.opened = False
        self.start_cash_e8 = 0
        self.brought_e8 = 0  # value of what the account held when it was opened
        self.cash_e8 = 0
        self.fees_e8 = 0
        self.fills = 0
        self.moved_e8 = 0
        self.moves: dict[str, None] = {}
        self.positions: dict[tuple[int, int], Position] = {}
        self.totals: dict[int, Position] = {}

    def open(self, account: str, cash_e8: int, currency: str) -> None:
        """Open the account with its starting cash (fills booked before it stay booked)."""
        self.account, self.currency, self.opened = account, currency, True
        self.start_cash_e8 += cash_e8
        self.cash_e8 += cash_e8

    def bring(self, strategy_id: int, iid: int, signed_qty_e8: int, value_e8: int) -> None:
        """Book what the account held before we knew it; `value_e8` (signed) counts as starting capital."""
        self.brought_e8 += value_e8
        own = self.positions.setdefault((strategy_id, iid), Position())
        for position in (own, self.totals.setdefault(iid, Position())):
            position.book(signed_qty_e8, value_e8, 0)
            position.fills -= 1
            position.given_e8 += signed_qty_e8

    def move(self, move_id: str, amount_e8: int) -> bool:
        """Book cash the venue moved without a trade; False when this move was counted before."""
        if move_id in self.moves:
            return False
        self.moves[move_id] = None
        self.cash_e8 += amount_e8
        self.moved_e8 += amount_e8
        return True

    def book(self, strategy_id: int, iid: int, side: int, px_e8: int, qty_e8: int, fee_e8: int) -> int:
        """Book one fill and return its unsigned value in cash units."""
        signed = qty_e8 if side > 0 else -qty_e8
        product = px_e8 * signed  # inlined `notional_e8`: this is the hot path of every fill
        if product >= 0:
            value = (product + SCALE // 2) // SCALE
        else:
            value = -((SCALE // 2 - product) // SCALE)
        self.cash_e8 -= value + fee_e8
        self.fees_e8 += fee_e8
        self.fills += 1
        key = (strategy_id, iid)
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = Position()
        position.book(signed, value, fee_e8)
        total = self.totals.get(iid)
        if total is None:
            total = self.totals[iid] = Position()
        total.book(signed, value, fee_e8)
        return abs(value)

    def held_e8(self, strategy_id: int, iid: int) -> int:
        """Signed quantity a strategy holds of an instrument."""
        position = self.positions.get((strategy_id, iid))
        return position.qty_e8 if position is not None else 0

    @property
    def cost_e8(self) -> int:
        """Signed cost of everything the account holds."""
        return sum(total.cost_e8 for total in self.totals.values())

    @property
    def realized_e8(self) -> int:
        """Profit taken, before fees, at the account's own average cost."""
        return sum(total.realized_e8 for total in self.totals.values())

    def balanced(self) -> bool:
        """Whether cash, cost, realized profit, fees and moves add up to what the account began with, to the unit."""
        booked = self.cash_e8 + self.cost_e8 - self.realized_e8 + self.fees_e8 - self.moved_e8
        return booked == self.start_cash_e8 + self.brought_e8
