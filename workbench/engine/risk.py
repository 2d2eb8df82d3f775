"""The risk desk: limits as ready-made integers, the throttles and the kill switch.

The rules themselves are in `rules`. The kill switch reads nothing: no price, no profit, no limit.
"""

from typing import Final

from workbench.engine.book import Book
from workbench.engine.exposure import Exposure
from workbench.engine.ledger import Ledger
from workbench.engine.limits import Limits
from workbench.engine.orders import OrderTable
from workbench.engine.throttles import Window
from workbench.model.scale import SCALE

__all__ = ["DAY_NS", "Risk"]

_SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * _SECOND_NS


class Risk:
    """What the rules read. `killed` blocks every new order from the moment it is set."""

    __slots__ = (
        "account_window",
        "book",
        "breach_span_ns",
        "breaches",
        "collar",
        "credit_e8",
        "day",
        "day_equity_e8",
        "duplicate_ns",
        "exposure",
        "frozen",
        "hours_ns",
        "kill_by",
        "kill_reason",
        "killed",
        "ledger",
        "limits",
        "max_age_ns",
        "max_gross_e16",
        "max_jump",
        "max_loss_e8",
        "max_notional_e16",
        "max_position_e8",
        "max_qty_e8",
        "max_repeats",
        "now_ns",
        "orders",
        "per_strategy",
        "quiet_ns",
        "repeat_ns",
        "reversal",
        "short",
        "ts_ns",
    )

    def __init__(self, book: Book, ledger: Ledger, exposure: Exposure, orders: OrderTable) -> None:
        self.book, self.ledger, self.exposure, self.orders = book, ledger, exposure, orders
        self.killed = False
        self.frozen: dict[int, str] = {}  # by instrument: why
        self.kill_reason = ""
        self.kill_by = ""
        self.now_ns = 0
        self.ts_ns = 0
        self.day = -1
        self.day_equity_e8 = 0
        self.account_window = Window(1, _SECOND_NS)
        self.set_limits(Limits())

    def set_limits(self, limits: Limits) -> None:
        """Take new limits; the throttles keep what they have counted."""
        self.limits = limits
        self.max_qty_e8 = round(limits.max_order_qty * SCALE)
        self.max_notional_e16 = round(limits.max_order_notional * SCALE) * SCALE
        self.max_position_e8 = round(limits.max_position_qty * SCALE)
        self.max_gross_e16 = round(limits.max_gross * SCALE) * SCALE
        self.credit_e8 = round(limits.credit * SCALE)
        self.max_loss_e8 = round(limits.max_daily_loss * SCALE)
        self.collar = limits.price_collar
        self.max_jump = limits.max_jump
        self.short = limits.allow_short != 0
        self.reversal = limits.allow_reversal != 0
        self.max_age_ns = round(limits.max_data_age_s * _SECOND_NS)
        self.duplicate_ns = round(limits.duplicate_window_s * _SECOND_NS)
        self.repeat_ns = round(limits.repeat_window_s * _SECOND_NS)
        self.quiet_ns = round(limits.refusal_quiet_s * _SECOND_NS)
        self.breach_span_ns = round(limits.breach_window_s * _SECOND_NS)
        self.max_repeats = int(limits.max_repeats)
        self.per_strategy = int(limits.orders_per_s_strategy)
        self.breaches = int(limits.breaches_to_halt)
        full_day = limits.hours_from_s <= 0 and limits.hours_to_s >= 86_400
        hours = (round(limits.hours_from_s * _SECOND_NS), round(limits.hours_to_s * _SECOND_NS))
        self.hours_ns: tuple[int, int] | None = None if full_day else hours
        self.account_window = self.account_window.resized(int(limits.orders_per_s_account), _SECOND_NS)

    def strategy_windows(self) -> tuple[Window, Window]:
        """New throttles for one strategy: orders sent, and breaches."""
        return Window(self.per_strategy, _SECOND_NS), Window(self.breaches, self.breach_span_ns)

    @property
    def equity_e8(self) -> int:
        """Cash plus everything held, at the last marks."""
        return self.ledger.cash_e8 + self.exposure.value_e16 // SCALE

    def kill(self, reason: str, by: str) -> None:
        """Block every new order from now on."""
        self.killed, self.kill_reason, self.kill_by = True, reason, by

    def arm(self) -> None:
        """Allow new orders again."""
        self.killed, self.kill_reason, self.kill_by = False, "", ""
