"""The live view as a Panel component: the same script as in a notebook cell, with the dashboard as its host."""

# panel marks itself as typed but its constructors are not
# mypy: disable-error-code="no-untyped-call"

import asyncio
from typing import Any

import panel as pn
import param

from workbench.errors import WorkbenchError
from workbench.ui import LIVE_SCRIPT, desk_key
from workbench.ui.desk_calls import DeskCalls

__all__ = ["LivePane"]


class LivePane(pn.custom.AnyWidgetComponent):
    """Hands out a ticket per page when the script asks, and resumes strategies on the visitor's wish."""

    desk = param.String()
    desk_key = param.String()
    address = param.String()
    ticket = param.String()
    wants = param.Integer()
    wish = param.Dict(default={})
    answer = param.Dict(default={})

    _esm = LIVE_SCRIPT

    def __init__(self, calls: DeskCalls, address: str, **settings: Any) -> None:
        self._calls = calls
        super().__init__(
            desk=calls.name, desk_key=desk_key(calls.home, calls.name), address=address, **settings
        )
        self.param.watch(self._give_ticket, "wants")
        self.param.watch(self._grant_wish, "wish")

    async def _give_ticket(self, _: object) -> None:
        try:
            self.address = await asyncio.to_thread(lambda: self._calls.stream_url)
            self.ticket = await asyncio.to_thread(self._calls.ticket)
        except WorkbenchError as error:
            self.answer = {"n": 0, "ok": False, "text": str(error)}

    async def _grant_wish(self, change: Any) -> None:
        wish = change.new
        if wish.get("op") != "resume":
            return
        try:
            await asyncio.to_thread(self._calls.resume_strategy, int(wish["strategy_id"]))
        except WorkbenchError as error:
            self.answer = {"n": wish["n"], "ok": False, "text": str(error)}
        else:
            self.answer = {"n": wish["n"], "ok": True, "text": ""}
