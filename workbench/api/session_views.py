"""What a `Session` hands out: lists of rows that read well, orders that can trace themselves, strategy handles."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, cast, overload

import msgspec

from workbench.api.contract import Scalar
from workbench.errors import UnknownName
from workbench.model import snapshot as rows

if TYPE_CHECKING:
    import pandas

    from workbench.api.session import Session
    from workbench.strategy import Strategy

__all__ = [
    "AccountHistories",
    "Accounts",
    "Market",
    "OrderView",
    "Rows",
    "Strategies",
    "StrategyHandle",
    "Trace",
    "one_line",
]

SHOWN = 20


class Rows[T](list[T]):
    """A list whose text is one line a row; `.df()` makes a DataFrame."""

    def __repr__(self) -> str:
        if not self:
            return "[] (none yet)"
        hidden = len(self) - SHOWN
        head = [f"... {hidden} more before"] if hidden > 0 else []
        return "\n".join([*head, *(one_line(row) for row in self[-SHOWN:])])

    @overload
    def __getitem__(self, key: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> "Rows[T]": ...
    def __getitem__(self, key: SupportsIndex | slice) -> "T | Rows[T]":
        return Rows(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    def df(self) -> "pandas.DataFrame":
        """One row each, fields as columns."""
        import pandas

        return pandas.DataFrame([msgspec.structs.asdict(_struct(row)) for row in self])


def _struct(row: object) -> msgspec.Struct:
    return row.row if isinstance(row, OrderView) else cast(msgspec.Struct, row)


def one_line(row: object) -> str:
    """A row of the desk as one line.

    >>> one_line(rows.FillRow("x1", 7, 1, "SPY", "buy", 10.0, 367.5, 0.05, 0))
    'fill of order 7: buy 10 SPY at 367.5, fee 0.05'
    """
    match row:
        case rows.PositionRow():
            owner = "account" if row.strategy_id == -1 else f"strategy {row.strategy_id}"
            return (
                f"{row.symbol} {row.quantity:+g} at {row.average_px:g} ({owner}), last {row.last_px:g}, "
                f"realized {row.realized:,.2f}, unrealized {row.unrealized:,.2f}"
            )
        case rows.OrderRow():
            px = f" limit {row.limit_px:g}" if row.limit_px else ""
            px += f" stop {row.stop_px:g}" if row.stop_px else ""
            px += f" at {row.account}" if row.account else ""
            filled = f", filled {row.filled:g} at {row.average_px:g}" if row.filled else ""
            why = f" ({row.reason})" if row.reason else ""
            return (
                f"order {row.order_id}: {row.side} {row.quantity:g} {row.symbol} {row.type}{px} "
                f"by {row.strategy}: {row.state}{filled}{why}"
            )
        case rows.FillRow():
            return (
                f"fill of order {row.order_id}: {row.side} {row.quantity:g} {row.symbol} at {row.px:g}, "
                f"fee {row.fee:g}"
            )
        case rows.RefusalRow():
            return f"refused [{row.code}] {row.side} {row.quantity:g} {row.symbol}: {row.text}"
        case rows.LatencyRow():
            return (
                f"{row.stage:<8} n {row.n:>7,}  p50 {row.p50_us:,.1f}  p99 {row.p99_us:,.1f}  "
                f"max {row.max_us:,.1f} us of {row.budget_us:,.0f}"
            )
        case rows.AlertRow():
            return f"{row.severity} {row.code}: {row.text}"
        case rows.VenueAccountRow():
            return _account_line(row)
        case rows.AccountHistoryRow():
            return f"{row.account}: {len(row.ts_ns)} seconds"
        case rows.DifferenceRow():
            what = f"position {row.symbol}" if row.symbol else "cash"
            return f"{what}: the desk says {row.ours:.10g}, the broker {row.theirs:.10g}"
        case _:
            return repr(row)


def _account_line(row: rows.VenueAccountRow) -> str:
    holds = (
        f"cash {row.cash:,.2f}, equity {row.equity:,.2f}, {row.positions} positions" if row.books_ns else "-"
    )
    least = min(row.headroom.items(), key=lambda pair: pair[1], default=("", 1.0))
    left = f", {least[0]} {least[1]:.0%} left" if least[0] else ""
    waits = f", {row.waiting} waiting" if row.waiting else ""
    why = f" ({row.reason})" if row.reason else ""
    return (
        f"{row.account:<10} {row.venue} {row.mode}: {row.state}{why}\n"
        f"{'':<10} {holds}, {row.open_orders} open orders, {row.requests} requests, "
        f"{sum(row.errors.values())} errors, {row.limited} limited{left}{waits}"
        + (f"\n{'':<10} {row.missed}" if row.missed else "")
    )


class Accounts(Rows[rows.VenueAccountRow]):
    """The accounts at venues by place in the list, or by name: `desk.accounts["paper"]`."""

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        for row in self:
            if row.account == key:
                return row
        raise UnknownName("account", key, [row.account for row in self])

    def __repr__(self) -> str:
        return super().__repr__() if self else "[] (no account at a venue: the market is a recording)"

    def _ipython_key_completions_(self) -> list[str]:
        return [row.account for row in self]


class AccountHistories(Rows[rows.AccountHistoryRow]):
    """The last minutes of accounts at venues; `.df()` has a row for each second of each account."""

    def df(self) -> "pandas.DataFrame":
        """A row a second; its index is the time, UTC."""
        import pandas

        frames = [pandas.DataFrame(msgspec.structs.asdict(row)) for row in self]
        columns = rows.AccountHistoryRow.__struct_fields__
        joined = pandas.concat(frames) if frames else pandas.DataFrame(columns=list(columns))
        return joined.set_index(pandas.to_datetime(joined.pop("ts_ns"), utc=True).rename("time"))


class Trace(rows.TraceRow, frozen=True):
    """One order's waterfall; its text is a drawing."""

    def __repr__(self) -> str:
        from workbench.monitor import render_text

        return render_text(self)


