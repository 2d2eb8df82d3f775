"""The live view in a notebook cell: a widget whose script talks to the engine itself.

The kernel's part is small: it names the desk, hands out one-use tickets when the page asks, and does what the
page may not (resume a strategy). Beside the widget every display carries text and static HTML, which is what a
saved, untrusted or exported notebook shows. No address, ticket or token is part of either.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.model.snapshot import Snapshot
from workbench.ui import LIVE_SCRIPT, desk_key
from workbench.ui.desk_calls import DeskCalls
from workbench.ui.static import snapshot_html, snapshot_text

__all__ = ["LiveView", "jupyter_origins", "static_bundle"]


class LiveView(anywidget.AnyWidget):
    """A desk, live in a cell; it goes on while cells run and after the kernel died.

    >>> view = LiveView("default")  # doctest: +SKIP
    """

    _esm = LIVE_SCRIPT
    desk = traitlets.Unicode().tag(sync=True)
    desk_key = traitlets.Unicode().tag(sync=True)
    address = traitlets.Unicode().tag(sync=True)
    # one use, seconds of life; the page wipes it as soon as it has read it
    ticket = traitlets.Unicode().tag(sync=True)
    wants = traitlets.Int(0).tag(sync=True)
    wish = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)

    def __init__(self, name: str = "default", home: Path | None = None) -> None:
        self._calls = DeskCalls(name, home)
        super().__init__(
            desk=name, desk_key=desk_key(self._calls.home, name), address=self._calls.stream_url, ticket=""
        )
        for origin in jupyter_origins():
            self._calls.allow_origin(origin)
        self.observe(self._give_ticket, names="wants")
        self.observe(self._grant_wish, names="wish")

    def _give_ticket(self, _: object) -> None:
        try:
            self.address = self._calls.stream_url
            self.ticket = self._calls.ticket()
        except WorkbenchError as error:
            self.answer = {"n": 0, "ok": False, "text": str(error)}

    def _grant_wish(self, change: dict[str, Any]) -> None:
        wish = change["new"]
        try:
            if wish.get("op") == "resume":
                self._calls.resume_strategy(int(wish["strategy_id"]))
                self.answer = {"n": wish["n"], "ok": True, "text": ""}
        except WorkbenchError as error:
            self.answer = {"n": wish["n"], "ok": False, "text": str(error)}

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        live, metadata = bundle if isinstance(bundle, tuple) else ({}, {})
        return {**live, **static_bundle(self._calls.snapshot)}, metadata


def static_bundle(snapshot: Callable[[], Snapshot]) -> dict[str, str]:
    """Text and HTML of the moment, also when the engine is gone."""
    try:
        now = snapshot()
    except WorkbenchError as error:
        return {"text/plain": f"desk: {error}", "text/html": snapshot_html(None, str(error))}
    return {"text/plain": snapshot_text(now), "text/html": snapshot_html(now)}


def jupyter_origins() -> list[str]:
    """The origins under which the Jupyter server that started this kernel is seen; none outside Jupyter.

    "127.0.0.1" and "localhost" are two origins to a browser.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    parent = os.environ.get("JPY_PARENT_PID", "")
    listing = Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json"
    if not parent.isdigit() or not listing.exists():
        return []
    server = json.loads(listing.read_text("utf-8"))
    scheme = "https" if server.get("secure") else "http"
    return [f"{scheme}://{host}:{int(server['port'])}" for host in ("127.0.0.1", "localhost")]
