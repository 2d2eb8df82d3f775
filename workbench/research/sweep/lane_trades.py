"""What trades do to the lanes of one vector: fills booked as the venue books them, orders sized as the engine sizes
them and held against its rules. Every line is written for all lanes at once; those that do not trade add zeros.

Plain functions over vectors of lanes; the lane loop takes them in whole. Not here: when they are called (lane_loop.py).
"""

from typing import Any

import numpy as np

from workbench.research.sweep import lane_state as s
from workbench.research.sweep.lane_money import MOST_E8, MOST_LOTS
from workbench.research.sweep.lane_pieces import element
from workbench.research.sweep.lane_state import WIDTH

__all__ = ["fill_lanes", "order_lanes", "session_ends", "size_by_percent", "size_rules"]


def fill_lanes(
    now_s: float, prices: Any, i: int, setup: Any, cash: Any, held: Any, wanted: Any, cash_now: Any, held_now: Any,
    fees: Any, since: Any, time_held: Any, booked: Any, rated: Any,
) -> None:  # fmt: skip
    """Fill every working order at bar `i`'s prices. `now_s` is its time."""
    whole = element(prices, i * s.PRICES_N + s.LOT_TRADED)
    rest = element(prices, i * s.PRICES_N + s.LOT_TRADED + 1)
    lot_fee, lot_fee_rest = setup[s.LOT_FEE], setup[s.LOT_FEE_REST]
    rate_e8, lot_e8, order_fee = setup[s.RATE_E8], setup[s.LOT_E8], setup[s.ORDER_FEE]
    for w in range(WIDTH):
        lots = wanted[w] - held[w]
        buys, size = lots > 0.0, abs(lots)
        value = booked(size, whole, rest)
        fee = (
            booked(size, lot_fee, lot_fee_rest) + rated(value, rate_e8) + (order_fee if size != 0.0 else 0.0)
        )
        cash[w] = cash[w] - ((value if buys else -value) + fee)
        fees[w] = fees[w] + fee
        time_held[w] = time_held[w] + (now_s - since[w] if held[w] != 0.0 else 0.0)
        since[w] = now_s
        held[w] = wanted[w]
        cash_now[w] = cash[w] / 1e8
        held_now[w] = held[w] * lot_e8 / 1e8


def size_by_percent(
    scratch: Any, setup: Any, close_e8: int, lots_of: Any, over: Any, percent: Any, floored: Any
) -> None:  # fmt: skip
    """Lots of every new target: a fraction of what a percentage of the equity buys. In integers, lane by lane;
    `scratch` holds vectors of cash, lots held, targets and aims, and gets the lots wanted."""
    lot_e8 = np.int64(setup[s.LOT_E8])
    for w in range(WIDTH):
        cash, held, target, raw = (
            scratch[w],
            scratch[WIDTH + w],
            scratch[2 * WIDTH + w],
            scratch[3 * WIDTH + w],
        )
        scratch[4 * WIDTH + w] = held
        new = min(max(raw, -1.0), 1.0)
        if raw - raw == 0.0 and new != target:
            equity_e8 = np.int64(cash) + over(close_e8, np.int64(held) * lot_e8)[0]
            full = floored(percent(equity_e8, np.int64(setup[s.PERCENT_E8]), close_e8), lot_e8)
            scratch[4 * WIDTH + w] = lots_of(new, float(full), setup[s.LOTS_PER_E8])


def session_ends(equity: Any, states: Any, at: int, sessions: float) -> None:
    """Take the session's return into the running mean and spread (B. P. Welford, 1962)."""
    for w in range(WIDTH):
        before, mean = states[at + s.SESSION_EQUITY * WIDTH + w], states[at + s.SESSION_MEAN * WIDTH + w]
        gain = (equity[w] - before) / before if before > 0.0 else np.nan  # nothing left: no return
        states[at + s.SESSION_EQUITY * WIDTH + w] = equity[w]
        off = gain - mean
        mean += off / sessions
        states[at + s.SESSION_MEAN * WIDTH + w] = mean
        states[at + s.SESSION_M2 * WIDTH + w] += off * (gain - mean)


