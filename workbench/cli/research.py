"""`backtest`: a strategy over recorded bars, from the command line."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.desk import SIZING, pairs
from workbench.cli.output import AsJson, emit, table

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def backtest(
        strategy: Annotated[str, typer.Argument(help="a class in strategies/, or FILE.py:CLASS")],
        data: Annotated[
            str, typer.Option("--data", "-d", help="a name from `workbench data list`, or a file")
        ] = "SPY",
        quantity: Annotated[
            float, typer.Option("--quantity", "-q", help="full size, in what --sizing says")
        ] = 10.0,
        settings: Annotated[list[str], typer.Option("--set", help="parameter, NAME=VALUE; repeat")] = [],  # noqa: B006
        sizing: Annotated[str, typer.Option(help=SIZING)] = "quantity",
        sizing_set: Annotated[
            list[str], typer.Option(help="parameter of the sizing, NAME=VALUE; repeat")
        ] = [],  # noqa: B006
        start: Annotated[str, typer.Option(help="first day or time (the exchange's, without a zone)")] = "",
        end: Annotated[str, typer.Option(help="last day or time (the exchange's, without a zone)")] = "",
        cash: Annotated[float, typer.Option(help="starting cash")] = 1_000_000.0,
        plot: Annotated[Path | None, typer.Option(help="write the picture to this HTML file")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Decisions on each bar's close, fills at the next open, with the live engine's own rules."""
        from rich.console import Console
        from rich.progress import Progress

        from workbench.engine.sizing import Sizing
        from workbench.feeds import open_data
        from workbench.research import backtest as run
        from workbench.strategy import find_strategy

        chosen = find_strategy(strategy)(**pairs(settings))
        recording = open_data(data, None, start or None, end or None)  # refuses before anything is drawn
        hidden = as_json or not sys.stderr.isatty()
        with Progress(console=Console(stderr=True), transient=True, disable=hidden) as bar:
            task = bar.add_task(strategy)
            result = run(
                chosen,
                recording,
                quantity=quantity,
                sizing=Sizing(sizing, **pairs(sizing_set)),
                cash=cash,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        if plot is not None:
            from bokeh.embed import file_html
            from bokeh.resources import INLINE

            plot.write_text(file_html(result.plot(), INLINE, title=repr(result)), "utf-8")
        if as_json:
            emit({"name": result.name, "parameters": result.parameters, **result.stats}, True)
            return
        table(repr(result), ["figure", "value"], list(result.stats.items()))
        if plot is not None:
            print(f"picture: {plot}")
