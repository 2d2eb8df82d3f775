"""`backtest` and `report`: a strategy over recorded bars, from the command line."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.completion import data_names, loops, strategy_names
from workbench.cli.desk import SIZING, pairs
from workbench.cli.output import AsJson, emit, table, writable
from workbench.errors import BadValue

if TYPE_CHECKING:
    from workbench.research import Result

__all__ = [
    "Adjusted", "Calendar", "FeePerOrder", "FeePerUnit", "Fees", "Flat", "Limit", "Lot", "NoLimits", "Slippage",
    "Stamp", "Tick", "Zone", "costs_and_data", "register",
]  # fmt: skip

Chosen = Annotated[
    str,
    typer.Argument(
        metavar="STRATEGY", autocompletion=strategy_names, help="a class in strategies/, or FILE.py:CLASS"
    ),
]
Data = Annotated[
    str,
    typer.Option(
        "--data", "-d", autocompletion=data_names, help="a name from `workbench data list`, or a file"
    ),
]
Quantity = Annotated[float, typer.Option("--quantity", "-q", help="full size, in what --sizing says")]
Set = Annotated[list[str], typer.Option("--set", help="parameter, NAME=VALUE; repeat")]
SizingName = Annotated[str, typer.Option("--sizing", help=SIZING)]
SizingSet = Annotated[list[str], typer.Option(help="parameter of the sizing, NAME=VALUE; repeat")]
Symbol = Annotated[
    list[str], typer.Option("--symbol", help="trade this one; repeat (default: all of the data)")
]
Start = Annotated[str, typer.Option(help="first day or time (the exchange's, without a zone)")]
End = Annotated[str, typer.Option(help="last day or time (the exchange's, without a zone)")]
Cash = Annotated[float, typer.Option(help="starting cash")]
Fill = Annotated[str, typer.Option(help="next_open, or close: fill at the very close decided on")]
Fees = Annotated[str, typer.Option(help="fraction of the value, or a venue's schedule by name")]
FeePerUnit = Annotated[float, typer.Option(help="fee for every unit")]
FeePerOrder = Annotated[float, typer.Option(help="fee for every order")]
Slippage = Annotated[str, typer.Option(help="fraction of the price, or MODEL=AMOUNT (ticks=2)")]
Limit = Annotated[list[str], typer.Option("--limit", help="risk limit, NAME=VALUE; repeat")]
NoLimits = Annotated[bool, typer.Option("--no-limits", help="put every risk limit out of reach")]
Flat = Annotated[bool, typer.Option("--flat-at-end", help="close what is held at the last close")]
Adjusted = Annotated[bool, typer.Option("--adjusted", help="scale prices by the file's column adj_close")]
Zone = Annotated[str, typer.Option(help="zone of a file's times, when they name none")]
Stamp = Annotated[
    str, typer.Option(help="a file's times are the end or start of a bar, or the date of a session")
]
Calendar = Annotated[str, typer.Option(help="a file's exchange, like XNYS; 24/7 never closes")]
Tick = Annotated[float, typer.Option(help="step of prices; 0 takes the data's own")]
Lot = Annotated[float, typer.Option(help="step of quantities; 0 takes the data's own")]
Loop = Annotated[
    str, typer.Option(autocompletion=loops, help="auto, compiled, events or engine: which loop runs it")
]

_NONE: list[str] = []


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""

    @app.command()
    def backtest(
        strategy: Chosen,
        data: Data = "SPY",
        quantity: Quantity = 10.0,
        settings: Set = _NONE,
        sizing: SizingName = "quantity",
        sizing_set: SizingSet = _NONE,
        symbol: Symbol = _NONE,
        start: Start = "",
        end: End = "",
        cash: Cash = 1_000_000.0,
        fill: Fill = "next_open",
        fees: Fees = "0",
        fee_per_unit: FeePerUnit = 0.0,
        fee_per_order: FeePerOrder = 0.0,
        slippage: Slippage = "0",
        limit: Limit = _NONE,
        no_limits: NoLimits = False,
        flat_at_end: Flat = False,
        adjusted: Adjusted = False,
        tz: Zone = "",
        stamp: Stamp = "end",
        calendar: Calendar = "",
        tick: Tick = 0.0,
        lot: Lot = 0.0,
        loop: Loop = "auto",
        plot: Annotated[Path | None, typer.Option(help="write the picture to this HTML file")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Decisions on each bar's close, fills at the next open, with the live engine's own rules."""
        asked = dict(locals())
        writable("--plot", plot)
        result = _run(asked, hidden=as_json)
        if plot is not None:
            from bokeh.embed import file_html
            from bokeh.resources import INLINE

            plot.write_text(file_html(result.plot(), INLINE, title=repr(result)), "utf-8")
        if as_json:
            emit({"name": result.name, "parameters": result.parameters, **result.stats}, True)
            return
        from workbench.research.report.parts import shown

        rows = [(name, shown(name, value)) for name, value in result.stats.items()]
        table(repr(result), ["figure", "value"], rows)
        if plot is not None:
            print(f"picture: {plot}")

    @app.command()
    def report(
        strategy: Chosen,
        output: Annotated[
            Path | None, typer.Option("--output", "--out", "-o", help="default: STRATEGY.html here")
        ] = None,
        data: Data = "SPY",
        quantity: Quantity = 10.0,
        settings: Set = _NONE,
        sizing: SizingName = "quantity",
        sizing_set: SizingSet = _NONE,
        symbol: Symbol = _NONE,
        start: Start = "",
        end: End = "",
        cash: Cash = 1_000_000.0,
        fill: Fill = "next_open",
        fees: Fees = "0",
        fee_per_unit: FeePerUnit = 0.0,
        fee_per_order: FeePerOrder = 0.0,
        slippage: Slippage = "0",
        limit: Limit = _NONE,
        no_limits: NoLimits = False,
        flat_at_end: Flat = False,
        adjusted: Adjusted = False,
        tz: Zone = "",
        stamp: Stamp = "end",
        calendar: Calendar = "",
        tick: Tick = 0.0,
        lot: Lot = 0.0,
        loop: Loop = "auto",
        as_json: AsJson = False,
    ) -> None:
        """A backtest as one HTML page: figures, pictures, round trips. It needs no network."""
        asked = dict(locals())
        writable("--output", output)
        result = _run(asked, hidden=as_json)
        page = result.report(output or Path(f"{result.name}.html"), progress=not as_json)
        if as_json:
            emit(
                {"report": str(page), "name": result.name, "parameters": result.parameters, **result.stats},
                True,
            )
            return
        print(repr(result))
        print(f"report: {page}")


