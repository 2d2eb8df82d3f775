"""A strategy's sizing at work: what its target of 1 is now, what it is measured by, and when it is sized anew.

    target changes -> sizer.full_e8(seat) -> quantity, or -1: not known yet (the wish waits and is asked again)
    every bar      -> gauges see it; with `rebalance`, seats that have drifted are sized anew once strategies decided

Everything here comes from events, so a replay and a recovery give the same sizes. Formulas: `sizing`.
"""

from typing import TYPE_CHECKING, Any, Final

from workbench.engine.gauges import Gauge, Range, Volatility
from workbench.engine.ledger import Position
from workbench.engine.risk import Risk
from workbench.engine.seats import Placed, Seat
from workbench.engine.sizing import (
    KELLY,
    NOTIONAL,
    PERCENT,
    RISK,
    VOLATILITY,
    Sizing,
    bars_a_year,
    full_qty_e8,
    kelly_share,
    risk_share,
    share_qty_e8,
    volatility_share,
)
from workbench.model.market import Bar
from workbench.model.scale import SCALE

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["UNKNOWN_SIZE", "ByKelly", "Sized", "Sizer", "rebalance", "size_by"]

UNKNOWN_SIZE: Final = -1


class Sizer:
    """A share of the equity that needs no measure (percent, notional); the others are its kinds."""

    __slots__ = ("name", "parameters", "quantity_e8", "rebalance", "risk")

    def __init__(self, sizing: Sizing, quantity_e8: int, risk: Risk) -> None:
        self.name = sizing.name
        self.parameters = sizing.parameters
        self.quantity_e8 = quantity_e8
        self.rebalance = sizing.parameters.get("rebalance", 0.0)
        self.risk = risk

    def full_e8(self, seat: Seat) -> int:
        """The quantity that a target of 1 means now, not yet cut to the lot; `UNKNOWN_SIZE` when nobody can know."""
        return full_qty_e8(self.name, self.quantity_e8, self.risk.equity_e8, seat.line.mark_e8)

    def by_share(self, seat: Seat, share: float) -> int:
        """The quantity worth a share of the equity; unknown for a share that is no number."""
        if share != share:
            return UNKNOWN_SIZE
        return share_qty_e8(share, self.risk.equity_e8, seat.line.mark_e8)

    @property
    def fraction(self) -> float:
        """`quantity` percent as a fraction."""
        return self.quantity_e8 / (100 * SCALE)

    @property
    def most(self) -> float:
        return self.parameters["most"] / 100

    @property
    def told(self) -> tuple[Any, ...]:
        """What it has learned, for the state's hash."""
        return ()


class ByVolatility(Sizer):
    """A holding that moves by `quantity` percent of equity in a year."""

    __slots__ = ("gauges",)

    def __init__(self, sizing: Sizing, quantity_e8: int, risk: Risk) -> None:
        super().__init__(sizing, quantity_e8, risk)
        self.gauges: dict[int, Volatility] = {}

    def full_e8(self, seat: Seat) -> int:
        gauge = self.gauges[seat.iid]
        year = self.parameters["bars_a_year"] or bars_a_year(seat.instrument.calendar, gauge.bar_ns)
        yearly = gauge.yearly(year)
        return self.by_share(
            seat, volatility_share(self.fraction, yearly, self.most) if yearly == yearly else yearly
        )


class ByRisk(Sizer):
    """A holding that loses `quantity` percent of equity at its stop."""

    __slots__ = ("gauges",)

    def __init__(self, sizing: Sizing, quantity_e8: int, risk: Risk) -> None:
        super().__init__(sizing, quantity_e8, risk)
        self.gauges: dict[int, Range] = {}

    def full_e8(self, seat: Seat) -> int:
        distance = self.gauges[seat.iid].value * self.parameters["stop"]
        if distance != distance:
            return UNKNOWN_SIZE
        px = seat.line.mark_e8 / SCALE
        return self.by_share(seat, risk_share(self.fraction, distance, px, self.most))


