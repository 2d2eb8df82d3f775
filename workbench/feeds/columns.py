"""One kind of market data as plain columns, in the order the source gave them: what is checked, then recorded.

Lives here: the table every reader fills, and the grids (tick, lot) its figures lie on. Not here: reading files
(sources.py), judging rows (checks.py), the merged stream (recording.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from workbench.model.instrument import Instrument
from workbench.model.scale import SCALE

__all__ = [
    "FIELDS",
    "Columns",
    "Kind",
    "bar_length_ns",
    "guess_calendar",
    "guess_instrument",
    "guess_lot_e8",
    "guess_tick_e8",
    "widened",
]

type Kind = Literal["bars", "quotes", "trades"]

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "bars": ("open", "high", "low", "close", "volume"),
    "quotes": ("bid", "bid_size", "ask", "ask_size"),
    "trades": ("price", "size", "side"),
}

MINUTE_NS: Final = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows of one kind for any number of symbols.

    `ts_ns` is int64[n] (UTC; the CLOSE of a bar), `code` int32[n] an index into `symbols`, `values` float64[n, k]
    with the columns of `FIELDS[kind]`; unknown sizes and volumes are NaN. `first_line` is what people call the
    first row (2 in a CSV file with a header, else 1). `actions` float64[n, 2] holds dividend and split of bars, None
    when there are none (actions.py).
    """

    kind: Kind
    symbols: tuple[str, ...]
    ts_ns: npt.NDArray[np.int64]
    code: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    first_line: int = 1
    actions: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.ts_ns)

    def take(self, rows: npt.NDArray[np.intp]) -> "Columns":
        """The given rows, in the given order."""
        actions = self.actions[rows] if self.actions is not None else None
        return replace(
            self, ts_ns=self.ts_ns[rows], code=self.code[rows], values=self.values[rows], actions=actions
        )


def bar_length_ns(ts_ns: npt.NDArray[np.int64], code: npt.NDArray[np.int32]) -> int:
    """The commonest step between bars of one symbol; a minute when no symbol has two bars.

    >>> bar_length_ns(np.array([0, 60, 120, 300]) * 10**9, np.zeros(4, np.int32)) // 10**9
    60
    """
    order = np.lexsort((ts_ns, code))
    steps = np.diff(ts_ns[order])[np.diff(code[order]) == 0]
    steps = steps[steps > 0]
    if not len(steps):
        return MINUTE_NS
    lengths, counts = np.unique(steps, return_counts=True)
    return int(lengths[counts.argmax()])


def widened(figures: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Single precision as the shortest decimals that mean it: 100.16, not 100.16000366, which lies on no grid.

    >>> widened(np.array([100.16, 0.1, 12345.678], np.float32)).tolist()
    [100.16, 0.1, 12345.678]
    """
    wide = figures.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(np.isfinite(wide) & (wide != 0), np.floor(np.log10(np.abs(wide))), 0.0)
        for digits in (9, 8, 7):  # nine tell every figure, seven most
            scale = 10.0 ** (digits - 1 - size)
            shorter = np.rint(figures.astype(np.float64) * scale) / scale
            wide = np.where(shorter.astype(np.float32) == figures, shorter, wide)
    return wide


def guess_tick_e8(prices: npt.NDArray[np.float64]) -> int:
    """The coarsest price step, 0.01 or a finer power of ten, on which nine in ten prices lie.

    >>> guess_tick_e8(np.array([367.40, 367.46, 367.345] + [367.5] * 20)), guess_tick_e8(np.array([1.38675, 1.38671]))
    (1000000, 1000)
    """
    known = prices[np.isfinite(prices)]
    for tick in (SCALE // 100, SCALE // 1_000, SCALE // 10_000, SCALE // 100_000, SCALE // 1_000_000):
        units = np.rint(known * SCALE)
        if not len(known) or np.mean(np.abs(units - np.rint(units / tick) * tick) < 2) >= 0.9:
            return tick
    return 1


def guess_lot_e8(sizes: npt.NDArray[np.float64]) -> int:
    """One unit when every known size is whole, else the finest step there is.

    >>> guess_lot_e8(np.array([100.0, np.nan])), guess_lot_e8(np.array([0.25]))
    (100000000, 1)
    """
    known = sizes[np.isfinite(sizes)]
    return SCALE if bool(np.all(known == np.floor(known))) else 1


def guess_calendar(ts_ns: npt.NDArray[np.int64]) -> str:
    """24/7 for times on Saturdays (after 06:00 UTC, when America's Friday has ended everywhere), else XNYS.

    >>> guess_calendar(np.array(["2021-03-06T12:00"], "datetime64[ns]").astype(np.int64))
    '24/7'
    """
    into_saturday = (ts_ns - _SATURDAY_NS) % _WEEK_NS  # 1970-01-03 was one
    return "24/7" if bool(np.any(into_saturday < 18 * 3_600_000_000_000)) else "XNYS"


_SATURDAY_NS: Final = (2 * 24 + 6) * 3_600_000_000_000
_WEEK_NS: Final = 7 * 24 * 3_600_000_000_000


def guess_instrument(iid: int, symbol: str, tables: Sequence[Columns], calendar: str) -> Instrument:
    """An instrument on the coarsest grids that its figures in all tables lie on."""
    prices, sizes = [np.empty(0)], [np.empty(0)]
    for table in tables:
        if symbol in table.symbols:
            mine = table.values[table.code == table.symbols.index(symbol)]
            names = FIELDS[table.kind]
            prices += [
                mine[:, names.index(n)] for n in names if n in ("open", "close", "bid", "ask", "price")
            ]
            sizes += [mine[:, names.index(n)] for n in names if n == "volume" or n.endswith("size")]
    tick, lot = guess_tick_e8(np.concatenate(prices)), guess_lot_e8(np.concatenate(sizes))
    return Instrument(iid, symbol, tick_e8=tick, lot_e8=lot, calendar=calendar)
