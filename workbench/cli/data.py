"""`workbench data list | check | import`: recorded markets."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.output import AsJson, emit, table

__all__ = ["register"]

Stamp = Annotated[str, typer.Option(help="what a row's time is: end, start (of the bar) or session (a date)")]
Zone = Annotated[str, typer.Option("--tz", help="zone of times that carry none, such as America/New_York")]
Symbol = Annotated[str, typer.Option("--symbol", "-s", help="symbol of a file without a symbol column")]


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    data = typer.Typer(help="Recorded markets: list, check, import.", no_args_is_help=True)
    app.add_typer(data, name="data")

    @data.command("list")
    def list_(as_json: AsJson = False) -> None:
        """What can be named with --data."""
        from workbench.feeds import list_data

        sets = list_data()
        if as_json:
            emit(
                [
                    {"name": d.name, "path": str(d.path), "kind": d.kind, "symbols": d.symbols, "rows": d.rows,
                     "start_ns": d.start_ns, "end_ns": d.end_ns, "licence": d.facts.get("licence", "")}
                    for d in sets
                ],
                True,
            )  # fmt: skip
            return
        table(
            "data sets",
            ["name", "symbols", "kind", "rows", "from", "to", "licence"],
            [
                (
                    d.name,
                    ", ".join(d.symbols),
                    d.kind,
                    d.rows,
                    _day(d.start_ns),
                    _day(d.end_ns),
                    d.facts.get("licence", ""),
                )
                for d in sets
            ],
        )

    @data.command()
    def check(
        source: Annotated[str, typer.Argument(help="a data set's name, or a .parquet or .csv file")],
        symbol: Symbol = "",
        tz: Zone = "",
        stamp: Stamp = "end",
        calendar: Annotated[
            str, typer.Option(help="judge gaps by this exchange's sessions, such as XNYS")
        ] = "",
        as_json: AsJson = False,
    ) -> None:
        """Everything that is wrong with, or worth knowing of, a data set or a file."""
        from workbench.feeds.importer import check_data

        report = check_data(source, symbol=symbol, tz=tz, stamp=stamp, calendar=calendar)
        lines = [
            f"{report.rows:,} rows, "
            + (", ".join(f"{n} {code}" for code, n in report.counts.items()) or "no findings")
        ]
        lines += [f"  row {f.row}: {f.text}" for f in report.findings[:20]]
        found = [{"code": f.code, "row": f.row, "text": f.text, "error": f.is_error} for f in report.findings]
        emit({"rows": report.rows, "counts": report.counts, "findings": found}, as_json, lines)
        if report.errors:
            raise typer.Exit(1)

    @data.command("import")
    def import_(
        source: Annotated[Path, typer.Argument(help="a .csv or .parquet file")],
        name: Annotated[str, typer.Option("--name", "-n", help="what to call it from now on")],
        symbol: Symbol = "",
        tz: Zone = "",
        stamp: Stamp = "end",
        calendar: Annotated[str, typer.Option(help="exchange whose sessions these are")] = "XNYS",
        tick: Annotated[
            float, typer.Option(min=0.0, help="price step; 0 takes the coarsest that fits")
        ] = 0.0,
        lot: Annotated[
            float, typer.Option(min=0.0, help="quantity step; 0 takes the coarsest that fits")
        ] = 0.0,
        repair: Annotated[list[str], typer.Option(help="a repair that may be made; repeat for several")] = [],  # noqa: B006
        origin: Annotated[str, typer.Option(help="where it comes from, for the record")] = "",
        licence: Annotated[str, typer.Option(help="its licence, for the record")] = "",
        replace: Annotated[bool, typer.Option(help="write over a data set of that name")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Check a file and take it in as a data set; a row that cannot be traded on refuses the whole file."""
        from workbench.feeds.importer import import_data

        done = import_data(
            source, name=name, symbol=symbol, tz=tz, stamp=stamp, calendar=calendar, tick=tick, lot=lot,
            repair=repair, origin=origin, licence=licence, replace=replace,
        )  # fmt: skip
        d = done.data
        repairs = [f"  repaired: {count} rows by {kind}" for kind, count in done.repaired.items()]
        emit(
            {"name": d.name, "path": str(d.path), "rows": d.rows, "repaired": done.repaired},
            as_json,
            [f"'{d.name}': {d.rows:,} rows of {', '.join(d.symbols)} in {d.path}", *repairs],
        )


def _day(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
