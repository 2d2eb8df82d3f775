"""Engine and simulated venue over one market with linked orders, amendments, splits and dividends: after every event
both have the same books, and neither says anything the other cannot follow."""

import random

import pytest

from tests.engine.books import check
from tests.engine.histories import ASKER
from workbench.engine import Engine, Match
from workbench.model import (
    AddInstrument,
    AddStrategy,
    Amend,
    AmendOrder,
    Bar,
    Cancel,
    CancelOrder,
    CashMoved,
    Dividend,
    Effect,
    Event,
    Flatten,
    Instrument,
    OpenAccount,
    PlaceOrder,
    ResumeStrategy,
    SetLimits,
    Split,
    StartSession,
    Submit,
    Trade,
    to_e8,
)
from workbench.model.orders import DAY, GTC, LIMIT, MARKET, STOP, TRAILING

MINUTE = 60_000_000_000
T0 = 1_608_042_600_000_000_000


class Paper:
    """An engine, a venue, and what they say to each other at once."""

    def __init__(self, group: str) -> None:
        self.engine = Engine()
        self.instrument = Instrument(0, "SPY")
        self.venue = Match(
            to_e8(1_000_000), fee_per_unit_e8=to_e8("0.01"), group=group, instruments=[self.instrument]
        )
        self.ts_ns = T0
        self.moved_e8 = 0
        self.effects: list[Effect] = []
        limits = (
            ("duplicate_window_s", 0.0),
            ("price_collar", 0.9),
            ("max_jump", 0.0),
            ("breaches_to_halt", 1e6),
        )
        for event in (
            StartSession(T0, 1, "test", "paper", "0"),
            OpenAccount(T0, "SIM", to_e8(1_000_000)),
            AddInstrument.of(T0, self.instrument),
            SetLimits(T0, limits, "test"),
            Bar(T0, 0, 100, 100, 100, 100, 1e6),
            AddStrategy(T0, 1, "Asker", ASKER, "h", (), (0,), "quantity", to_e8(10)),
        ):
            self.do(event)

    def do(self, event: Event) -> None:
        if isinstance(event, CashMoved):
            self.moved_e8 += event.amount_e8
        effects = self.engine.handle(event)
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Submit):
                reports = self.venue.submit(effect)
            elif isinstance(effect, Cancel):
                reports = self.venue.cancel(effect)
            elif isinstance(effect, Amend):
                reports = self.venue.amend(effect)
            else:
                continue
            for report in reports:
                self.do(report)

    def market(self, event: Bar | Trade | Split | Dividend) -> None:
        """The venue sees an event first, the engine its reports and then the event."""
        for report in self.venue.on_market(event):
            self.do(report)
        self.do(event)

    def agree(self) -> None:
        engine, venue = self.engine, self.venue
        check(engine, self.moved_e8)
        assert engine.ledger.cash_e8 == venue.cash_e8
        held = engine.ledger.totals[0].qty_e8 if 0 in engine.ledger.totals else 0
        assert held == venue.positions.get(0, 0)
        assert sorted(engine.orders.active) == sorted(venue.open_orders)
        for resting in venue.resting(0):
            ours = engine.orders.by_id[resting.order.order_id]
            theirs = (
                resting.order.qty_e8,
                resting.order.limit_px_e8,
                resting.order.stop_px_e8,
                resting.filled_e8,
            )
            assert theirs == (ours.qty_e8, ours.limit_px_e8, ours.stop_px_e8, ours.filled_e8)
        assert not engine.orders.amending


def wish(paper: Paper, dice: random.Random) -> Event:
    """Something a person asks for, around where the price is."""
    px, t = round(paper.engine.book.last_px[0]) * 10**8, paper.ts_ns
    side = dice.choice((1, -1))
    qty, off = dice.randint(1, 9) * 10**8, dice.randint(1, 4) * 10**8
    tif = dice.choice((DAY, GTC))
    known = list(paper.engine.orders.active) or [1]
    return dice.choice(
        (
            PlaceOrder(t, 0, side, MARKET, tif, qty),
            PlaceOrder(t, 0, side, LIMIT, tif, qty, px - side * off),
            PlaceOrder(t, 0, side, STOP, tif, qty, 0, px + side * off),
            PlaceOrder(t, 0, side, TRAILING, tif, qty, trail_e8=off),
            PlaceOrder(
                t,
                0,
                side,
                MARKET,
                tif,
                qty,
                take_profit_px_e8=px + side * off,
                stop_loss_px_e8=px - side * off,
            ),
            PlaceOrder(
                t,
                0,
                side,
                LIMIT,
                tif,
                qty,
                px,
                take_profit_px_e8=px + side * off,
                stop_loss_px_e8=px - side * off,
            ),
            AmendOrder(t, dice.choice(known), qty),
            AmendOrder(t, dice.choice(known), 0, px - off),
            CancelOrder(t, dice.choice(known)),
            ResumeStrategy(t, 1),
        )
    )


@pytest.mark.parametrize("group", ["reduce", "cancel"])
@pytest.mark.parametrize("seed", range(12))
def test_both_have_the_same_books_after_every_event(seed: int, group: str) -> None:
    dice = random.Random(seed)
    paper = Paper(group)
    px = 100.0
    fills = 0
    for n in range(300):
        paper.ts_ns += MINUTE if n % 60 else 16 * 60 * MINUTE  # a new day now and then
        act = dice.random()
        if act < 0.35:
            px = max(20.0, px + dice.choice((-2, -1, 0, 1, 2)))
            low, high = px - dice.choice((0.5, 2.5)), px + dice.choice((0.5, 2.5))
            paper.market(Bar(paper.ts_ns, 0, px, high, low, dice.choice((low, px, high)), 1e5))
            px = paper.engine.book.last_px[0]
        elif act < 0.6:
            # the size is what the strategy asks for; small sizes fill in parts
            paper.market(Trade(paper.ts_ns, 0, px, float(dice.randint(1, 200))))
        elif act < 0.61:
            paper.market(Split(paper.ts_ns, 0, *dice.choice(((2, 1), (3, 2), (1, 2), (1, 3)))))
            px = paper.engine.book.last_px[0]
        elif act < 0.62:
            paper.market(Dividend(paper.ts_ns, 0, to_e8("0.37")))
        elif act < 0.63:
            paper.do(Flatten(paper.ts_ns, -1, "enough", "test"))
        else:
            paper.do(wish(paper, dice))
        paper.agree()
        fills = paper.engine.ledger.fills
    assert fills > 20
    codes = {e.code for e in paper.effects if hasattr(e, "code")}
    assert not codes & {
        "ORPHAN",
        "CONTRADICTION",
        "OVERFILL",
        "LATE_FILL",
        "BAD_FILL",
        "ERROR",
        "LOAD",
        "NAN",
    }
    assert not {odd for odd in paper.engine.orders.oddities if "after" in odd}
