"""A sweep that looks where it is promising: Optuna proposes sets, the lanes run them in batches. Needs the
extra `optimise`.

Every batch goes into the results file with its sets, so an interrupted search goes on with all it has learnt.

Lives here: proposing. Not here: running (job.py), the file (store.py).
"""

import math
from typing import Any, Final

import numpy as np

from workbench.errors import BadInput
from workbench.research.sweep.axes import Choice, Drawn, Span, column_of
from workbench.research.sweep.board import Board
from workbench.research.sweep.job import Job
from workbench.research.sweep.markets import Market
from workbench.research.sweep.progress import meter_for
from workbench.research.sweep.result import SweepResult
from workbench.research.sweep.scores import Summary, scores
from workbench.research.sweep.space import Listed
from workbench.research.sweep.store import Store
from workbench.research.sweep.terms import Terms
from workbench.strategy import Strategy

__all__ = ["Proposed", "optuna_search"]

_BATCH: Final = 32


class Proposed(Listed):
    """Sets a search has proposed so far; `n` is how many there will be."""

    method = "optuna"

    def __init__(self, cls: type[Strategy], axes: dict[str, Any], n: int, seed: int, objective: str) -> None:
        self._cls, self.axes = cls, axes
        self._told = {"n": n, "seed": seed, "objective": objective}
        super().__init__({name: np.array([_first(axis)]) for name, axis in axes.items()})
        self.n = n

    def take(self, sets: list[dict[str, Any]]) -> None:
        """All sets proposed so far."""
        kinds = {name: axis.kind for name, axis in self.axes.items()}
        if sets:
            self._columns = {
                name: column_of(name, [row[name] for row in sets], kind) for name, kind in kinds.items()
            }

    def told(self) -> dict[str, Any]:
        axes = {name: axis.told() for name, axis in self.axes.items()}
        return {"method": self.method, "axes": axes, **self._told}


def optuna_search(
    cls: type[Strategy], fixed: dict[str, Any], axes: dict[str, Choice | Span | Drawn], market: Market, terms: Terms,
    objective: str, trials: int, seed: int, open_store: Any, progress: Any,
) -> SweepResult:  # fmt: skip
    """Search one market with Optuna's default sampler (a tree-structured Parzen estimator), seeded.

    Raises:
        BadInput: Optuna is not installed, or an axis is a distribution.
    """
    try:
        import optuna
    except ImportError as error:
        text = 'method="optuna" needs Optuna: '
        raise BadInput(f"{text}`pip install -e '.[optimise]'` in the project's folder") from error
    for name, axis in axes.items():
        if isinstance(axis, Drawn):
            raise BadInput(f'{cls.__name__}.{name}: method="optuna" takes ranges and lists, no distributions')
    if not axes:
        raise BadInput('method="optuna" needs an axis: give a list of values, or a range like low=(10, 40)')
    space = Proposed(cls, axes, trials, seed, objective)
    job = Job(cls, fixed, space, [market], terms, size=_BATCH)
    store: Store = open_store(job)
    summary = Summary(objective)
    space.take(_listed(store, job.chunks))
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        board = Board(job, store, summary, meter_for(progress, cls.__name__))
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        _remember(study, axes, store, objective)
        _search(study, axes, board)
    finally:
        optuna.logging.set_verbosity(verbosity)
        store.close()
    return SweepResult(job, store, summary)


def _search(study: Any, axes: dict[str, Any], board: Board) -> None:
    try:
        with board.meter as meter:
            for number in range(board.job.chunks):
                if number not in board.store.done:
                    _batch(study, axes, board, number)
                    meter.show(board.summary.sets, board.job.n)
            meter.end(board.job.n)
    except KeyboardInterrupt:
        board.tell_where()
        raise


def _batch(study: Any, axes: dict[str, Any], board: Board, number: int) -> None:
    job, store = board.job, board.store
    asked = [study.ask(_distributions(axes)) for _ in range(job.chunk(number).sets)]
    store.add_sets(number, [dict(trial.params) for trial in asked])
    space: Any = job.space
    space.take(_listed(store, number + 1))
    figures, kept = job.run(number)
    board.hand_in(number, figures, kept)
    for trial, value in zip(asked, scores(figures.rows, board.summary.objective).tolist(), strict=True):
        _tell(study, trial, value)


def _listed(store: Store, chunks: int) -> list[dict[str, Any]]:
    """The sets of the first chunks, as far as they were proposed."""
    return [row for number in range(chunks) for row in store.sets.get(number, [])]


def _tell(study: Any, trial: Any, value: float) -> None:
    from optuna.trial import TrialState

    if math.isnan(value):
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, value)


def _remember(study: Any, axes: dict[str, Any], store: Store, objective: str) -> None:
    """Give a new study what an interrupted one had learnt."""
    from optuna.trial import create_trial

    for number, rows in store.chunks():
        for row, value in zip(store.sets[number], scores(rows, objective).tolist(), strict=True):
            if not math.isnan(value):
                study.add_trial(create_trial(params=row, distributions=_distributions(axes), value=value))


def _distributions(axes: dict[str, Any]) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, Any] = {}
    for name, axis in axes.items():
        if isinstance(axis, Choice):
            made[name] = CategoricalDistribution(axis.values.tolist())
        elif axis.kind == "int":
            made[name] = IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        else:
            made[name] = FloatDistribution(axis.low, axis.high, log=axis.log)
    return made


def _first(axis: Any) -> Any:
    return axis.values[0].item() if isinstance(axis, Choice) else axis.low