def order_lanes(
    mark: int, prices: Any, i: int, states: Any, at: int, setup: Any, cash: Any, held: Any, wanted: Any, target: Any,
    aim: Any, equity: Any, orders: Any, broken: Any, booked: Any, lots_of: Any,
) -> bool:  # fmt: skip
    """Size what is aimed at (unless by percent: then it is), ask the rules that look at the account, take the new
    targets; whether any lane has an order working now."""
    whole = element(prices, i * s.PRICES_N + s.LOT_CLOSE)
    rest = element(prices, i * s.PRICES_N + s.LOT_CLOSE + 1)
    lots_per_e8, day_equity = setup[s.LOTS_PER_E8], at + s.DAY_EQUITY * WIDTH
    uniform = (s.COLLAR if mark & s.JUMP else 0) | (s.HOURS if mark & s.AFTER_HOURS else 0)
    credit, max_loss, full_e8, sized = (
        setup[s.CREDIT_E8],
        setup[s.MAX_LOSS],
        setup[s.QUANTITY_E8],
        setup[s.PERCENT_E8] != 0.0,
    )
    working = 0
    for w in range(WIDTH):
        raw, was = aim[w], target[w]
        sound = raw - raw == 0.0  # neither NaN nor infinite
        new = min(max(raw, -1.0), 1.0) if sound else was
        lots = lots_of(new, full_e8, lots_per_e8) if new != was else held[w]
        lots = (wanted[w] if sized else lots) - held[w]
        wanted[w] = held[w] + lots
        buys, sends = lots > 0.0, lots != 0.0
        grows = (wanted[w] if buys else -wanted[w]) > 0.0
        loss = element(states, day_equity + w) - equity[w]
        no = s.CREDIT if buys & grows & (cash[w] + credit < booked(lots, whole, rest)) else 0
        no |= s.DAILY_LOSS if grows & (loss >= max_loss) else 0
        broken[w] = broken[w] | ((no | uniform) if sends else 0) | (0 if sound else s.NOT_A_NUMBER)
        orders[w] = orders[w] + (1.0 if sends else 0.0)
        target[w] = new
        working |= 1 if sends else 0
    return working != 0


def size_rules(
    prices: Any, i: int, setup: Any, cash: Any, held: Any, wanted: Any, broken: Any, booked: Any
) -> None:
    """Ask the rules that look at sizes alone, and whether floats still hold everything exactly. Not needed where no
    order can be large enough to matter, which `markets` knows beforehand."""
    whole = element(prices, i * s.PRICES_N + s.LOT_CLOSE)
    rest = element(prices, i * s.PRICES_N + s.LOT_CLOSE + 1)
    max_size, max_value, max_gross = setup[s.MAX_SIZE], setup[s.MAX_NOTIONAL_E8], setup[s.MAX_GROSS_E8]
    max_long, max_short = setup[s.MAX_LONG], setup[s.MAX_SHORT]
    for w in range(WIDTH):
        lots = wanted[w] - held[w]
        buys, size, sends = lots > 0.0, abs(lots), lots != 0.0
        worst = wanted[w] if buys else -wanted[w]  # the position on the order's side, once it has filled
        value, worth = booked(size, whole, rest), booked(abs(worst), whole, rest)
        no = s.SIZE if size > max_size else 0
        no |= s.NOTIONAL if value > max_value else 0
        no |= s.POSITION if worst > (max_long if buys else max_short) else 0
        no |= s.GROSS if (worst > abs(held[w])) & (worth > max_gross) else 0
        large = (size > MOST_LOTS) | (value > MOST_E8) | (worth > MOST_E8) | (abs(cash[w]) > MOST_E8)
        no |= s.TOO_LARGE if large else 0
        broken[w] = broken[w] | (no if sends else 0)