class ByKelly(Sizer):
    """A part of the Kelly fraction of the strategy's own closed trades.

    A trade goes from flat to flat (or through zero); its return is its profit after fees over the largest cost it had.
    Mean and variance are kept by Welford's recurrence (B. P. Welford, Technometrics 4, 1962).
    """

    __slots__ = ("_open", "count", "mean", "squares")

    def __init__(self, sizing: Sizing, quantity_e8: int, risk: Risk) -> None:
        super().__init__(sizing, quantity_e8, risk)
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0
        self._open: dict[
            int, list[int]
        ] = {}  # by instrument: side, profit and fees when it began, largest cost

    def full_e8(self, seat: Seat) -> int:
        if self.count < self.parameters["trades"]:
            return self.by_share(seat, self.parameters["start"] / 100)
        variance = self.squares / (self.count - 1)
        least = self.parameters["least"] / 100
        return self.by_share(seat, kelly_share(self.fraction, self.mean, variance, least, self.most))

    def filled(self, iid: int, position: Position, fee_e8: int) -> None:
        """A fill with this fee was booked to the strategy's position in an instrument. A fill through zero is the old
        trade's, fee and all."""
        side = (position.qty_e8 > 0) - (position.qty_e8 < 0)
        trade = self._open.get(iid)
        fees_before = position.fees_e8 - fee_e8
        if trade is not None and trade[0] != side:
            fees_before = position.fees_e8
            profit = (position.realized_e8 - trade[1]) - (position.fees_e8 - trade[2])
            self._learn(profit / trade[3] if trade[3] else 0.0)
            del self._open[iid]
            trade = None
        if not side:
            return
        if trade is None:
            self._open[iid] = trade = [side, position.realized_e8, fees_before, 0]
        trade[3] = max(trade[3], abs(position.cost_e8))

    def _learn(self, outcome: float) -> None:
        self.count += 1
        off = outcome - self.mean
        self.mean += off / self.count
        self.squares += off * (outcome - self.mean)

    @property
    def told(self) -> tuple[Any, ...]:
        trades = [(iid, *map(str, trade)) for iid, trade in sorted(self._open.items())]
        return (self.count, self.mean, self.squares, trades)


class Sized:
    """Gauges by instrument, and the seats that are sized anew on bars. The engine has one once somebody needs it."""

    __slots__ = ("gauges", "seats")

    def __init__(self) -> None:
        self.gauges: dict[int, dict[tuple[str, float, float], Gauge]] = {}
        self.seats: dict[int, list[Seat]] = {}

    def see(self, bar: Bar) -> None:
        """A finished bar, before anybody decides on it."""
        for gauge in self.gauges.get(bar.iid, {}).values():
            gauge.see(bar)

    def split(self, iid: int, ratio: float) -> None:
        """Prices of an instrument are multiplied by `ratio` from now on."""
        for gauge in self.gauges.get(iid, {}).values():
            gauge.split(ratio)

    def volatility(self, iid: int, sid: int, decay: float, settle: float) -> Volatility:
        """The volatility of an instrument, measured from now on when nobody has before."""
        gauge: Volatility = self._gauge(
            iid, sid, (VOLATILITY, decay, settle), lambda: Volatility(decay, int(settle))
        )
        return gauge

    def range(self, iid: int, sid: int, period: float) -> Range:
        """The average true range of an instrument, likewise."""
        gauge: Range = self._gauge(iid, sid, (RISK, period, 0.0), lambda: Range(int(period)))
        return gauge

    def _gauge(self, iid: int, sid: int, key: tuple[str, float, float], make: Any) -> Any:
        here = self.gauges.setdefault(iid, {})
        gauge = here.get(key)
        if gauge is None:
            gauge = here[key] = make()
        gauge.users.add(sid)
        return gauge

    def forget(self, placed: Placed) -> None:
        """A strategy is gone: what nobody else needs is measured no more."""
        sid = placed.strategy_id
        for iid, here in list(self.gauges.items()):
            for key, gauge in list(here.items()):
                gauge.users.discard(sid)
                if not gauge.users:
                    del here[key]
            if not here:
                del self.gauges[iid]
        self.seats = {
            iid: left
            for iid, seats in self.seats.items()
            if (left := [s for s in seats if s.placed is not placed])
        }


def size_by(engine: "Engine", placed: Placed, sizing: Sizing) -> None:
    """Give a placed strategy, whose seats are there, its sizer."""
    kinds: dict[str, type[Sizer]] = {
        PERCENT: Sizer,
        NOTIONAL: Sizer,
        VOLATILITY: ByVolatility,
        KELLY: ByKelly,
        RISK: ByRisk,
    }
    kind = kinds.get(sizing.name)
    if kind is None:
        return
    sizer = placed.sizer = kind(sizing, placed.quantity_e8, engine.risk)
    if not sizing.watches_bars:
        return
    sized = engine.sized = engine.sized or Sized()
    sid, own = placed.strategy_id, sizing.parameters
    for seat in placed.seats:
        if isinstance(sizer, ByVolatility):
            sizer.gauges[seat.iid] = sized.volatility(seat.iid, sid, own["decay"], own["settle"])
        elif isinstance(sizer, ByRisk):
            sizer.gauges[seat.iid] = sized.range(seat.iid, sid, own["atr"])
        if sizer.rebalance:
            sized.seats.setdefault(seat.iid, []).append(seat)


def rebalance(engine: "Engine", sized: Sized, iid: int) -> None:
    """Size the drifted seats of an instrument anew, once its strategies have decided on the bar."""
    for seat in sized.seats.get(iid, ()):
        sizer, target = seat.placed.sizer, seat.target
        if sizer is None or target == 0 or seat.working_e8 or not seat.placed.running:
            continue
        full = sizer.full_e8(seat)
        if full <= 0:
            continue
        wanted = target * full
        if abs(wanted - seat.held_e8) > sizer.rebalance * abs(wanted):
            engine.retarget(seat, target, "rebalance")