class OrderView:
    """One order as last seen; fields are those of `OrderRow`. `refresh()` asks again."""

    def __init__(self, session: "Session", row: rows.OrderRow) -> None:
        self._session = session
        self.row = row

    def __getattr__(self, name: str) -> Any:
        if name in rows.OrderRow.__struct_fields__:
            return getattr(self.row, name)
        raise AttributeError(f"an order has no '{name}': see order.row")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *rows.OrderRow.__struct_fields__]

    def __repr__(self) -> str:
        return one_line(self.row)

    def trace(self) -> Trace:
        """The time it spent in each stage."""
        return self._session.trace(self.row.order_id)

    def cancel(self) -> None:
        """Ask the venue to cancel it."""
        self._session.cancel(self.row.order_id)

    def amend(
        self, *, quantity: float = 0.0, limit_px: float = 0.0, stop_px: float = 0.0
    ) -> "OrderView | rows.RefusalRow":
        """Ask the venue to change it; what is left out stays. The order, or the refusal."""
        change = {"quantity": quantity, "limit_px": limit_px, "stop_px": stop_px}
        return self._session.amend(self.row.order_id, **change)

    def refresh(self) -> "OrderView":
        """The same order now."""
        return OrderView(self._session, self._session.order(self.row.order_id).row)


class StrategyHandle:
    """One placed strategy: what it holds, and the words to steer it."""

    def __init__(
        self, session: "Session", strategy_id: int, name: str, kind: "type[Strategy] | None" = None
    ) -> None:
        self.session = session
        self.strategy_id = strategy_id
        self.name = name
        self.kind = kind  # the class, when it was placed from this kernel

    @property
    def row(self) -> rows.StrategyRow:
        """Its figures now."""
        for row in self.session.snapshot().strategies:
            if row.strategy_id == self.strategy_id:
                return row
        known = [str(row.strategy_id) for row in self.session.snapshot().strategies]
        raise UnknownName("strategy", self.strategy_id, known)

    @property
    def state(self) -> str:
        return self.row.state

    @property
    def parameters(self) -> dict[str, Scalar]:
        return self.row.parameters

    @property
    def orders(self) -> Rows[OrderView]:
        """Its newest orders, newest last."""
        return self.session.find_orders(strategy_id=self.strategy_id)

    @property
    def fills(self) -> Rows[rows.FillRow]:
        return Rows(fill for fill in self.session.fills if fill.strategy_id == self.strategy_id)

    @property
    def positions(self) -> Rows[rows.PositionRow]:
        shot = self.session.snapshot()
        return Rows(row for row in shot.positions if row.strategy_id == self.strategy_id)

    @property
    def position(self) -> float:
        """Units held over all its symbols."""
        return self.row.position

    def pause(self, reason: str = "paused from the notebook") -> "StrategyHandle":
        """Stop deciding; positions stay."""
        self.session.pause(self.strategy_id, reason)
        return self

    def resume(self) -> "StrategyHandle":
        """Decide again."""
        self.session.resume(self.strategy_id)
        return self

    def set(self, **parameters: Scalar) -> "StrategyHandle":
        """New values for the named parameters; the others stay."""
        self.session.set_parameters(self.strategy_id, **parameters)
        return self

    def stop(self) -> None:
        """Cancel its orders and remove it; positions stay booked."""
        self.session.remove(self.strategy_id)

    def __repr__(self) -> str:
        try:
            row = self.row
        except UnknownName:
            return f"<strategy {self.strategy_id} {self.name}: gone>"
        parameters = ", ".join(f"{key}={value}" for key, value in row.parameters.items())
        why = f" ({row.reason})" if row.reason else ""
        return (
            f"<strategy {row.strategy_id} {row.name}({parameters}) on {', '.join(row.symbols[:5])}: {row.state}{why}, "
            f"position {row.position:g}, P&L {row.realized + row.unrealized:,.2f}, {row.orders} orders>"
        )


class Strategies(Sequence[StrategyHandle]):
    """The placed strategies by place in the list, or by name: `desk.strategies["RsiReversion"]`."""

    def __init__(self, handles: list[StrategyHandle]) -> None:
        self._handles = handles

    def __len__(self) -> int:
        return len(self._handles)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self._handles[key]
        for handle in reversed(self._handles):
            if handle.name == key:
                return handle
        raise UnknownName("strategy", key, {handle.name for handle in self._handles})

    def _ipython_key_completions_(self) -> list[str]:
        return sorted({handle.name for handle in self._handles})

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._handles)) or "[] (none placed yet: desk.run(...))"


class Market:
    """The recorded market's controls; a live market refuses them."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def play(self) -> None:
        """Go on."""
        self._session.market_control("play")

    def pause(self) -> None:
        """Hold the market; orders on their way still arrive."""
        self._session.market_control("pause")

    def speed(self, replayed_s_per_s: float) -> None:
        """Replayed seconds per wall second; 0 = as fast as it settles."""
        self._session.market_control("speed", replayed_s_per_s)

    def __repr__(self) -> str:
        row = self._session.snapshot().session
        if row.market == "live":
            return f"<market {row.data}: live; it has no pace to set>"
        return f"<market {row.data}: {row.market}, {row.progress:.0%} played, {_pace(row.speed)}>"


def _pace(speed: float) -> str:
    return f"{speed:g}x" if speed else "as fast as it settles"
