"""Every indicator that `workbench.kernels` exports passes the shared checks; adding one there adds it here."""

import math
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from workbench.errors import StrategyError
from workbench.kernels import Indicator, Stream, check_indicator
from workbench.kernels.checks import find_indicators

FOUND = find_indicators()


def variants() -> dict[str, Indicator]:
    """Each with its defaults, with its least whole numbers, and with odd ones."""
    made: dict[str, Indicator] = {}
    for cls in FOUND.values():
        wholes = [p.name for p in cls.parameters_declared.values() if p.kind == "int"]
        least = {name: int(cls.limits.get(name, (1, 0))[0]) for name in wholes}
        odd = {name: max(least[name], value) for name, value in zip(wholes, (5, 3, 7), strict=False)}
        flags = {p.name: True for p in cls.parameters_declared.values() if p.kind == "bool"}
        for indicator in (cls(), cls(**least), cls(**odd, **flags)):
            made[repr(indicator)] = indicator
    return made


VARIANTS = variants()


def test_all_that_were_promised_are_there() -> None:
    wanted = """Sma Ema Wma Dema Tema Rsi CutlerRsi Macd Bollinger Atr Adx Stochastic Cci WilliamsR Roc Momentum Obv Mfi
    Vwap Donchian Keltner SuperTrend ParabolicSar Aroon StdDev RollingMin RollingMax ZScore Correlation Slope PairSlope
    EwmaVolatility KalmanHedge OpeningRange"""
    assert set(wanted.split()) <= set(FOUND)


@pytest.mark.parametrize("indicator", VARIANTS.values(), ids=list(VARIANTS))
def test_every_indicator_passes_the_shared_checks(indicator: Indicator) -> None:
    assert [result for result in check_indicator(indicator) if not result.ok] == []


State = namedtuple("State", "n last")


class Change(Indicator):
    """Change of the close.

    Formula: close - close[1]. Seeding: none. Warm-up: 2 bars.
    """

    price_power = 1

    def init(p: Any) -> Any:
        return State(0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        return State(1, bar.close), bar.close - s.last if s.n else float("nan")

    def warm_up(self) -> int:
        return 2


class Silent(Change):
    """Nothing is said of how it is made."""


class Early(Change):
    __doc__ = Change.__doc__

    def warm_up(self) -> int:
        return 1


class Poisoned(Change):
    __doc__ = Change.__doc__

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        return State(1, bar.close), bar.close - s.last if s.n else float("nan")


class Clocked(Change):
    __doc__ = Change.__doc__

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        return State(1, bar.close), bar.close - s.last + 1e-9 * bar.ts_s if s.n else float("nan")


class Unscaled(Change):
    __doc__ = Change.__doc__
    price_power = 0


class Cubed(Change):
    """Change of the close, cubed in a way that both forms round differently.

    Formula: (close + 0.1)^3.7 - close[1]^3. Seeding: none. Warm-up: 2 bars.
    """

    price_power = None  # type: ignore[assignment]

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        return State(1, bar.close), (0.1 + bar.close) ** 3.7 - s.last**3 if s.n else float("nan")


class Whole(Change):
    __doc__ = Change.__doc__

    def init(p: Any) -> Any:
        return State(0, 0)


def test_a_sound_one_passes() -> None:
    assert [result for result in check_indicator(Change()) if not result.ok] == []


@pytest.mark.parametrize(
    ("indicator", "failing", "says"),
    [
        (Silent(), "it names formula, seeding and warm-up", "lacks Formula:, Seeding:, Warm-up:"),
        (Early(), "the first value comes when warm_up says", "bar 2, warm_up says 1"),
        (Poisoned(), "what is no number is left out", "expected"),
        (Clocked(), "a gap in time changes nothing", "expected"),
        (Unscaled(), "its law of price holds", "expected"),
        (Cubed(), "batch equals streaming to the last bit", "expected"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Indicator) else "",
)
def test_the_shared_checks_find_what_is_wrong(indicator: Indicator, failing: str, says: str) -> None:
    results = {result.name: result for result in check_indicator(indicator)}
    assert not results[failing].ok
    assert says in results[failing].text
    others = {name for name, result in results.items() if not result.ok and name != failing}
    follows = {"Clocked": "its law of price holds", "Cubed": "a saved state goes on"}
    assert others <= {follows.get(type(indicator).__name__, "")}


def test_a_state_that_changes_its_kind_is_refused() -> None:
    with pytest.raises(StrategyError, match=r"Whole\.step cannot be compiled: Can't unify return type"):
        check_indicator(Whole())
    stream = Stream(Whole())
    with pytest.raises(StrategyError, match="a field that starts whole became the float"):
        stream.update(0.5)


def test_bars_of_ones_own_are_taken() -> None:
    flat = np.full((60, 5), 3.0)
    assert all(result.ok for result in check_indicator(FOUND["Sma"](3), flat))
