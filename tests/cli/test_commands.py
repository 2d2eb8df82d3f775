"""What commands do and answer: one JSON document for machines, text for people, and the exit status."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Cli
from workbench.api.session import Session
from workbench.cli import main
from workbench.cli.desk import pairs
from workbench.cli.output import table, writable
from workbench.cli.processes import desk_children, supervise
from workbench.engine import Sizing
from workbench.errors import BadValue
from workbench.orchestrator.supervisor import Child
from workbench.research import backtest
from workbench.strategy import find_strategy

DAY = ("--start", "2020-12-16", "--end", "2020-12-16")

PATIENT = """
from workbench.strategy import Signal, Strategy

class Patient(Strategy):
    every: int = 3
    def on_bar(self, ctx, bar):
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen % self.every == 0:
            return Signal(0.0 if ctx.position > 0 else 1.0)
"""


def answered(told: tuple[int, str, str], status: int = 0) -> Any:
    """The one JSON document of a command that ended with `status` and complained of nothing."""
    code, out, err = told
    assert (code, err) == (status, ""), told
    assert out.count("\n") == 1
    return json.loads(out)


@pytest.mark.parametrize(
    "words",
    [
        (),
        *(
            (name,)
            for name in [
                "demo",
                "up",
                "down",
                "status",
                "lab",
                "dashboard",
                "run",
                "pause",
                "resume",
                "kill",
                "arm",
                "orders",
            ]
        ),
        *((name,) for name in ["trace", "check", "query", "backtest", "sweep", "data", "bench"]),
        *(("data", name) for name in ("list", "check", "import")),
    ],
)
def test_every_command_has_help(cli: Cli, words: tuple[str, ...]) -> None:
    code, out, err = cli(*words, "--help")
    assert (code, err) == (0, "")
    assert "Usage: workbench" in out


def test_parameters_from_the_command_line() -> None:
    assert pairs(["period=10", "low=25.5", "short=true", "word=abc"]) == {
        "period": 10,
        "low": 25.5,
        "short": True,
        "word": "abc",
    }
    for text in ("period", "=3", "a-b=1"):
        with pytest.raises(BadValue, match="NAME=VALUE"):
            pairs([text])


def test_a_backtest_answers_the_figures_of_the_library(cli: Cli) -> None:
    told = answered(cli("backtest", "RsiReversion", "--set", "period=7", "-q", "5", *DAY, "--json"))
    result = backtest(
        find_strategy("RsiReversion")(period=7), "SPY", start="2020-12-16", end="2020-12-16", quantity=5
    )
    assert told.pop("name") == "RsiReversion"
    assert told.pop("parameters") == result.parameters
    assert told["sharpe"] is None  # one session has none, and JSON knows no NaN
    expected = {name: value if value == value else None for name, value in result.stats.items()}
    assert told == pytest.approx(expected)
    assert told["fills"] > 0


def test_a_sizing_with_its_parameters(cli: Cli) -> None:
    size = ("--sizing", "risk", "--sizing-set", "stop=3", "--sizing-set", "atr=20", "-q", "0.1")
    told = answered(cli("backtest", "RsiReversion", *size, *DAY, "--json"))
    sizing = Sizing("risk", stop=3, atr=20)
    chosen = find_strategy("RsiReversion")()
    result = backtest(chosen, "SPY", start="2020-12-16", end="2020-12-16", quantity=0.1, sizing=sizing)
    assert told["final_equity"] == pytest.approx(result.stats["final_equity"])
    code, _, err = cli("backtest", "RsiReversion", "--sizing", "risk", "--sizing-set", "stp=3", *DAY)
    assert code == 2
    assert "did you mean 'stop'" in err


def test_a_backtest_for_people_and_its_picture(cli: Cli, tmp_path: Path) -> None:
    picture = tmp_path / "picture.html"
    code, out, err = cli("backtest", "RsiReversion", *DAY, "--plot", str(picture))
    assert (code, err) == (0, "")
    assert "max_drawdown" in out
    assert str(picture) in "".join(out.split("\n"))
    assert out.splitlines()[0].startswith(
        "<Backtest RsiReversion(period=14, "
    )  # not folded to the table's width
    assert out.splitlines()[0].endswith(" fills>")
    assert "RsiReversion" in picture.read_text("utf-8")


def test_a_table_shows_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    title = "[bold]title[/bold] of a narrow table" + " that is told at length" * 6
    table(title, ["[red]a"], [("[bold]x[/bold]",)])
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == title
    assert "[bold]x[/bold]" in shown
    assert "[red]a" in shown


def test_rows_stay_whole_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    table("orders", [f"column {n}" for n in range(12)], [tuple(f"value {n}" for n in range(12))])
    lines = capsys.readouterr().out.splitlines()
    assert any(all(f"column {n}" in line for n in range(12)) for line in lines)
    assert any(all(f"value {n}" in line for n in range(12)) for line in lines)
    heads = ["order", "strategy", "symbol", "side", "quantity", "type", "state", "filled", "price"]
    table("orders", heads, [(1, "RsiReversion", "SPY", "buy", 10.0, "market", "filled", 10.0, 366.595)])
    told = capsys.readouterr().out.splitlines()
    assert max(map(len, told)) <= 80  # so that a terminal does not fold it either


def test_what_a_benchmark_keeps_for_a_while_goes_with_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(say: Callable[[str], None]) -> dict[str, str]:
        child = [sys.executable, "-c", "import tempfile; print(tempfile.mkdtemp())"]
        theirs = subprocess.run(child, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
        return {"ours": tempfile.mkdtemp(), "theirs": theirs}

    monkeypatch.setattr("workbench.cli.bench._load", lambda name: SimpleNamespace(run=run))
    before = tempfile.gettempdir()
    made = answered(cli("bench", "anything", "--json"))
    assert not Path(made["ours"]).exists()
    assert not Path(made["theirs"]).exists()
    assert Path(made["ours"]).parent == Path(made["theirs"]).parent
    assert tempfile.gettempdir() == before


def test_ctrl_c_is_said_and_has_a_status_of_its_own(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.research.backtest", pressed)
    assert cli("backtest", "RsiReversion") == (130, "", "workbench: stopped by Ctrl-C\n")


def test_what_was_stopped_before_its_end_says_so(home: Path, tmp_path: Path) -> None:
    ready = tmp_path / "served.json"
    code = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('{}'); time.sleep(60)"

    async def through(_: object) -> None:
        return None

    async def pressed(_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    for work, got_through in ((through, True), (pressed, False)):
        child = Child("served", [sys.executable, "-c", code, str(ready)], ready, tmp_path / "served.out")
        told = asyncio.run(supervise([child], "served", work, lambda _: None, stay=False))
        assert told is got_through


def test_a_file_is_tried_before_the_work(tmp_path: Path) -> None:
    new, old = tmp_path / "deeper" / "new.html", tmp_path / "old.html"
    old.write_text("kept")
    writable("--plot", new)
    writable("--plot", old)
    writable("--plot", None)
    assert not new.exists()
    assert new.parent.is_dir()
    assert old.read_text() == "kept"


def test_what_was_supervised_leaves_no_address(home: Path, tmp_path: Path) -> None:
    ready = tmp_path / "served.json"
    other = tmp_path / "other.json"
    code = """
