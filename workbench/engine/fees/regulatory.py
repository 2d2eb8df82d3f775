"""What US regulators charge on shares, by date; brokers pass it through. Sources: docs/matching.md.

Lives here: the Section 31 fee (sells, of the value), FINRA's trading activity fee (sells, a share, capped a trade) and
the Consolidated Audit Trail's fee (both sides, a share). Not here: how a broker rounds and sums them (its own file).
"""

from typing import Final, NamedTuple

from workbench.engine.fees.schedule import Dated
from workbench.model.orders import SELL
from workbench.model.scale import notional_e8

__all__ = ["CAT_E8", "SECTION_31_E8", "TAF_E8", "Regulatory", "regulatory_e8"]

SECTION_31_E8: Final[Dated[int]] = Dated(
    (20130525, 1_740),  # 1e-8 of every unit of value: $17.40 a million
    (20140318, 2_210),
    (20150214, 1_840),
    (20160216, 2_180),
    (20170704, 2_310),
    (20180522, 1_300),
    (20190416, 2_070),
    (20200218, 2_210),
    (20210225, 510),
    (20220514, 2_290),
    (20230227, 800),
    (20240522, 2_780),
    (20250514, 0),
    (20260404, 2_060),
)

TAF_E8: Final[Dated[tuple[int, int]]] = Dated(
    (20110701, (9_000, 450_000_000)),  # 1e-8 a share, and the most a trade pays: $0.000090, $4.50
    (20120301, (9_500, 475_000_000)),
    (20120701, (11_900, 595_000_000)),
    (20220101, (13_000, 649_000_000)),
    (20230101, (14_500, 727_000_000)),
    (20240101, (16_600, 830_000_000)),
    (20260101, (19_500, 979_000_000)),
    (20261001, (0, 0)),
    (20270101, (23_200, 1_161_000_000)),
    (20280101, (24_000, 1_205_000_000)),
    (20290101, (24_900, 1_250_000_000)),
)

CAT_E8: Final[Dated[int]] = Dated(
    (20120101, 0),
    (20240901, 3_500),  # 1e-8 a share: $0.000035
    (20241001, 4_800),
    (20250701, 2_650),
    (20251201, 0),
    (20260501, 300),
)


class Regulatory(NamedTuple):
    """The three fees of one sale or purchase, unrounded beyond 1e-8."""

    section_31_e8: int
    taf_e8: int
    cat_e8: int


def regulatory_e8(side: int, value_e8: int, qty_e8: int, ts_ns: int) -> Regulatory:
    """The fees on a trade of this value and quantity at this time.

    >>> from workbench.engine.fees.schedule import day_ns
    >>> regulatory_e8(SELL, 25_000 * 10**8, 100 * 10**8, day_ns(20260908))
    Regulatory(section_31_e8=51500000, taf_e8=1950000, cat_e8=30000)
    """
    cat_e8 = notional_e8(CAT_E8.at(ts_ns), qty_e8)
    if side != SELL:
        return Regulatory(0, 0, cat_e8)
    rate_e8, most_e8 = TAF_E8.at(ts_ns)
    taf_e8 = min(notional_e8(rate_e8, qty_e8), most_e8)
    return Regulatory(notional_e8(SECTION_31_E8.at(ts_ns), value_e8), taf_e8, cat_e8)
