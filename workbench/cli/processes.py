"""`up`, `down`, `status`, `lab`, `dashboard`: the desk's processes, supervised in the foreground."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer

from workbench.cli.completion import data_names
from workbench.cli.output import AsJson, DeskName, emit, say
from workbench.config import home_folder
from workbench.errors import BadValue

if TYPE_CHECKING:
    from workbench.orchestrator.supervisor import Child, Supervisor

__all__ = [
    "desk_children",
    "existing_folder",
    "lab_child",
    "only_engine",
    "print_state",
    "read_address",
    "register",
    "supervise",
]

DataName = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        autocompletion=data_names,
        help="recorded market: a name from `workbench data list`, or a file",
    ),
]
Speed = Annotated[
    float | None, typer.Option("--speed", help="replayed seconds per second; 0 = as fast as it settles")
]


def read_address(name: str, process: str) -> dict[str, Any]:
    """The address file of one of the desk's processes, or an empty dictionary when there is none."""
    path = home_folder() / name / f"{process}.json"
    try:
        loaded: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    return loaded


def desk_children(
    name: str, data: str | None, speed: float | None, cash: float | None, play: bool, config: Path | None
) -> "list[Child]":
    """Engine, warehouse and dashboard, as the supervisor wants them; what is None is left to `config`."""
    from workbench.orchestrator.supervisor import Child

    folder = home_folder() / name
    python = [sys.executable, "-m"]
    engine = ["workbench.api.serve", "--name", name]
    for option, value in (("--data", data), ("--speed", speed), ("--cash", cash)):
        engine += [option, str(value)] if value is not None else []
    engine += ["--play"] if play else []
    engine += ["--config", str(config)] if config is not None else []
    commands = {
        "engine": engine,
        "warehouse": ["workbench.warehouse.serve", "--name", name],
        "dashboard": ["workbench.ui.dashboard", "--name", name],
    }
    return [
        Child(process, [*python, *command], folder / f"{process}.json", folder / f"{process}.out")
        for process, command in commands.items()
    ]


def only_engine(name: str) -> None:
    """Refuse a second engine for a desk before anything is touched: starting one removes the address of the first,
    and with it the way to its kill switch.

    Raises:
        AccountLocked: an engine of that name runs; names its process.
    """
    from workbench.journal import AccountLock

    folder = home_folder() / name
    if (folder / "account.lock").exists():
        AccountLock(folder).release()


def existing_folder(option: str, folder: Path) -> Path:
    """`folder` in full.

    Raises:
        BadValue: it is not there.
    """
    if not folder.is_dir():
        raise BadValue(option, str(folder), "there is no such folder: give one that exists")
    return folder.resolve()


def lab_child(name: str, root: Path, port: int = 0, notebook: str = "") -> "tuple[Child, str]":
    """JupyterLab with the workbench panel, and the address to open (it carries its token)."""
    from workbench.orchestrator.supervisor import Child
    from workbench.ui.lab import lab_launch

    launch = lab_launch(name=name, root=root, port=port, notebook=notebook)
    folder = home_folder() / name
    child = Child("lab", launch.argv, launch.ready_file, folder / "lab.out", env=launch.env)
    return child, launch.url


def print_state(child: "Child") -> None:
    """One status line per change of state."""
    say(f"  {child.name:<10} {child.state}" + (f" (pid {child.pid})" if child.state == "running" else ""))


