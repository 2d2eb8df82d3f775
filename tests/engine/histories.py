"""Histories for the laws: small numbers become events that fit the state of the desk, so that most do something.

A word is (what, which, how): `what` chooses the kind of event, `which` an order or an instrument, `how` a size or a
price. Anything may be said about any order at any time, as a bad venue would.
"""

from collections.abc import Callable, Iterable
from typing import Any

from tests.engine.conftest import MINUTE, T0
from workbench.engine import Engine
from workbench.model import (
    Accepted,
    AddInstrument,
    AddStrategy,
    Amended,
    AmendOrder,
    AmendRefused,
    Arm,
    Bar,
    Cancelled,
    CancelOrder,
    CancelRefused,
    CashMoved,
    Dividend,
    Effect,
    Event,
    Expired,
    Filled,
    Flatten,
    Kill,
    OpenAccount,
    OutcomeLost,
    PauseStrategy,
    PlaceOrder,
    Rejected,
    ResumeStrategy,
    Sent,
    SetLimits,
    Split,
    StartSession,
    Trade,
    Unsent,
    to_e8,
)
from workbench.model.orders import ACTIVE, DAY, GTC, LIMIT, MARKET, STOP, STOP_LIMIT, TRAILING

__all__ = ["ASKER", "Desk", "Word"]

type Word = tuple[int, int, int]

ASKER = '''
from workbench.strategy import AmendRequest, CancelRequest, OrderRequest, Signal, Strategy


class Asker(Strategy):
    """Asks for what the size of a print says, so that a history can make it ask for anything."""

    def on_trade(self, ctx, trade):
        px, what = round(trade.px), int(trade.size)
        number = ctx.orders[what % len(ctx.orders)].order_id if ctx.orders else 1
        legs = [
            OrderRequest("sell", 1 + what % 7, type="limit", limit_px=px + 2, oco="exit"),
            OrderRequest("sell", 1 + what % 5, type="stop", stop_px=px - 2, oco="exit"),
        ]
        straddle = [
            OrderRequest("buy", 3, type="stop_limit", stop_px=px + 1, limit_px=px + 2, oco="first"),
            OrderRequest("sell", 4, type="stop", stop_px=px - 1, oco="first"),
            OrderRequest("buy", 5, type="limit", limit_px=px - 3, oco="first"),
        ]
        answers = [
            OrderRequest("buy", 10, take_profit_px=px + 3, stop_loss_px=px - 3),
            OrderRequest("sell", 4, type="limit", limit_px=px + 1, take_profit_px=px - 3, stop_loss_px=px + 3),
            legs,
            straddle,
            OrderRequest("sell", 2, type="trailing", trail=1),
            CancelRequest(number),
            CancelRequest(all=ctx.symbol),
            AmendRequest(number, quantity=1 + what % 12),
            AmendRequest(number, limit_px=px + what % 3 - 1),
            Signal((what % 5 - 2) / 2),
        ]
        return answers[what % len(answers)]

    def on_order(self, ctx, order):
        if order.state in ("cancelled", "rejected") and ctx.flat and len(ctx.orders) < 3:
            return OrderRequest("buy", 1, why=f"after {order.order_id}")
'''


