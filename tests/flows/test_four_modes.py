"""One recorded day as backtest, on paper as fast as it settles and paced, replayed from its journal, and live in a
process of its own over the API: the same decisions, the same prices."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest

import workbench as wb
from tests.flows.days import DAY, QUANTITY, ByStrategy, day_strategies, decided, decided_rows, truths
from workbench.config import load_settings
from workbench.engine import Engine
from workbench.feeds import open_data
from workbench.journal import ReplayReport, replay
from workbench.model.snapshot import FillRow
from workbench.orchestrator import Desk
from workbench.orchestrator.view import KEEP
from workbench.research import Result, backtest
from workbench.research.parity import ParityReport, paired, parity
from workbench.strategy import strategy_source

pytestmark = pytest.mark.flow

REPLAY = """
import pathlib, sys, msgspec
from workbench.engine import Engine
from workbench.journal import replay
engines = []
def fresh():
    engines.append(Engine())
    return engines[0]
report = replay(pathlib.Path(sys.argv[1]), fresh)
sys.stdout.buffer.write(msgspec.json.encode([report, engines[0].digest()]))
"""


@dataclass
class Played:
    """A day that was played: decisions by strategy, fills, and the journal."""

    decisions: ByStrategy
    fills: list[FillRow]
    journal: Path


async def _on_paper(home: Path, name: str, speed: float) -> Played:
    market = {"data": "SPY", "start": DAY, "end": DAY, "speed": speed}
    desk = Desk(load_settings(name=name, market=market), home, play=False)
    await desk.start()
    try:
        for placed, cls in day_strategies().items():
            await desk.add_strategy(placed, strategy_source(cls).source, {}, ["SPY"], QUANTITY)
        desk.market_control("play")
        async with asyncio.timeout(100):
            while desk.market.state != "finished":  # noqa: ASYNC110 - a player tells nobody when it ends
                await asyncio.sleep(0.01)
        assert all(truths({**await desk.reconcile(), "replay_hash_equal": True}).values())
        fills = list(desk.view.fills)
        return Played(decided(desk.engine), fills, desk.journal.path)
    finally:
        await desk.stop()


@dataclass
class Live(Played):
    """What a live desk says of itself besides: its check, and its own comparison with backtests."""

    checked: dict[str, object]
    parity: dict[str, ParityReport]


@pytest.fixture(scope="module")
def backtests(home: Path) -> dict[str, Result]:
    return {
        name: backtest(cls, "SPY", start=DAY, end=DAY, quantity=QUANTITY)
        for name, cls in day_strategies().items()
    }


@pytest.fixture(scope="module")
def paper(home: Path) -> Played:
    """As fast as it settles."""
    return asyncio.run(_on_paper(home, "paper", 0.0))


@pytest.fixture(scope="module")
def paced(home: Path) -> Played:
    """A trading day in less than a second."""
    return asyncio.run(_on_paper(home, "paced", 36_000.0))


@pytest.fixture(scope="module")
def live(home: Path) -> Iterator[Live]:
    """An engine in its own process, driven through the session."""
    session = wb.start("live", data="SPY", start=DAY, end=DAY, speed=0, play=False, quiet=True)
    try:
        for cls in day_strategies().values():
            session.run(cls, symbols="SPY", quantity=QUANTITY)
        session.market.play()
        session.wait(finished=True, timeout_s=90)
        decisions = decided_rows(session.client_orders(limit=10_000))
        handles = {handle.name: handle for handle in session.strategies}
        reports = {name: parity(handles[name], cls()) for name, cls in day_strategies().items()}
        yield Live(decisions, list(session.fills), home / "live" / "journal.sqlite", session.check(), reports)
    finally:
        session.stop()


def _agree(played: Played, backtests: dict[str, Result]) -> None:
    for name, result in backtests.items():
        report = paired(played.decisions[name], result.decisions)
        assert report.equal, f"{name}: {report}"
        assert report.largest_px_gap == 0.0
        assert (
            played.decisions[name] == result.decisions
        )  # in the same order, with the same states and prices


def test_every_strategy_trades_that_day(backtests: dict[str, Result]) -> None:
    for name, result in backtests.items():
        assert {d.side for d in result.decisions} == {"buy", "sell"}, name
        assert sum(d.state == "filled" for d in result.decisions) >= 4, name


def test_decisions_fall_on_closes_and_fill_at_the_next_open(backtests: dict[str, Result]) -> None:
    ts_ns, ohlcv = open_data("SPY", start=DAY, end=DAY).bars("SPY")
    row_of = {int(ts): row for row, ts in enumerate(ts_ns)}
    for result in backtests.values():
        for decision in result.decisions:
            row = row_of[decision.ts_ns]
            if row + 1 == len(ts_ns):
                assert decision.state == "working"  # decided on the last close: there is no open any more
            else:
                assert decision.state == "filled"
                assert decision.average_px == pytest.approx(float(ohlcv[row + 1, 0]), abs=1e-8)
    assert np.all(np.diff(ts_ns) > 0)


def test_paper_decides_as_the_backtest(paper: Played, backtests: dict[str, Result]) -> None:
    _agree(paper, backtests)


def test_a_paced_day_decides_as_the_backtest(paced: Played, backtests: dict[str, Result]) -> None:
    _agree(paced, backtests)


def test_a_process_driven_over_the_api_decides_as_the_backtest(
    live: Live, backtests: dict[str, Result]
) -> None:
    _agree(live, backtests)
    assert all(truths(live.checked).values()), live.checked


def test_the_notebook_compares_live_with_a_backtest(live: Live, backtests: dict[str, Result]) -> None:
    for name, report in live.parity.items():
        assert report.equal, f"{name}: {report}"
        assert (report.same, report.largest_px_gap) == (len(backtests[name].decisions), 0.0)


def test_desks_fill_alike_to_the_nanosecond(paper: Played, paced: Played, live: Live) -> None:
    """Two reports that are on their way together may overtake each other; what they say may not change."""

    def by_order(played: Played) -> list[FillRow]:
        return sorted(played.fills, key=lambda fill: (fill.order_id, fill.exec_id))

    assert by_order(paper) == by_order(paced) == by_order(live)
    assert 50 < len(paper.fills) < KEEP  # the view keeps that many: all of them were compared


def test_the_journal_replays_to_the_same_decisions(paper: Played, backtests: dict[str, Result]) -> None:
    engines: list[Engine] = []

    def fresh() -> Engine:
        engines.append(Engine())
        return engines[-1]

    report = replay(paper.journal, fresh)
    assert report.equal, report.first_difference
    assert report.effects > 50
    replayed = Played(decided(engines[0]), [], paper.journal)
    for name, decisions in replayed.decisions.items():  # the journal goes on to the stop, which cancels
        ended = [d for d in paper.decisions[name] if d.state == "filled"]
        assert [d for d in decisions if d.state == "filled"] == ended
        assert paired(decisions, backtests[name].decisions).equal


def test_a_fresh_process_with_another_hash_seed_replays_the_same(paper: Played) -> None:
    engines: list[Engine] = []

    def fresh() -> Engine:
        engines.append(Engine())
        return engines[-1]

    here = replay(paper.journal, fresh)
    told = subprocess.run(
        [sys.executable, "-c", REPLAY, str(paper.journal)],
        env={**os.environ, "PYTHONHASHSEED": "271828"},
        capture_output=True,
        timeout=90,
        check=True,
    )
    report, digest = msgspec.json.decode(told.stdout, type=tuple[ReplayReport, str])
    assert report.equal
    assert report == here
    assert digest == engines[0].digest()
