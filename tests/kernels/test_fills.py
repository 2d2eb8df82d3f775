"""The 64-bit figures of fills against exact whole numbers of any size, plain and compiled."""

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.fees import PerUnit, SoFar
from workbench.engine.match import Slippage
from workbench.engine.sizing import PERCENT, full_qty_e8
from workbench.kernels import fills
from workbench.kernels.compose import compiling_freezer
from workbench.model.instrument import Instrument
from workbench.model.scale import SCALE, notional_e8

prices = st.integers(0, 9 * 10**15)
quantities = st.integers(-(10**16), 10**16)


@pytest.fixture(scope="module")
def compiled() -> dict[str, Any]:
    frozen = compiling_freezer()
    njit: Any = numba.njit
    return {name: njit(_calling(frozen.function(getattr(fills, name)))) for name in fills.__all__}


def _calling(function: Any) -> Any:
    """As loops call it: inlined into another compiled function."""

    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


@settings(deadline=None)
@given(px=prices, qty=quantities)
def test_values_are_exact(compiled: dict[str, Any], px: int, qty: int) -> None:
    if not fills.room(px, abs(qty)):
        return
    assert fills.value_e8(px, qty) == compiled["value_e8"](px, qty) == notional_e8(px, qty)
    whole, rest = divmod(px * qty, SCALE)
    assert fills.over_e8(px, qty) == tuple(compiled["over_e8"](px, qty)) == (whole, rest)


@settings(deadline=None)
@given(px=prices, qty=quantities, unit=st.integers(0, 10**8), rate=st.floats(0, 0.5))
def test_fees_are_the_venues(compiled: dict[str, Any], px: int, qty: int, unit: int, rate: float) -> None:
    if not fills.room(px, abs(qty)) or not qty:
        return
    rate_e8 = round(rate * 1e8)
    expected = PerUnit(unit, rate)(1, px, abs(qty), 0, False, SoFar())
    value = fills.value_e8(px, qty)
    assert (
        fills.fee_e8(value, qty, unit, rate_e8) == compiled["fee_e8"](value, qty, unit, rate_e8) == expected
    )


@settings(deadline=None)
@given(
    equity=st.integers(-(10**12), 9 * 10**17), percent=st.integers(0, 10**13), mark=st.integers(0, 9 * 10**15)
)
def test_percent_quantities_are_the_engines(
    compiled: dict[str, Any], equity: int, percent: int, mark: int
) -> None:
    if float(equity) * percent > 9e19 * max(mark, 1):
        return
    expected = full_qty_e8(PERCENT, percent, equity, mark)
    assert (
        fills.percent_qty_e8(equity, percent, mark)
        == compiled["percent_qty_e8"](equity, percent, mark)
        == expected
    )


@settings(deadline=None)
@given(qty=quantities, lot=st.sampled_from([1, 7, 10**5, 10**8, 3 * 10**9]))
def test_lots_are_the_instruments(compiled: dict[str, Any], qty: int, lot: int) -> None:
    expected = Instrument(0, "X", lot_e8=lot).floor_qty(qty)
    assert fills.floor_lot(qty, lot) == compiled["floor_lot"](qty, lot) == expected


@settings(deadline=None)
@given(
    px=st.integers(1, 9 * 10**15),
    side=st.sampled_from([1, -1]),
    model=st.sampled_from(["ticks", "rate"]),
    amount=st.floats(0, 0.2),
    tick=st.sampled_from([1, 100, 10**6]),
)
def test_slipped_prices_are_the_venues(
    compiled: dict[str, Any], px: int, side: int, model: str, amount: float, tick: int
) -> None:
    slippage = Slippage(model, amount * (1 if model == "rate" else 100))
    ticks = round(slippage.amount * tick) if model == "ticks" else 0
    rate = slippage.amount if model == "rate" else 0.0
    expected = slippage.px_e8(side, px, 10**8, 0, tick) if slippage else px
    assert fills.slipped_px_e8(px, side, ticks, rate, tick) == expected
    assert compiled["slipped_px_e8"](np.int64(px), side, ticks, rate, tick) == expected
