"""The dashboard's tables: Tabulator with filters, refilled only when something changed."""

# panel marks itself as typed but its constructors are not
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable
from typing import Any

import pandas as pd
import panel as pn
from bokeh.models.widgets.tables import HTMLTemplateFormatter, NumberFormatter

from workbench.model.snapshot import Snapshot

__all__ = ["SnapshotTable"]

_MONEY = {
    "Cash",
    "Equity",
    "Average",
    "Last",
    "Value",
    "Unrealized",
    "Realized",
    "Fees",
    "P&L",
    "Price",
    "Fee",
    "Limit",
}
_COUNT = {
    "Positions",
    "Open",
    "Waiting",
    "Requests",
    "Errors",
    "429",
    "Moved",
    "Reconnects",
    "Gaps",
    "#",
    "Order",
    "Orders",
    "Fills",
    "Refused",
    "Decisions",
    "Measured",
    "Budget µs",
}
_WIDTHS = {"State": 108}  # its words change, and the width is found once
# columns of an even table share its width; these hold more than a share
_LONG = {"Time (UTC)": 150, "Held by": 180, "Strategy": 160, "Execution": 250}
_SIGNED = {"Unrealized", "Realized", "P&L"}
# underscore templates; <%- %> escapes, so a hostile symbol or reason stays text
_TONE = (
    '<span style="color: <%= value > 0.004999 ? "var(--wb-up)" : value < -0.004999 ? "var(--wb-down)" : "inherit" %>">'
    '<%= value === null ? "" : (value > 0.004999 ? "+" : "") + (Math.abs(value) < 0.005 ? 0 : value)'
    '.toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 2}).replace("-", "\u2212") %></span>'
)
_PRICE = '<%= value ? value.toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 4}) : "\u2013" %>'
_LEFT = (
    '<span class="wb-left"><i data-level="<%= value > 40 ? "good" : value > 15 ? "warn" : "bad" %>" '
    'style="width: <%= Math.max(0, Math.min(100, value)) %>%"></i></span>'
    '<span class="wb-share"><%= value.toFixed(0) %> %</span>'
)
_STATE = '<span class="wb-chip" data-state="<%- value %>"><%- value %></span>'


class SnapshotTable:
    """A table of `frame(snapshot)`; its header holds a filter for each of `filtered`. A `small` one is read whole: it
    is not sorted, and long words take several lines, as they do in one that `folds`."""

    def __init__(
        self,
        frame: Callable[[Snapshot], pd.DataFrame],
        label: str,
        filtered: tuple[str, ...] = (),
        *,
        style: str,
        theme: str,
        page_size: int | None = 20,
        selectable: bool = False,
        even: bool = False,
        small: bool = False,
        folds: bool = False,
    ) -> None:
        self._frame = frame
        self._filled: pd.DataFrame | None = None
        self._selectable = selectable
        self._options: dict[str, Any] = {
            "show_index": False,
            "disabled": True,
            "selectable": "checkbox" if selectable else False,
            "pagination": "local" if page_size else None,
            "page_size": page_size,
            "layout": "fit_columns" if even else "fit_data_stretch",
            "sizing_mode": "stretch_width",
            "theme": theme,
            "header_filters": {
                name: {"type": "list", "valuesLookup": True, "clearable": True, "placeholder": "all"}
                if name in ("State", "Side", "Type", "Form", "Verdict", "Severity", "Code")
                else {"type": "input", "func": "like", "placeholder": "filter"}
                for name in filtered
            },
            "stylesheets": [style],
            "configuration": {
                "placeholder": "Nothing here yet.",
                "columnDefaults": ({"headerSort": False} if small else {})
                | ({"maxInitialWidth": 340} if small or folds else {})
                | ({"minWidth": 90} if even else {}),
            },
            "widths": _WIDTHS | (_LONG if even else {}),
        }
        self._wrapped = {"Why", "What"} if small or folds else set[str]()
        self.label = label
        self.view: Any = None

    def update(self, now: Snapshot) -> None:
        """Refill when something changed; filters, sorting and selection stay."""
        fresh = self._frame(now)
        if self.view is None:
            numbers = [name for name in fresh.columns if pd.api.types.is_numeric_dtype(fresh[name])]
            self.view = pn.widgets.Tabulator(
                fresh,
                formatters={
                    name: {"type": "textarea"} if name in self._wrapped else _formatter(name)
                    for name in fresh.columns
                    if name in self._wrapped or _formatter(name) is not None
                },
                text_align=dict.fromkeys(numbers, "right"),
                header_align=dict.fromkeys(numbers, "right"),
                **self._options,
            )
        elif self._filled is None or not fresh.equals(self._filled):
            if self._selectable and self._filled is not None and _same_rows(self._filled, fresh):
                # cell by cell: a tick that is on its way from the browser would be lost in a refill
                self.view.patch(_changed(self._filled, fresh), as_index=False)
            else:
                chosen = self.chosen_rows()
                self.view.value = fresh
                if chosen:
                    self.view.selection = [i for i in chosen if i < len(fresh)]
        self._filled = fresh

    def chosen_rows(self) -> list[int]:
        """The places of the ticked rows."""
        return [] if self.view is None else [int(place) for place in self.view.selection]

    def chosen(self, column: str) -> list[Any]:
        """The values of `column` in the ticked rows."""
        if self._filled is None:
            return []
        return [self._filled[column].iloc[i] for i in self.chosen_rows() if i < len(self._filled)]


def _same_rows(old: pd.DataFrame, new: pd.DataFrame) -> bool:
    return (
        len(old) == len(new)
        and bool((old.columns == new.columns).all())
        and bool((old.dtypes == new.dtypes).all())
    )


def _changed(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, list[tuple[int, Any]]]:
    """By column, the places and new values of the cells that differ."""
    changed = {}
    for name in new.columns:
        before, after = old[name].tolist(), new[name].tolist()
        cells = [(i, b) for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        if cells:
            changed[name] = cells
    return changed


def _formatter(name: str) -> Any:
    if name in _SIGNED:
        return HTMLTemplateFormatter(template=_TONE)
    if name == "Allowance left":
        return HTMLTemplateFormatter(template=_LEFT)
    if name in ("State", "Severity"):
        return HTMLTemplateFormatter(template=_STATE)
    if name in ("Average", "Last", "Price", "Limit"):
        return HTMLTemplateFormatter(template=_PRICE)
    if name in _MONEY:
        return NumberFormatter(format="0,0.00")
    if name in _COUNT:
        return NumberFormatter(format="0,0")
    if name in ("Quantity", "Filled", "Position"):
        return NumberFormatter(format="0,0.[00000000]")
    if name.endswith("µs"):
        return NumberFormatter(format="0,0.0")
    if name == "Over budget %":
        return NumberFormatter(format="0.00")
    return None
