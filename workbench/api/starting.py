"""`start` and `attach`: how a notebook gets its `Session`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from workbench.api.address import desk_folder, desk_path, read_address
from workbench.api.host_process import EngineThread, spawn_engine
from workbench.api.notes import note
from workbench.api.session import Session
from workbench.config import home_folder
from workbench.errors import AccountLocked, NotRunning, Refused, UnknownName

__all__ = ["attach", "start"]


def attach(name: str = "default", *, timeout_s: float = 10.0) -> Session:
    """A session on a desk that runs already; every session sees the same orders, positions and strategies.

    Raises:
        NotRunning: no engine of that name; says which ones run.
    """
    folder = desk_path(name)
    read_address(folder)
    session = Session(name, folder, timeout_s=timeout_s)
    try:
        session.snapshot()
    except BaseException:
        session.close()
        raise
    return session


def start(
    name: str = "default",
    data: str | None = None,
    speed: float | None = None,
    cash: float | None = None,
    *,
    symbols: Iterable[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    limits: Mapping[str, float] | None = None,
    settings: Mapping[str, Any] | None = None,
    config: Path | None = None,
    host: Literal["process", "thread"] = "process",
    play: bool = True,
    fresh: bool | None = None,
    timeout_s: float = 60.0,
    quiet: bool = False,
) -> Session:
    """Start a desk and return once it accepts orders; when one of that name runs already, attach to it.

    What is not given comes from `workbench.toml`, the environment, or the defaults (data "SPY", speed 60, cash one
    million). `settings` are further sections, e.g. `{"sim": {"fee_per_unit": 0.005}}`. A journal that is there is
    continued; `fresh=True` moves it to the archive first, and so does the default when its market was played to
    the end. The engine is a process of its own and outlives the notebook; `host="thread"` is for tests.

    Raises:
        Refused: a desk of that name runs with other data or cash. UnknownName, BadValue: an impossible setting.
    """
    if host not in ("process", "thread"):
        raise UnknownName("host", host, ["process", "thread"])
    home = home_folder()
    folder = desk_path(name, home)
    asked_symbols = list(symbols) if symbols is not None else None
    try:
        read_address(folder)
    except NotRunning:
        pass
    else:
        return _attached(name, data, cash, quiet)
    market = {"data": data, "speed": speed, "symbols": asked_symbols, "start": start, "end": end}
    overrides: dict[str, Any] = {
        key: dict(v) if isinstance(v, Mapping) else v for key, v in (settings or {}).items()
    }
    for section, values in (("market", market), ("account", {"cash": cash}), ("limits", limits or {})):
        given = {key: value for key, value in values.items() if value is not None}
        if given:
            overrides[section] = {**overrides.get(section, {}), **given}
    desk_folder(name, home)
    archived = _archive_first(folder, fresh, quiet)
    if host == "thread":
        if archived:
            from workbench.orchestrator.session_file import archive_journal

            archive_journal(folder)
        engine = EngineThread(name, home, overrides, config=config, play=play, timeout_s=timeout_s)
        return Session(name, folder, engine=engine)
    said = _Progress(name, quiet)
    try:
        address = spawn_engine(
            name,
            home,
            overrides,
            config=config,
            play=play,
            fresh=archived,
            timeout_s=timeout_s,
            tick=said.waiting,
        )
    except AccountLocked:
        # somebody else started it in the same moment: theirs is the desk
        return _attached(name, data, cash, quiet)
    said.ready(address.url, address.pid)
    return attach(name)


def _attached(name: str, data: str | None, cash: float | None, quiet: bool) -> Session:
    session = attach(name)
    shot = session.snapshot()
    asked_data = None if data is None or _is_same_data(data, shot.session.data) else data
    for what, asked, runs in (
        ("data", asked_data, shot.session.data),
        ("cash", cash, shot.account.start_cash),
    ):
        if asked is not None and asked != runs:
            session.close()
            raise Refused(
                f"desk '{name}' runs already with {what} {runs!r}, not {asked!r}: "
                f"workbench.attach('{name}').stop() first, or give another name"
            )
    if not quiet:
        note(f"desk '{name}' runs already (epoch {shot.session.epoch}): attached")
    return session


def _is_same_data(asked: str, runs: str) -> bool:
    """A desk tells the name of its data set; one may ask for it by a symbol in it, or by its file."""
    if asked == runs or Path(asked).stem == runs:
        return True
    from workbench.feeds import list_data

    return any(known.name == runs and asked in known.symbols for known in list_data())


def _archive_first(folder: Path, fresh: bool | None, quiet: bool) -> bool:
    if fresh is not None:
        return fresh
    from workbench.orchestrator.session_file import SessionFile

    last = SessionFile(folder).load()
    if last is None or not last.finished:
        return False
    if not quiet:
        note(f"desk '{folder.name}': its market {last.data} was played to the end, so it begins anew")
    return True


class _Progress:
    def __init__(self, name: str, quiet: bool) -> None:
        self._name, self._quiet, self._waited_s = name, quiet, 0.0

    def waiting(self, seconds: float) -> None:
        if not self._quiet and seconds - self._waited_s >= 1.0:
            self._waited_s = seconds
            note(f"desk '{self._name}': starting the engine, {seconds:.0f} s")

    def ready(self, url: str, pid: int) -> None:
        if not self._quiet:
            note(f"desk '{self._name}' accepts orders at {url} (engine pid {pid})")
