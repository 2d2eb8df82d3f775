"""The dashboard's tab of accounts at venues: what is frozen, a table, small charts, streams, and the alerts about them.

It is there only for a desk that has accounts. Lives here: the tab. Not here: the charts (venue_charts.py), the frames.
"""

# panel marks itself as typed but its constructors are not
# mypy: disable-error-code="no-untyped-call"

import asyncio
from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn

from workbench.model.snapshot import Snapshot
from workbench.ui.dashboard import frames
from workbench.ui.dashboard.charts import Colours
from workbench.ui.dashboard.tables import SnapshotTable
from workbench.ui.dashboard.venue_charts import VenueCharts
from workbench.ui.desk_calls import DeskCalls

__all__ = ["VenuesTab"]


class VenuesTab:
    """`card(title, *content)` is the page's frame around things; `look` what every table of it gets."""

    def __init__(
        self, calls: DeskCalls, first: Snapshot, dark: bool, card: Callable[..., Any], look: dict[str, Any]
    ) -> None:
        self._calls = calls
        self._since_ns = 0
        self.charts = VenueCharts([row.account for row in first.accounts], Colours(dark))
        self.bands = pn.pane.HTML(
            "", stylesheets=[look["style"]], css_classes=["wb-bands"], sizing_mode="stretch_width"
        )
        self.tables = {
            "accounts": SnapshotTable(frames.accounts, "Accounts", (), page_size=None, small=True, **look),
            "streams": SnapshotTable(frames.streams, "Streams", (), page_size=None, small=True, **look),
            "alerts": SnapshotTable(frames.venue_alerts, "Alerts", (), page_size=8, small=True, **look),
        }
        for table in self.tables.values():
            table.update(first)
        wrapped: dict[str, Any] = {"sizing_mode": "stretch_width", "stylesheets": [look["style"]]}
        charts = pn.Row(*[pn.pane.Bokeh(chart, sizing_mode="stretch_width") for chart in self.charts.views],
                        css_classes=["wb-wrap", "wb-charts"], **wrapped)  # fmt: skip
        below = pn.Row(
            card("Streams", self.tables["streams"].view),
            card("Alerts about accounts and books", self.tables["alerts"].view),
            css_classes=["wb-wrap", "wb-tables"], **wrapped,
        )  # fmt: skip
        self.view = pn.Column(
            self.bands,
            card("Accounts at venues", self.tables["accounts"].view),
            card("The last quarter of an hour, second by second", charts),
            below,
            sizing_mode="stretch_width",
        )

    def update(self, now: Snapshot) -> None:
        """The newest rows."""
        bands = bands_html(now)
        if self.bands.object != bands:
            self.bands.object = bands
        self.bands.visible = bool(bands)
        for table in self.tables.values():
            table.update(now)

    async def refresh(self) -> None:
        """Ask for the seconds that came since the last time.

        Raises:
            WorkbenchError: the engine cannot be asked.
        """
        histories = await asyncio.to_thread(self._calls.account_history, self._since_ns)
        self._since_ns = max([self._since_ns, *(past.ts_ns[-1] for past in histories if past.ts_ns)])
        self.charts.update(histories)


def bands_html(now: Snapshot) -> str:
    """A band for every frozen symbol and for what differs otherwise; empty when all is well."""
    bands = [
        ("bad", f"{symbol} is frozen", f"Only orders that reduce the position pass. {why}")
        for symbol, why in sorted(now.session.frozen.items())
    ]
    for one in now.differences:
        sides = f"The desk says {one.ours:,.10g}, the broker {one.theirs:,.10g}."
        if not one.symbol:
            bands.append(
                ("warn", "Cash differs", f"{sides} Compare fees and transfers; nothing is mended by itself.")
            )
        elif one.symbol not in now.session.frozen:
            bands.append(("bad", f"{one.symbol} differs", f"{sides} Somebody thawed it."))
    return "".join(
        f'<div class="wb-band" data-tone="{tone}"><b>{escape(head)}</b> {escape(text)}</div>'
        for tone, head, text in bands
    )