import json, os, pathlib, sys, time
path = pathlib.Path(sys.argv[1])
path.with_suffix(".new").write_text(json.dumps({"pid": int(sys.argv[2]) or os.getpid()}))
path.with_suffix(".new").rename(path)
time.sleep(60)
"""
    children = [
        Child(path.stem, [sys.executable, "-c", code, str(path), pid], path, path.with_suffix(".out"))
        for path, pid in ((ready, "0"), (other, "1"))
    ]
    seen: list[bool] = []
    asyncio.run(
        supervise(children, "served", lambda _: seen.append(ready.exists()), lambda _: None, stay=False)
    )
    assert seen == [True]
    assert not ready.exists()
    assert other.exists()  # another process has written its own there


def test_a_second_engine_is_refused_and_the_first_stays_in_reach(cli: Cli, desk: Session) -> None:
    for words in (("up", "--name", "cli"), ("up", "--name", "cli", "--fresh")):
        code, out, err = cli(*words)
        assert (code, out) == (1, "")
        assert "is held by process" in err
        assert err.count("\n") == 1
    assert answered(cli("status", "--name", "cli", "--json"))["session"]["name"] == "cli"


def test_data_sets_are_listed_and_imported(cli: Cli, tmp_path: Path) -> None:
    [sample] = answered(cli("data", "list", "--json"))
    assert (sample["name"], sample["symbols"], sample["licence"]) == ("spy_1m_2020-12", ["SPY"], "Apache-2.0")
    csv = tmp_path / "abc.csv"
    rows = "".join(f"2020-12-16T15:{n:02d}:00Z,100,102,99,{100 + n % 2},5\n" for n in range(30))
    csv.write_text("ts,open,high,low,close,volume\n" + rows)
    assert answered(cli("data", "check", str(csv), "--json"))["rows"] == 30
    assert answered(cli("data", "check", "SPY", "--json"))["rows"] == 1_564  # a symbol, as --data takes one
    done = answered(cli("data", "import", str(csv), "--name", "mine", "--licence", "own", "--json"))
    assert (done["name"], done["rows"]) == ("mine", 30)
    assert {d["name"]: d["licence"] for d in answered(cli("data", "list", "--json"))}["mine"] == "own"
    assert answered(cli("backtest", "RsiReversion", "--data", "mine", "--json"))["orders"] >= 0
    code, out, err = cli("data", "import", str(csv), "--name", "mine")
    assert (code, out) == (2, "")
    assert "this data set exists" in err


def test_benchmarks_are_listed(cli: Cli) -> None:
    assert {"order-path", "strategies"} <= answered(cli("bench", "--json")).keys()


def test_a_desk_is_told_to_do_things(
    cli: Cli, desk: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "workbench.api.session.note", lambda text: None
    )  # said where it takes more than a second
    file = tmp_path / "patient.py"
    file.write_text(PATIENT)
    on = ("--name", "cli", "--json")
    status = answered(cli("status", *on))
    assert (status["session"]["state"], status["session"]["market"]) == ("running", "paused")
    placed = answered(cli("run", f"{file}:Patient", "--set", "every=2", "-q", "4", *on))
    number = placed["strategy_id"]
    assert desk.strategies["Patient"].parameters == {"every": 2}
    assert answered(cli("pause", "Patient", "--reason", "lunch", *on)) == {
        "strategy_id": number,
        "state": "paused",
    }
    assert desk.strategies["Patient"].row.reason == "lunch"
    answered(cli("resume", str(number), *on))
    before = desk.snapshot().session.progress
    desk.market.play()
    desk.wait(until=lambda shot: shot.session.progress > before + 0.02)
    desk.market.pause()
    orders = answered(cli("orders", "--limit", "3", *on))
    assert len(orders) == 3
    assert {o["strategy"] for o in orders} == {"Patient"}
    trace = answered(cli("trace", str(orders[0]["order_id"]), *on))
    assert trace["total_us"] > 0
    code, out, _ = cli("trace", str(orders[0]["order_id"]), "--name", "cli")
    assert code == 0
    assert "decide" in out


def test_check_replays_and_reconciles(cli: Cli, desk: Session) -> None:
    told = answered(cli("check", "--name", "cli", "--json"))
    assert told["replay_hash_equal"] is True
    assert told["positions_equal_broker"] is True
    assert told["differences"] == []


def test_flatten_closes_what_is_held(cli: Cli, desk: Session) -> None:
    told = answered(cli("flatten", "the test says so", "--symbol", "SPY", "--name", "cli", "--json"))
    assert (told["refused"], told["waiting"]) == ([], [])
    code, out, _ = cli("flatten", "--name", "cli")
    assert code == 0
    assert "closing orders" in out
    code, _, err = cli("flatten", "--symbol", "SPX", "--name", "cli")
    assert code == 2
    assert "did you mean 'SPY'" in err


def test_kill_and_arm(cli: Cli, desk: Session) -> None:
    told = answered(cli("kill", "the test says so", "--name", "cli", "--json"))
    assert told["unconfirmed"] == []
    assert told["blocked_after_us"] > 0
    assert desk.snapshot().session.kill_reason == "the test says so"
    code, out, _ = cli("status", "--name", "cli")
    assert code == 0
    assert "KILLED: the test says so" in out
    assert answered(cli("arm", "--name", "cli", "--json")) == {"armed": True}
    assert desk.snapshot().session.state == "running"


def test_up_leaves_to_the_configuration_what_was_not_said() -> None:
    silent, _, _ = desk_children("d", None, None, None, False, Path("my.toml"))
    assert silent.argv[1:] == ["-m", "workbench.api.serve", "--name", "d", "--config", "my.toml"]
    told, _, _ = desk_children("d", "SPY", 0.0, 5e5, True, None)
    assert told.argv[5:] == ["--data", "SPY", "--speed", "0.0", "--cash", "500000.0", "--play"]


def test_a_report_is_written_and_its_path_told(cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    told = answered(cli("report", "RsiReversion", *DAY, "-o", str(page), "--fees", "0.001", "--json"))
    assert told["report"] == str(page)
    assert told["fees"] > 0
    assert "RsiReversion" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fees", "ibrk-fixed"], "did you mean 'ibkr-fixed'"),
        (["--slippage", "many"], "--slippage = 'many'"),
        (["--slippage", "tcks=1"], "did you mean 'ticks'"),
        (["--limit", "max_ordr_qty=1"], "did you mean 'max_order_qty'"),
        (["--fill", "clos"], "did you mean 'close'"),
        (["--loop", "engin"], "did you mean 'engine'"),
        (["--symbol", "SPX"], "did you mean 'SPY'"),
    ],
)
def test_costs_and_limits_that_cannot_be(cli: Cli, options: list[str], said: str) -> None:
    code, out, err = cli("backtest", "RsiReversion", *DAY, *options)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_costs_and_limits_reach_the_backtest(cli: Cli) -> None:
    plain = answered(cli("backtest", "RsiReversion", *DAY, "--json"))
    slipped = answered(cli("backtest", "RsiReversion", *DAY, "--slippage", "ticks=2", "--json"))
    assert slipped["final_equity"] < plain["final_equity"]
    refused = answered(cli("backtest", "RsiReversion", *DAY, "--limit", "max_order_qty=1", "--json"))
    assert refused["refusals"] > 0
    free = answered(cli("backtest", "RsiReversion", *DAY, "-q", "90000", "--no-limits", "--json"))
    assert (free["refusals"], free["fills"]) == (0, plain["fills"])


def test_a_dashboard_that_runs_is_told_and_not_started_again(desk: Session, cli: Cli, home: Path) -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))  # taken, and nobody listens
        url = f"http://127.0.0.1:{port.getsockname()[1]}/"
        address = {"url": url, "link": f"{url}login?token=t", "pid": os.getpid(), "token": "t"}
        (home / "cli" / "dashboard.json").write_text(json.dumps(address))
        assert "dashboard is not running" in cli("status", "--name", "cli")[1]
        port.listen()
        assert f"dashboard {address['link']}" in cli("status", "--name", "cli")[1]
        told = (0, f"dashboard: {address['link']}\nit runs already\n", "")
        assert cli("dashboard", "--name", "cli") == told
        assert answered(cli("dashboard", "--name", "cli", "--json")) == address
    (home / "cli" / "dashboard.json").unlink()


def test_a_terminal_of_few_letters_is_answered_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["workbench", "backtest", "RsiReversion", *DAY])
    with pytest.raises(SystemExit) as left:
        main()
    sys.stdout.flush()
    assert left.value.code == 0
    assert b"max_drawdown" in written.getvalue()
    assert b"?" in written.getvalue()
