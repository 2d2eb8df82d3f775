"""The numbers the risk rules compare with: one frozen structure, all defaults sane for equities, all settable."""

import math
from collections.abc import Iterable

import msgspec

from workbench.errors import BadValue, UnknownName
from workbench.model.scale import SCALE

__all__ = ["Limits"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Risk limits. Money is in the account's currency, quantities in units, times in seconds; 0 turns off those
    marked (0: off).

    - `max_order_qty` units of one order (SIZE)
    - `max_order_notional` price times quantity of one order (NOTIONAL)
    - `price_collar` largest distance of a limit or stop price from the last price, as a fraction (COLLAR)
    - `max_jump` a market order is refused when the last price is this fraction away from the one before (COLLAR)
    - `max_position_qty` worst-case size of the account's position in one instrument (POSITION)
    - `allow_short` 0: the account's position in an instrument may not go below zero (POSITION)
    - `allow_reversal` 0: a signal strategy closes first and opens the other side at its next decision
    - `max_gross` worst-case gross exposure of the account (GROSS)
    - `credit` cash the account may borrow for purchases (CREDIT)
    - `orders_per_s_strategy`, `orders_per_s_account` orders in any sliding second (RATE)
    - `breaches_to_halt` RATE, REPEAT or DUPLICATE refusals in `breach_window_s` that pause a strategy
    - `max_repeats` orders of one strategy on one side of one instrument, without one on the other side, in
      `repeat_window_s` (REPEAT)
    - `rejects_to_halt` rejections by the venue in a row that pause a strategy (0: off)
    - `duplicate_window_s` an order equal to the one just sent is refused (DUPLICATE) (0: off)
    - `max_data_age_s` oldest last price an order may rest on (STALE)
    - `max_daily_loss` loss since the day's first event beyond which only reducing orders pass (DAILY_LOSS)
    - `hours_from_s`, `hours_to_s` seconds of the UTC day between which orders may be sent (HOURS)
    - `refusal_quiet_s` a signal strategy refused again for the same reason on the same side is only counted

    >>> Limits().changed([("max_order_qty", 5)]).max_order_qty
    5.0
    """

    max_order_qty: float = 10_000.0
    max_order_notional: float = 1_000_000.0
    price_collar: float = 0.10
    max_jump: float = 0.25
    max_position_qty: float = 100_000.0
    allow_short: float = 1.0
    allow_reversal: float = 1.0
    max_gross: float = 10_000_000.0
    credit: float = 0.0
    orders_per_s_strategy: float = 200.0
    orders_per_s_account: float = 10_000.0
    breaches_to_halt: float = 20.0
    breach_window_s: float = 60.0
    max_repeats: float = 100.0
    repeat_window_s: float = 10.0
    rejects_to_halt: float = 5.0
    duplicate_window_s: float = 1.0
    max_data_age_s: float = 120.0
    max_daily_loss: float = 100_000.0
    hours_from_s: float = 0.0
    hours_to_s: float = 86_400.0
    refusal_quiet_s: float = 60.0

    def changed(self, pairs: Iterable[tuple[str, float | int]]) -> "Limits":
        """These limits with some of them replaced.

        Raises:
            UnknownName: no such limit, with the nearest right name.
            BadValue: not a number of zero or more, or a count below one.
        """
        names = self.__struct_fields__
        values: dict[str, float] = {}
        for name, value in pairs:
            if name not in names:
                raise UnknownName("limit", name, names)
            if not hasattr(value, "__float__") or not 0 <= value < math.inf:  # false for NaN too
                raise BadValue(f"limits.{name}", value, "give a number of 0 or more")
            if name in _COUNTS and value < 1:
                raise BadValue(f"limits.{name}", value, "give 1 or more")
            if value * SCALE > _LARGEST_E8:
                raise BadValue(f"limits.{name}", value, f"give at most {_LARGEST_E8 // SCALE:,}")
            values[name] = float(value)
        return msgspec.structs.replace(self, **values)


_COUNTS = frozenset({"orders_per_s_strategy", "orders_per_s_account", "breaches_to_halt", "max_repeats"})
_LARGEST_E8 = 10**15 * SCALE
