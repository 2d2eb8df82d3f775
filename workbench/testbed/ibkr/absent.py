"""What the gateway has and this account has none of: options, futures, pairs, alerts, notifications, groups.

Lives here: empty answers in the right shape, and refusals where there is nothing to answer. Not here: paths the gateway
does not have (refusals.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.ibkr.asked import json_object
from workbench.testbed.ibkr.refusals import Refusal, unavailable

__all__ = ["absent_routes"]

_TAKEN: Final = {"V": 1, "T": 1}
_HMDS: Final = (("POST", "/hmds/auth/init"), ("GET", "/hmds/history"), ("GET", "/hmds/scanner/params"),
                ("POST", "/hmds/scanner"), ("POST", "/hmds/scanner/run"))  # fmt: skip
_ALERTS: Final = (("POST", "/iserver/account/{account}/alert"),
                  ("POST", "/iserver/account/{account}/alert/activate"),
                  ("DELETE", "/iserver/account/{account}/alert/{alert_id}"),
                  ("GET", "/iserver/account/alert/{alert_id}"), ("GET", "/iserver/account/mta"))  # fmt: skip


def absent_routes() -> list[Route]:
    """The routes of everything there is none of."""
    routes = [
        Route("GET", "/iserver/secdef/strikes", _about_one({"call": [], "put": []})),
        Route("GET", "/iserver/secdef/bond-filters", _said({"bondFilters": []})),
        Route("GET", "/trsrv/futures", _by_symbol),
        Route("GET", "/iserver/currency/pairs", _pairs),
        Route("GET", "/iserver/exchangerate", _rate),
        Route("GET", "/iserver/account/{account}/alerts", _said([])),
        Route("GET", "/portfolio/{account}/combo/positions", _said([])),
        Route("GET", "/iserver/account/allocation/group", _said({"data": []})),
        Route("GET", "/iserver/account/search/{pattern}", _no_details),
        Route("POST", "/iserver/dynaccount", _no_details),
        Route("POST", "/iserver/notification", _no_prompt),
        Route("GET", "/fyi/unreadnumber", _said({"BN": 0})),
        Route("GET", "/fyi/settings", _said([])),
        Route("POST", "/fyi/settings/{typecode}", _said(_TAKEN)),
        Route("GET", "/fyi/disclaimer/{typecode}", _disclaimer),
        Route("PUT", "/fyi/disclaimer/{typecode}", _said(_TAKEN)),
        Route("GET", "/fyi/notifications", _said([])),
        Route("GET", "/fyi/notifications/more", _said([])),
        Route("PUT", "/fyi/notifications/{notification_id}", _read),
        Route("GET", "/fyi/deliveryoptions", _said({"M": 0, "E": []})),
        Route("PUT", "/fyi/deliveryoptions/email", _said(_TAKEN)),
        Route("POST", "/fyi/deliveryoptions/device", _said(_TAKEN)),
        Route("DELETE", "/fyi/deliveryoptions/{device_id}", _said(_TAKEN)),
    ]
    routes += [Route(method, path, _no_bridge) for method, path in _HMDS]
    routes += [Route(method, path, _none) for method, path in _ALERTS]
    return routes


def _said(body: Any) -> Callable[[Call], Answer]:
    def reply(call: Call) -> Answer:
        return Answer(body)

    return reply


def _needed(call: Call, name: str) -> str:
    given = call.query.get(name, "")
    if not given:
        raise Refusal(f"Bad Request: {name} is required", 400)
    return given


def _about_one(body: Any) -> Callable[[Call], Answer]:
    def reply(call: Call) -> Answer:
        if not _needed(call, "conid").isdigit():
            raise Refusal(f"Bad Request: conid {call.query['conid']} is not valid", 400)
        return Answer(body)

    return reply


def _by_symbol(call: Call) -> Answer:
    symbols = _needed(call, "symbols").split(",")
    return Answer({symbol: [] for symbol in symbols if symbol})


def _pairs(call: Call) -> Answer:
    return Answer({_needed(call, "currency"): []})


def _rate(call: Call) -> Answer:
    """There is one currency; it is worth itself."""
    source, target = _needed(call, "source"), _needed(call, "target")
    if source != target:
        raise Refusal("Exchange rate is not available", 500)
    return Answer({"rate": 1.0})


def _disclaimer(call: Call) -> Answer:
    return Answer({"FC": call.path["typecode"], "DT": ""})


def _read(call: Call) -> Answer:
    return Answer({**_TAKEN, "P": {"R": 1, "ID": call.path["notification_id"]}})


def _no_prompt(call: Call) -> Answer:
    """Prompts come as questions to orders, which are answered elsewhere: there is none to answer here."""
    said = json_object(call.body)
    for name in ("orderId", "reqId", "text"):
        if name not in said:
            raise Refusal(f"Bad Request: {name} is required", 400)
    raise unavailable()


def _none(call: Call) -> Answer:
    raise unavailable()


def _no_bridge(call: Call) -> Answer:
    """The data farm for long histories has a session of its own, which this gateway does not open."""
    raise Refusal("Bad Request: no bridge", 400)


def _no_details(call: Call) -> Answer:
    raise Refusal(
        "Details currently unavailable. Please try again later and contact client services if the issue persists.",
        503,
    )
