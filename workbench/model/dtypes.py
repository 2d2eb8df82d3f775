"""Rows of arrays: what compiled loops write and research reads. Plain numpy dtypes, no behaviour.

Times are UTC nanoseconds; prices, quantities and fees are floats in the account's currency and in units; sides, kinds,
times in force and states are the integers of `model.orders`.
"""

from typing import Final

import numpy as np

__all__ = ["FILL", "ORDER"]

FILL: Final = np.dtype(
    [
        ("ts_ns", "i8"),
        ("order_id", "i8"),
        ("strategy_id", "i4"),
        ("iid", "i4"),
        ("side", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("fee", "f8"),
    ]
)
"""One execution, in the order they happened."""

ORDER: Final = np.dtype(
    [
        ("ts_ns", "i8"),
        ("order_id", "i8"),
        ("strategy_id", "i4"),
        ("iid", "i4"),
        ("side", "i4"),
        ("kind", "i4"),
        ("tif", "i4"),
        ("state", "i4"),
        ("qty", "f8"),
        ("limit_px", "f8"),
        ("stop_px", "f8"),
        ("filled", "f8"),
        ("average_px", "f8"),
        ("fee", "f8"),
        ("updated_ns", "i8"),
    ]
)
"""One order as it ended (or stands), in the order they were decided; `ts_ns` is the decision."""
