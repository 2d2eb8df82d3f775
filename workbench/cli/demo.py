"""`workbench demo`: the whole house on a recorded market, in the browser or headless with a verdict."""

import asyncio
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.output import AsJson, emit, say
from workbench.cli.processes import desk_children, lab_child, read_address, supervise
from workbench.config import home_folder

__all__ = ["register"]

DEMO = "demo"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def demo(
        headless: Annotated[
            bool, typer.Option(help="no browser: run the quickstart with papermill, judge, exit")
        ] = False,
        data: Annotated[str, typer.Option("--data", "-d", help="recorded market")] = "SPY",
        speed: Annotated[
            float, typer.Option(help="replayed seconds per second; 0 takes 60, headless 3,600")
        ] = 0.0,
        strategies: Annotated[int, typer.Option(min=1, help="instances a headless run places")] = 100,
        notebooks: Annotated[
            Path | None, typer.Option(help="folder JupyterLab shows; default: the project's")
        ] = None,
        browser: Annotated[bool, typer.Option(help="open a browser when there is one")] = True,
        as_json: AsJson = False,
    ) -> None:
        """Engine, warehouse, dashboard and JupyterLab on real bars, with the quickstart open."""
        from workbench.orchestrator.session_file import archive_journal

        root = Path(__file__).resolve().parents[2]
        archived = archive_journal(home_folder() / DEMO)
        if archived is not None:
            say(f"the last demo's journal is kept in {archived}")
        chosen = speed or (3_600.0 if headless else 60.0)
        children = desk_children(DEMO, data, chosen, 1_000_000.0, False, None)
        if headless:
            from workbench.cli.headless import Headless

            run = Headless(DEMO, root, chosen, strategies)
            asyncio.run(supervise(children, DEMO, run, stay=False))
            verdict = run.verdict()
            for line in run.summary():
                say(line)
            emit(verdict, True)
            raise typer.Exit(0 if run.holds() else 1)
        shown = (notebooks or root / "notebooks").resolve()
        lab, url = lab_child(DEMO, shown, notebook="quickstart.ipynb")

        def ready(_: object) -> None:
            link = read_address(DEMO, "dashboard").get("link", "")
            engine = read_address(DEMO, "engine").get("url", "")
            emit(
                {"lab": url, "dashboard": link, "engine": engine},
                as_json,
                [
                    "",
                    "The desk is up. The market waits: the quickstart's first cells let it play.",
                    f"  JupyterLab  {url}",
                    f"  dashboard   {link}",
                    f"  engine      {engine} (token in {home_folder() / DEMO / 'engine.json'})",
                    "Ctrl-C stops everything.",
                ],
            )
            if browser and sys.stdout.isatty():
                webbrowser.open(url)

        asyncio.run(supervise([*children, lab], DEMO, ready))
        say("all stopped")