async def supervise(
    children: "list[Child]",
    name: str,
    when_ready: "Callable[[Supervisor], Any]",
    on_change: "Callable[[Child], None]" = print_state,
    stay: bool = True,
) -> bool:
    """Run `children` until Ctrl-C or SIGTERM; `when_ready(supervisor)` runs once all accept work (it may await).
    With `stay=False` everything stops when `when_ready` is through. Answers whether it got through."""
    from workbench.orchestrator.supervisor import Supervisor

    supervisor = Supervisor(children, on_change)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    pid_file = home_folder() / name / "supervisor.json"
    pid_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pid_file.write_bytes(msgspec.json.encode({"pid": os.getpid(), "started_s": time.time()}))

    async def work() -> None:
        await supervisor.start()
        answer = when_ready(supervisor)
        if asyncio.iscoroutine(answer):
            await answer

    working = asyncio.create_task(work())
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working in done:
            await working  # raises what it raised
            if stay and not stop.is_set():
                await stopping
        return working in done
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
        ours = [(child.ready_file, child.pid) for child in children]
        await supervisor.stop()
        for path, pid in ours:  # nobody answers there any more, so no link may be shown
            if _pid_in(path) in (0, pid):
                path.unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""

    @app.command()
    def up(
        name: DeskName = "default",
        data: DataName = None,
        speed: Speed = None,
        cash: Annotated[float | None, typer.Option(help="starting cash of a new account")] = None,
        play: Annotated[bool, typer.Option(help="let the recorded market run at once")] = True,
        fresh: Annotated[bool, typer.Option(help="move an existing journal to the archive first")] = False,
        config: Annotated[Path | None, typer.Option(help="a workbench.toml")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Start engine, warehouse and dashboard, and keep them alive until Ctrl-C.

        What is not said comes from the configuration; without one it is the SPY sample at 60 times its speed, with
        1,000,000 of cash.
        """
        from workbench.config import load_settings
        from workbench.feeds import open_data

        market = {"data": data, "speed": speed}
        asked = load_settings(config, name=name, market=market, account={"cash": cash}).market
        if not asked.brokers:  # else the venues say what is listed, once the engine asks them
            open_data(asked.data, list(asked.symbols) or None, asked.start or None, asked.end or None)
        only_engine(name)
        if fresh:
            from workbench.orchestrator.session_file import archive_journal

            archived = archive_journal(home_folder() / name)
            if archived is not None:
                say(f"the earlier journal is kept in {archived}")

        def ready(_: object) -> None:
            addresses = {
                p: read_address(name, p).get("url", "") for p in ("engine", "warehouse", "dashboard")
            }
            link = read_address(name, "dashboard").get("link", addresses["dashboard"])
            emit(
                {"name": name, **addresses, "dashboard_link": link},
                as_json,
                [
                    f"desk '{name}' is up",
                    f"  engine     {addresses['engine']}",
                    f"  dashboard  {link}",
                    "stop with Ctrl-C",
                ],
            )

        asyncio.run(supervise(desk_children(name, data, speed, cash, play, config), name, ready))

    @app.command()
    def down(name: DeskName = "default", as_json: AsJson = False) -> None:
        """Stop a desk: its supervisor when there is one, else its engine."""
        from workbench.api import attach

        supervisor = read_address(name, "supervisor")
        pid = int(supervisor.get("pid", 0))
        if pid and _alive(pid):
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 20
            while _alive(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            emit({"stopped": name, "pid": pid}, as_json, [f"desk '{name}' is down"])
            return
        with attach(name) as session:
            session.stop()
        emit({"stopped": name}, as_json, [f"desk '{name}' is down"])

    @app.command()
    def status(name: DeskName = "default", as_json: AsJson = False) -> None:
        """What runs, in which state, and how healthy."""
        from workbench.api import attach
        from workbench.ui.accounts import account_line

        with attach(name) as session:
            shot = session.snapshot()
        s, a, h = shot.session, shot.account, shot.health
        played = "" if s.market == "live" else f" at {s.progress:.0%}"
        emit(
            {
                "session": s,
                "account": a,
                "health": h,
                "accounts": shot.accounts,
                "differences": shot.differences,
            },
            as_json,
            [
                f"desk '{s.name}' {s.state}, epoch {s.epoch}, market {s.market} {s.data}{played}",
                f"  equity {a.equity:,.2f} {a.currency}  realized {a.realized:,.2f}  unrealized {a.unrealized:,.2f}",
                f"  strategies {len(shot.strategies)}  positions {len(shot.positions)}  journal {h.journal_seq:,}",
                f"  loop lag p99 {h.loop_lag_p99_ms:.3f} ms  memory {h.rss_mb:.0f} MB",
                f"  broker {h.broker} {h.broker_state}",
                f"  dashboard {_running_dashboard(name).get('link', 'is not running')}",
                *(f"  {account_line(row)}" for row in shot.accounts),
                *(f"  FROZEN {symbol}: {why}" for symbol, why in sorted(s.frozen.items())),
                *([f"  KILLED: {s.kill_reason}"] if s.kill_reason else []),
            ],
        )

    @app.command()
    def lab(
        name: DeskName = "default",
        root: Annotated[Path, typer.Option(help="folder JupyterLab shows")] = Path(),
        port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 0,
        as_json: AsJson = False,
    ) -> None:
        """JupyterLab with the workbench panel beside the notebooks."""
        child, url = lab_child(name, existing_folder("--root", root), port)

        def ready(_: object) -> None:
            emit({"url": url}, as_json, [f"JupyterLab: {url}", "stop with Ctrl-C"])

        asyncio.run(supervise([child], f"{name}-lab", ready))

    @app.command()
    def dashboard(name: DeskName = "default", as_json: AsJson = False) -> None:
        """The Panel dashboard of a desk that runs already; where it is up, its link."""
        there = _running_dashboard(name)
        if there:  # a second one would take its place in the address book, and leave none there when it ends
            emit(there, as_json, [f"dashboard: {there['link']}", "it runs already"])
            return
        child = desk_children(name, None, None, None, False, None)[2]

        def ready(_: object) -> None:
            address = read_address(name, "dashboard")
            emit(
                address,
                as_json,
                [f"dashboard: {address.get('link', address.get('url'))}", "stop with Ctrl-C"],
            )

        asyncio.run(supervise([child], f"{name}-dashboard", ready))


def _running_dashboard(name: str) -> dict[str, Any]:
    """The address of the desk's dashboard; empty when none answers, as after a power cut, which leaves the file."""
    address = read_address(name, "dashboard")
    at = urlsplit(str(address.get("url", "")))
    if not at.hostname or not at.port:
        return {}
    try:
        socket.create_connection((at.hostname, at.port), timeout=2.0).close()
    except OSError:
        return {}
    return address


def _pid_in(path: Path) -> int:
    """The process an address file names; 0 where it names none."""
    try:
        said = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return 0
    return int(said.get("pid", 0)) if isinstance(said, dict) else 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
