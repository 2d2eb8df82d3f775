"""What a compiled loop answered, as the rows of orders and fills that every loop hands over.

Lives here: integers of 1e-8 into `ORDER` and `FILL`. Not here: the loops.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.config import SimSettings
from workbench.kernels.fills import slipped_px_e8
from workbench.model.dtypes import FILL, ORDER
from workbench.model.orders import CANCELLED, FILLED, WORKING

__all__ = ["EXACT", "TOO_LARGE", "Fills", "Orders", "Slips", "tables"]

EXACT = 2**53
"""Up to here a whole number is one float, and a quotient of two is the one that Python answers."""
TOO_LARGE = "a figure is too large for exact 64-bit arithmetic"

type Ints = npt.NDArray[np.int64]


class Slips(NamedTuple):
    """Slippage of market orders: a distance in 1e-8 on this tick grid, or a fraction of the price (one is 0)."""

    worse_e8: int
    rate: float
    tick_e8: int

    @classmethod
    def of(cls, sim: SimSettings, tick_e8: int) -> "Slips":
        """What the settings say for an instrument with this tick."""
        amount = sim.slippage_amount
        worse = round(amount * tick_e8) if sim.slippage == "ticks" else 0
        return cls(worse, amount if sim.slippage == "rate" else 0.0, tick_e8)

    def px_e8(self, px_e8: int, side: int) -> int:
        """The price at which an order fills."""
        if not (self.worse_e8 or self.rate):
            return px_e8
        return slipped_px_e8(px_e8, side, self.worse_e8, self.rate, self.tick_e8)


class Orders(NamedTuple):
    """Market orders in the order they were decided: time (UTC ns), who, what, signed quantity (1e-8)."""

    ts_ns: Ints
    strategy_id: Ints
    iid: Ints
    qty: Ints


class Fills(NamedTuple):
    """Their fills in the order they happened: number of the order (from 0), time, price, signed value, fee (1e-8)."""

    order: Ints
    ts_ns: Ints
    px: Ints
    value: Ints
    fee: Ints


def tables(
    orders: Orders, fills: Fills, cancelled: Ints, ended_ns: int
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]] | str:
    """Rows of `ORDER` and `FILL`; every fill is whole. `cancelled` orders ended at `ended_ns`, the others without a
    fill are still working. `TOO_LARGE` when a figure does not fit a float exactly."""
    n, of = len(orders.qty), fills.order
    for column in (orders.qty, fills.px, fills.value, fills.fee):
        if column.size and max(int(column.max()), -int(column.min())) >= EXACT:
            return TOO_LARGE
    side = np.sign(orders.qty)
    quantity = np.abs(orders.qty)
    table = np.zeros(n, ORDER)
    table["ts_ns"] = table["updated_ns"] = orders.ts_ns
    table["order_id"] = np.arange(1, n + 1)
    table["strategy_id"], table["iid"], table["side"] = orders.strategy_id, orders.iid, side
    table["qty"] = quantity / 1e8
    table["state"] = WORKING
    table["state"][cancelled], table["updated_ns"][cancelled] = CANCELLED, ended_ns
    rows = np.empty(len(of), FILL)
    rows["ts_ns"], rows["order_id"] = fills.ts_ns, of + 1
    rows["strategy_id"], rows["iid"], rows["side"] = orders.strategy_id[of], orders.iid[of], side[of]
    rows["px"], rows["qty"], rows["fee"] = fills.px / 1e8, table["qty"][of], fills.fee / 1e8
    table["state"][of], table["updated_ns"][of] = FILLED, fills.ts_ns
    table["filled"][of], table["fee"][of] = rows["qty"], rows["fee"]
    table["average_px"][of] = np.abs(fills.value) / quantity[of]
    return table, rows
