"""The typed asynchronous client: one method a route, the engine's errors raised again as the same types.

It speaks msgpack (NaN survives) and finds the engine through the address book, so it outlives an engine restart:
a refused connection or a stale token makes it read the address anew and try once more. When the connection breaks
after sending, only calls that do the same twice as once (kill, pause, a look) are repeated by themselves; an order or
a new strategy is not: that is `OutcomeUnknown`.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal

import aiohttp
import msgspec

from workbench.api.address import Address
from workbench.api.bodies import (
    CheckAnswer,
    Done,
    ErrorBody,
    FlattenAnswer,
    KillAnswer,
    Placed,
    Started,
    Ticket,
    Token,
)
from workbench.api.contract import MarketAction, Scalar
from workbench.api.raised import RiskSaidNo, error_from, gone, late, refusal
from workbench.errors import (
    OutcomeUnknown,
    Unreachable,
)
from workbench.model import snapshot as rows

__all__ = ["Client"]

_V1 = "/api/v1"
# compiling a new strategy, or replaying a long journal, takes its time
LONG_S = 600.0
# doing these twice is not the same as once
_ONCE = {("POST", f"{_V1}/{what}") for what in ("orders", "strategies")}


class Client:
    """Talks to one engine. `where` tells its address and is asked again when the engine seems to have moved."""

    def __init__(self, where: Callable[[], Address], *, timeout_s: float = 10.0) -> None:
        self._where = where
        self._timeout_s = timeout_s
        self._address: Address | None = None
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def address(self) -> Address:
        """The engine's address as last read."""
        if self._address is None:
            self._address = self._where()
        return self._address

    # ------------------------------------------------------------ looking
    async def snapshot(self) -> rows.Snapshot:
        return await self._get("/snapshot", rows.Snapshot)

    async def session(self) -> rows.SessionRow:
        return await self._get("/session", rows.SessionRow)

    async def account(self) -> rows.AccountRow:
        return await self._get("/account", rows.AccountRow)

    async def accounts(self) -> list[rows.VenueAccountRow]:
        return await self._get("/accounts", list[rows.VenueAccountRow])

    async def account_history(self, since_ns: int = 0) -> list[rows.AccountHistoryRow]:
        """The last quarter of an hour of the accounts at venues, what is later than `since_ns` of it."""
        return await self._get("/accounts/history", list[rows.AccountHistoryRow], {"since_ns": since_ns})

    async def differences(self) -> list[rows.DifferenceRow]:
        return await self._get("/differences", list[rows.DifferenceRow])

    async def positions(self) -> list[rows.PositionRow]:
        return await self._get("/positions", list[rows.PositionRow])

    async def orders(
        self, limit: int = 200, strategy_id: int | None = None, state: str | None = None
    ) -> list[rows.OrderRow]:
        """The newest `limit` orders that fit, newest last."""
        query = {"limit": limit, "strategy_id": strategy_id, "state": state}
        return await self._get("/orders", list[rows.OrderRow], query)

    async def order(self, order_id: int) -> rows.OrderRow:
        return await self._get(f"/orders/{order_id}", rows.OrderRow)

    async def trace(self, order_id: int) -> rows.TraceRow:
        return await self._get(f"/orders/{order_id}/trace", rows.TraceRow)

    async def fills(self, limit: int = 200) -> list[rows.FillRow]:
        return await self._get("/fills", list[rows.FillRow], {"limit": limit})

    async def refusals(self, limit: int = 200) -> list[rows.RefusalRow]:
        return await self._get("/refusals", list[rows.RefusalRow], {"limit": limit})

    async def strategies(self) -> list[rows.StrategyRow]:
        return await self._get("/strategies", list[rows.StrategyRow])

    async def latency(self) -> list[rows.LatencyRow]:
        return await self._get("/latency", list[rows.LatencyRow])

    async def health(self) -> rows.HealthRow:
        return await self._get("/health", rows.HealthRow)

    async def alerts(self) -> list[rows.AlertRow]:
        return await self._get("/alerts", list[rows.AlertRow])

    async def metrics(self) -> str:
        """Prometheus text."""
        return (await self._send("GET", "/metrics")).decode()

    async def openapi(self) -> dict[str, Any]:
        document: dict[str, Any] = msgspec.json.decode(await self._send("GET", "/openapi.json"))
        return document

    # ------------------------------------------------------------ acting
    async def place(
        self,
        symbol: str,
        side: Literal["buy", "sell"],
        quantity: float,
        type: str = "market",
        *,
        limit_px: float = 0.0,
        stop_px: float = 0.0,
        tif: str = "day",
        key: str = "",
        why: str = "",
        **more: float,
    ) -> int | rows.RefusalRow:
        """A manual order: its number, or the risk rule's refusal. Without `key` one is made up. `more`: trail,
        trail_percent, take_profit_px, stop_loss_px, stop_loss_limit_px."""
        body = {
            "symbol": symbol,
            "side": side,
            "quantity": quantity,
            "type": type,
            "limit_px": limit_px,
            "stop_px": stop_px,
            "tif": tif,
            "key": key or secrets.token_hex(8),
            "why": why,
            **more,
        }
        try:
            return (await self._post("/orders", Placed, body)).order_id
        except RiskSaidNo as no:
            return no.row

    async def amend(
        self, order_id: int, *, quantity: float = 0.0, limit_px: float = 0.0, stop_px: float = 0.0
    ) -> rows.RefusalRow | None:
        """Ask the venue to change a working order; None, or the refusal."""
        body = {"quantity": quantity, "limit_px": limit_px, "stop_px": stop_px}
        try:
            await self._call("PATCH", f"/orders/{order_id}", Done, body)
        except RiskSaidNo as no:
            return no.row
        return None

    async def flatten(self, reason: str = "operator", by: str = "api", symbol: str = "") -> FlattenAnswer:
        """Pause, cancel, and close what is held."""
        return await self._post("/flatten", FlattenAnswer, {"reason": reason, "by": by, "symbol": symbol})

    async def freeze(self, symbol: str, reason: str = "operator", by: str = "api") -> None:
        await self._post("/freeze", Done, {"symbol": symbol, "reason": reason, "by": by})

    async def thaw(self, symbol: str, by: str = "api") -> None:
        await self._post("/thaw", Done, {"symbol": symbol, "by": by})

    async def cancel(self, order_id: int) -> None:
        await self._call("DELETE", f"/orders/{order_id}", Done)

    async def add_strategy(
        self,
        name: str,
        source: str,
        symbols: list[str],
        *,
        parameters: Mapping[str, Scalar] | None = None,
        quantity: float = 1.0,
        sizing: str = "quantity",
        provenance: str = "",
        sizing_parameters: Mapping[str, float] | None = None,
    ) -> int:
        """Place a strategy from its source text; its number."""
        body = {
            "name": name,
            "source": source,
            "symbols": symbols,
            "parameters": dict(parameters or {}),
            "quantity": quantity,
            "sizing": sizing,
            "provenance": provenance,
            "sizing_parameters": dict(sizing_parameters or {}),
        }
        return (await self._post("/strategies", Started, body, LONG_S)).strategy_id

    async def set_parameters(self, strategy_id: int, parameters: Mapping[str, Scalar]) -> None:
        await self._call("PATCH", f"/strategies/{strategy_id}", Done, {"parameters": dict(parameters)})

    async def pause(self, strategy_id: int, reason: str = "paused by the operator") -> None:
        await self._post(f"/strategies/{strategy_id}/pause", Done, {"reason": reason})

    async def resume(self, strategy_id: int) -> None:
        await self._post(f"/strategies/{strategy_id}/resume", Done)

    async def remove(self, strategy_id: int) -> None:
        await self._call("DELETE", f"/strategies/{strategy_id}", Done)

    async def kill(self, reason: str = "operator", by: str = "api") -> KillAnswer:
        return await self._post("/kill", KillAnswer, {"reason": reason, "by": by})

    async def arm(self, by: str = "api") -> None:
        await self._post("/arm", Done, {"by": by})

    async def market(self, action: MarketAction, speed: float | None = None) -> None:
        await self._post("/market", Done, {"action": action, "speed": speed})

    async def stop(self) -> None:
        """Ask for an orderly stop; returns before the process has ended."""
        await self._post("/stop", Done)

    async def check(self) -> CheckAnswer:
        """Replay the journal elsewhere and reconcile with the broker."""
        return await self._post("/check", CheckAnswer, timeout_s=LONG_S)

    async def ticket(self, scope: str = "view", ttl_s: float = 30.0) -> Ticket:
        return await self._post("/tickets", Ticket, {"scope": scope, "ttl_s": ttl_s})

    async def new_token(self, scope: str = "view", label: str = "") -> Token:
        return await self._post("/tokens", Token, {"scope": scope, "label": label})

    async def revoke_token(self, token_id: str) -> None:
        await self._call("DELETE", f"/tokens/{token_id}", Done)

    async def allow_origin(self, origin: str) -> None:
        await self._post("/origins", Done, {"origin": origin})

    async def stream(self, *topics: str) -> AsyncIterator[dict[str, Any]]:
        """The live stream's messages about `topics`, from each topic's snapshot on."""
        address = self.address
        try:
            async with self._session().ws_connect(f"{address.url}{_V1}/stream", max_msg_size=0) as socket:
                await socket.send_json({"op": "hello", "token": address.token})
                await socket.send_json({"op": "subscribe", "topics": list(topics)})
                async for message in socket:
                    told: dict[str, Any] = msgspec.json.decode(message.data)
                    if told["op"] == "error":
                        raise error_from(ErrorBody(told["code"], told["text"]))
                    yield told
        except aiohttp.ClientConnectorError as error:
            raise gone(address, error) from error

    # ------------------------------------------------------------ inside
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                connector=aiohttp.TCPConnector(limit=32),
            )
        return self._http

    async def _get[T](self, path: str, kind: type[T], query: Mapping[str, Any] | None = None) -> T:
        return await self._call("GET", path, kind, query=query)

    async def _post[T](
        self, path: str, kind: type[T], body: Mapping[str, Any] | None = None, timeout_s: float | None = None
    ) -> T:
        return await self._call("POST", path, kind, body, timeout_s=timeout_s)

    async def _call[T](
        self,
        method: str,
        path: str,
        kind: type[T],
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> T:
        return msgspec.msgpack.decode(await self._send(method, _V1 + path, body, query, timeout_s), type=kind)

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        data = msgspec.json.encode(body) if body is not None else None
        params = {key: str(value) for key, value in (query or {}).items() if value is not None}
        limit_s = timeout_s or self._timeout_s
        for last in (False, True):
            address = self.address
            headers = {"Authorization": f"Bearer {address.token}", "Accept": "application/msgpack"}
            try:
                async with (
                    asyncio.timeout(limit_s),
                    self._session().request(
                        method, address.url + path, data=data, params=params, headers=headers
                    ) as answer,
                ):
                    raw, status = await answer.read(), answer.status
            except aiohttp.ClientConnectorError as error:
                if last or not self._moved(address):
                    raise gone(address, error) from error
                continue
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                if (method, path) in _ONCE:
                    raise OutcomeUnknown(
                        f"the engine went away during {method} {path}: look at the desk before repeating"
                    ) from error
                self._address = None
                if last:
                    raise gone(address, error) from error
                continue
            except TimeoutError as error:
                raise late(method, path, limit_s) from error
            if status == 401 and not last and self._moved(address):
                continue
            if status >= 400:
                raise refusal(raw)
            return raw
        raise Unreachable(f"{method} {path} was not answered")

    def _moved(self, was: Address) -> bool:
        """Whether the address book names another engine than the one just tried."""
        self._address = None
        return self.address != was
