"""`Session` over a served desk in another thread: plain calls, also inside a running loop, across a restart."""

import asyncio
import gc
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.fake_desk import FakeDesk
from tests.api.fake_snapshot import account_row
from workbench.api.address import Address, desk_folder, remove_address, write_address
from workbench.api.loop_thread import LoopThread
from workbench.api.server import Server, ServerLimits, free_socket
from workbench.api.session import Session
from workbench.api.starting import attach, start
from workbench.errors import BadValue, NotRunning, Refused, Retryable, UnknownName, Unreachable
from workbench.model import snapshot as rows

PID = os.getpid()


class Engine:
    """A served fake desk in a thread, with its address in the book."""

    def __init__(self, home: Path, epoch: int = 1) -> None:
        self.folder = desk_folder("fake", home)
        self.thread = LoopThread("fake-engine")
        self.desk = FakeDesk(self.folder)
        self.desk.epoch = epoch
        self.thread.call(self._begin(), 60)

    async def _begin(self) -> None:
        limits = ServerLimits(failed_login_delay_s=0.0, hello_s=60.0, first_request_s=60.0)
        self.server = Server(
            self.desk,
            free_socket("127.0.0.1", 0),
            metrics_text=lambda: b"",
            on_stop=lambda: None,
            limits=limits,
        )
        await self.server.start()  # the market stands still between the test's own steps
        token, _ = self.server.tokens.issue("full")
        write_address(
            self.folder, "engine", Address(self.server.url, token, PID, self.desk.epoch, 0, "0.1.0")
        )

    def stop(self) -> None:
        remove_address(self.folder, "engine", PID)

        async def end() -> None:
            await self.server.close()

        self.thread.call(end(), 60)
        self.thread.close()

    def on_loop(self, step: object) -> None:
        done = threading.Event()

        def run() -> None:
            step()  # type: ignore[operator]
            done.set()

        self.thread.loop.call_soon_threadsafe(run)
        assert done.wait(20)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "ada")  # who says what, also where the machine has no name for its user
    return tmp_path


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    running = Engine(home)
    yield running
    running.stop()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with attach("fake") as made:
        yield made


def play(engine: Engine) -> None:
    """A quick ten seconds of market."""

    def ten_seconds() -> None:
        for _ in range(100):
            engine.desk.step()

    engine.on_loop(ten_seconds)


def place(engine: Engine, name: str = "RsiReversion") -> None:
    asyncio.run_coroutine_threadsafe(
        engine.desk.add_strategy(name, "", {"period": 14}, ["SPY"], 10), engine.thread.loop
    ).result(20)


def test_looking(engine: Engine, session: Session) -> None:
    place(engine)
    play(engine)
    shot = session.wait(until=lambda shot: len(shot.fills) > 2, timeout_s=30)
    assert shot.session.name == "fake"
    assert len(session.fills) > 2
    assert session.orders[-1].symbol == "SPY"
    assert session.account.currency == "USD"
    assert session.health.broker == "sim"
    assert session.positions[0].symbol in ("SPY", "QQQ")
    assert [row.stage for row in session.latency][:2] == ["feed", "decide"]
    assert session.refusals == []
    assert session.alerts == []
    assert list(session.orders.df().columns) == list(rows.OrderRow.__struct_fields__)


def test_every_value_reads_well(engine: Engine, session: Session) -> None:
    place(engine)
    play(engine)
    session.place("SPY", "buy", 9000)
    assert repr(session).startswith("<Session fake: running, market SPY playing")
    for value in (session.positions, session.fills, session.refusals, session.orders, session.latency):
        lines = repr(value).splitlines()
        assert len(lines) == len(value)
        assert all(0 < len(line) < 200 for line in lines)
    assert repr(session.strategies).startswith("<strategy 1 RsiReversion(period=14) on SPY: running")
    assert repr(session.market) == "<market SPY: playing, 1% played, 60x>"
    assert repr(session.alerts) == "[] (none yet)"
    assert "journal" in repr(session.orders[0].trace())
    assert repr(session.orders[-3:-1]).count("order ") == 2
    assert session.address.token not in repr(session.address) + repr(session) + repr(vars(session))


