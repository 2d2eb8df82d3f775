"""The way from a page of JupyterLab to a desk's engine that needs no kernel: an extension of the Jupyter server.

Who may use it is decided by the Jupyter server (its login, its Host and Origin checks). Towards the engine it
speaks with a one-use ticket of scope view+stop, drawn with the token in the address book: the token stays on
the server, no cookie is passed on, and the page can look, pause and stop, never place an order.

    GET /workbench/desks            the desks of this home: name, key, whether they run
    GET /workbench/live.js          the script of the live view
    WS  /workbench/relay/<desk>     the engine's stream, both ways, limited to the operations in `RELAYED`
"""

import asyncio
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tornado.web
from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async, url_path_join
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from workbench.api.address import desks, read_address
from workbench.config import home_folder
from workbench.errors import WorkbenchError
from workbench.ui import LIVE_SCRIPT, desk_key
from workbench.ui.engine_link import EngineLink

__all__ = ["RELAYED", "routes"]

RELAYED = frozenset({"subscribe", "unsubscribe", "ping", "kill", "pause"})
DESK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
MESSAGE_MAX_BYTES = 64 * 1024


class DesksPage(APIHandler):
    """GET /workbench/desks."""

    auth_resource = "workbench"

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """The desks of this home, as JSON."""
        home: Path = self.settings["workbench_home"]
        listed = await asyncio.to_thread(desks, home)
        rows = [{"name": name, "key": desk_key(home, name), "running": True} for name in listed]
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps({"desks": rows}))


class ScriptPage(JupyterHandler):
    """GET /workbench/live.js."""

    auth_resource = "workbench"

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """The live view's one script, always the installed one."""
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")
        self.finish(LIVE_SCRIPT.read_bytes())


class RelaySocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One page's connection, joined to one engine's stream."""

    auth_resource = "workbench"

    def set_default_headers(self) -> None:
        """A WebSocket handshake carries none of the page headers."""

    @ws_authenticated
    async def get(self, desk: str) -> Any:
        """Accept the handshake of a user who may look and stop."""
        if not await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "execute", "workbench")
        ):
            raise tornado.web.HTTPError(403)
        return await super().get(desk)

    def open(self, desk: str) -> None:
        """The handshake is done; the engine is called when the page says hello."""
        super().open()
        self._desk = desk
        self._link: EngineLink | None = None
        self._pump: asyncio.Task[None] | None = None

    async def on_message(self, message: str | bytes) -> None:
        """From the page to the engine."""
        try:
            said = json.loads(message) if len(message) <= MESSAGE_MAX_BYTES else None
        except ValueError:
            said = None
        if not isinstance(said, dict):
            self._refuse("", "BadInput", "send one small JSON object")
        elif said.get("op") == "hello":
            if self._pump is None:
                self._pump = asyncio.create_task(self._run())
        elif said.get("op") not in RELAYED:
            text = f"operation {str(said.get('op'))[:40]!r} does not pass the relay: use a notebook or the command line"
            self._refuse(str(said.get("id", "")), "Unauthorised", text)
        elif self._link is None:
            self._refuse(str(said.get("id", "")), "Unreachable", "say hello first and wait for the welcome")
        else:
            await self._link.send(json.dumps(said))

    async def _run(self) -> None:
        """Call the engine and hand its frames to the page until one side leaves."""
        try:
            address = await asyncio.to_thread(read_address, self.settings["workbench_home"] / self._desk)
            async with EngineLink(address) as link:
                welcome = await link.hello()
                # the resume token would let the page go round the relay: it stays here
                await self.write_message(json.dumps({**welcome, "resume": ""}))
                self._link = link
                async for text in link:
                    await self.write_message(text)
            self.close(1001, "the engine closed the stream")
        except WorkbenchError as error:
            self._refuse("", type(error).__name__, str(error))
            self.close(4404, "engine not reachable")
        except WebSocketClosedError:
            self.log.debug("workbench relay: the page of desk %s left", self._desk)

    def _refuse(self, op_id: str, code: str, text: str) -> None:
        if self.ws_connection is not None and not self.ws_connection.is_closing():
            self.write_message(json.dumps({"op": "error", "id": op_id, "code": code, "text": text}))

    def on_close(self) -> None:
        """The page left: so does its engine connection."""
        super().on_close()
        if self._pump is not None:
            self._pump.cancel()


def routes(base_url: str) -> Iterable[tuple[str, type[tornado.web.RequestHandler]]]:
    """What this extension serves; every route asks for the Jupyter login."""
    return [
        (url_path_join(base_url, "/workbench/desks"), DesksPage),
        (url_path_join(base_url, "/workbench/live.js"), ScriptPage),
        (url_path_join(base_url, rf"/workbench/relay/({DESK_NAME.pattern})"), RelaySocket),
    ]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "workbench.ui.relay"}]


def _load_jupyter_server_extension(app: Any) -> None:
    from workbench.ui.lab import announce

    app.web_app.settings["workbench_home"] = home_folder()
    app.web_app.add_handlers(".*$", list(routes(app.web_app.settings["base_url"])))
    # runs once the server answers requests, which is what a supervisor waits for
    app.io_loop.add_callback(announce, app)
