"""`run pause resume stop kill flatten freeze thaw arm orders trace check query`: what one does to a desk that runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.completion import data_names, strategy_names
from workbench.cli.output import AsJson, DeskName, emit, table, writable
from workbench.errors import BadInput, BadValue, UnknownName

__all__ = ["SIZING", "pairs", "register"]


_EXAMPLES = {"--set": "period=10", "--sizing-set": "rebalance=0.1", "--limit": "max_order_qty=500"}


def pairs(texts: list[str], option: str = "--set") -> dict[str, Any]:
    """`period=10 low=25.5 fast=true` as a dictionary.

    Raises:
        BadValue: one of them is no NAME=VALUE; `option` is where it was typed.
    """
    out: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise BadValue(option, text, f"write NAME=VALUE, for instance {option} {_EXAMPLES[option]}")
        if value.lower() in ("true", "false"):
            out[name] = value.lower() == "true"
            continue
        try:
            out[name] = int(value)
        except ValueError:
            try:
                out[name] = float(value)
            except ValueError:
                out[name] = value
    return out


def _strategy_id(session: Any, which: str) -> int:
    rows = session.snapshot().strategies
    for row in rows:
        if which in (str(row.strategy_id), row.name):
            return int(row.strategy_id)
    raise UnknownName("strategy", which, [f"{row.strategy_id}" for row in rows] + [row.name for row in rows])


_ORDER_HEADS = ("symbol", "side", "quantity", "type", "state", "filled", "price")
SIZING = "what the quantity means: quantity, percent, notional, volatility, kelly or risk"
Which = Annotated[str, typer.Argument(help="strategy: its number or its name")]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""

    @app.command()
    def run(
        strategy: Annotated[
            str,
            typer.Argument(autocompletion=strategy_names, help="a class in strategies/, or FILE.py:CLASS"),
        ],
        symbols: Annotated[list[str], typer.Option("--symbol", "-s", help="repeat for several")] = ["SPY"],  # noqa: B006
        quantity: Annotated[
            float, typer.Option("--quantity", "-q", help="full size, in what --sizing says")
        ] = 10.0,
        settings: Annotated[list[str], typer.Option("--set", help="parameter, NAME=VALUE; repeat")] = [],  # noqa: B006
        sizing: Annotated[str, typer.Option(help=SIZING)] = "quantity",
        sizing_set: Annotated[
            list[str], typer.Option(help="parameter of the sizing, NAME=VALUE; repeat")
        ] = [],  # noqa: B006
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """Place a strategy on a running desk."""
        from workbench.api import attach
        from workbench.engine.sizing import Sizing
        from workbench.strategy import find_strategy

        size = Sizing(sizing, **pairs(sizing_set, "--sizing-set"))
        chosen = find_strategy(strategy)(**pairs(settings))
        with attach(name) as session:
            handle = session.run(chosen, symbols=symbols, quantity=quantity, sizing=size)
        emit(
            {"strategy_id": handle.strategy_id, "name": strategy},
            as_json,
            [f"runs as strategy {handle.strategy_id}"],
        )

    @app.command()
    def pause(
        strategy: Which,
        reason: Annotated[str, typer.Option(help="why, for the record")] = "paused by the operator",
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """Stop a strategy from deciding; its positions stay."""
        from workbench.api import attach

        with attach(name) as session:
            number = _strategy_id(session, strategy)
            session.pause(number, reason)
        emit({"strategy_id": number, "state": "paused"}, as_json, [f"strategy {number} is paused"])

    @app.command()
    def resume(strategy: Which, name: DeskName = "default", as_json: AsJson = False) -> None:
        """Let a paused strategy decide again."""
        from workbench.api import attach

        with attach(name) as session:
            number = _strategy_id(session, strategy)
            session.resume(number)
        emit({"strategy_id": number, "state": "running"}, as_json, [f"strategy {number} runs"])

    @app.command()
    def kill(
        reason: Annotated[str, typer.Argument(help="why, for the record")] = "killed from the command line",
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """The kill switch: block every new order and cancel all that is open. Only `arm` ends it."""
        from workbench.api import attach

        with attach(name) as session:
            report = session.kill(reason)
        listed = [
            f"  unconfirmed: order {row.order_id} {row.side} {row.quantity:g} {row.symbol}"
            for row in report.unconfirmed
        ]
        lines = [
            f"KILLED after {report.blocked_after_us / 1e3:.2f} ms: {report.cancels} cancels sent",
            *listed,
        ]
        emit(report, as_json, lines)
        if report.unconfirmed:
            raise typer.Exit(1)

    @app.command()
    def flatten(
        reason: Annotated[
            str, typer.Argument(help="why, for the record")
        ] = "flattened from the command line",
        symbol: Annotated[str, typer.Option("--symbol", "-s", help="only this one; all when left out")] = "",
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """Close what is held: pause strategies, cancel open orders, a market order for each holding."""
        from workbench.api import attach

        with attach(name) as session:
            report = session.flatten(reason, symbol)
        lines = [
            f"{len(report.paused)} strategies paused, {report.cancels} cancels, {len(report.orders)} closing orders",
            *(f"  order {row.order_id} {row.side} {row.quantity:g} {row.symbol}" for row in report.orders),
            *(f"  refused: {text}" for text in report.refused),
            *(f"  waits for the end of its open orders: {what}" for what in report.waiting),
        ]
        emit(report, as_json, lines)
        if report.refused or report.waiting:
            raise typer.Exit(1)

    @app.command()
    def freeze(
        symbol: Annotated[str, typer.Argument(help="in which only reducing orders shall pass")],
        reason: Annotated[str, typer.Option(help="why, for the record")] = "frozen from the command line",
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """Let only reducing orders pass in a symbol."""
        from workbench.api import attach

        with attach(name) as session:
            session.freeze(symbol, reason)
        emit({"frozen": symbol}, as_json, [f"{symbol} is frozen: only reducing orders pass"])

    @app.command()
    def thaw(
        symbol: Annotated[str, typer.Argument(help="that was frozen")],
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """Trade a frozen symbol again."""
        from workbench.api import attach

        with attach(name) as session:
            session.thaw(symbol)
        emit({"thawed": symbol}, as_json, [f"{symbol} is traded again"])

    @app.command()
    def arm(name: DeskName = "default", as_json: AsJson = False) -> None:
        """Allow trading again after a kill."""
        from workbench.api import attach

        with attach(name) as session:
            session.arm()
        emit({"armed": True}, as_json, ["armed: new orders may be sent again"])

    @app.command()
    def orders(
        name: DeskName = "default",
        limit: Annotated[int, typer.Option(min=1, help="how many at most")] = 20,
        as_json: AsJson = False,
    ) -> None:
        """The newest orders with their states."""
        from workbench.api import attach
        from workbench.ui.static import several

        with attach(name) as session:
            rows = session.client_orders(limit=limit)
        if as_json:
            emit(rows, True)
            return
        named = several(rows)
        table(
            f"orders of '{name}'",
            ["order", "strategy", *(head.lower() for head in named), *_ORDER_HEADS],
            [
                (
                    *(r.order_id, r.strategy, *(r.account for _ in named), r.symbol, r.side, r.quantity),
                    *(r.type, r.state, r.filled, r.average_px),
                )
                for r in rows
            ],
        )

    @app.command()
    def trace(
        order_id: Annotated[int, typer.Argument(help="order number")],
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """One order's waterfall: the time it spent in each stage."""
        from workbench.api import attach
        from workbench.monitor import render_text

        with attach(name) as session:
            row = session.trace(order_id)
        emit(row, as_json, [render_text(row)])

    @app.command()
    def check(
        strategy: Annotated[
            str,
            typer.Argument(
                autocompletion=strategy_names,
                help="a class in strategies/, or FILE.py:CLASS; without it, a running desk",
            ),
        ] = "",
        data: Annotated[
            str,
            typer.Option(
                "--data",
                "-d",
                autocompletion=data_names,
                help="a data set or a file; bundled or made ones when left out",
            ),
        ] = "",
        settings: Annotated[list[str], typer.Option("--set", help="parameter, NAME=VALUE; repeat")] = [],  # noqa: B006
        name: DeskName = "default",
        as_json: AsJson = False,
    ) -> None:
        """A strategy: does it look ahead? A running desk: replay its journal, reconcile its books with the broker."""
        if strategy:
            from workbench.cli.lookahead import check_strategy_named

            check_strategy_named(strategy, pairs(settings), data, as_json)
            return
        if data or settings:
            raise BadInput(
                "--data and --set go with a strategy: name one, as in `workbench check RsiReversion`"
            )
        from workbench.api import attach

        with attach(name) as session:
            result = session.check()
        good = result["replay_hash_equal"] and result["positions_equal_broker"] and result["cash_conserved"]
        emit(result, as_json, [f"  {key:<30} {value}" for key, value in result.items()])
        if not good:
            raise typer.Exit(1)

    @app.command()
    def query(
        sql: Annotated[str, typer.Argument(help="a SELECT over the warehouse's tables")],
        name: DeskName = "default",
        as_json: AsJson = False,
        output: Annotated[
            Path | None, typer.Option("--output", "--out", "-o", help="write the rows to this Parquet file")
        ] = None,
    ) -> None:
        """Ask the warehouse."""
        from workbench.warehouse.client import query as ask

        writable("--output", output)
        result = ask(sql, name=name)
        if output is not None:
            import pyarrow.parquet as parquet

            parquet.write_table(result.arrow, output)
            emit({"rows": len(result), "file": str(output)}, as_json, [f"{len(result):,} rows in {output}"])
        elif as_json:
            emit(result.json(), True)
        else:
            table("", result.columns, [tuple(row.values()) for row in result])