def test_a_strategy_is_steered_by_its_handle(engine: Engine, session: Session) -> None:
    place(engine)
    place(engine, "MovingAverageCross")
    handle = session.strategies["RsiReversion"]
    assert handle.pause("lunch").state == "paused"
    assert handle.row.reason == "lunch"
    assert handle.resume().state == "running"
    assert handle.set(period=5).parameters == {"period": 5}
    play(engine)
    assert {row.strategy_id for row in handle.fills} == {1}
    assert {order.row.strategy_id for order in handle.orders} == {1}
    assert handle.positions[0].strategy_id == 1
    assert isinstance(handle.position, float)
    handle.stop()
    assert handle.state == "removed"
    assert len(session.strategies) == 2
    assert session.strategies[0].name == "RsiReversion"
    assert session.strategies._ipython_key_completions_() == ["MovingAverageCross", "RsiReversion"]
    with pytest.raises(UnknownName, match="did you mean 'RsiReversion'"):
        session.strategies["RsiReversal"]


def test_orders(session: Session) -> None:
    order = session.place("SPY", "buy", 3, "limit", limit_px=100.0, why="by hand")
    assert not isinstance(order, rows.RefusalRow)
    assert (order.state, order.why, order.quantity) == ("working", "by hand", 3)
    assert "limit_px" in dir(order)
    with pytest.raises(AttributeError, match="an order has no 'price'"):
        _ = order.price
    order.cancel()
    assert order.refresh().state == "cancelled"
    assert session.trace(order.order_id).order_id == order.order_id
    assert session.client_orders(limit=1, state="cancelled")[0].order_id == order.order_id
    refused = session.place("SPY", "buy", 9000)
    assert isinstance(refused, rows.RefusalRow)
    with pytest.raises(UnknownName, match="did you mean 'SPY'"):
        session.place("SPZ", "buy", 1)


def test_an_order_is_amended_and_everything_flattened(session: Session) -> None:
    order = session.place("SPY", "buy", 3, "limit", limit_px=100.0, take_profit_px=120.0, stop_loss_px=90.0)
    assert not isinstance(order, rows.RefusalRow)
    changed = session.amend(order.order_id, quantity=4, limit_px=101.0)
    assert not isinstance(changed, rows.RefusalRow)
    assert (changed.quantity, changed.limit_px) == (4.0, 101.0)
    assert not isinstance(changed.amend(quantity=5), rows.RefusalRow)
    assert changed.refresh().quantity == 5.0
    report = session.flatten("home")
    assert (report.cancels, report.refused, report.waiting) == (1, [], [])
    refused = session.amend(order.order_id, quantity=5)
    assert isinstance(refused, rows.RefusalRow)
    assert refused.code == "AMEND"
    session.kill("enough")
    with pytest.raises(Refused, match="arm the desk"):
        session.flatten()


def test_accounts_at_venues_and_what_differs(engine: Engine, session: Session) -> None:
    assert session.accounts == []
    assert session.differences == []
    assert repr(session.differences) == "[] (none yet)"
    engine.desk.accounts = [account_row("paper"), account_row("other", state="down", reason="no answer")]
    engine.desk.differences = [rows.DifferenceRow("SPY", 0.0, 3.0, 1)]
    engine.desk.history = [rows.AccountHistoryRow("paper", [5], [0.5], [1], [9.0], [2], [math.nan])]
    engine.on_loop(engine.desk.changed)
    assert session.accounts["other"].reason == "no answer"
    assert "position SPY: the desk says 0, the broker 3" in repr(session.differences)
    assert math.isnan(session.account_history()[0].wire_us[0])
    second = session.account_history().df().iloc[0]
    assert (second["account"], second["headroom"], str(second.name)[-6:]) == ("paper", 0.5, "+00:00")
    engine.desk.history = []
    assert session.account_history().df().empty
    assert session.accounts.df()["state"].tolist() == ["healthy", "down"]
    engine.on_loop(lambda: setattr(engine.desk, "market", "live"))
    engine.on_loop(engine.desk.changed)
    assert repr(session.market) == "<market SPY: live; it has no pace to set>"


