"""The dashboard's page, built anew for each visitor: the live view, and one tab for each native table or chart."""

# panel marks itself as typed but its constructors are not
# mypy: disable-error-code="no-untyped-call"

import asyncio
from html import escape
from typing import Any

import panel as pn

from workbench.errors import WorkbenchError
from workbench.model.snapshot import Snapshot
from workbench.ui.dashboard import frames
from workbench.ui.dashboard.charts import Colours, EquityChart, StageChart
from workbench.ui.dashboard.live_pane import LivePane
from workbench.ui.dashboard.style import style_sheet
from workbench.ui.dashboard.tables import SnapshotTable
from workbench.ui.dashboard.venues import VenuesTab
from workbench.ui.dashboard.watch import Watch

__all__ = ["Page"]

REFRESH_MS = 1000


class Page:
    """One visitor's page. Holds no state of the desk; closing it changes nothing."""

    def __init__(self, watch: Watch, first: Snapshot, address: str, dark: bool) -> None:
        self._watch = watch
        self._dark = dark
        theme = "midnight" if dark else "simple"
        self._look = [style_sheet(dark)]
        look: dict[str, Any] = {"style": style_sheet(dark), "theme": theme}
        self.live = LivePane(watch.calls, address, sizing_mode="stretch_width")
        self.equity = EquityChart(Colours(dark))
        self.stages = StageChart(Colours(dark))
        self.tables = {
            "positions": SnapshotTable(
                frames.positions, "Positions", ("Held by", "Symbol"), even=True, **look
            ),
            "orders": SnapshotTable(
                frames.orders,
                "Orders",
                ("Order", "Strategy", "Symbol", "Side", "Type", "State", "Why"),
                **look,
            ),
            "fills": SnapshotTable(
                frames.fills, "Fills", ("Order", "Strategy", "Symbol", "Side"), even=True, **look
            ),
            "latency": SnapshotTable(frames.latency, "Latency", (), page_size=None, even=True, **look),
            "strategies": SnapshotTable(
                frames.strategies, "Strategies", ("Strategy", "Symbols", "State"), selectable=True, **look
            ),
            "engine": SnapshotTable(frames.engine, "Engine", (), page_size=None, even=True, **look),
            "alerts": SnapshotTable(
                frames.alerts, "Alerts", ("Severity", "Code"), page_size=10, folds=True, **look
            ),
            "refusals": SnapshotTable(
                frames.refusals, "Refusals", ("Symbol", "Code"), page_size=10, folds=True, **look
            ),
        }
        for table in self.tables.values():
            table.update(first)
        self.trouble = pn.pane.Alert("", alert_type="danger", visible=False, sizing_mode="stretch_width")
        self.told = pn.pane.HTML("", stylesheets=self._look, css_classes=["wb-words"])
        view = {key: table.view for key, table in self.tables.items()}
        card = self._card
        curve = pn.pane.Bokeh(self.equity.view, sizing_mode="stretch_width")
        pages: list[tuple[str, tuple[str, ...], Any]] = [
            ("Live", (), self.live),
            ("Equity", ("equity",), card("Equity and drawdown", curve)),
            ("Positions", ("positions",), card("Positions, of the account and by strategy", view["positions"])),
            ("Orders", ("orders",), card("Orders: the working ones and the last 200 others", view["orders"])),
            ("Fills", ("fills",), card("The last 200 fills", view["fills"])),
            ("Strategies", ("strategies",), card("Strategies", self._actions(), view["strategies"])),
            (
                "Latency",
                ("stages", "latency"),
                pn.Column(
                    card(
                        "Latency by stage: p50 (tick), p90, p99 (end of the bar), and the budget (notch)",
                        pn.pane.Bokeh(self.stages.view, sizing_mode="stretch_width"),
                    ),
                    card("Figures", view["latency"]),
                    sizing_mode="stretch_width",
                ),
            ),
            (
                "Engine",
                ("engine", "alerts", "refusals"),
                pn.Row(
                    card("Health", view["engine"]),
                    pn.Column(
                        card("Alerts", view["alerts"]), card("Refusals", view["refusals"]),
                        sizing_mode="stretch_width",
                    ),
                    sizing_mode="stretch_width", css_classes=["wb-wrap"], stylesheets=self._look,
                ),
            ),
        ]  # fmt: skip
        self.venues = VenuesTab(watch.calls, first, dark, card, look) if first.accounts else None
        if self.venues is not None:
            pages.insert(1, ("Venues", ("venues",), self.venues.view))
        self._parts = [parts for _, parts, _ in pages]
        self.tabs = pn.Tabs(
            *[(title, content) for title, _, content in pages], dynamic=False, sizing_mode="stretch_width",
            stylesheets=self._look, css_classes=["wb-tabs"],
        )  # fmt: skip
        self.tabs.param.watch(self._shown, "active")
        self._update(first, range(len(self._parts)))
        pn.state.add_periodic_callback(self.refresh, REFRESH_MS)  # type: ignore[arg-type]  # async is fine

    def view(self) -> Any:
        """What Panel serves."""
        other = "light" if self._dark else "dark"
        top = pn.pane.HTML(
            f'<div class="top"><h1>Workbench<small>desk {escape(self._watch.calls.name)}</small></h1>'
            f'<a href="?theme={other}">{other} theme</a></div>',
            sizing_mode="stretch_width",
            stylesheets=self._look,
            css_classes=["wb-words"],
        )
        return pn.Column(
            top,
            self.trouble,
            self.tabs,
            sizing_mode="stretch_width",
            css_classes=["wb-page"],
            stylesheets=self._look,
        )

    async def refresh(self) -> None:
        """Once a second: the tab in view gets the newest snapshot. What is out of view costs nothing."""
        try:
            now = await self._watch.latest()
        except WorkbenchError as error:
            self.trouble.object = f"**No connection to the engine; the tables below are old.** {error}"
            self.trouble.visible = True
            return
        if self.trouble.visible:
            self.trouble.visible = False
        self._update(now, [self.tabs.active])
        if self.venues is not None and "venues" in self._parts[self.tabs.active]:
            await self.venues.refresh()

    def _shown(self, _: object) -> None:
        # not async: Panel runs async watchers without the document's lock, and the charts need it
        if self._watch.newest is not None:
            self._update(self._watch.newest, [self.tabs.active])

    def _update(self, now: Snapshot, tabs: Any) -> None:
        charts: dict[str, Any] = {"equity": self.equity, "stages": self.stages, "venues": self.venues}
        for tab in tabs:
            for part in self._parts[tab]:
                (charts.get(part) or self.tables[part]).update(now)

    def _actions(self) -> Any:
        pause = pn.widgets.Button(name="Pause the ticked", stylesheets=self._look)
        resume = pn.widgets.Button(name="Resume the ticked", stylesheets=self._look)

        # Panel awaits async functions, not a lambda's coroutine
        async def pause_ticked(_: object) -> None:
            await self._act("pause")

        async def resume_ticked(_: object) -> None:
            await self._act("resume")

        pause.on_click(pause_ticked)
        resume.on_click(resume_ticked)
        return pn.Row(pause, resume, self.told)

    async def _act(self, op: str) -> None:
        calls = self._watch.calls
        numbers = [int(number) for number in self.tables["strategies"].chosen("#")]
        if not numbers:
            self._tell("tick strategies first")
            return
        done = 0
        try:
            for number in numbers:
                if op == "pause":
                    await asyncio.to_thread(calls.pause_strategy, number, "paused in the dashboard")
                else:
                    await asyncio.to_thread(calls.resume_strategy, number)
                done += 1
        except WorkbenchError as error:
            self._tell(f"{op} #{numbers[done]}: {error}")
            return
        self._tell(
            f"{op}d {done} of {len(numbers)}" if op == "resume" else f"paused {done} of {len(numbers)}"
        )
        await self.refresh()

    def _tell(self, text: str) -> None:
        self.told.object = f'<span class="note">{escape(text)}</span>'

    def _card(self, title: str, *content: Any) -> Any:
        head = pn.pane.HTML(f"<h2>{escape(title)}</h2>", stylesheets=self._look, css_classes=["wb-words"])
        return pn.Column(
            head, *content, stylesheets=self._look, css_classes=["wb-card"], sizing_mode="stretch_width"
        )
