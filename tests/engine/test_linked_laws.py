"""Laws for every history with brackets, groups, amendments, splits and cash moves: the books, a replay in this and in
another process, and the promise of the worst case: whatever an honest venue has done and not yet said, the position is
within what the rules allow."""

import random
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.books import check
from tests.engine.histories import Desk, Word
from workbench.engine import effects_hash
from workbench.model import (
    Accepted,
    Amend,
    Amended,
    AmendOrder,
    AmendRefused,
    Bar,
    Cancel,
    Cancelled,
    CancelOrder,
    CancelRefused,
    Effect,
    Filled,
    PlaceOrder,
    Report,
    Submit,
    Trade,
)
from workbench.model.orders import MARKET

numbers = st.integers(0, 200)
words: st.SearchStrategy[list[Word]] = st.lists(st.tuples(numbers, numbers, numbers), min_size=5, max_size=60)


def lives_by_the_books(desk: Desk, history: list[Word]) -> None:
    for word in history:
        before = len(desk.effects)
        was_killed = desk.engine.risk.killed
        desk.say([word])
        if was_killed and desk.engine.risk.killed:
            assert not any(isinstance(e, Submit | Amend) for e in desk.effects[before:])
        check(desk.engine, desk.moved_e8)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(words)
def test_any_history_keeps_the_books(history: list[Word]) -> None:
    lives_by_the_books(Desk(), history)


@pytest.mark.parametrize("seed", range(40))
def test_long_histories_keep_the_books_and_replay_equal(seed: int) -> None:
    dice = random.Random(seed)
    desk = Desk()
    history = [(dice.randrange(200), dice.randrange(200), dice.randrange(200)) for _ in range(200)]
    lives_by_the_books(desk, history)
    again = Desk()
    for event in desk.events[len(again.events) :]:
        again.do(event)
    assert again.engine.digest() == desk.engine.digest()
    assert effects_hash(again.effects) == effects_hash(desk.effects)


SCRIPT = """
import random
from tests.engine.histories import Desk
from workbench.engine import effects_hash
dice, desk = random.Random(7), Desk()
desk.say([(dice.randrange(200), dice.randrange(200), dice.randrange(200)) for _ in range(400)])
print(desk.engine.digest(), effects_hash(desk.effects), len(desk.effects))
"""


def test_another_process_with_another_hash_seed_says_the_same() -> None:
    root = Path(__file__).resolve().parents[2]
    said = set()
    for seed in ("1", "2"):
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "PATH": ""}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=root, env=env, capture_output=True, text=True, check=True
        )
        said.add(run.stdout)
    assert len(said) == 1
    assert int(said.pop().split()[2]) > 100


class Honest:
    """A venue that keeps its word: of a group at most the largest fills, exits follow what their entry has filled. It
    acts when it likes and tells later; reports of one order come in the order they happened."""

    def __init__(self, desk: Desk, dice: random.Random) -> None:
        self.desk, self.dice = desk, dice
        self.orders: dict[int, Submit] = {}
        self.wanted: dict[int, int] = {}  # quantity in force
        self.filled: dict[int, int] = {}
        self.live: dict[int, None] = {}
        self.told: dict[int, deque[Report]] = {}
        self.position = {0: 0, 1: 0}

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Submit):
                n = effect.order_id
                self.orders[n], self.wanted[n], self.filled[n] = effect, effect.qty_e8, 0
                self.live[n] = None
                self.told[n] = deque([Accepted(effect.ts_ns, n, f"v{n}")])
            elif isinstance(effect, Cancel) and effect.order_id in self.orders:
                self.end(effect.order_id, "asked for")
            elif isinstance(effect, Amend):
                self.amend(effect)

    def end(self, n: int, why: str) -> None:
        if n not in self.live:
            self.told[n].append(CancelRefused(self.desk.ts_ns, n, "TOO_LATE", "it has ended"))
            return
        del self.live[n]
        self.told[n].append(Cancelled(self.desk.ts_ns, n, why))
        if not self.filled[n]:
            for child in [c for c in self.live if self.orders[c].parent_id == n]:
                self.end(child, "its entry has ended")

    def amend(self, amend: Amend) -> None:
        n = amend.order_id
        if n not in self.live or amend.qty_e8 <= self.filled[n] or self.dice.random() < 0.3:
            self.told[n].append(AmendRefused(self.desk.ts_ns, n, "NO", "not possible"))
            return
        self.wanted[n] = amend.qty_e8
        values = (amend.qty_e8, amend.limit_px_e8, amend.stop_px_e8)
        self.told[n].append(Amended(self.desk.ts_ns, n, *values, f"v{n}"))

    def room(self, n: int) -> int:
        order = self.orders[n]
        room = self.wanted[n] - self.filled[n]
        if order.parent_id:
            done = sum(f for m, f in self.filled.items() if self.orders[m].group == order.group)
            room = min(room, self.filled[order.parent_id] - done)
        return room

    def trade(self) -> None:
        """Fill a part or all of some order that can trade."""
        able = [n for n in self.live if self.room(n) > 0]
        if not able:
            return
        n = self.dice.choice(able)
        order = self.orders[n]
        qty = (
            self.room(n) if self.dice.random() < 0.5 else self.dice.randint(1, self.room(n) // 10**8) * 10**8
        )
        self.filled[n] += qty
        self.position[order.iid] += order.side * qty
        exec_id = f"x{n}-{self.filled[n]}"
        self.told[n].append(Filled(self.desk.ts_ns, n, exec_id, 100 * 10**8, qty))
        if self.filled[n] == self.wanted[n]:
            del self.live[n]
        if order.group and not order.parent_id:
            for other in [m for m in self.live if m != n and self.orders[m].group == order.group]:
                self.end(other, "another of its group has filled")

    def tell(self) -> None:
        waiting = [n for n, reports in self.told.items() if reports]
        if waiting:
            self.take(self.desk.do(self.told[self.dice.choice(waiting)].popleft()))


@pytest.mark.parametrize("seed", range(40))
def test_the_worst_case_holds_whatever_an_honest_venue_has_not_told_yet(seed: int) -> None:
    """No short position and at most 15 units are allowed; orders of all sorts ask for more, on both sides."""
    dice = random.Random(seed)
    desk = Desk((("allow_short", 0.0), ("max_position_qty", 15.0), ("breaches_to_halt", 1e6)))
    venue = Honest(desk, dice)
    filled = 0
    for _ in range(400):
        desk.ts_ns += 10**9
        act = dice.random()
        if act < 0.3:
            venue.trade()
        elif act < 0.75:
            venue.tell()
        else:
            # prints, plain orders, brackets, amendments and cancels: places of `histories._EVENTS`
            what = dice.choice((0, 1, 1, 1, 4, 5, 9, 9, 18, 18, 30))
            event = desk.event((what, dice.randrange(200), dice.randrange(200)))
            assert isinstance(event, Bar | Trade | PlaceOrder | AmendOrder | CancelOrder)
            venue.take(desk.do(event))
        for iid, position in venue.position.items():
            assert 0 <= position <= 15 * 10**8, iid
        filled = sum(venue.filled.values())
    while any(venue.told.values()):
        venue.tell()
    assert filled > 0
    for iid, line in enumerate(desk.engine.exposure.lines):
        assert line.held_e8 == venue.position[iid]
    assert set(desk.engine.orders.active) == set(venue.live)
    check(desk.engine, desk.moved_e8)
    assert any(order.kind == MARKET for order in desk.engine.orders)
