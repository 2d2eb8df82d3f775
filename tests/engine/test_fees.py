"""Fee schedules against worked examples, to the last unit; and the laws every schedule keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.fees import FEES, AlpacaCrypto, FeeSchedule, IbkrTiered, PerUnit, SoFar, fees_named
from workbench.engine.fees.regulatory import CAT_E8, SECTION_31_E8, TAF_E8, regulatory_e8
from workbench.engine.fees.schedule import day_ns, up_to_cent_e8
from workbench.errors import UnknownName
from workbench.model import SCALE, notional_e8, to_e8
from workbench.model.orders import BUY, SELL

QUIET = 20250801  # no Section 31 fee; TAF $0.000166, CAT $0.0000265
BEFORE_CAT = 20240102  # Section 31 $8.00 a million, TAF $0.000166, no CAT


def fee(
    schedule: FeeSchedule | str, side: int, qty: float, px: float, day: int = QUIET, maker: bool = False
) -> float:
    chosen = fees_named(schedule) if isinstance(schedule, str) else schedule
    return chosen(side, to_e8(px), to_e8(qty), day_ns(day), maker, SoFar()) / SCALE


@pytest.mark.parametrize(
    ("schedule", "side", "qty", "px", "day", "maker", "expected"),
    [
        # Interactive Brokers' own examples of the fixed plan
        ("ibkr-fixed", BUY, 100, 25, BEFORE_CAT, False, 1.00),
        ("ibkr-fixed", BUY, 1_000, 25, BEFORE_CAT, False, 5.00),
        ("ibkr-fixed", BUY, 1_000, 0.25, BEFORE_CAT, False, 2.50),
        ("ibkr-fixed", BUY, 10, 0.20, BEFORE_CAT, False, 0.02),  # the maximum goes before the minimum
        ("ibkr-fixed", BUY, 0.5, 100, BEFORE_CAT, False, 0.01),
        # on a sale the regulators' fees: 0.000008 x 25,000 and 0.000166 x 1,000
        ("ibkr-fixed", SELL, 1_000, 25, BEFORE_CAT, False, 5.00 + 0.20 + 0.166),
        # tiered, 200,000 shares taken at $5: 700, exchange 600, clearing 40, 0.00056 and 0.000175 of the commission
        ("ibkr-tiered", BUY, 200_000, 5, BEFORE_CAT, False, 700 + 600 + 40 + 0.392 + 0.1225),
        ("ibkr-tiered", SELL, 200_000, 5, 20230601, False, 1_355.7845),  # their own example says 1,355.78
        ("ibkr-tiered", SELL, 200_000, 5, BEFORE_CAT, False, 700 + 600 + 40 + 0.5145 + 8.00 + 8.30),
        ("ibkr-tiered", BUY, 100, 25, BEFORE_CAT, True, 0.35 + 0.02 + 0.00025725),
        ("ibkr-tiered", BUY, 100, 0.5, BEFORE_CAT, False, 0.35 + 0.15 + 0.02 + 0.00025725),
        # Alpaca: each fee up to the cent. 100 sold at $250 on 2026-09-08: 0.515, 0.0195 and 0.0003
        ("alpaca", SELL, 100, 250, 20260908, False, 0.52 + 0.02 + 0.01),
        ("alpaca", BUY, 100, 250, 20260908, False, 0.01),
        ("alpaca", SELL, 60_000, 10, 20260908, False, 12.36 + 9.79 + 0.18),
        ("alpaca", SELL, 1_000, 100, BEFORE_CAT, False, 0.80 + 0.17),
        ("alpaca", BUY, 1_000, 100, BEFORE_CAT, False, 0.0),
        ("alpaca-crypto", BUY, 0.1, 40_000, QUIET, False, 10.0),
        ("alpaca-crypto", BUY, 0.1, 40_000, QUIET, True, 6.0),
        ("binance", BUY, 0.1, 40_000, QUIET, False, 4.0),
        ("binance", SELL, 0.1, 40_000, QUIET, True, 4.0),
        ("binance-bnb", SELL, 0.1, 40_000, QUIET, True, 3.0),
    ],
)
def test_worked_examples(
    schedule: str, side: int, qty: float, px: float, day: int, maker: bool, expected: float
) -> None:
    assert to_e8(fee(schedule, side, qty, px, day, maker)) == to_e8(expected)


def test_tiers_by_volume() -> None:
    assert fee(IbkrTiered(300_000), BUY, 1_000, 25, BEFORE_CAT, True) == pytest.approx(3.7025725)
    assert fee(IbkrTiered(300_001), BUY, 1_000, 25, BEFORE_CAT, True) == pytest.approx(2.0 + 0.2 + 0.00147)
    assert fee(AlpacaCrypto(99_999), BUY, 1, 100) == 0.25
    assert fee(AlpacaCrypto(100_000), BUY, 1, 100) == 0.22
    assert fee(AlpacaCrypto(1e9), BUY, 1, 100, maker=True) == 0.0


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (20230226, 22.90),
        (20230227, 8.00),
        (20240521, 8.00),
        (20240522, 27.80),
        (20250513, 27.80),
        (20250514, 0.0),
        (20260403, 0.0),
        (20260404, 20.60),
        (19990101, 17.40),  # before the first row the first one holds
    ],
)
def test_a_fill_pays_the_rate_of_its_day(day: int, expected: float) -> None:
    section_31, _, _ = regulatory_e8(SELL, 1_000_000 * SCALE, SCALE, day_ns(day) + 1)
    assert section_31 == to_e8(expected)


def test_the_trading_activity_fee_is_capped() -> None:
    at = day_ns(20260102)
    for shares, expected in ((50_205, "9.789975"), (50_206, "9.79"), (10**7, "9.79")):
        assert regulatory_e8(SELL, SCALE, shares * SCALE, at).taf_e8 == to_e8(expected)
    assert regulatory_e8(SELL, SCALE, 10**6 * SCALE, day_ns(20261115)).taf_e8 == 0


def test_tables_rise_by_date() -> None:
    for table in (SECTION_31_E8, TAF_E8, CAT_E8):
        starts = [start for start, _ in table.rows]
        assert starts == sorted(set(starts))


def test_an_unknown_schedule_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ibkr-fixed'"):
        fees_named("ibkr-fix")


sides = st.sampled_from([BUY, SELL])
pxs = st.integers(1, 10**13)
days = st.sampled_from([BEFORE_CAT, 20240601, QUIET, 20260601])


@given(
    st.sampled_from(sorted(FEES)), sides, st.lists(st.integers(1, 10**12), min_size=1, max_size=6), pxs, days
)
def test_law_parts_pay_what_the_whole_would(
    name: str, side: int, parts: list[int], px: int, day: int
) -> None:
    """However an order fills at one price, its fees add up to those of one fill, but for the last 1e-8 of each."""
    schedule, at = FEES[name], day_ns(day)
    done, paid = SoFar(), 0
    for qty in parts:
        charge = schedule(side, px, qty, at, False, done)
        assert charge >= 0
        paid += charge
        done = SoFar(done.qty_e8 + qty, done.value_e8 + notional_e8(px, qty), done.fee_e8 + charge)
    whole = schedule(side, px, sum(parts), at, False, SoFar())
    slack = 10 * len(parts)
    if name == "alpaca":
        slack += up_to_cent_e8(1)  # the value's last unit may tip a cent
    if name.startswith("ibkr") and (parts[0] < SCALE <= sum(parts)):
        slack += SCALE  # the first part of less than a share had the smaller minimum
    assert abs(paid - whole) <= slack


@given(sides, pxs, st.integers(1, 10**13), st.integers(0, 10**9), st.floats(0, 0.09))
def test_law_the_simple_form_is_units_and_value(
    side: int, px: int, qty: int, per_unit: int, rate: float
) -> None:
    charge = PerUnit(per_unit, rate)(side, px, qty, 0, False, SoFar())
    assert charge == notional_e8(per_unit, qty) + notional_e8(round(rate * SCALE), notional_e8(px, qty))
