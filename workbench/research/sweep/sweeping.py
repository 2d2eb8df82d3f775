"""`sweep`: one strategy over many parameter sets, symbols and spans.

    arguments -> markets, space, terms -> Job -> runner -> results file -> SweepResult

Lives here: the arguments. Not here: each of the steps (the other files of this folder).
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.config import SimSettings, home_folder
from workbench.engine.fees import FeeSchedule
from workbench.engine.sizing import Sizing
from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds import Recording, open_data
from workbench.research.backtest import check_lot, market_of, number_of
from workbench.research.plan import NEXT_OPEN, limits_of, venue_of
from workbench.research.sweep.axes import Choice, axes_of, listed_sets
from workbench.research.sweep.board import Board, run_in_threads
from workbench.research.sweep.job import Job
from workbench.research.sweep.markets import Market
from workbench.research.sweep.progress import meter_for
from workbench.research.sweep.result import SweepResult
from workbench.research.sweep.scores import Summary, known_objective
from workbench.research.sweep.space import Grid, Listed, Random, Space
from workbench.research.sweep.starts import starts_of
from workbench.research.sweep.store import Store
from workbench.research.sweep.terms import Terms
from workbench.strategy import Strategy, is_event

__all__ = ["sweep"]

METHODS = ("grid", "random", "sets", "optuna")
_FORMAT = 1
_FILES_KEPT = 50


def sweep(
    strategy: Strategy | type[Strategy],
    data: Any = "SPY",
    *,
    symbols: Iterable[Any] | str | None = None,
    spans: Iterable[tuple[Any, Any]] | None = None,
    start: Any = None,
    end: Any = None,
    method: str | None = None,
    n: int | None = None,
    trials: int | None = None,
    seed: int = 0,
    sets: Any = None,
    axes: Mapping[str, Any] | None = None,
    objective: str = "sharpe",
    quantity: float = 10.0,
    sizing: str | Sizing = "quantity",
    cash: float = 1_000_000.0,
    fill: str = NEXT_OPEN,
    fees: float | str | FeeSchedule = 0.0,
    fee_per_unit: float = 0.0,
    fee_per_order: float = 0.0,
    slippage: float | tuple[str, float] = 0.0,
    flat_at_end: bool = False,
    sim: SimSettings | None = None,
    limits: Mapping[str, float] | str | None = None,
    options: Mapping[str, Any] | None = None,
    adjusted: bool = False,
    tz: str = "",
    stamp: str = "end",
    calendar: str = "",
    tick: float | Mapping[str, float] = 0.0,
    lot: float | Mapping[str, float] = 0.0,
    workers: int | None = None,
    cluster: Any = None,
    out: str | Path | None = None,
    resume: bool = True,
    progress: Any = None,
    **parameters: Any,
) -> SweepResult:
    """Backtest a strategy with every parameter set there is, on all cores; resumable, memory stays flat.

    Args:
        strategy: the class, or an instance whose parameters stand where no axis does.
        data: a name from `workbench data list`, a file, a DataFrame, or a `Recording`.
        symbols: None trades all symbols of the data in one account; a list makes an axis, each entry (a symbol, or a
            tuple of them for one account) by itself; "each" is every symbol of the data by itself.
        spans: (start, end) pairs, an axis of dates; `start` and `end` give one span.
        method: "grid" (the default), "random" (`n` draws; the default when `n` is given), "optuna" (`trials`; needs
            the extra `optimise`).
        sets: a list of dictionaries, or a DataFrame, instead of axes.
        axes: axes by name, for parameters that are called like an argument here.
        objective: what `best` ranks by: "sharpe", "total_return", "final_equity" or "max_drawdown".
        quantity, sizing, cash, fill, fees, fee_per_unit, fee_per_order, slippage, flat_at_end, sim, limits: as
            for `backtest`, and so are adjusted, tz, stamp, calendar, tick and lot, which say how `data` is to be
            understood.
        options: what else single runs take: `loop`.
        workers: how many threads or processes; None takes every core.
        cluster: address of a Dask scheduler, or a `distributed.Client` (needs the extra `cluster`).
        out: the results file; None keeps it under the workbench's home, where the newest 50 stay.
        resume: go on where an interrupted sweep with the same code, data and arguments left off.
        progress: False for silence, or a function told (sets done, sets in all).
        parameters: an axis each: a range, list or array of values, or one value; with "random" and "optuna" a tuple
            (low, high) or (low, high, "log") is a range to draw from.

    Raises:
        UnknownName, BadValue, BadInput: whatever was typed wrong, before anything runs.
        StrategyError: its code fails for every set. KeyboardInterrupt: on Ctrl-C; what was done is kept.

    >>> import workbench as wb
    >>> result = wb.sweep(wb.strategies.RsiReversion, data="SPY", period=range(5, 9), low=[25, 30], progress=False)
    >>> len(result), result.frame().columns[:2].tolist()
    (8, ['period', 'low'])
    """
    cls = strategy if isinstance(strategy, type) else type(strategy)
    if not issubclass(cls, Strategy):
        raise BadInput(f"strategy = {strategy!r}: give a strategy class, or an instance of one")
    fixed = strategy.parameters if isinstance(strategy, Strategy) else {}
    given = {**(axes or {}), **parameters}
    how = _method(method, n, trials, sets, given)
    known_objective(objective)
    venue, schedule = venue_of(sim, fees, fee_per_unit, slippage, fee_per_order)
    more = {"fees": schedule, "flat_at_end": flat_at_end}
    terms = Terms(
        quantity=number_of("quantity", quantity), sizing=Sizing.of(sizing), cash=number_of("cash", cash), fill=fill,
        limits=limits_of(limits), sim=venue,
        options={**(options or {}), **{name: value for name, value in more.items() if value}},
    )  # fmt: skip
    fixed, axis_of, space = _space(cls, fixed, given, how, n, seed, sets)
    understood = {
        "adjusted": adjusted,
        "tz": tz,
        "stamp": stamp,
        "calendar": calendar,
        "tick": tick,
        "lot": lot,
    }
    whole = market_of(
        data, [symbols] if isinstance(symbols, str) and symbols != "each" else None, **understood
    )
    markets = _markets(whole, symbols, spans, start, end, terms)
    for market in () if is_event(cls) else markets:
        check_lot(terms.sizing.name, terms.quantity, market.recording.instruments)
    if how == "optuna":
        from workbench.research.sweep.search import optuna_search

        if cluster is not None:
            raise BadInput('method="optuna" runs here, batch after batch: leave cluster= out')
        if len(markets) > 1:
            raise BadInput('method="optuna" searches one market: give one symbol and one span')
        return optuna_search(
            cls, fixed, axis_of, markets[0], terms, objective, trials or 100, seed,
            lambda job: _store(job, out, resume), progress,
        )  # fmt: skip
    job = Job(cls, fixed, space, markets, terms)
    store = _store(job, out, resume)
    summary = Summary(objective)
    try:
        board = Board(job, store, summary, meter_for(progress, cls.__name__))
        if not board.finished:
            _run(board, workers, cluster)
    finally:
        store.close()
    return SweepResult(job, store, summary)


def _method(
    method: str | None, n: int | None, trials: int | None, sets: Any, given: Mapping[str, Any]
) -> str:
    how = method or (
        "sets"
        if sets is not None
        else "random"
        if n is not None
        else "optuna"
        if trials is not None
        else "grid"
    )
    if how not in METHODS:
        raise UnknownName("method", how, METHODS)
    if how == "sets" and (sets is None or any(_many(value) for value in given.values())):
        raise BadInput("sets= takes the place of axes: give one of them")
    if how != "sets" and sets is not None:
        raise BadInput(f'sets= does not go with method="{how}": leave one of them out')
    if how == "random" and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
        raise BadValue(
            "n", n, 'give how many sets to draw, 1 or more (a parameter called n: axes={"n": ...})'
        )
    if how == "optuna" and trials is not None and trials < 1:
        raise BadValue("trials", trials, "give how many sets to try, 1 or more")
    return how


def _many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _space(
    cls: type[Strategy],
    fixed: dict[str, Any],
    given: Mapping[str, Any],
    how: str,
    n: int | None,
    seed: int,
    sets: Any,
) -> tuple[dict[str, Any], dict[str, Any], Space]:
    """(values no axis varies, the axes, the sets)."""
    is_event(cls)  # refuses what is no strategy
    more, axes = axes_of(cls, given, ranges=how in ("random", "optuna"))
    fixed = {
        **{p.name: p.default for p in cls.parameters_declared.values() if not p.required},
        **fixed,
        **more,
    }
    space: Space
    if how == "sets":
        space = Listed(listed_sets(cls, sets))
    elif how == "random":
        space = Random(axes, n or 1, seed)
    elif how == "optuna":
        space = Listed({})
    else:
        choices = {name: axis for name, axis in axes.items() if isinstance(axis, Choice)}
        space = Grid(choices)
        if not is_event(cls):
            space = Grid(choices, starts_of(cls, fixed, space).reads)
    names = set(space.names) | set(axes)
    for parameter in cls.parameters_declared.values():
        if parameter.required and parameter.name not in names | set(fixed):
            raise BadInput(
                f"{cls.__name__} needs {parameter.name} ({parameter.kind}): give a value or an axis"
            )
    return {name: value for name, value in fixed.items() if name not in names}, axes, space


def _markets(whole: Recording, symbols: Any, spans: Any, start: Any, end: Any, terms: Terms) -> list[Market]:
    cuts = [(start, end)] if spans is None else list(spans)
    if spans is not None and (start is not None or end is not None):
        raise BadInput("spans= takes the place of start= and end=: give one of them")
    if not cuts:
        raise BadValue("spans", [], "give at least one (start, end)")
    for cut in cuts:
        if not isinstance(cut, tuple | list) or len(cut) != 2:
            raise BadValue("spans", cut, "give (start, end) pairs")
    baskets = _baskets(whole, symbols)
    several_symbols, several_spans = len(baskets) > 1, len(cuts) > 1
    markets = []
    for low, high in cuts:
        for basket in baskets:
            recording = open_data(whole, basket, low, high)
            label = "+".join(recording.symbols) if several_symbols else ""
            span = f"{_shown(low)} to {_shown(high)}" if several_spans else ""
            markets.append(Market(recording, terms, label, span))
    return markets


def _baskets(whole: Recording, symbols: Any) -> list[list[str] | None]:
    if symbols is None:
        return [None]
    if isinstance(symbols, str):
        return [[name] for name in whole.symbols] if symbols == "each" else [[symbols]]
    listed = list(symbols) if isinstance(symbols, Iterable) else []
    baskets: list[list[str] | None] = [
        [b] if isinstance(b, str) else list(b) if isinstance(b, Iterable) else [] for b in listed
    ]
    if not baskets or any(not basket for basket in baskets):
        raise BadValue("symbols", symbols, "name at least one symbol of the data")
    return baskets


def _shown(moment: Any) -> str:
    return "..." if moment is None else str(moment)


def _store(job: Job, out: str | Path | None, resume: bool) -> Store:
    header = json.loads(json.dumps({"format": _FORMAT, **job.told()}))
    path = None if out is None else Path(out).expanduser()
    if path is None:
        known_by = {k: v for k, v in header.items() if k != "chunk"}
        digest = hashlib.sha256(json.dumps(known_by, sort_keys=True).encode()).hexdigest()
        folder = home_folder() / "sweeps"
        path = folder / f"{job.cls.__name__}-{digest[:16]}.sweep"
        _forget_oldest(folder)
    store = Store(path, header, resume)
    if store.header.get("chunk") != job.size:
        job.size = int(store.header["chunk"])
    return store


def _forget_oldest(folder: Path) -> None:
    """Files of sweeps nobody named are kept for going on with, not for ever."""
    files = sorted(folder.glob("*.sweep"), key=lambda path: path.stat().st_mtime)
    for path in files[: max(0, len(files) - _FILES_KEPT + 1)]:
        path.unlink(missing_ok=True)


def _run(board: Board, workers: int | None, cluster: Any) -> None:
    cores = (
        workers
        if workers is not None
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 1)
    )
    if type(cores) is not int or cores < 1:
        raise BadValue("workers", workers, "give how many to use, 1 or more")
    cores = min(cores, board.job.chunks)
    if cluster is not None:
        from workbench.research.sweep.cluster import run_on_cluster

        run_on_cluster(board, cluster)
    elif board.job.why_single and cores > 1 and board.job.n > 1:
        from workbench.research.sweep.workers import run_in_processes

        run_in_processes(board, cores)
    else:
        run_in_threads(board, cores)
