"""`sweep`: one strategy over many parameter sets, from the command line."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli import research
from workbench.cli.completion import axis_names, data_names, objectives, strategy_names
from workbench.cli.desk import SIZING, pairs
from workbench.cli.output import AsJson, emit, say, table, writable
from workbench.errors import BadValue

__all__ = ["axis_of", "register"]

AXIS = "NAME=START:STOP[:STEP] (STOP left out), NAME=A,B,C or NAME=VALUE; with --draws or --trials NAME=LOW:HIGH[:log]"


def axis_of(text: str, ranges: bool) -> tuple[str, Any]:
    """Name and values of an axis as it is typed.

    >>> axis_of("low=10:40:10", False), axis_of("low=1.5:9", True), axis_of("high=60,70", False)
    (('low', [10, 20, 30]), ('low', (1.5, 9)), ('high', [60, 70]))

    Raises:
        BadValue: it cannot be read.
    """
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier() or not value:
        raise BadValue("--axis", text, f"write {AXIS}")
    if ":" not in value:
        values = [_number(text, part) for part in value.split(",")]
        return name, values if len(values) > 1 else values[0]
    parts = value.split(":")
    if ranges:
        ends = tuple(_number(text, part) for part in parts[:2])
        return name, (*ends, *parts[2:])
    numbers = [_number(text, part) for part in parts]
    if len(numbers) > 3 or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
        raise BadValue("--axis", text, f"write {AXIS}")
    start, stop, step = numbers if len(numbers) == 3 else (*numbers, 1)
    if not step > 0:
        raise BadValue("--axis", text, "give a step above 0")
    count = max(0, -int(-(stop - start) // step))  # as many as fit before STOP
    return name, [
        round(start + k * step, 12) if isinstance(start + step, float) else start + k * step
        for k in range(count)
    ]


def _number(text: str, part: str) -> Any:
    [value] = pairs([f"value={part.strip()}"]).values()
    if value == "":
        raise BadValue("--axis", text, f"write {AXIS}")
    return value


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def sweep(
        strategy: Annotated[
            str,
            typer.Argument(autocompletion=strategy_names, help="a class in strategies/, or FILE.py:CLASS"),
        ],
        axis: Annotated[
            list[str], typer.Option("--axis", "-a", autocompletion=axis_names, help=f"{AXIS}; repeat")
        ] = [],  # noqa: B006
        data: Annotated[
            str,
            typer.Option(
                "--data", "-d", autocompletion=data_names, help="a name from `workbench data list`, or a file"
            ),
        ] = "SPY",
        symbol: Annotated[
            list[str], typer.Option(help="each by itself, as an axis; repeat, or 'each' for all of them")
        ] = [],  # noqa: B006
        start: Annotated[str, typer.Option(help="first day or time (the exchange's, without a zone)")] = "",
        end: Annotated[str, typer.Option(help="last day or time (the exchange's, without a zone)")] = "",
        draws: Annotated[int, typer.Option(help="so many random sets instead of all")] = 0,
        trials: Annotated[int, typer.Option(help="so many sets chosen by Optuna")] = 0,
        seed: Annotated[int, typer.Option(help="of --draws and --trials")] = 0,
        objective: Annotated[
            str, typer.Option(autocompletion=objectives, help="what the best set is best by")
        ] = "sharpe",
        quantity: Annotated[
            float, typer.Option("--quantity", "-q", help="full size, in what --sizing says")
        ] = 10.0,
        sizing: Annotated[str, typer.Option(help=SIZING)] = "quantity",
        sizing_set: Annotated[
            list[str], typer.Option(help="parameter of the sizing, NAME=VALUE; repeat")
        ] = [],  # noqa: B006
        cash: Annotated[float, typer.Option(help="starting cash")] = 1_000_000.0,
        fill: Annotated[str, typer.Option(help="next_open or close")] = "next_open",
        fees: research.Fees = "0",
        fee_per_unit: research.FeePerUnit = 0.0,
        fee_per_order: research.FeePerOrder = 0.0,
        slippage: research.Slippage = "0",
        limit: research.Limit = [],  # noqa: B006
        no_limits: research.NoLimits = False,
        flat_at_end: research.Flat = False,
        adjusted: research.Adjusted = False,
        tz: research.Zone = "",
        stamp: research.Stamp = "end",
        calendar: research.Calendar = "",
        tick: research.Tick = 0.0,
        lot: research.Lot = 0.0,
        workers: Annotated[int, typer.Option(help="threads or processes; 0 takes every core")] = 0,
        cluster: Annotated[str, typer.Option(help="address of a Dask scheduler, tcp://HOST:PORT")] = "",
        best: Annotated[int, typer.Option(help="how many rows to show")] = 10,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out",
                "--output",
                "-o",
                help="results file: goes on there, or (.parquet) gets all rows at the end",
            ),
        ] = None,
        anew: Annotated[bool, typer.Option("--anew", help="do not go on with an interrupted sweep")] = False,
        plot: Annotated[
            Path | None, typer.Option(help="write heat map and parallel coordinates to this HTML file")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Backtest a strategy with every parameter set, on all cores; Ctrl-C keeps what is done."""
        asked = dict(locals())
        writable("--out", out)
        writable("--plot", plot)
        from workbench.engine.sizing import Sizing
        from workbench.research import sweep as run
        from workbench.strategy import find_strategy

        axes = dict(axis_of(text, bool(draws or trials)) for text in axis)
        rows = out if out is not None and out.suffix == ".parquet" else None
        result = run(
            find_strategy(strategy),
            data,
            symbols=None if not symbol else "each" if symbol == ["each"] else symbol,
            start=start or None,
            end=end or None,
            n=draws or None,
            trials=trials or None,
            seed=seed,
            axes=axes,
            objective=objective,
            quantity=quantity,
            sizing=Sizing(sizing, **pairs(sizing_set, "--sizing-set")),
            cash=cash,
            fill=fill,
            workers=workers or None,
            cluster=cluster or None,
            out=None if rows else out,
            resume=not anew,
            progress=False if as_json else None,
            **research.costs_and_data(asked),
        )
        if rows is not None:
            result.to_parquet(rows)
        if plot is not None:
            _draw(result, plot)
        frame = result.best(best)
        if as_json:
            listed = [
                {"set": int(number), **row}
                for number, row in zip(frame.index, frame.to_dict("records"), strict=True)
            ]
            emit({**result.facts(), "best": listed, "guards": result.guards.facts()}, True)
            return
        table(
            f"{strategy}: best {len(frame):,} of {len(result):,} sets by {objective}",
            ["set", *result.axes, "return", "drawdown", "Sharpe", "orders", "limits"],
            [
                (
                    number,
                    *(row[name] for name in result.axes),
                    f"{row['total_return']:+.3%}",
                    f"{row['max_drawdown']:.3%}",
                    f"{row['sharpe']:.2f}",
                    int(row["orders"]),
                    " ".join(filter(None, (row["limits"], row["why"]))),
                )
                for number, row in zip(frame.index.tolist(), frame.to_dict("records"), strict=True)
            ],
        )
        table("how likely the best one is luck", ["guard", "", "what it says"], result.guards.lines())
        say(f"results: {rows or result.path}" + (f"; pictures: {plot}" if plot is not None else ""))


def _draw(result: Any, path: Path) -> None:
    from bokeh.embed import file_html
    from bokeh.layouts import column
    from bokeh.resources import INLINE

    pictures = [result.parallel()]
    if len(result.axes) > 1:
        pictures.insert(0, result.heatmap(*result.axes[:2]))
    path.write_text(file_html(column(*pictures), INLINE, title=f"Sweep of {result.strategy}"), "utf-8")
