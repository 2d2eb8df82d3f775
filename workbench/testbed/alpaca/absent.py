"""What Alpaca has and this market has none of, answered as Alpaca answers an account that has none.

Lives here: news, corporate actions, options, code tables (empty lists in the right shape); wallets, tokens, locates
and foreign data, for which this account has no permission. Not here: paths Alpaca does not have (refusals.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.testbed.alpaca.refusals import Refusal, malformed, not_found
from workbench.testbed.call import Answer, Call, Route

__all__ = ["absent_routes"]

_EXCHANGES: Final = {
    "A": "NYSE American (AMEX)",
    "B": "NASDAQ OMX BX",
    "C": "National Stock Exchange",
    "D": "FINRA ADF",
    "E": "Market Independent",
    "H": "MIAX",
    "I": "International Securities Exchange",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long Term Stock Exchange",
    "M": "Chicago Stock Exchange",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "S": "NASDAQ Small Cap",
    "T": "NASDAQ Int",
    "U": "Members Exchange",
    "V": "IEX",
    "W": "CBOE",
    "X": "NASDAQ OMX PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZX",
}
_OPTION_EXCHANGES: Final = {
    "A": "AMEX - NYSE American",
    "C": "CBOE",
    "N": "NYSE Arca",
    "O": "OPRA",
    "P": "NYSE Arca",
    "Q": "NASDAQ Options",
    "X": "NASDAQ PHLX",
}
_TRADE_CONDITIONS: Final = {
    " ": "Regular Sale",
    "4": "Derivatively Priced",
    "6": "Market Center Closing Trade",
    "@": "Regular Sale",
    "F": "Intermarket Sweep",
    "I": "Odd Lot Trade",
    "O": "Market Center Opening Trade",
    "T": "Form T",
}
_QUOTE_CONDITIONS: Final = {
    "A": "Slow Quote Offer Side",
    "B": "Slow Quote Bid Side",
    "R": "Regular, Two-Sided Open",
}
_SYMBOL: Final = 21  # the longest symbol an option has


def absent_routes() -> list[Route]:
    """The routes of everything there is none of."""
    routes = [
        Route("GET", "/v1beta1/news", _empty({"news": [], "next_page_token": None})),
        Route("GET", "/v1/corporate-actions", _empty({"corporate_actions": {}, "next_page_token": None})),
        Route(
            "GET",
            "/v1beta1/corporate-actions",
            _empty({"corporate_actions": {}, "next_page_token": None}),
        ),
        Route("GET", "/v2/corporate_actions/announcements", _announcements),
        Route("GET", "/v2/corporate_actions/announcements/{id}", _none("announcement not found")),
        Route(
            "GET",
            "/v2/options/contracts",
            _empty({"option_contracts": [], "next_page_token": None}),
        ),
        Route("GET", "/v2/options/contracts/{symbol}", _none("option contract not found")),
        Route("POST", "/v2/positions/{symbol}/exercise", _none("position does not exist")),
        Route("POST", "/v2/positions/{symbol}/do-not-exercise", _none("position does not exist")),
        Route("GET", "/v1beta1/logos/{symbol}", _none("logo not found")),
        Route("GET", "/v2/stocks/meta/exchanges", _empty(_EXCHANGES)),
        Route("GET", "/v2/stocks/meta/conditions/{ticktype}", _conditions),
        Route("GET", "/v1beta1/options/meta/exchanges", _empty(_OPTION_EXCHANGES)),
        Route("GET", "/v1beta1/options/meta/conditions/{ticktype}", _conditions),
    ]
    for path, field in (
        ("bars", "bars"),
        ("trades", "trades"),
        ("trades/latest", "trades"),
        ("quotes/latest", "quotes"),
        ("snapshots", "snapshots"),
    ):
        paged = {} if path.endswith("latest") else {"next_page_token": None}
        routes.append(Route("GET", f"/v1beta1/options/{path}", _of_symbols({field: {}, **paged})))
    chain: dict[str, Any] = {"snapshots": {}, "next_page_token": None}
    routes.append(Route("GET", "/v1beta1/options/snapshots/{underlying}", _empty(chain)))
    for method, path in _NOT_PERMITTED:
        routes.append(Route(method, path, _not_permitted))
    return routes


_NOT_PERMITTED: Final = (
    ("GET", "/v1beta1/forex/rates"),
    ("GET", "/v1beta1/forex/latest/rates"),
    ("GET", "/v1beta1/indices/values"),
    ("GET", "/v1beta1/indices/latest/values"),
    ("GET", "/v1beta1/fixed_income/latest/prices"),
    ("GET", "/v1beta1/fixed_income/latest/quotes"),
    ("GET", "/v1beta1/crypto-perps/{loc}/latest/{kind}"),
    ("GET", "/v2/wallets"),
    ("GET", "/v2/wallets/{name}"),
    ("POST", "/v2/wallets/{name}"),
    ("GET", "/v2/wallets/{name}/{id}"),
    ("DELETE", "/v2/wallets/{name}/{id}"),
    ("POST", "/v2/tokenization/{name}"),
    ("GET", "/v2/tokenization/{name}"),
    ("GET", "/v2/tokenization/requests/{id}"),
    ("GET", "/v1/locates"),
    ("POST", "/v1/locates"),
    ("GET", "/v1/locates/{id}"),
    ("GET", "/v2beta1/events/{name}"),
)


def _empty(body: dict[str, Any]) -> Callable[[Call], Answer]:
    def reply(call: Call) -> Answer:
        return Answer(body)

    return reply


def _of_symbols(body: dict[str, Any]) -> Callable[[Call], Answer]:
    def reply(call: Call) -> Answer:
        names = [name for name in call.query.get("symbols", "").split(",") if name]
        if not names:
            raise Refusal(400, 0, "symbols parameter is required")
        for name in names:
            if not name.isalnum() or len(name) > _SYMBOL:
                raise Refusal(400, 0, f"invalid symbol: {name}")
        return Answer(body)

    return reply


def _none(message: str) -> Callable[[Call], Answer]:
    def reply(call: Call) -> Answer:
        raise not_found(message)

    return reply


def _announcements(call: Call) -> Answer:
    for name in ("ca_types", "since", "until"):
        if not call.query.get(name):
            raise malformed(f"{name} is required")
    return Answer([])


def _conditions(call: Call) -> Answer:
    kind = call.path["ticktype"]
    if kind not in ("trade", "quote"):
        raise Refusal(400, 0, f"invalid ticktype: {kind}")
    return Answer(_TRADE_CONDITIONS if kind == "trade" else _QUOTE_CONDITIONS)


def _not_permitted(call: Call) -> Answer:
    if call.route.path.startswith("/v1beta1"):
        raise Refusal(403, 0, "subscription does not permit querying this data")
    raise Refusal(403, 40310000, "account is not allowed to access this endpoint")
