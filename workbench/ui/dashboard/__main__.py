"""The dashboard's process: `python -m workbench.ui.dashboard --name DESK --port 0`."""

# panel marks itself as typed but its constructors are not
# mypy: disable-error-code="no-untyped-call"

import argparse
import asyncio
import logging
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from workbench.errors import NotRunning, WorkbenchError

__all__ = ["DashboardAddress", "main", "serve"]

HOST = "127.0.0.1"


class DashboardAddress(msgspec.Struct, frozen=True):
    """`dashboard.json`: what the address book says, and the link that opens the page."""

    url: str
    token: str
    pid: int
    epoch: int
    started_ns: int
    version: str
    link: str

    def __repr__(self) -> str:
        return f"<DashboardAddress {self.url} pid {self.pid} token ***>"


def serve(name: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        Refused: the port is taken.
    """
    import panel as pn
    from bokeh.settings import settings
    from panel.io.server import get_server

    from workbench.api.address import desk_folder, remove_address
    from workbench.api.server import on_port
    from workbench.config import home_folder
    from workbench.ui.dashboard.door import Door, load_keys
    from workbench.ui.dashboard.page import Page
    from workbench.ui.dashboard.style import body_style
    from workbench.ui.dashboard.watch import Watch
    from workbench.ui.desk_calls import DeskCalls

    folder = desk_folder(name, home_folder())
    keys = load_keys(folder)
    calls = DeskCalls(name)
    watch = Watch(calls)
    settings.resources = "server"
    pn.extension("tabulator", notifications=False)
    allowed: set[str] = set()

    def page(door: Door) -> Any:
        """One visitor's page: a line at once, the rest when the desk has answered."""
        dark = (pn.state.session_args or {}).get("theme", [b"light"])[0] == b"dark"
        pn.config.raw_css = [body_style(dark)]
        place = pn.Column(pn.pane.Str(f"Asking desk {name} ..."), sizing_mode="stretch_width")

        async def fill() -> None:
            try:
                first = await watch.latest()
                address = await asyncio.to_thread(lambda: calls.stream_url)
                if address not in allowed:  # an engine that began anew may not know this page's origin
                    for host in door.hosts:
                        await asyncio.to_thread(calls.allow_origin, f"http://{host}")
                    allowed.add(address)
            except WorkbenchError as error:
                text = f"**Desk {name} does not answer.** {error}. Reload this page when it runs."
                place[:] = [pn.pane.Alert(text, alert_type="warning", sizing_mode="stretch_width")]
                return
            place[:] = [Page(watch, first, address, dark).view()]

        pn.state.onload(fill)
        return place

    def listen(port: int) -> tuple[Any, int]:
        # the exact names that may open WebSockets carry the port, so it must be known first
        door = Door(name, keys, port)
        server = get_server(
            {"/": lambda: page(door)},
            port=port,
            address=HOST,
            title=f"{name} · workbench",
            websocket_origin=list(door.hosts),
            auth_provider=door,
            cookie_secret=keys.cookie_secret,
            sign_sessions=True,
            secret_key=keys.cookie_secret.encode(),
            show=False,
            start=False,
            liveness=False,
        )
        return server, port

    server, port = on_port(HOST, port, "--port", listen)
    _announce(folder, keys.token, port)
    try:
        server.start()
        server.io_loop.start()
    finally:
        remove_address(folder, "dashboard", os.getpid())


def _announce(folder: Path, token: str, port: int) -> None:
    url = f"http://{HOST}:{port}/"
    link = f"{url}login?token={token}"
    address = DashboardAddress(url, token, os.getpid(), 0, time.time_ns(), version("workbench"), link)
    path = folder / "dashboard.json"
    temporary = folder / f".dashboard-address-{os.getpid()}.tmp"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(msgspec.json.encode(address))
    temporary.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; 1 when it may not, 2 when it was called wrongly."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.ui.dashboard", description="The dashboard of one desk."
    )
    parser.add_argument("--name", default="default", help="which desk")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(chosen.name, chosen.port)
    except NotRunning as error:
        print(error, file=sys.stderr)
        return 1
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