def test_kill_arm_market_and_check(engine: Engine, session: Session) -> None:
    assert session.kill("end of day").unconfirmed == []
    assert session.snapshot().session.kill_reason == "end of day (by notebook of ada)"
    session.arm()
    session.market.pause()
    assert session.snapshot().session.market == "paused"
    session.market.speed(0)
    session.market.play()
    assert repr(session.market).endswith("as fast as it settles>")
    told = session.check()
    assert told["replay_hash_equal"]
    assert told["positions_equal_broker"]
    assert session.ticket("view").scope == "view"
    session.allow_origin("http://127.0.0.1:8888")
    with pytest.raises(Retryable, match="wait longer"):
        session.wait(until=lambda shot: False, timeout_s=0.1)
    with pytest.raises(BadValue):
        session.wait()
    engine.on_loop(lambda: setattr(engine.desk, "market", "finished"))
    engine.on_loop(engine.desk.changed)
    assert session.wait(finished=True, timeout_s=60).session.market == "finished"


async def test_plain_and_awaited_calls_work_inside_a_running_loop(session: Session) -> None:
    cash = session.account.cash
    assert (await session.aio.account()).cash == cash
    both = await asyncio.gather(session.aio.session(), session.aio.positions())
    assert both[0].name == "fake"
    assert "snapshot" in dir(session.aio)
    with pytest.raises(UnknownName):
        await session.aio.order(99)
    with pytest.raises(AttributeError):
        _ = session.aio.address


def test_a_call_from_the_session_s_own_loop_is_refused_instead_of_hanging(session: Session) -> None:
    async def nested() -> None:
        session.snapshot()

    with pytest.raises(Refused, match="own loop"):
        session._thread.call(nested(), 20)


def test_a_session_survives_an_engine_restart(home: Path) -> None:
    first = Engine(home)
    with attach("fake") as session:
        assert session.snapshot().session.epoch == 1
        first.stop()
        assert "not running" in repr(session)
        with pytest.raises(NotRunning):
            session.snapshot()
        second = Engine(home, epoch=2)
        assert session.snapshot().session.epoch == 2
        second.stop()


def test_an_engine_that_hangs_is_an_error_in_time(engine: Engine, home: Path) -> None:
    with Session("fake", home / "fake") as session:
        session.snapshot()
        blocked = threading.Event()
        engine.thread.loop.call_soon_threadsafe(blocked.wait, 60)
        session._client._timeout_s = 0.2
        with pytest.raises(Unreachable, match=r"within 0\.2 s"):
            session.snapshot()
        blocked.set()
        session._client._timeout_s = 10.0
        assert session.snapshot().session.name == "fake"


def test_attach_says_what_runs(engine: Engine) -> None:
    with pytest.raises(NotRunning, match=r"desk 'other' is not running \(running: fake\)"):
        attach("other")
    for name in ("../fake", "", "Fake", "a b", "x" * 33):
        with pytest.raises(BadValue):
            attach(name)


def test_start_attaches_to_a_desk_that_runs(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with start("fake", data="SPY", cash=1_000_000) as session:
        assert session.snapshot().session.name == "fake"
    assert "runs already (epoch 1): attached" in capsys.readouterr().err
    with pytest.raises(Refused, match="runs already with data 'SPY', not 'QQQ'"):
        start("fake", data="QQQ", quiet=True)
    with pytest.raises(Refused, match=r"with cash 1000000.0, not 5.0"):
        start("fake", cash=5.0, quiet=True)
    with pytest.raises(UnknownName, match="did you mean 'thread'"):
        start("fake", host="threads")  # type: ignore[arg-type]  # the point


def test_a_closed_session_says_so_and_leaves_no_thread(engine: Engine) -> None:
    session = attach("fake")
    thread = session._thread._thread
    session.close()
    session.close()
    assert not thread.is_alive()
    with pytest.raises(Refused, match="attach again"):
        session.snapshot()


def test_a_forgotten_session_ends_its_thread(engine: Engine) -> None:
    session = attach("fake")
    thread = session._thread._thread
    del session
    gc.collect()
    deadline_s = time.monotonic() + 100
    while thread.is_alive() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not thread.is_alive()
