"""A desk in the test's loop over a recorded day: strategies, orders, kill, what its rows say, start and stop."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from tests.orchestrator.conftest import OpenDesk, recorded
from workbench.errors import AccountLocked, BadValue, JournalStopped, Refused, UnknownName
from workbench.journal import failpoints, read
from workbench.model import Bar, Cancelled, Refusal, StartSession, Submit, Trade
from workbench.model.snapshot import OrderRow
from workbench.orchestrator import Desk

# an event strategy: nothing to compile, so these tests are quick
TURNS = """
from workbench.strategy import Signal, Strategy

class Turns(Strategy):
    every: int = 5

    def on_bar(self, ctx, bar):
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen % self.every == 0:
            return Signal(0.0 if ctx.position > 0 else 1.0)
"""


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110 - the condition is the desk's state, which sets no event
            await asyncio.sleep(0.001)


async def play_to(desk: Desk, share: float) -> None:
    """Let the market run until `share` of it is played, then hold it; everything has settled."""
    desk.market_control("play")
    await eventually(lambda: desk.market.progress >= share)
    desk.market_control("pause")
    await desk.reconcile()


async def turns(desk: Desk, **parameters: Any) -> int:
    return await desk.add_strategy("Turns", TURNS, parameters, ["SPY"], 10)


def by(desk: Desk, strategy_id: int) -> list[OrderRow]:
    return desk.orders(limit=10_000, strategy_id=strategy_id)


async def placed(desk: Desk, *what: Any, **more: Any) -> int:
    """The number of a manual order that the risk rules let pass."""
    answer = await desk.place(*what, **more)
    assert isinstance(answer, int), answer
    return answer


# -- start -------------------------------------------------------------------------------------------------------------


async def test_a_new_desk_waits_with_its_cash(desk: Desk) -> None:
    shot = desk.snapshot()
    s, a = shot.session, shot.account
    assert (s.state, s.market, s.epoch, s.progress, s.mode, s.data) == (
        "running",
        "paused",
        1,
        0.0,
        "paper",
        "SPY",
    )
    assert (a.cash, a.equity, a.start_cash, a.gross_exposure) == (1_000_000.0, 1_000_000.0, 1_000_000.0, 0.0)
    assert (shot.orders, shot.fills, shot.positions, shot.strategies, shot.refusals) == ([], [], [], [], [])
    assert desk.differences == []


async def test_an_unknown_limit_is_refused_and_the_account_is_free_again(open_desk: OpenDesk) -> None:
    with pytest.raises(UnknownName, match=r"max_ordr_qty.*did you mean 'max_order_qty'"):
        await open_desk(limits={"max_ordr_qty": 5})
    desk = await open_desk(limits={"max_order_qty": 5})
    assert desk.engine.risk.limits.max_order_qty == 5.0


async def test_one_engine_per_account(desk: Desk, open_desk: OpenDesk) -> None:
    with pytest.raises(AccountLocked, match=f"held by process {desk.pid}"):
        await open_desk()
    other = await open_desk("other")
    assert other.state == "running"


async def test_it_goes_on_where_it_stopped(desk: Desk, open_desk: OpenDesk) -> None:
    number = await turns(desk)
    await play_to(desk, 0.3)
    orders, seen = by(desk, number), desk.market.progress
    cash = desk.engine.ledger.cash_e8
    await desk.stop()
    again = await open_desk()
    assert again.snapshot().session.epoch == 2
    assert [o for o in by(again, number) if o.state == "filled"] == [o for o in orders if o.state == "filled"]
    assert (again.market.progress, again.engine.ledger.cash_e8) == (seen, cash)
    assert again.differences == []
    await play_to(again, 1.0)
    await again.stop()
    events = [r for _, r in read(again.journal.path) if isinstance(r, Bar | Trade)]
    assert events == list(recorded(again).recording.events())
    assert [r.epoch for _, r in read(again.journal.path) if isinstance(r, StartSession)] == [1, 2]


async def test_a_crashed_market_goes_on_by_itself_and_a_stopped_one_waits(
    desk: Desk, open_desk: OpenDesk
) -> None:
    await play_to(desk, 0.1)
    desk.market_control("play")
    desk.market_control("speed", 60.0)
    note = desk._session.path.read_bytes()  # what a crash would leave behind
    await desk.stop()
    waits = await open_desk(play=None)
    assert waits.market.state == "paused"
    await waits.stop()
    waits._session.path.write_bytes(note)
    goes_on = await open_desk(play=None, market={"speed": 60.0})
    assert goes_on.market.state == "playing"
    await goes_on.stop()
    goes_on._session.path.write_bytes(note)
    assert (await open_desk(play=False)).market.state == "paused"  # who says so, holds it


async def test_another_market_on_the_same_journal_is_refused(
    desk: Desk, open_desk: OpenDesk, tmp_path: Any
) -> None:
    await desk.stop()
    csv = tmp_path / "qqq.csv"
    csv.write_text("ts,symbol,open,high,low,close,volume\n2020-12-16T15:00:00Z,QQQ,300,301,299,300,10\n")
    with pytest.raises(Refused, match="has traded SPY and cannot go on"):
        await open_desk(market={"data": str(csv), "start": "", "end": ""})


# -- strategies --------------------------------------------------------------------------------------------------------


async def test_a_strategy_trades_pauses_resumes_changes_and_goes(desk: Desk) -> None:
    number = await turns(desk)
    assert number == 1
    await play_to(desk, 0.2)
    [row] = desk.snapshot().strategies
    orders = by(desk, number)
    assert len(orders) > 5
    assert (row.state, row.orders, row.fills) == ("running", len(orders), sum(o.filled > 0 for o in orders))
    played = islice(
        recorded(desk).recording.events(), round(desk.market.progress * recorded(desk).recording.n_events)
    )
    assert row.decisions == sum(isinstance(event, Bar) for event in played) > 50
    assert row.position == sum(o.filled * (1 if o.side == "buy" else -1) for o in orders)
    assert row.parameters == {"every": 5}

    await desk.pause(number, "lunch")
    await play_to(desk, 0.3)
    [row] = desk.snapshot().strategies
    assert (row.state, row.reason) == ("paused", "lunch")
    assert [o.order_id for o in by(desk, number)] == [o.order_id for o in orders]

    await desk.resume(number)
    await desk.set_parameters(number, {"every": 3})
    await play_to(desk, 0.4)
    [row] = desk.snapshot().strategies
    assert (row.state, row.parameters) == ("running", {"every": 3})
    assert len(by(desk, number)) > len(orders)
    with pytest.raises(UnknownName, match=r"'evry'.*'every'"):
        await desk.set_parameters(number, {"evry": 4})
    assert desk.snapshot().strategies[0].parameters == {"every": 3}

    await desk.remove(number)
    count = len(by(desk, number))
    await play_to(desk, 0.5)
    assert len(by(desk, number)) == count
    assert [s.state for s in desk.snapshot().strategies] == ["removed"]


async def test_names_nobody_knows(desk: Desk) -> None:
    for asked in (
        desk.pause(7, ""),
        desk.resume(7),
        desk.remove(7),
        desk.set_parameters(7, {}),
        desk.cancel(7),
    ):
        with pytest.raises(UnknownName, match="'7' is unknown"):
            await asked
    with pytest.raises(UnknownName, match=r"symbol 'SPX'.*'SPY'"):
        await desk.add_strategy("Turns", TURNS, {}, ["SPX"], 10)
    with pytest.raises(BadValue, match="symbols"):
        await desk.add_strategy("Turns", TURNS, {}, [], 10)
    with pytest.raises(UnknownName, match=r"action 'ply'.*'play'"):
        desk.market_control("ply")
    with pytest.raises(BadValue, match="speed"):
        desk.market_control("speed")
    assert desk.snapshot().strategies == []


# -- orders ------------------------------------------------------------------------------------------------------------


async def test_a_limit_order_rests_until_it_is_cancelled(desk: Desk) -> None:
    await play_to(desk, 0.1)
    number = await placed(desk, "SPY", "buy", 3, "limit", limit_px=350.0, tif="gtc", why="by hand")
    await eventually(lambda: desk.order(number).state == "working")
    row = desk.order(number)
    assert (row.strategy, row.side, row.type, row.tif, row.limit_px, row.quantity, row.why) == (
        "operator", "buy", "limit", "gtc", 350.0, 3.0, "by hand",
    )  # fmt: skip
    assert desk.snapshot().orders == [row]
    await desk.cancel(number)
    await eventually(lambda: desk.order(number).state == "cancelled")
    assert desk.engine.orders.active == {}
    assert desk.snapshot().account.cash == 1_000_000.0


async def test_a_market_order_fills_at_the_next_price(desk: Desk) -> None:
    await play_to(desk, 0.1)
    number = await placed(desk, "SPY", "buy", 2)
    await play_to(desk, desk.market.progress + 0.01)
    row = desk.order(number)
    [fill] = desk.snapshot().fills
    assert (row.state, row.filled, row.average_px) == ("filled", 2.0, fill.px)
    after = next(e for e in recorded(desk).recording.events() if e.ts_ns > row.ts_ns)
    # the market was held after a close, and the next open fills; or after an open, and that bar's close does
    assert isinstance(after, Trade | Bar)
    assert fill.px == pytest.approx(after.px if isinstance(after, Trade) else after.close, abs=1e-8)
    trace = desk.trace(number)
    assert trace.total_us > 0
    assert sum(trace.length_us) == pytest.approx(trace.total_us)


async def test_risk_says_no_with_numbers(open_desk: OpenDesk) -> None:
    desk = await open_desk(limits={"max_order_qty": 5})
    await play_to(desk, 0.1)
    refusal = await desk.place("SPY", "buy", 6)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SIZE"
    assert set(dict(refusal.numbers).values()) >= {5.0, 6.0}
    [row] = desk.snapshot().refusals
    assert (row.code, row.quantity, row.symbol, row.side) == ("SIZE", 6.0, "SPY", "buy")
    assert desk.snapshot().orders == []


async def test_a_repeated_request_is_harmless(desk: Desk) -> None:
    await play_to(desk, 0.1)
    first = await placed(desk, "SPY", "buy", 1, "limit", limit_px=350.0, key="k1")
    again = await desk.place("SPY", "buy", 1, "limit", limit_px=350.0, key="k1")
    assert isinstance(again, Refusal)
    assert (again.code, dict(again.numbers)["order_id"]) == ("DUPLICATE", float(first))
    assert len(desk.engine.orders.by_id) == 1


# -- kill --------------------------------------------------------------------------------------------------------------


async def test_kill_blocks_cancels_and_lasts_until_armed(desk: Desk) -> None:
    number = await turns(desk)
    await play_to(desk, 0.2)
    resting = [await placed(desk, "SPY", "buy", n, "limit", limit_px=350.0, tif="gtc") for n in (1, 2, 3)]
    before = len(by(desk, number))
    report = await desk.kill("enough", "me")
    assert report.blocked_after_us > 0
    assert report.cancels >= 3
    assert report.unconfirmed == []
    assert [desk.order(n).state for n in resting] == ["cancelled"] * 3
    shot = desk.snapshot()
    assert (shot.session.state, shot.session.kill_reason) == ("killed", "enough")
    assert any(alert.code == "KILLED" and "me" in alert.text for alert in shot.alerts)
    refusal = await desk.place("SPY", "buy", 1)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "KILLED"
    await play_to(desk, 0.4)
    assert len(by(desk, number)) == before
    await desk.arm("me")
    assert desk.snapshot().session.state == "running"
    await play_to(desk, 0.5)
    assert len(by(desk, number)) > before


async def test_what_the_venue_does_not_confirm_is_listed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await play_to(desk, 0.1)
    number = await placed(desk, "SPY", "buy", 1, "limit", limit_px=350.0, tif="gtc")
    await eventually(lambda: desk.order(number).state == "working")
    with monkeypatch.context() as patch:
        patch.setattr("workbench.orchestrator.operations.CONFIRM_S", 0.05)
        patch.setattr(desk.broker, "cancel", lambda _: None)  # the cancel is lost on its way
        report = await desk.kill("enough", "me")
    assert [(row.order_id, row.state) for row in report.unconfirmed] == [(number, "cancelling")]
    assert (await desk.kill("again", "me")).unconfirmed == []  # a second kill sweeps again


# -- rows --------------------------------------------------------------------------------------------------------------


async def test_rows_add_up(desk: Desk) -> None:
    first, second = await turns(desk), await turns(desk, every=7)
    await play_to(desk, 0.6)
    while not desk.view.positions()[0].quantity:
        await play_to(desk, desk.market.progress + 0.01)
    shot = desk.snapshot()
    total, *parts = shot.positions
    assert total.strategy_id == -1
    assert {p.strategy_id for p in parts} <= {first, second}
    assert sum(p.quantity for p in parts) == total.quantity != 0
    a = shot.account
    assert a.equity == pytest.approx(a.cash + total.quantity * total.last_px, abs=1e-6)
    assert a.realized + a.unrealized - a.fees == pytest.approx(a.equity - a.start_cash, abs=1e-6)
    assert sum(s.realized for s in shot.strategies) == pytest.approx(a.realized, abs=1e-6)
    assert sum(f.quantity * (1 if f.side == "buy" else -1) for f in shot.fills) == total.quantity
    assert shot.seq == desk.journal.last_seq
    assert [r.stage for r in shot.latency if r.n][:3] == ["feed", "decide", "risk"]
    filled = [o for o in shot.orders if o.state == "filled"]
    assert {row.n for row in shot.latency if row.stage == "book"} == {len(filled)}
    assert len(shot.equity) <= 2_000
    assert shot.equity[-1][1] == a.equity
    checked = dict(await desk.reconcile())
    assert checked.pop("differences") == []
    assert all(checked.values())


async def test_a_snapshot_is_kept_for_a_moment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.orchestrator.desk.SNAPSHOT_NS", 3_600 * 10**9)
    kept = desk.snapshot()
    assert desk.snapshot() is kept
    await desk.arm("me")  # whoever asked for something sees what came of it
    assert desk.snapshot() is not kept
    assert desk.snapshot() is desk.snapshot()
    monkeypatch.setattr("workbench.orchestrator.desk.SNAPSHOT_NS", 0)
    assert desk.snapshot() is not desk.snapshot()


async def test_a_market_that_fails_is_told_and_the_desk_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no such bar")

    monkeypatch.setattr(recorded(desk).player, "_deliver", broken)
    desk.market_control("play")
    await eventually(lambda: desk.alerts.rows)
    [alert] = desk.alerts.rows
    assert (alert.severity, alert.code) == ("critical", "FAILED")
    assert "the market ended by an error" in alert.text
    assert "no such bar" in alert.text
    assert desk.snapshot().session.market == "paused"
    assert (await desk.kill("careful", "me")).unconfirmed == []


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_a_stop_cancels_what_is_open(desk: Desk) -> None:
    await play_to(desk, 0.1)
    number = await placed(desk, "SPY", "buy", 1, "limit", limit_px=350.0, tif="gtc")
    await desk.stop()
    records = [r for _, r in read(desk.journal.path)]
    assert [r.order_id for r in records if isinstance(r, Submit)] == [number]
    assert [r.order_id for r in records if isinstance(r, Cancelled)] == [number]
    assert not (desk.folder / "session.json").with_suffix(".tmp").exists()


async def test_when_the_disk_refuses_nothing_more_leaves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await play_to(desk, 0.1)
    sent: list[Any] = []
    monkeypatch.setattr(desk.broker, "submit", sent.append)
    failpoints.arm("journal.pre_sync:eio@1")
    try:
        with pytest.raises(JournalStopped):
            await desk.place("SPY", "buy", 1)
        with pytest.raises(JournalStopped):
            await desk.place("SPY", "buy", 1)
        assert sent == []
        shot = desk.snapshot()
        assert (shot.session.state, shot.health.broker_state) == ("stopped", "stopped")
        assert any(a.code == "JOURNAL" and a.severity == "critical" for a in shot.alerts)
        desk.market_control("play")
        await eventually(lambda: desk.market.state == "finished")  # the market goes by, nobody answers it
        assert sent == []
    finally:
        failpoints.disarm()
        await desk.stop()
