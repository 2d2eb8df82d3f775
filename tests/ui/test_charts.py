"""The dashboard's equity chart: what it holds of each point, and that what is there is not sent again."""

import msgspec
import numpy as np

from workbench.model.snapshot import Snapshot
from workbench.ui.dashboard.charts import Colours, EquityChart

SECOND_NS = 1_000_000_000


def test_points_of_one_minute_have_times_of_their_own(snapshot: Snapshot) -> None:
    chart, begun = EquityChart(Colours(dark=False)), 1_608_042_600 * SECOND_NS
    points = [(begun + k * SECOND_NS, 1_000.0 - k) for k in range(4)]
    chart.update(msgspec.structs.replace(snapshot, equity=points[:2]))
    chart.update(msgspec.structs.replace(snapshot, equity=points))
    held = chart.source.data
    assert list(held["time"]) == [f"2020-12-15 14:30:0{k}" for k in range(4)]
    assert np.allclose(held["drawdown"], [0.0, -0.1, -0.2, -0.3])


def test_a_curve_that_was_thinned_is_sent_anew(snapshot: Snapshot) -> None:
    """Its first point stays; what then stands at the place of the last one shown closed later in the same minute."""
    chart, begun = EquityChart(Colours(dark=False)), 1_608_042_600 * SECOND_NS
    points = [(begun + k * SECOND_NS, 1_000.0 + k) for k in range(12)]
    chart.update(msgspec.structs.replace(snapshot, equity=points[:4]))
    chart.update(msgspec.structs.replace(snapshot, equity=points[::2]))
    assert list(chart.source.data["equity"]) == [1_000.0, 1_002.0, 1_004.0, 1_006.0, 1_008.0, 1_010.0]
