"""`workbench demo`: the whole house on a recorded market, in the browser or headless with a verdict."""

import asyncio
import sys
import webbrowser
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.completion import data_names, trading_venues
from workbench.cli.output import AsJson, emit, say
from workbench.cli.processes import (
    desk_children,
    existing_folder,
    lab_child,
    only_engine,
    print_state,
    read_address,
    supervise,
)
from workbench.cli.venue_demo import VenueDemo, chosen_venues
from workbench.config import home_folder

__all__ = ["register"]

DEMO = "demo"

_VENUE_SPEED = 600.0  # ten candles a second
_WAITS = "The market waits: the quickstart's first cells let it play."
_LIVE = "It trades live at the emulated venues: desk = wb.attach('demo')."


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def demo(
        headless: Annotated[
            bool, typer.Option(help="no browser: run the quickstart with papermill, judge, exit")
        ] = False,
        data: Annotated[
            str, typer.Option("--data", "-d", autocompletion=data_names, help="recorded market")
        ] = "SPY",
        speed: Annotated[
            float, typer.Option(min=0, help="replayed seconds per second; 0 takes 60, headless 3,600")
        ] = 0.0,
        strategies: Annotated[int, typer.Option(min=1, help="instances a headless run places")] = 100,
        broker: Annotated[
            list[str] | None,
            typer.Option(
                "--broker",
                "-b",
                autocompletion=trading_venues,
                help="trade live at this emulated venue; repeat, or all",
            ),
        ] = None,
        seconds: Annotated[
            float, typer.Option(min=1, help="how long a headless run at venues trades")
        ] = 20.0,
        notebooks: Annotated[
            Path | None, typer.Option(help="folder JupyterLab shows; default: the project's")
        ] = None,
        browser: Annotated[bool, typer.Option(help="open a browser when there is one")] = True,
        as_json: AsJson = False,
    ) -> None:
        """Engine, warehouse, dashboard and JupyterLab on real bars, with the quickstart open."""
        from workbench.feeds import open_data
        from workbench.orchestrator.session_file import archive_journal

        root = Path(__file__).resolve().parents[2]
        shown = existing_folder("--notebooks", notebooks or root / "notebooks")
        venues = chosen_venues(broker or ())
        if not venues:
            open_data(data)  # what cannot be played is said before anything is started
        only_engine(DEMO)
        archived = archive_journal(home_folder() / DEMO)
        if archived is not None:
            say(f"the last demo's journal is kept in {archived}")
        chosen = speed or ((_VENUE_SPEED if venues else 3_600.0) if headless else 60.0)
        children = desk_children(DEMO, data, chosen, 1_000_000.0, False, None)
        changed = print_state
        emulated = VenueDemo(DEMO, venues, chosen) if venues else None
        if emulated is not None:
            children = [*emulated.children, *children]
            changed = partial(emulated.on_change, children)
        if headless:
            from workbench.cli.headless import Headless
            from workbench.cli.venue_headless import VenueHeadless

            run = (
                Headless(DEMO, root, chosen, strategies)
                if emulated is None
                else VenueHeadless(DEMO, root, chosen, strategies, emulated, seconds)
            )
            if not asyncio.run(supervise(children, DEMO, run, changed, stay=False)):
                raise KeyboardInterrupt  # there is nothing to judge
            verdict = run.verdict()
            for line in run.summary():
                say(line)
            emit(verdict, True)
            raise typer.Exit(0 if run.holds() else 1)
        lab, url = lab_child(DEMO, shown, notebook="quickstart.ipynb")

        def ready(_: object) -> None:
            link = read_address(DEMO, "dashboard").get("link", "")
            engine = read_address(DEMO, "engine").get("url", "")
            emit(
                {"lab": url, "dashboard": link, "engine": engine},
                as_json,
                [
                    "",
                    "The desk is up. " + (_LIVE if venues else _WAITS),
                    f"  JupyterLab  {url}",
                    f"  dashboard   {link}",
                    f"  engine      {engine} (token in {home_folder() / DEMO / 'engine.json'})",
                    "Ctrl-C stops everything.",
                ],
            )
            if browser and sys.stdout.isatty():
                webbrowser.open(url)

        asyncio.run(supervise([*children, lab], DEMO, ready, changed))
        say("all stopped")
