"""`workbench emulate VENUE`: an emulated venue on loopback until SIGTERM, for any client.

Lives here: the options, the first line, the end. Not here: the venue (testbed/).
"""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from workbench.cli.completion import data_names, venue_names
from workbench.cli.output import AsJson, emit, say, table, writable

__all__ = ["register"]


async def _serve(name: str, settings: dict[str, Any], as_json: bool, facts: Path | None) -> None:
    from workbench.testbed import emulated

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with emulated(name, **settings) as venue:
        if facts is not None:
            _write(facts, venue.facts)
        if as_json:
            emit(venue.facts, True)
        else:
            rows = [(key, ", ".join(v) if isinstance(v, list) else v) for key, v in venue.facts.items()]
            table(f"{name}, emulated (Ctrl-C ends it)", ["what", "value"], rows)
        await stop.wait()
    if not as_json:  # a program that started it sees that it ended
        say(f"{name}: stopped")


def _write(path: Path, facts: dict[str, Any]) -> None:
    """In one step, readable by its owner alone: it holds keys."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(facts))
    draft.replace(path)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def emulate(
        venue: Annotated[
            str, typer.Argument(autocompletion=venue_names, help="which one; without it, the list")
        ] = "",
        port: Annotated[int, typer.Option(help="0 takes a free one")] = 0,
        data: Annotated[
            str,
            typer.Option(
                "--data", "-d", autocompletion=data_names, help="recorded market: a known name or a file"
            ),
        ] = "",
        speed: Annotated[float, typer.Option(help="market seconds per second; 0 stands still")] = 1.0,
        cash: Annotated[float | None, typer.Option(help="starting cash; default: the venue's")] = None,
        seed: Annotated[int, typer.Option(help="of prices, sizes, ids and keys")] = 1,
        symbols: Annotated[str, typer.Option(help="what it lists, with commas; default: the venue's")] = "",
        market_open: Annotated[str, typer.Option(help="always, or by the exchange's calendar")] = "always",
        limits: Annotated[bool, typer.Option(help="the venue's rate limits, on or off")] = True,
        fee_rate: Annotated[float, typer.Option(help="fee as a fraction of the value")] = 0.0,
        fee_per_unit: Annotated[float, typer.Option(help="fee a share or coin")] = 0.0,
        ack_s: Annotated[float, typer.Option(help="seconds from an order's arrival to its acceptance")] = 0.0,
        fill_s: Annotated[float, typer.Option(help="seconds from acceptance to the first fill")] = 0.0,
        faults: Annotated[Path | None, typer.Option(help="TOML or JSON file of faults to begin with")] = None,
        option: Annotated[
            list[str] | None, typer.Option(help="NAME=VALUE, a setting of the venue's own; may be repeated")
        ] = None,
        tls: Annotated[str, typer.Option(help="speak TLS: good, wrong-host, or expired certificate")] = "",
        facts: Annotated[
            Path | None, typer.Option(help="write the first line's JSON to this file as well, for you alone")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """An emulated venue for any client: keys and addresses first, then it serves until it is stopped."""
        from workbench.testbed import find_venues

        if not venue:
            emit(find_venues(), as_json, find_venues())
            return
        writable("--facts", facts)
        settings: dict[str, Any] = {
            "port": port,
            "data": data,
            "speed": speed,
            "seed": seed,
            "symbols": tuple(part.strip() for part in symbols.split(",") if part.strip()),
            "market_open": market_open,
            "limits": limits,
            "fee_rate": fee_rate,
            "fee_per_unit": fee_per_unit,
            "ack_s": ack_s,
            "fill_s": fill_s,
            "tls": tls,
            "options": dict(_pair(text) for text in option or ()),
        }
        if cash is not None:
            settings["cash"] = cash
        if faults is not None:
            settings["faults"] = str(faults)
        _runner()(_serve(venue, settings, as_json, facts))


def _pair(text: str) -> tuple[str, str]:
    from workbench.errors import BadValue

    name, equals, value = text.partition("=")
    if not (name and equals):
        raise BadValue("option", text, "write NAME=VALUE")
    return name, value


def _runner() -> Any:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return asyncio.run
    return uvloop.run
