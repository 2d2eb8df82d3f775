"""Budgets as typed values, from `budgets.toml`: the only place that says how fast is fast enough."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.model.stages import STAGES

__all__ = ["AlertSettings", "Budgets", "Ceiling", "Severity", "load_budgets", "parse_budgets"]

type Severity = Literal["info", "warning", "critical"]
type Stat = Literal["p99", "mean", "max", "value"]
type Unit = Literal["us", "ms", "s", "%", "1", "1/min"]

_TO_US: Final = {"us": 1.0, "ms": 1e3, "s": 1e6}
_KEYS: Final = ("at_most", "at_least", "unit", "stat", "severity", "text")
_PACKAGED: Final = Path(__file__).with_name("budgets.toml")


class Ceiling(msgspec.Struct, frozen=True):
    """One bound: `stat` of the quantity `name` has to stay at most (or at least) `limit` of `unit`."""

    name: str
    limit: float
    unit: Unit
    stat: Stat
    severity: Severity
    text: str
    at_least: bool = False

    @property
    def limit_us(self) -> float:
        """The limit in microseconds.

        Raises:
            BadValue: the unit is no time.
        """
        if self.unit not in _TO_US:
            raise BadValue(f"{self.name}.unit", self.unit, "only us, ms and s are times")
        return self.limit * _TO_US[self.unit]

    def broken_by(self, value: float) -> bool:
        """Whether `value` (in `unit`) is on the wrong side; NaN is not."""
        return value < self.limit if self.at_least else value > self.limit


class AlertSettings(msgspec.Struct, frozen=True):
    """How alarms look at the past."""

    window_s: float = 60.0
    min_observations: int = 20


class Budgets(msgspec.Struct, frozen=True):
    """All bounds. `stages` holds every stage of an order, `ceilings` those of the whole desk."""

    stages: dict[str, Ceiling]
    ceilings: dict[str, Ceiling]
    alerts: AlertSettings

    def stage_us(self, stage: str) -> float:
        """The p99 budget of a stage in microseconds.

        Raises:
            UnknownName: no such stage.
        """
        return self._of(self.stages, "stage", stage).limit_us

    def span_us(self, name: str) -> float:
        """The ceiling of a span (`signal_to_broker`, ...) in microseconds."""
        return self.ceiling(name).limit_us

    def ceiling(self, name: str) -> Ceiling:
        """One ceiling of the desk by name.

        Raises:
            UnknownName: no such ceiling, with the nearest one.
        """
        return self._of(self.ceilings, "ceiling", name)

    @staticmethod
    def _of(table: Mapping[str, Ceiling], kind: str, name: str) -> Ceiling:
        if name not in table:
            raise UnknownName(kind, name, table)
        return table[name]


def load_budgets(path: Path | None = None) -> Budgets:
    """The budgets of `path`, or the packaged ones.

    >>> load_budgets().stage_us("decide")
    50.0

    Raises:
        UnknownName: a key nobody knows, with the nearest right one.
        BadValue: a known key with an impossible value, or a stage without a budget.
        BadInput: the file cannot be read or is not TOML.
    """
    chosen = path or _PACKAGED
    try:
        text = chosen.read_text("utf-8")
    except OSError as error:
        raise BadInput(
            f"budget file '{chosen}' cannot be read ({error.strerror}): give a TOML file"
        ) from error
    return parse_budgets(text)


def parse_budgets(text: str) -> Budgets:
    """Budgets from TOML text; see `load_budgets`."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"budgets are not valid TOML: {error}") from error
    _only(values, ("stages", "ceilings", "alerts"), "")
    stages = _table(values, "stages")
    for name in stages:
        if name not in STAGES:
            raise UnknownName("budget key", f"stages.{name}", [f"stages.{stage}" for stage in STAGES])
    for stage in STAGES:
        if stage not in stages:
            raise BadValue(f"stages.{stage}", None, "every stage needs a budget: add one in microseconds")
    return Budgets(
        stages={stage: _ceiling("stages", stage, stages[stage], "us", "p99") for stage in STAGES},
        ceilings={
            name: _ceiling("ceilings", name, value) for name, value in _table(values, "ceilings").items()
        },
        alerts=_alerts(_table(values, "alerts")),
    )


def _ceiling(section: str, name: str, value: Any, unit: str = "", stat: str = "") -> Ceiling:
    where = f"{section}.{name}"
    if not isinstance(value, dict):
        raise BadValue(
            where, value, 'give a table such as { at_most = 50.0, severity = "warning", text = "..." }'
        )
    allowed = [key for key in _KEYS if not (unit and key in ("unit", "stat", "at_least"))]
    _only(value, allowed, f"{where}.")
    if ("at_most" in value) == ("at_least" in value):
        raise BadValue(where, sorted(value), "give exactly one of at_most and at_least")
    at_least = "at_least" in value
    limit = value["at_least" if at_least else "at_most"]
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < float("inf"):
        raise BadValue(f"{where}.{'at_least' if at_least else 'at_most'}", limit, "give a number above 0")
    words = {
        "unit": unit or value.get("unit"),
        "stat": stat or value.get("stat"),
        "severity": value.get("severity"),
    }
    for key, kind in (("unit", Unit), ("stat", Stat), ("severity", Severity)):
        if words[key] not in get_args(kind.__value__):
            raise UnknownName(f"{where}.{key}", words[key], get_args(kind.__value__))
    text = value.get("text", "")
    if not isinstance(text, str) or not text:
        raise BadValue(f"{where}.text", text, "say in a few words what is bounded")
    return msgspec.convert(
        {"name": name, "limit": limit, "text": text, "at_least": at_least, **words}, Ceiling
    )


def _alerts(value: dict[str, Any]) -> AlertSettings:
    _only(value, AlertSettings.__struct_fields__, "alerts.")
    for key, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
            raise BadValue(f"alerts.{key}", number, "give a number above 0")
    try:
        return msgspec.convert(value, AlertSettings)
    except msgspec.ValidationError as error:
        raise BadValue("alerts", value, str(error).lower()) from error


def _table(values: dict[str, Any], section: str) -> dict[str, Any]:
    found = values.get(section, {})
    if not isinstance(found, dict):
        raise BadValue(section, found, f"write it as a [{section}] table")
    return found


def _only(value: Mapping[str, Any], known: Iterable[str], prefix: str) -> None:
    options = list(known)
    for key in value:
        if key not in options:
            raise UnknownName("budget key", f"{prefix}{key}", [f"{prefix}{option}" for option in options])
