"""The few calls a view's server side makes to its engine: tickets, origins, the snapshot, pause and resume.

Blocking, free of any event loop, and safe from any thread: a widget's callback may run in whichever thread the
kernel likes, and the dashboard calls from its worker threads. The address book is read anew for each call, so an
engine that came back elsewhere is found. For everything else there is the typed client of `workbench.api`.
"""

from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from workbench.api.address import Address, desk_folder, read_address
from workbench.config import home_folder
from workbench.errors import BadInput, Refused, Unauthorised, Unreachable
from workbench.model.snapshot import AccountHistoryRow, Snapshot

__all__ = ["DeskCalls"]

ANSWER_S = 3.0


class DeskCalls:
    """One desk of this machine, by name.

    Every call raises:
        NotRunning: the desk has no running engine.
        Unreachable: it does not answer.
        Refused, BadInput: it said no, in its own words.
    """

    def __init__(self, name: str = "default", home: Path | None = None) -> None:
        self.name = name
        self.home = home or home_folder()

    @property
    def stream_url(self) -> str:
        """The WebSocket address of the engine's stream. Holds no secret."""
        return self._address().url.replace("http", "ws", 1) + "/api/v1/stream"

    def ticket(self, scope: str = "view+stop") -> str:
        """A one-use ticket for the stream, good for 30 s."""
        answer: dict[str, Any] = msgspec.msgpack.decode(
            self._call("POST", "/api/v1/tickets", {"scope": scope})
        )
        return str(answer["ticket"])

    def allow_origin(self, origin: str) -> None:
        """Let pages of `origin` connect to the stream."""
        self._call("POST", "/api/v1/origins", {"origin": origin})

    def snapshot(self) -> Snapshot:
        """Everything at one instant."""
        return msgspec.msgpack.decode(self._call("GET", "/api/v1/snapshot"), type=Snapshot)

    def account_history(self, since_ns: int = 0) -> list[AccountHistoryRow]:
        """The last minutes of the accounts at venues."""
        raw = self._call("GET", f"/api/v1/accounts/history?since_ns={int(since_ns)}")
        return msgspec.msgpack.decode(raw, type=list[AccountHistoryRow])

    def pause_strategy(self, strategy_id: int, reason: str) -> None:
        """Stop a strategy from deciding."""
        self._call("POST", f"/api/v1/strategies/{int(strategy_id)}/pause", {"reason": reason})

    def resume_strategy(self, strategy_id: int) -> None:
        """Let a strategy decide again."""
        self._call("POST", f"/api/v1/strategies/{int(strategy_id)}/resume", {})

    def _address(self) -> Address:
        return read_address(desk_folder(self.name, self.home))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        address = self._address()
        where = urlsplit(address.url)
        connection = HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=ANSWER_S)
        headers = {"Authorization": f"Bearer {address.token}", "Accept": "application/msgpack"}
        data = None if body is None else msgspec.json.encode(body)
        try:
            connection.request(
                method, path, data, headers | ({} if data is None else {"Content-Type": "application/json"})
            )
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, HTTPException) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(
                f"desk '{self.name}' does not answer ({why}): see `workbench status`"
            ) from error
        finally:
            connection.close()
        if answer.status < 400:
            return raw
        try:
            text = str(msgspec.msgpack.decode(raw)["text"])
        except (msgspec.DecodeError, KeyError, TypeError):
            text = f"desk '{self.name}' answered {answer.status} to {method} {path}"
        if answer.status in (401, 403):
            raise Unauthorised(text)
        raise BadInput(text) if answer.status < 409 else Refused(text)
