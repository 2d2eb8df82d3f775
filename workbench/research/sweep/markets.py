"""One market of a sweep (some symbols over one span) as the lane loop takes it: bars, prices of a lot, marks.

    recording -> Market: bars, ts_ns, marks (lane_state), prices (lane_state)

Lives here: what is computed once a market. Not here: parameter sets (space.py), the loop (lane_loop.py).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.engine.risk import Risk
from workbench.feeds import Recording
from workbench.model import to_e8
from workbench.model.scale import SCALE
from workbench.research.plan import CLOSE
from workbench.research.statistics import periods_of, session_ends
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.lane_money import MOST_E8, MOST_LOTS, MOST_QTY_E8, lot_px
from workbench.research.sweep.terms import Terms

__all__ = ["BLOCKS", "Market", "period_ends", "risk_of"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

_DAY_NS: Final = 86_400_000_000_000
_SECOND_NS: Final = 1_000_000_000
BLOCKS: Final = 16
"""Blocks of the overfitting test; the periods whose equity is kept are a multiple of it."""
_MOST_PERIODS: Final = 256


@dataclass(eq=False)
class Market:
    """`label` names it in results: its symbols and, where there are several, its span."""

    recording: Recording
    terms: Terms
    symbols: str = ""
    span: str = ""

    @cached_property
    def not_in_lanes(self) -> str:
        """Why the lanes cannot run it, in one sentence; "" when they can."""
        from workbench.research.fused.run import unfit

        recording, limits = self.recording, self.terms.all_limits
        if len(recording.instruments) != 1:
            return "several symbols share the account"
        why = unfit(recording)
        if why:
            return why
        ts = recording.ts_ns
        gap = int(np.diff(ts).min()) if len(ts) > 1 else _DAY_NS
        if gap * limits.max_repeats <= limits.repeat_window_s * _SECOND_NS or (
            gap * min(limits.orders_per_s_strategy, limits.orders_per_s_account) <= _SECOND_NS
        ):
            return "bars follow so closely that the throttles could refuse orders"
        lot = recording.instruments[0].lot_e8
        full = to_e8(self.terms.quantity) if not self.terms.by_percent else 0
        if full > MOST_QTY_E8 or 2 * full / lot > MOST_LOTS:
            return "positions have more lots than floats hold exactly"
        if full * recording.values[:, 1].max() * 2 > MOST_E8:
            return "orders are worth more than floats hold exactly"
        return ""

    @property
    def bars(self) -> Floats:
        """float64[n, 5]: open, high, low, close, volume. Read-only."""
        values: Floats = self.recording.values
        return values

    @property
    def ts_ns(self) -> Ints:
        """Closes of the bars, int64[n] UTC ns. Read-only."""
        ts: Ints = self.recording.ts_ns
        return ts

    @cached_property
    def instants(self) -> Ints:
        """The moments equity is known at, int64[n] UTC ns: with one symbol, the closes of its bars."""
        ts: Ints = self.recording.ts_ns
        return ts if len(self.recording.instruments) == 1 and (ts[1:] > ts[:-1]).all() else np.unique(ts)

    def __len__(self) -> int:
        return len(self.instants)

    @cached_property
    def session_ends(self) -> Ints:
        """Places of the sessions' last instants, as the figures of a single backtest take them."""
        return session_ends(self.recording, self.instants)

    @property
    def sessions(self) -> int:
        """How many sessions hold data."""
        return len(self.session_ends)

    @property
    def sessions_a_year(self) -> float:
        """365 where the market never closes, else 252."""
        return periods_of(self.recording)

    @cached_property
    def periods(self) -> Ints:
        """Indices of the instants that end a period; see `period_ends`."""
        return period_ends(len(self))

    @cached_property
    def prices(self) -> Floats:
        """The price table: float64[n, PRICES_N], see lane_state."""
        lot = self.recording.instruments[0].lot_e8
        close = self.bars[:, 3]
        table = np.empty((len(self), s.PRICES_N))
        traded = np.rint((close if self.terms.fill == CLOSE else self.bars[:, 0]) * 1e8).astype(np.int64)
        table[:, s.LOT_TRADED], table[:, s.LOT_TRADED + 1] = lot_px(traded, lot)
        marked = np.floor(close * 1e8 + 0.5)
        table[:, s.LOT_CLOSE], table[:, s.LOT_CLOSE + 1] = lot_px(marked.astype(np.int64), lot)
        marked /= 1e8
        table[:, s.MARK] = close if np.all(np.abs(marked - close) <= 4e-16 * close) else marked
        return table

    @cached_property
    def marks(self) -> Ints:
        """What stands out about each bar, as bits: int64[n], see lane_state."""
        ts, risk = self.ts_ns, risk_of(self.terms)
        marks = np.zeros(len(ts), np.int64)
        day = ts // _DAY_NS
        first = np.append(True, day[1:] != day[:-1])
        printed = self.recording.opens_ns
        on_print = printed // _DAY_NS == day
        marks[first & on_print] |= s.NEW_DAY_AT_OPEN
        marks[first & ~on_print] |= s.NEW_DAY_AT_CLOSE
        # a bar that spans midnight: its print may itself begin a day without a bar of its own
        marks[~on_print & (printed // _DAY_NS != np.append(-1, day[:-1]))] |= s.NEW_DAY_AT_OPEN
        marks[self.session_ends] |= s.SESSION_END
        marks[self.periods] |= s.PERIOD_END
        opened, close = self.bars[:, 0], self.bars[:, 3]
        if risk.max_jump:
            marks[np.abs(close - opened) > risk.max_jump * opened] |= s.JUMP
        if risk.hours_ns is not None:
            now = ts % _DAY_NS
            marks[(now < risk.hours_ns[0]) | (now >= risk.hours_ns[1])] |= s.AFTER_HOURS
        return marks

    @cached_property
    def setup(self) -> Floats:
        """The run's numbers: float64[SETUP_N], see lane_state."""
        terms, risk, lot = self.terms, risk_of(self.terms), self.recording.instruments[0].lot_e8
        setup = np.zeros(s.SETUP_N)
        quantity = to_e8(terms.quantity)
        if terms.by_percent:
            setup[s.PERCENT_E8] = quantity
        else:
            setup[s.QUANTITY_E8] = quantity // lot * lot
        setup[s.LOT_E8], setup[s.LOTS_PER_E8] = lot, 1.0 / lot
        fee = to_e8(terms.sim.fee_per_unit)
        whole, rest = lot_px(np.array([fee]), lot)
        setup[s.LOT_FEE], setup[s.LOT_FEE_REST] = whole[0], rest[0]
        setup[s.RATE_E8] = round(terms.sim.fee_rate * SCALE)
        setup[s.ORDER_FEE] = to_e8(terms.sim.fee_per_order)
        setup[s.AT_CLOSE] = terms.fill == CLOSE
        setup[s.MAX_SIZE] = risk.max_qty_e8 / lot
        setup[s.MAX_LONG] = risk.max_position_e8 / lot
        setup[s.MAX_SHORT] = risk.max_position_e8 / lot if risk.short else 0.0
        setup[s.MAX_NOTIONAL_E8] = risk.max_notional_e16 / SCALE
        setup[s.MAX_GROSS_E8] = risk.max_gross_e16 / SCALE
        setup[s.CREDIT_E8] = risk.credit_e8
        setup[s.MAX_LOSS] = risk.max_loss_e8 / SCALE
        setup[s.LARGE] = self._may_be_large(setup)
        setup[s.BLOCK] = 256
        return setup

    def _may_be_large(self, setup: Floats) -> bool:
        """Whether an order could be large enough for a rule about sizes to say no."""
        lots = setup[s.QUANTITY_E8] / setup[s.LOT_E8]
        value = lots * (self.prices[:, s.LOT_CLOSE].max() + 1.0)
        free = lots <= min(setup[s.MAX_LONG], setup[s.MAX_SHORT], setup[s.MAX_SIZE] / 2)
        paid = len(self) * setup[s.ORDER_FEE]  # what a run can pay in fees that no size bounds
        return bool(
            setup[s.PERCENT_E8]
            or not free
            or paid > MOST_E8 / 2
            or value > min(setup[s.MAX_NOTIONAL_E8] / 2, setup[s.MAX_GROSS_E8])
        )


def period_ends(n: int) -> Ints:
    """The last bars of equal stretches of `n` bars: a multiple of 16 of them, at most 256; none below 64 bars.

    >>> period_ends(640)[:3].tolist(), len(period_ends(50_000)), len(period_ends(63))
    ([3, 7, 11], 256, 0)
    """
    count = min(_MOST_PERIODS, n // 4 // BLOCKS * BLOCKS)
    return np.arange(1, count + 1) * n // max(count, 1) - 1


def risk_of(terms: Terms) -> Any:
    """The limits as the risk desk holds them."""
    from workbench.engine import Engine

    risk: Risk = Engine().risk
    risk.set_limits(terms.all_limits)
    return risk