def _run(asked: dict[str, Any], *, hidden: bool) -> "Result":
    """The backtest that the options ask for, with a bar where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress

    from workbench.engine.sizing import Sizing
    from workbench.research import backtest as run
    from workbench.strategy import find_strategy

    chosen = find_strategy(asked["strategy"])(**pairs(asked["settings"]))
    same: dict[str, Any] = {name: asked[name] for name in ("quantity", "cash", "fill", "loop")}
    same |= {name: asked[name] or None for name in ("start", "end")}
    with Progress(
        console=Console(stderr=True), transient=True, disable=hidden or not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(asked["strategy"])
        return run(
            chosen,
            asked["data"],
            symbols=asked["symbol"] or None,
            sizing=Sizing(asked["sizing"], **pairs(asked["sizing_set"], "--sizing-set")),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            **costs_and_data(asked),
            **same,
        )


def costs_and_data(asked: dict[str, Any]) -> dict[str, Any]:
    """What is typed of costs, limits and of how data is to be understood, as `backtest` and `sweep` take it."""
    names = (
        *("fee_per_unit", "fee_per_order", "flat_at_end"),
        *("adjusted", "tz", "stamp", "calendar", "tick", "lot"),
    )
    return {
        "fees": _number_or_name(asked["fees"]),
        "slippage": _slippage(asked["slippage"]),
        "limits": "off" if asked["no_limits"] else pairs(asked["limit"], "--limit"),
        **{name: asked[name] for name in names},
    }


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _slippage(text: str) -> float | tuple[str, float]:
    model, sign, amount = text.partition("=")
    try:
        return (model, float(amount)) if sign else float(text)
    except ValueError as error:
        advice = "give a fraction of the price, or MODEL=AMOUNT, for instance ticks=2"
        raise BadValue("--slippage", text, advice) from error