class Desk:
    """An engine with a flipping signal strategy and an event strategy, and every event and effect it had."""

    def __init__(self, limits: tuple[tuple[str, float], ...] = ()) -> None:
        self.engine = Engine()
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self.ts_ns = T0
        self.moved: dict[str, int] = {}
        self.count = 0
        self.do(StartSession(T0, 1, "test", "paper", "0"))
        self.do(OpenAccount(T0, "SIM-1", to_e8(1_000_000)))
        for iid, symbol in enumerate(("SPY", "QQQ")):
            self.do(AddInstrument(T0, iid, symbol, "SIM", "USD", 1_000_000, 100_000_000, "XNYS"))
        pairs = (("duplicate_window_s", 0.0), ("price_collar", 0.9), ("max_jump", 0.0), *limits)
        self.do(SetLimits(T0, pairs, "test"))
        for iid in (0, 1):
            self.do(Bar(T0, iid, 100, 100, 100, 100, 1))
        self.do(AddStrategy(T0, 1, "Asker", ASKER, "h", (), (0, 1), "quantity", to_e8(10)))

    def do(self, event: Event) -> list[Effect]:
        """One event; what it said of cash is noted."""
        self.events.append(event)
        if isinstance(event, CashMoved):
            self.moved.setdefault(event.move_id, event.amount_e8)
        effects = self.engine.handle(event)
        self.effects += effects
        return effects

    @property
    def moved_e8(self) -> int:
        return sum(self.moved.values())

    def order_id(self, which: int) -> int:
        """An active order if there is one (now and then any order, or one nobody knows)."""
        orders = self.engine.orders
        pool = list(orders.active) if which % 4 else list(orders.by_id)
        return pool[which // 4 % len(pool)] if pool else which

    def say(self, words: Iterable[Word]) -> None:
        """Handle the events that the words stand for."""
        for word in words:
            self.ts_ns += MINUTE // 60
            self.do(self.event(word))

    def event(self, word: Word) -> Event:
        """The event that a word stands for now."""
        what, which, how = word
        return _EVENTS[what % len(_EVENTS)](self, which, how)


def _px(desk: Desk, iid: int, off: int) -> int:
    return max(1, round(desk.engine.book.last_px[iid]) + off) * 10**8


def _place(kind: int) -> Callable[[Desk, int, int], Event]:
    def make(desk: Desk, which: int, how: int) -> Event:
        iid, side = which % 2, 1 if which % 4 < 2 else -1
        more: dict[str, Any] = {}
        if kind in (LIMIT, STOP_LIMIT):
            more["limit_px_e8"] = _px(desk, iid, how % 7 - 3)
        if kind in (STOP, STOP_LIMIT):
            more["stop_px_e8"] = _px(desk, iid, how % 5 - 2)
        if kind == TRAILING:
            more["trail_e8" if how % 2 else "trail_rate_e8"] = 10**8 if how % 2 else 10**6
        tif = GTC if how % 3 == 0 else DAY
        return PlaceOrder(desk.ts_ns, iid, side, kind, tif, (1 + how % 9) * 10**8, **more)

    return make


def _bracket(desk: Desk, which: int, how: int) -> Event:
    iid, side = which % 2, 1 if which % 4 < 2 else -1
    kind = LIMIT if how % 2 else MARKET
    stop = _px(desk, iid, -side * 3)
    return PlaceOrder(
        desk.ts_ns,
        iid,
        side,
        kind,
        DAY,
        (1 + how % 9) * 10**8,
        _px(desk, iid, 0) if kind == LIMIT else 0,
        take_profit_px_e8=_px(desk, iid, side * 3) if how % 3 else 0,
        stop_loss_px_e8=stop,
        stop_loss_limit_px_e8=stop if how % 4 == 0 else 0,
    )


def _bar(desk: Desk, which: int, how: int) -> Event:
    iid = which % 2
    close = max(2.0, desk.engine.book.last_px[iid] + how % 3 - 1)
    return Bar(desk.ts_ns, iid, close, close, close, close, 1.0)


def _trade(desk: Desk, which: int, how: int) -> Event:
    iid = which % 2
    return Trade(desk.ts_ns, iid, max(2.0, desk.engine.book.last_px[iid]), float(how))


def _filled(desk: Desk, which: int, how: int) -> Event:
    number = desk.order_id(which)
    order = desk.engine.orders.by_id.get(number)
    left = max(1, order.open_e8 // 10**8) if order is not None and order.state in ACTIVE else 1
    qty = left if how % 3 == 0 else 1 + how % left if how % 7 else 1 + how % 9
    desk.count += how % 11 != 0  # now and then an execution comes again
    return Filled(desk.ts_ns, number, f"x{desk.count}", (90 + how % 20) * 10**8, qty * 10**8, how % 50)


def _amend(desk: Desk, which: int, how: int) -> Event:
    number = desk.order_id(which)
    order = desk.engine.orders.by_id.get(number)
    limit = stop = 0
    if order is not None and how % 3 == 0:
        limit = _px(desk, order.iid, how % 7 - 3) if order.limit_px_e8 else 0
        stop = _px(desk, order.iid, how % 5 - 2) if order.stop_px_e8 else 0
    return AmendOrder(desk.ts_ns, number, (1 + how % 15) * 10**8 if how % 5 else 0, limit, stop)


def _amended(desk: Desk, which: int, how: int) -> Event:
    asked = desk.engine.orders.amending
    if asked and how % 3:
        amend = asked[sorted(asked)[which % len(asked)]]
        values = (amend.qty_e8, amend.limit_px_e8, amend.stop_px_e8)
        return Amended(desk.ts_ns, amend.order_id, *values, f"v{how}")
    number = desk.order_id(which)
    order = desk.engine.orders.by_id.get(number)
    limit, stop = (order.limit_px_e8, order.stop_px_e8) if order is not None else (0, 0)
    return Amended(desk.ts_ns, number, (how % 12) * 10**8, limit, stop)  # by the venue itself; 0 cannot be


def _amend_refused(desk: Desk, which: int, how: int) -> Event:
    asked = sorted(desk.engine.orders.amending)
    number = asked[which % len(asked)] if asked and how % 5 else desk.order_id(which)
    return AmendRefused(desk.ts_ns, number, "TOO_LATE", "it has traded")


def _split(desk: Desk, which: int, how: int) -> Event:
    ratios = ((2, 1), (3, 2), (1, 3), (7, 3), (2, 5), (0, 1), (1, 1))
    return Split(desk.ts_ns, which % 3, *ratios[how % len(ratios)])


def _epoch(desk: Desk, which: int, how: int) -> Event:
    return StartSession(desk.ts_ns, desk.engine.epoch + 1, "test", "paper", "0")


_EVENTS: list[Callable[[Desk, int, int], Event]] = [
    _bar,
    _trade,
    _trade,
    _trade,
    _place(MARKET),
    _place(LIMIT),
    _place(STOP),
    _place(STOP_LIMIT),
    _place(TRAILING),
    _bracket,
    _bracket,
    _filled,
    _filled,
    _filled,
    _filled,
    lambda d, a, b: Accepted(d.ts_ns, d.order_id(a), f"v{a}"),
    lambda d, a, b: Accepted(d.ts_ns, d.order_id(a), f"v{a}"),
    lambda d, a, b: Accepted(d.ts_ns, d.order_id(a), f"v{a}"),
    _amend,
    _amend,
    _amend,
    _amended,
    _amended,
    _amend_refused,
    lambda d, a, b: Cancelled(d.ts_ns, d.order_id(a), "by the venue"),
    lambda d, a, b: Rejected(d.ts_ns, d.order_id(a), "NO", "no"),
    lambda d, a, b: Expired(d.ts_ns, d.order_id(a)),
    lambda d, a, b: Unsent(d.ts_ns, d.order_id(a), "asked"),
    lambda d, a, b: OutcomeLost(d.ts_ns, d.order_id(a), "timed out"),
    lambda d, a, b: Sent(d.ts_ns, d.order_id(a)),
    lambda d, a, b: CancelOrder(d.ts_ns, d.order_id(a)),
    lambda d, a, b: CancelRefused(d.ts_ns, d.order_id(a), "TOO_LATE", "it has traded"),
    _split,
    lambda d, a, b: CashMoved(
        d.ts_ns, f"m{a}", b * 100 - 500, a % 3 - 1, "dividend" if b % 2 else "transfer"
    ),
    lambda d, a, b: Dividend(d.ts_ns, a % 3, b),
    lambda d, a, b: Flatten(d.ts_ns, a % 4 - 1, "enough", "test") if b % 4 == 0 else _bar(d, a, b),
    lambda d, a, b: PauseStrategy(d.ts_ns, 1, "test", bool(b % 2)),
    lambda d, a, b: ResumeStrategy(d.ts_ns, 1),
    lambda d, a, b: ResumeStrategy(d.ts_ns, 1),
    lambda d, a, b: Kill(d.ts_ns, "test", "test") if b % 4 == 0 else _amend(d, a, b),
    lambda d, a, b: Arm(d.ts_ns, "test"),
    lambda d, a, b: Arm(d.ts_ns, "test"),
    _epoch,
]
