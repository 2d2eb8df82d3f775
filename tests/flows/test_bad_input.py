"""Whatever is wrong with what one types, or with a strategy or a file: one clear line, and everything else goes on."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from tests.flows.days import DAY, QUANTITY, one_line
from workbench.api.session import Session
from workbench.cli import main
from workbench.errors import BadInput, NotRunning, StrategyError, WorkbenchError
from workbench.research import backtest
from workbench.strategy import find_strategy, load_strategy

pytestmark = pytest.mark.flow

type Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> Cli:
    """The `workbench` command in this process: exit status, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["workbench", *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture(scope="module")
def desk(home: Path) -> Iterator[Session]:
    """A desk whose market waits, with one strategy on it."""
    session = wb.start("bad", host="thread", speed=0, play=False, start=DAY, end=DAY, quiet=True)
    session.run(find_strategy("RsiReversion"), symbols="SPY", quantity=QUANTITY)
    yield session
    session.stop()


def checked(text: str, words: tuple[str, ...]) -> None:
    line = one_line(text)
    for word in words:
        assert word in line, line


# -- the command line --------------------------------------------------------------------------------------------------

RSI = ("backtest", "RsiReversion")
HERE = Path(__file__).as_posix()  # a file: no folder, and nothing can be written below it

COMMANDS: list[tuple[tuple[str, ...], int, tuple[str, ...]]] = [
    # what was typed, exit status, what the one line must say
    (("backtest", "RsiReversio"), 2, ("strategy 'RsiReversio'", "'RsiReversion'", "Known: ")),
    (("backtest", "nofile.py:Mine"), 2, ("'nofile.py'", "give FILE.py:CLASS")),
    ((*RSI, "--set", "perod=3"), 2, ("'perod'", "'period'", "Known: ")),
    ((*RSI, "--set", "period=soon"), 2, ("period", "'soon'")),
    ((*RSI, "--set", "period"), 2, ("--set", "'period'", "NAME=VALUE")),
    ((*RSI, "--limit", "1000"), 2, ("--limit = '1000'", "--limit max_order_qty=500")),
    ((*RSI, "--sizing-set", "stop"), 2, ("--sizing-set = 'stop'", "--sizing-set rebalance=0.1")),
    ((*RSI, "--plot", f"{HERE}/x.html"), 2, (f"--plot = '{HERE}/x.html'", "cannot be written")),
    ((*RSI, "--plot", HERE.rpartition("/")[0]), 2, ("--plot", "it is a folder")),
    (
        ("report", "RsiReversion", "-o", f"{HERE}/x.html"),
        2,
        (f"--output = '{HERE}/x.html'", "cannot be written"),
    ),
    (
        ("sweep", "RsiReversion", "-o", f"{HERE}/x.parquet"),
        2,
        (f"--out = '{HERE}/x.parquet'", "cannot be written"),
    ),
    (
        ("query", "select 1", "-o", f"{HERE}/x.parquet"),
        2,
        (f"--output = '{HERE}/x.parquet'", "cannot be written"),
    ),
    (("emulate", "alpaca", "--facts", f"{HERE}/x"), 2, (f"--facts = '{HERE}/x'", "cannot be written")),
    (("lab", "--root", HERE), 2, (f"--root = '{HERE}'", "no such folder")),
    (("demo", "--notebooks", HERE), 2, (f"--notebooks = '{HERE}'", "no such folder")),
    (("demo", "--data", "SPX"), 2, ("data 'SPX'", "'SPY'")),
    (("demo", "--speed", "-1"), 2, ("--speed", "`workbench demo --help`")),
    ((*RSI, "--data", "SPX"), 2, ("data 'SPX'", "'SPY'", ".csv file")),
    ((*RSI, "--data", "nofile.csv"), 2, ("data file 'nofile.csv'", "Looked in")),
    ((*RSI, "--start", "2020-13-45"), 2, ("start = '2020-13-45'", "2020-12-15")),
    ((*RSI, "--end", "yesterday"), 2, ("end = 'yesterday'", "2020-12-15")),
    ((*RSI, "--start", "2020-12-18", "--end", "2020-12-16"), 2, ("end = '2020-12-16'", "2020-12-18")),
    ((*RSI, "--start", "2021-02-01"), 2, ("start", "2021-02-01", "2020-12-18")),
    ((*RSI, "--quantity", "-3"), 2, ("quantity = -3.0", "above 0")),
    ((*RSI, "--cash", "nan"), 2, ("cash = nan", "above 0")),
    ((*RSI, "--quantty", "3"), 2, ("--quantty", "--quantity", "`workbench backtest --help`")),
    (("backtest",), 2, ("'STRATEGY'", "`workbench backtest --help`")),
    (("backtst", "RsiReversion"), 2, ("'backtst'", "'backtest'", "`workbench --help`")),
    (("trace", "seven"), 2, ("order_id", "integer", "`workbench trace --help`")),
    (("bench", "order-pth"), 2, ("benchmark 'order-pth'", "'order-path'")),
    (("data", "check", "nofile.csv"), 2, ("data file 'nofile.csv'", "Looked in")),
    (("data", "check", "SPX"), 2, ("data 'SPX'", "'SPY'", ".csv file")),
    (("data", "check", "spy_1m_2020-11"), 2, ("'spy_1m_2020-11'", "'spy_1m_2020-12'")),
    (("up", "--config", "nofile.toml"), 2, ("'nofile.toml'", "does not exist")),
    (("up", "--data", "SPX"), 2, ("data 'SPX'", "'SPY'")),
    (("up", "--name", "My Desk"), 2, ("name", "My Desk")),
    (
        ("status", "--name", "nope"),
        1,
        ("desk 'nope' is not running", "running: bad", "`workbench up --name nope`"),
    ),
    (("status", "--name", "../etc"), 2, ("name = '../etc'", "a-z")),
    (("kill", "--name", "nope"), 1, ("desk 'nope' is not running", "start it with")),
    (("query", "--name", "nope", "select 1"), 1, ("'nope'", "workbench up")),
    (("run", "RsiReversion", "--symbol", "SPX", "--name", "bad"), 2, ("symbol 'SPX'", "'SPY'")),
    (("run", "RsiReversion", "--quantity", "0", "--name", "bad"), 2, ("quantity = 0.0", "above 0")),
    (("pause", "RsiRevers", "--name", "bad"), 2, ("strategy 'RsiRevers'", "'RsiReversion'")),
    (("resume", "7", "--name", "bad"), 2, ("strategy '7'", "Known: ")),
    (("trace", "4711", "--name", "bad"), 2, ("order '4711'",)),
]


@pytest.mark.parametrize(("words", "status", "said"), COMMANDS, ids=[" ".join(row[0]) for row in COMMANDS])
def test_a_command_says_what_is_wrong(
    cli: Cli, desk: Session, words: tuple[str, ...], status: int, said: tuple[str, ...]
) -> None:
    code, out, err = cli(*words)
    assert (code, out) == (status, "")
    assert err.startswith("workbench: ")
    checked(err, said)


CONFIGS: list[tuple[str, tuple[str, ...]]] = [
    ("[api]\nprt = 8801\n", ("config key 'api.prt'", "'api.port'")),
    ("[markt]\nspeed = 1\n", ("config key 'markt'", "'market'")),
    ("[api]\nport = 99999\n", ("api.port = 99999",)),
    ("[market]\nspeed = 'fast'\n", ("market.speed = 'fast'",)),
    ("[market\n", ("is not valid TOML",)),
]


@pytest.mark.parametrize(
    ("text", "said"), CONFIGS, ids=[row[0].split("\n")[0] + str(i) for i, row in enumerate(CONFIGS)]
)
def test_a_config_file_is_refused_at_the_key(
    cli: Cli, tmp_path: Path, text: str, said: tuple[str, ...]
) -> None:
    path = tmp_path / "workbench.toml"
    path.write_text(text)
    code, out, err = cli("up", "--config", str(path))
    assert (code, out) == (2, "")
    checked(err, said)


def test_the_installed_command_says_it_too(home: Path) -> None:
    command = Path(sys.executable).with_name("workbench")
    told = subprocess.run(
        [command, "backtest", "RsiReversio"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (told.returncode, told.stdout) == (2, "")
    checked(told.stderr, ("workbench: strategy 'RsiReversio'", "'RsiReversion'"))


# -- the notebook ------------------------------------------------------------------------------------------------------

CALLS: dict[str, tuple[Callable[[Session], Any], type[WorkbenchError], tuple[str, ...]]] = {
    "parameter": (lambda d: find_strategy("RsiReversion")(perod=3), BadInput, ("'perod'", "'period'")),
    "symbol": (
        lambda d: d.run(find_strategy("RsiReversion"), symbols="SPX"),
        BadInput,
        ("symbol 'SPX'", "'SPY'"),
    ),
    "no symbol": (
        lambda d: d.run(find_strategy("RsiReversion"), symbols=[]),
        BadInput,
        ("symbols", "name at least one"),
    ),
    "quantity": (
        lambda d: d.run(find_strategy("RsiReversion"), symbols="SPY", quantity=-1),
        BadInput,
        ("quantity = -1", "above 0"),
    ),
    "sizing": (
        lambda d: d.run(find_strategy("RsiReversion"), symbols="SPY", sizing="percnt"),
        BadInput,
        ("sizing 'percnt'", "'percent'"),
    ),
    "set": (lambda d: d.set_parameters(1, perod=3), BadInput, ("'perod'", "'period'")),
    "side": (lambda d: d.place("SPY", "by", 1), BadInput, ("'by'", "'buy'")),  # type: ignore[arg-type]
    "type": (lambda d: d.place("SPY", "buy", 1, "limt"), BadInput, ("'limt'", "'limit'")),
    "size": (lambda d: d.place("SPY", "buy", 0.0), BadInput, ("quantity", "above 0")),
    "tif": (lambda d: d.place("SPY", "buy", 1, tif="dya"), BadInput, ("'dya'", "'day'")),
    "order": (lambda d: d.order(4711), BadInput, ("order '4711'",)),
    "cancel": (lambda d: d.cancel(4711), BadInput, ("order '4711'",)),
    "strategy": (lambda d: d.pause(99), BadInput, ("strategy '99'", "Known: 1")),
    "strategy name": (lambda d: d.strategies["RsiRevers"], BadInput, ("'RsiRevers'", "'RsiReversion'")),
    "speed": (lambda d: d.market.speed(-1), BadInput, ("speed = -1", "0 or more")),
    "other data": (
        lambda d: wb.start("bad", data="QQQ", quiet=True),
        WorkbenchError,
        ("desk 'bad' runs already", "'QQQ'"),
    ),
    "data": (lambda d: wb.start("bad2", data="SPX", host="thread"), BadInput, ("data 'SPX'", "'SPY'")),
    "date": (
        lambda d: wb.start("bad2", start="2020-13-01", host="thread"),
        BadInput,
        ("start = '2020-13-01'",),
    ),
    "limit": (
        lambda d: wb.start("bad2", limits={"max_ordr_qty": 1}, host="thread"),
        BadInput,
        ("limit 'max_ordr_qty'", "'max_order_qty'"),
    ),
    "setting": (
        lambda d: wb.start("bad2", settings={"sim": {"sed": 1}}, host="thread"),
        BadInput,
        ("'sim.sed'", "'sim.seed'"),
    ),
    "address": (
        lambda d: wb.start("bad2", settings={"api": {"host": "10.0.0.1"}}, host="thread"),
        BadInput,
        ("api.host = '10.0.0.1'", "127.0.0.1"),
    ),
    "host": (lambda d: wb.start("bad2", host="proces"), BadInput, ("'proces'", "'process'")),  # type: ignore[arg-type]
    "name": (lambda d: wb.start("My Desk"), BadInput, ("name = 'My Desk'", "a-z")),
    "attach": (
        lambda d: wb.attach("nope"),
        NotRunning,
        ("desk 'nope'", "running: bad", "workbench.start('nope')"),
    ),
    "backtest": (lambda d: backtest(find_strategy("RsiReversion"), "SPX"), BadInput, ("'SPX'", "'SPY'")),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_says_what_is_wrong(desk: Session, what: str) -> None:
    call, kind, said = CALLS[what]
    with pytest.raises(kind) as raised:
        call(desk)
    checked(str(raised.value), said)
    assert raised.value.exit_status == (2 if isinstance(raised.value, BadInput) else 1)


def test_an_engine_process_hands_its_refusal_on(home: Path) -> None:
    with pytest.raises(BadInput, match=r"data 'SPX' is unknown: did you mean 'SPY'\?") as raised:
        wb.start("bad3", data="SPX", quiet=True)
    checked(str(raised.value), ("Known: ",))


SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "no class": ("x = 1\n", ("Mine",)),
    "syntax": ("class Mine(:\n", ("line 1",)),
    "neither form": (
        "from workbench.strategy import Strategy\nclass Mine(Strategy):\n    period: int = 3\n",
        ("decides nothing", "decide(p, x, pos)"),
    ),
    "raises on import": ("raise RuntimeError('no licence')\n", ("no licence", "line 1")),
    "unknown indicator": (
        "from workbench.kernels import Rsii\nfrom workbench.strategy import Strategy\n",
        ("Rsii",),
    ),
}


@pytest.mark.parametrize("what", SOURCES)
def test_a_source_that_is_no_strategy_is_refused(desk: Session, what: str) -> None:
    source, said = SOURCES[what]
    with pytest.raises((StrategyError, BadInput)) as raised:
        desk._do(desk._client.add_strategy("Mine", source, ["SPY"], quantity=1.0))
    checked(str(raised.value), said)
    assert [row.name for row in desk.strategies] == ["RsiReversion"]


def test_after_all_that_the_desk_is_as_it_was(desk: Session) -> None:
    shot = desk.snapshot()
    assert shot.session.state == "running"
    assert [(s.name, s.state) for s in shot.strategies] == [("RsiReversion", "warming")]
    assert (shot.orders, shot.positions, shot.account.equity) == ([], [], shot.account.start_cash)


# -- files -------------------------------------------------------------------------------------------------------------

ALWAYS = """
from workbench.strategy import Strategy

class Always(Strategy):
    def on_bar(self, ctx, bar):
        from workbench.strategy import Signal
        return Signal(1.0)
"""

HEAD = "ts,open,high,low,close,volume\n"
ROWS = [f"2020-12-16T15:{n:02d}:00Z,370,{371 + n % 3},369,{370 + n % 2},100\n" for n in range(10)]

FILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "duplicate": (
        HEAD + "".join([*ROWS[:4], ROWS[3], *ROWS[4:]]),
        ("row 6", "repeats an earlier row", "drop-duplicates"),
    ),
    "conflict": (
        HEAD + "".join([*ROWS[:4], ROWS[3].replace(",100\n", ",101\n"), *ROWS[4:]]),
        ("row 6", "other figures", "keep-last"),
    ),
    "crossed": (
        HEAD + "".join([*ROWS[:4], "2020-12-16T15:04:00Z,370,369,371,370,100\n", *ROWS[5:]]),
        ("row 6", "does not bound open and close", "drop-bad"),
    ),
    "order": (HEAD + "".join([*ROWS[:4], ROWS[5], ROWS[4], *ROWS[6:]]), ("row 7", "comes before", "sort")),
    "negative": (
        HEAD + "".join([*ROWS[:4], "2020-12-16T15:04:00Z,-1,371,-2,370,100\n", *ROWS[5:]]),
        ("row 6", "not above zero", "drop-bad"),
    ),
    "no number": (
        HEAD + "".join([*ROWS[:4], "2020-12-16T15:04:00Z,370,,369,370,100\n", *ROWS[5:]]),
        ("row 6", "finite"),
    ),
    "no zone": (HEAD + "".join(ROWS).replace("Z,", ","), ("zone",)),
    "no column": (HEAD.replace("close", "clos") + "".join(ROWS), ("'close'",)),
    "empty": ("", ("cannot be read as CSV",)),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_traded_on_is_refused(cli: Cli, tmp_path: Path, what: str) -> None:
    text, said = FILES[what]
    path = tmp_path / "spy.csv"
    path.write_text(text)
    for words in (
        ("backtest", "RsiReversion", "--data", str(path)),
        ("data", "import", str(path), "--name", "mine"),
    ):
        code, out, err = cli(*words)
        assert (code, out) == (2, "")
        checked(err, ("spy.csv", *said))


def test_a_check_shows_every_finding(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "spy.csv"
    path.write_text(HEAD + "".join([*ROWS[:3], ROWS[2], *ROWS[6:], ROWS[4]]))
    code, out, err = cli("data", "check", str(path))
    assert (code, err) == (1, "")
    assert "1 duplicate" in out
    assert "1 unsorted" in out
    assert "row 5:" in out


def test_gaps_are_told_and_can_be_traded_on(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "spy.csv"
    path.write_text(HEAD + "".join([*ROWS[:3], *ROWS[6:]]))
    code, out, _ = cli("data", "check", str(path))
    assert code == 0
    assert "gap of 3 missing bars" in out
    result = backtest(load_strategy(ALWAYS, "Always"), str(path), quantity=1)
    assert [d.average_px for d in result.decisions] == [370.0]
