"""What trades do to the lanes of one vector: fills booked as the venue books them, orders sized as the engine sizes
them and held against its rules. Every line is written for all lanes at once; those that do not trade add zeros.

Plain functions over vectors of lanes; the lane loop takes them in whole. Not here: when they are called (lane_loop.py).
"""

from typing import Any

import numpy as np

from workbench.research.sweep import lane_state as s
from workbench.research.sweep.lane_money import MOST_E8, MOST_LOTS
from workbench.research.sweep.lane_state import WIDTH

__all__ = ["fill_lanes", "order_lanes", "size_by_percent"]


def fill_lanes(
    bar: float, prices: Any, i: int, setup: Any, cash: Any, held: Any, wanted: Any, cash_now: Any, held_now: Any,
    fees: Any, since: Any, bars_held: Any, booked: Any, rated: Any,
) -> None:  # fmt: skip
    """Fill every working order at bar `i`'s prices. `bar` counts the bars seen so far."""
    whole, rest = prices[i, s.LOT_TRADED], prices[i, s.LOT_TRADED + 1]
    lot_fee, lot_fee_rest = setup[s.LOT_FEE], setup[s.LOT_FEE_REST]
    rate_e8, lot_e8 = setup[s.RATE_E8], setup[s.LOT_E8]
    for w in range(WIDTH):
        lots = wanted[w] - held[w]
        buys, size = lots > 0.0, abs(lots)
        value = booked(size, whole, rest)
        fee = booked(size, lot_fee, lot_fee_rest) + rated(value, rate_e8)
        cash[w] = cash[w] - ((value if buys else -value) + fee)
        fees[w] = fees[w] + fee
        bars_held[w] = bars_held[w] + (bar - since[w] if held[w] != 0.0 else 0.0)
        since[w] = bar
        held[w] = wanted[w]
        cash_now[w] = cash[w] / 1e8
        held_now[w] = held[w] * lot_e8 / 1e8


def size_by_percent(
    setup: Any, close_e8: int, cash: Any, held: Any, wanted: Any, target: Any, aim: Any, lots_of: Any, over: Any,
    percent: Any, floored: Any,
) -> None:  # fmt: skip
    """Lots of every new target: a fraction of what a percentage of the equity buys. In integers, lane by lane."""
    lot_e8 = np.int64(setup[s.LOT_E8])
    for w in range(WIDTH):
        wanted[w] = held[w]
        new = min(max(aim[w], -1.0), 1.0)
        if aim[w] - aim[w] == 0.0 and new != target[w]:
            equity_e8 = np.int64(cash[w]) + over(close_e8, np.int64(held[w]) * lot_e8)[0]
            full = floored(percent(equity_e8, np.int64(setup[s.PERCENT_E8]), close_e8), lot_e8)
            wanted[w] = lots_of(new, float(full), setup[s.LOTS_PER_E8])


def order_lanes(
    mark: int, prices: Any, i: int, setup: Any, cash: Any, held: Any, wanted: Any, target: Any, aim: Any,
    equity: Any, day_equity: Any, orders: Any, broken: Any, booked: Any, lots_of: Any,
) -> bool:  # fmt: skip
    """Size what is aimed at (unless by percent: then it is), ask the rules about every order, take the new targets;
    whether any lane has an order working now."""
    whole, rest, lots_per_e8 = prices[i, s.LOT_CLOSE], prices[i, s.LOT_CLOSE + 1], setup[s.LOTS_PER_E8]
    uniform = (s.COLLAR if mark & s.JUMP else 0) | (s.HOURS if mark & s.AFTER_HOURS else 0)
    max_size, max_value = setup[s.MAX_SIZE], setup[s.MAX_NOTIONAL_E8]
    max_long, max_short = setup[s.MAX_LONG], setup[s.MAX_SHORT]
    max_gross, credit, max_loss = setup[s.MAX_GROSS_E8], setup[s.CREDIT_E8], setup[s.MAX_LOSS]
    full_e8, sized = setup[s.QUANTITY_E8], setup[s.PERCENT_E8] != 0.0
    working = 0
    for w in range(WIDTH):
        raw, was = aim[w], target[w]
        sound = raw - raw == 0.0  # neither NaN nor infinite
        new = min(max(raw, -1.0), 1.0) if sound else was
        lots = lots_of(new, full_e8, lots_per_e8) if new != was else held[w]
        lots = (wanted[w] if sized else lots) - held[w]
        wanted[w] = held[w] + lots
        buys, size, sends = lots > 0.0, abs(lots), lots != 0.0
        worst = wanted[w] if buys else -wanted[w]  # the position on the order's side, once it has filled
        value, worth, money = booked(size, whole, rest), booked(abs(worst), whole, rest), cash[w]
        grows, loss = worst > 0.0, day_equity[w] - equity[w]
        no = s.SIZE if size > max_size else 0
        no |= s.NOTIONAL if value > max_value else 0
        no |= s.POSITION if worst > (max_long if buys else max_short) else 0
        no |= s.GROSS if (worst > abs(held[w])) & (worth > max_gross) else 0
        no |= s.CREDIT if buys & grows & (money + credit < value) else 0
        no |= s.DAILY_LOSS if grows & (loss >= max_loss) else 0
        no |= (
            s.TOO_LARGE
            if (size > MOST_LOTS) | (value > MOST_E8) | (worth > MOST_E8) | (abs(money) > MOST_E8)
            else 0
        )
        broken[w] = broken[w] | ((no | uniform) if sends else 0) | (0 if sound else s.NOT_A_NUMBER)
        orders[w] = orders[w] + (1.0 if sends else 0.0)
        target[w] = new
        working |= 1 if sends else 0
    return working != 0
