"""Binance over HTTP: parameters from query and form, signatures over them as they were sent, limits in headers.

Lives here: the way of a request to its method and back. Not here: the methods (methods.py), verifying (signing.py).
"""

from collections.abc import Awaitable, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from workbench.testbed.binance.allowances import Allowances
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.methods import NONE, SIGNED, Method
from workbench.testbed.binance.refusals import Refusal
from workbench.testbed.binance.signing import Keyring, check_time, unsigned
from workbench.testbed.call import Answer, Call, Reply, Route
from workbench.testbed.exchange import Exchange

__all__ = ["Rest"]

_GONE: Final = "userDataStream"
"""Listen keys, taken out of service on 2026-02-20."""
_GONE_PAGE: Final = (
    "<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_UNITS: Final = {"": False, "MILLISECOND": False, "MICROSECOND": True}


class Rest:
    """The routes of all methods."""

    def __init__(
        self, exchange: Exchange, methods: Iterable[Method], keys: Keyring, allowances: Allowances
    ) -> None:
        self.exchange, self.keys, self.allowances = exchange, keys, allowances
        self.methods = list(methods)

    def routes(self) -> Iterable[Route]:
        for method in self.methods:
            yield Route(method.verb, method.path, self._reply(method), open=method.security == NONE)
            if method.security == NONE and method.names:  # older clients ask by the old version
                yield Route(method.verb, method.path.replace("/v3/", "/v1/"), self._reply(method), open=True)
        for version in ("v1", "v3"):
            for verb in ("POST", "PUT", "DELETE"):
                yield Route(verb, f"/api/{version}/{_GONE}", _gone, open=True)

    def _reply(self, method: Method) -> Reply:
        def reply(call: Call) -> Answer | Awaitable[Answer]:
            try:
                answer = method.reply(self._asked(method, call))
            except Refusal as refusal:
                self._told(method, call, refusal)
                return refusal.answer()
            if isinstance(answer, Awaitable):
                return self._later(method, call, answer)
            call.headers = self.allowances.headers(orders=method.orders)
            return Answer(answer)

        return reply

    async def _later(self, method: Method, call: Call, answer: Awaitable[Any]) -> Answer:
        try:
            body = await answer
        except Refusal as refusal:
            self._told(method, call, refusal)
            return refusal.answer()
        call.headers = self.allowances.headers(orders=method.orders)
        return Answer(body)

    def _told(self, method: Method, call: Call, refusal: Refusal) -> None:
        call.headers = self.allowances.headers(orders=method.orders and refusal.code == -1015)

    def _asked(self, method: Method, call: Call) -> Asked:
        query, body = call.raw_query, call.body
        params, twice = _parameters(query, body)
        asked = Asked(params, call.ts_ns)
        self.allowances.ask(method.weighs(asked))
        unit = call.header("X-MBX-TIME-UNIT").upper()
        if unit not in _UNITS:
            raise Refusal(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
        asked.micro = _UNITS[unit]
        if twice:
            raise Refusal(-1101, "Duplicate values for a parameter detected.")
        if method.security != NONE:
            asked.api_key = call.header("X-MBX-APIKEY")
            if method.security == SIGNED:
                payload = unsigned(query.encode()) + unsigned(body)
                self.keys.check(asked.api_key, payload, str(params.get("signature", "")))
                check_time(params, self.exchange.clock.shown_ns())
            else:
                self.keys.find(asked.api_key)
        method.check(asked)
        return asked


def _gone(call: Call) -> Answer:
    return Answer(_GONE_PAGE.encode(), 410, content_type="text/html")


def _parameters(query: str, body: bytes) -> tuple[dict[str, Any], bool]:
    """Parameters of query and form, and whether a name stands twice in one of them; in both, the query counts."""
    params: dict[str, Any] = {}
    twice = False
    form = body.decode("utf-8", "replace") if body else ""
    for raw in (form, query):
        if raw:
            pairs = parse_qsl(raw, keep_blank_values=True)
            found = dict(pairs)
            twice = twice or len(found) < len(pairs)
            params |= found
    return params, twice
