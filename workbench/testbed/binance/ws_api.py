"""Binance's WebSocket API: the same methods as REST, sessions, and the account's events on the same connection.

Lives here: one connection's requests and answers. Not here: the methods (methods.py), the events (user_stream.py).

Faults strike at requests as `rest:WS METHOD`: `status` (`handled` after all), `delay`, `drop` (not carried out, never
answered), `lost_reply` (carried out, never answered), `twice`; at messages as `stream:ws_api:EVENT`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec

from workbench.testbed.binance.allowances import Allowances
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.life import tend
from workbench.testbed.binance.methods import NONE, SIGNED, WITH_KEY, Method
from workbench.testbed.binance.refusals import Refusal, fault_answer, missing
from workbench.testbed.binance.signing import ApiKey, Keyring, check_time, socket_payload
from workbench.testbed.binance.user_stream import UserStream
from workbench.testbed.exchange import Exchange
from workbench.testbed.faults import struck
from workbench.testbed.stream import Link

__all__ = ["WsApi"]

logger = logging.getLogger("workbench.testbed")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_WEIGHT: Final = 2
_KINDS: Final = ("status", "delay", "drop", "lost_reply", "twice")
_UNITS: Final = {"": False, "MILLISECOND": False, "MICROSECOND": True}


class Session:
    """One connection: who is logged on, and what it is subscribed to."""

    __slots__ = ("connected_ns", "key", "limits", "link", "micro", "since_ns", "subscribed")

    def __init__(self, link: Link, connected_ns: int, *, micro: bool, limits: bool) -> None:
        self.link, self.connected_ns, self.micro, self.limits = link, connected_ns, micro, limits
        self.key: ApiKey | None = None
        self.since_ns = 0
        self.subscribed = 0  # subscriptions so far: their numbers


type Special = Callable[[Session, Asked], Any]


class WsApi:
    """Every connection to the WebSocket API."""

    def __init__(
        self,
        exchange: Exchange,
        methods: Iterable[Method],
        keys: Keyring,
        allowances: Allowances,
        user: UserStream,
    ) -> None:
        self.exchange, self.keys, self.allowances, self.user = exchange, keys, allowances, user
        self.sessions: set[Session] = set()
        self._methods = {name: method for method in methods for name in method.names}
        special: list[tuple[Method, Special]] = [
            (_special("session.logon", 2, SIGNED), self._logon),
            (_special("session.status", 2, NONE), self._status),
            (_special("session.logout", 2, NONE), self._logout),
            (_special("session.subscriptions", 2, NONE), self._subscriptions),
            (_special("userDataStream.subscribe", 2, NONE), self._subscribe),
            (_special("userDataStream.subscribe.signature", 2, SIGNED), self._subscribe_signed),
            (_special("userDataStream.unsubscribe", 2, NONE, {"subscriptionId"}), self._unsubscribe),
        ]
        self._special = {method.names[0]: (method, reply) for method, reply in special}

    async def serve(self, link: Link, path: dict[str, str]) -> None:
        """One client, until it leaves."""
        query = link.request.rel_url.query
        unit = query.get("timeUnit", "").upper()
        session = Session(
            link,
            self.exchange.clock.shown_ns(),
            micro=_UNITS.get(unit, False),
            limits=query.get("returnRateLimits", "true").lower() != "false",
        )
        try:
            self.allowances.ask(_WEIGHT)
        except Refusal:
            link.close(1008)
        self.sessions.add(session)
        tending = asyncio.create_task(tend(link, self.exchange.clock, lambda: self.farewell(session)))
        waiting: set[asyncio.Task[None]] = set()
        try:
            async for raw in link.messages():
                later = self._heard(session, raw)
                if later is not None:
                    task = asyncio.create_task(later)
                    waiting.add(task)
                    task.add_done_callback(waiting.discard)
        finally:
            for task in (tending, *waiting):
                task.cancel()
            await asyncio.gather(tending, *waiting, return_exceptions=True)
            self.sessions.discard(session)
            self.user.unsubscribe(link, silent=True)

    def farewell(self, session: Session) -> None:
        """The server is about to shut the connection down."""
        event = {"e": "serverShutdown", "E": self._time(session, self.exchange.clock.shown_ns())}
        session.link.send("serverShutdown", _encode({"event": event}))

    @staticmethod
    def _time(session: Session, ts_ns: int) -> int:
        return ts_ns // (1_000 if session.micro else 1_000_000)

    # -- one request -------------------------------------------------------------------------------------------------

    def _heard(self, session: Session, raw: bytes) -> Any:
        """Answer a request; what cannot be answered at once is returned, to be awaited."""
        try:
            said = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("method"), str):
            refusal = Refusal(-1135, "Invalid JSON Request")
            self._answer(session, None, "error", 400, {"error": refusal.body()}, None)
            return None
        faults = self.exchange.faults
        if faults.any:
            hits = faults.hit(f"rest:WS {said['method']}", *_KINDS)
            if hits:
                return self._faulty(session, said, hits)
        return self._carry(session, said)

    async def _faulty(self, session: Session, said: dict[str, Any], hits: list[Any]) -> None:
        late = struck(hits, "delay")
        if late is not None:
            await asyncio.sleep(max(0.0, late.seconds))
        if struck(hits, "drop") is not None:
            return
        refused = struck(hits, "status")
        lost = struck(hits, "lost_reply")
        if lost is not None or (refused is not None and refused.handled):
            await _awaited(self._carry(session, said, silent=True))
        if refused is not None:
            error = _decode(fault_answer(refused.status, refused.text).body)
            self._answer(session, said.get("id"), said["method"], refused.status, {"error": error}, None)
        if refused is not None or lost is not None:
            return
        if struck(hits, "twice") is not None:
            await _awaited(self._carry(session, said, silent=True))
        await _awaited(self._carry(session, said))

    def _carry(self, session: Session, said: dict[str, Any], *, silent: bool = False) -> Any:
        number, name = said.get("id"), str(said["method"]).removeprefix("v3/")
        method: Method | None = None
        with self.user.held():
            try:
                params = said.get("params") or {}
                if not isinstance(params, dict):
                    raise Refusal(-1135, "Invalid JSON Request")
                asked = Asked(dict(params), self.exchange.clock.now_ns(), micro=session.micro, socket=True)
                special = self._special.get(name)
                method = special[0] if special is not None else self._methods.get(name)
                if method is None:
                    self.allowances.ask(1)
                    raise Refusal(-1000, f"Unknown method '{name}'.")
                self.allowances.ask(method.weighs(asked))
                self._authorise(session, method, asked)
                method.check(asked)
                result = special[1](session, asked) if special is not None else method.reply(asked)
            except Refusal as refusal:
                self._refused(session, number, name, refusal, method, silent)
                return None
            except Exception:
                logger.exception("%s failed", name)
                self._refused(session, number, name, _broken(), method, silent)
                return None
            if isinstance(result, Awaitable):
                return self._later(session, number, name, method, asked, result, silent)
            if not silent:
                self._done(session, number, name, method, asked, result)
        return None

    async def _later(
        self,
        session: Session,
        number: Any,
        name: str,
        method: Method,
        asked: Asked,
        answer: Awaitable[Any],
        silent: bool,
    ) -> None:
        try:
            result = await answer
        except Refusal as refusal:
            self._refused(session, number, name, refusal, method, silent)
            return
        if not silent:
            self._done(session, number, name, method, asked, result)

    def _done(
        self, session: Session, number: Any, name: str, method: Method, asked: Asked, result: Any
    ) -> None:
        limits = session.limits
        if asked.has("returnRateLimits"):
            limits = str(asked.params["returnRateLimits"]).lower() != "false"
        shown = self.allowances.counts(orders=method.orders) if limits else None
        self._answer(session, number, name, 200, {"result": result}, shown)

    def _refused(
        self, session: Session, number: Any, name: str, refusal: Refusal, method: Method | None, silent: bool
    ) -> None:
        if silent:
            return
        orders = method is not None and method.orders
        shown = self.allowances.counts(orders=orders) if session.limits else None
        self._answer(session, number, name, refusal.status, {"error": refusal.body()}, shown)

    @staticmethod
    def _answer(
        session: Session, number: Any, name: str, status: int, body: dict[str, Any], limits: Any
    ) -> None:
        answer = {"id": number, "status": status, **body}
        if limits is not None:
            answer["rateLimits"] = limits
        session.link.send(f"answer:{name}", _encode(answer))

    def _authorise(self, session: Session, method: Method, asked: Asked) -> None:
        """Who asks: by a signature of its own, or by the session."""
        params, now_ns = asked.params, self.exchange.clock.shown_ns()
        if method.security == NONE:
            return
        own = params.get("apiKey")
        if own is None and session.key is not None and method.names[0] != "session.logon":
            asked.api_key = session.key.name
            if method.security == SIGNED:
                check_time(params, now_ns)
            return
        if own is None:
            raise missing("apiKey")
        asked.api_key = str(own)
        if method.security == WITH_KEY:
            self.keys.find(asked.api_key)
            return
        key = self.keys.check(asked.api_key, socket_payload(params), str(params.get("signature", "")))
        check_time(params, now_ns)
        if method.names[0] == "session.logon":
            if key.kind != "Ed25519":
                raise Refusal(-4056, f"{key.kind} API key is not supported.")
            session.key, session.since_ns = key, now_ns

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _logon(self, session: Session, asked: Asked) -> Any:
        return self._status(session, asked)

    def _status(self, session: Session, asked: Asked) -> Any:
        key = session.key
        return {
            "apiKey": key.name if key is not None else None,
            "authorizedSince": asked.time(session.since_ns) if key is not None else None,
            "connectedSince": asked.time(session.connected_ns),
            "returnRateLimits": session.limits,
            "serverTime": asked.time(self.exchange.clock.shown_ns()),
            "userDataStream": any(link is session.link for link, _ in self.user.subscriptions),
        }

    def _logout(self, session: Session, asked: Asked) -> Any:
        session.key, session.since_ns = None, 0
        self.user.unsubscribe(session.link, of_session=True)
        return self._status(session, asked)

    def _subscriptions(self, session: Session, asked: Asked) -> Any:
        return [
            {"subscriptionId": number} for link, number in self.user.subscriptions if link is session.link
        ]

    def _subscribe(self, session: Session, asked: Asked) -> Any:
        if session.key is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return self._subscribed(session, of_session=True)

    def _subscribe_signed(self, session: Session, asked: Asked) -> Any:
        return self._subscribed(session, of_session=False)

    def _subscribed(self, session: Session, *, of_session: bool) -> Any:
        if any(link is session.link for link, _ in self.user.subscriptions):
            raise Refusal(-2035, "User Data Stream subscription already active.")
        number, session.subscribed = session.subscribed, session.subscribed + 1
        self.user.subscribe(session.link, number, micro=session.micro, of_session=of_session)
        return {"subscriptionId": number}

    def _unsubscribe(self, session: Session, asked: Asked) -> Any:
        number = asked.whole("subscriptionId", 0) if asked.has("subscriptionId") else None
        if not self.user.unsubscribe(session.link, number):
            raise Refusal(-2036, "User Data Stream subscription not active.")
        return {}


async def _awaited(pending: Any) -> None:
    if pending is not None:
        await pending


def _broken() -> Refusal:
    return Refusal(-1000, "An unknown error occurred while processing the request.", 500)


def _special(name: str, weight: int, security: int, known: Iterable[str] = ()) -> Method:
    method = Method(name, "WS -", _nothing, weight, security, known)
    method.known |= {"timestamp", "recvWindow", "signature", "apiKey"}
    return method


def _nothing(asked: Asked) -> Any:
    return {}
