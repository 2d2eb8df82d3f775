"""Frames that hold several symbols side by side, as downloads often do: columns of two levels, fields and symbols.

Lives here: turning such a frame into one row a symbol and time. Not here: which column is what (frames.py).
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["one_row_a_symbol"]


def one_row_a_symbol(frame: "pd.DataFrame", source: str, fields: Collection[str]) -> "pd.DataFrame":
    """The rows of each symbol below one another, with the columns `ts` and `symbol`; rows that a symbol has nothing in
    are left out, and so are columns that are none of `fields`.

    Raises:
        BadInput: the columns are not two levels with the fields on one of them, or the index holds no times.

    >>> import pandas as pd
    >>> wide = pd.DataFrame(
    ...     [[1.0, 2.0], [1.5, None]],
    ...     index=pd.to_datetime(["2021-03-01", "2021-03-02"]),
    ...     columns=pd.MultiIndex.from_tuples([("Close", "ABC"), ("Close", "XYZ")]),
    ... )
    >>> one_row_a_symbol(wide, "frame", {"close"})["symbol"].tolist()
    ['ABC', 'ABC', 'XYZ']
    """
    import pandas as pd

    levels = [
        [_word(name) for name in frame.columns.get_level_values(at)] for at in range(frame.columns.nlevels)
    ]
    of_fields = [at for at, words in enumerate(levels) if "close" in words]
    if len(levels) != 2 or len(of_fields) != 1 or not isinstance(frame.index, pd.DatetimeIndex):
        raise BadInput(
            f"{source} has columns of {len(levels)} levels that are not understood: give one level, or fields (open, "
            "high, low, close) and symbols over an index of times"
        )
    of_symbols = 1 - of_fields[0]
    frame = frame.loc[:, [word in fields for word in levels[of_fields[0]]]]
    parts = []
    for symbol in dict.fromkeys(frame.columns.get_level_values(of_symbols)):
        part = frame.xs(symbol, axis=1, level=of_symbols).dropna(how="all")
        parts.append(part.rename_axis("ts").reset_index().assign(symbol=str(symbol)))
    return pd.concat(parts, ignore_index=True)


def _word(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_")
