"""A result as files, and back: how it reaches the kernel that makes a page of it, and how it may be kept.

    FOLDER/run.npz       the run's arrays and the market's
    FOLDER/result.json   names, parameters, instruments, refusals

Not here: the page (page.py).
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from workbench.errors import BadInput
from workbench.feeds import Recording, Session, Sessions
from workbench.model import Instrument, Refusal
from workbench.research.result import Result
from workbench.research.run import Run

__all__ = ["load_result", "save_result"]


class _Facts(msgspec.Struct, frozen=True):
    name: str
    parameters: dict[str, Any]
    strategies: tuple[str, ...]
    data: str
    instruments: list[Instrument]
    bar_ns: int
    loop: str
    why: str
    cash: float
    cash_moves: float
    refusals: list[Refusal]
    sessions: tuple[str, str, int, list[tuple[str, int, int, bool]], list[tuple[int, int]]] | None


def save_result(result: Result, folder: Path) -> None:
    """Write a result into a folder."""
    run, recording = result.run, result.recording
    known = recording.stored_sessions
    facts = _Facts(
        result.name,
        result.parameters,
        result.strategies,
        recording.name,
        list(recording.instruments),
        recording.bar_ns,
        run.loop,
        run.why,
        run.cash,
        run.cash_moves,
        run.refusals,
        None
        if known is None
        else (
            known.calendar,
            known.zone,
            known.auction_ns,
            [(day.date, day.open_ns, day.close_ns, day.half_day) for day in known.days],
            list(known.breaks),
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_bytes(msgspec.json.encode(facts))
    np.savez(
        folder / "run.npz",
        ts_ns=run.ts_ns, equity=run.equity, fills=run.fills, orders=run.orders,
        rows_ts_ns=recording.ts_ns, rows_iid=recording.iid, rows_kind=recording.kind, rows_values=recording.values,
    )  # fmt: skip


def load_result(folder: Path) -> Result:
    """The result that `save_result` wrote.

    Raises:
        BadInput: the folder holds none.
    """
    try:
        facts = msgspec.json.decode((folder / "result.json").read_bytes(), type=_Facts)
        with np.load(folder / "run.npz") as held:
            arrays = {name: held[name] for name in held.files}
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise BadInput(f"folder '{folder}' holds no saved result ({error})") from error
    sessions = None
    if facts.sessions is not None:
        calendar, zone, auction_ns, days, breaks = facts.sessions
        sessions = Sessions(calendar, zone, tuple(Session(*day) for day in days), tuple(breaks), auction_ns)
    recording = Recording(
        facts.data, facts.instruments, arrays["rows_ts_ns"], arrays["rows_iid"], arrays["rows_kind"],
        arrays["rows_values"], bar_ns=facts.bar_ns, sessions=sessions,
    )  # fmt: skip
    run = Run(
        recording, facts.loop, facts.cash, arrays["ts_ns"], arrays["equity"], arrays["fills"], arrays["orders"],
        facts.refusals, facts.cash_moves, facts.why,
    )  # fmt: skip
    return Result(run, facts.name, facts.parameters, facts.strategies)
