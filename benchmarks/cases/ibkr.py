"""Interactive Brokers' recordings: answers of the gateway as a published client's own tests keep them.

Nothing was recorded of requests: the gateway signs nothing, and orders are held by that client's session instead. Not
ours: models of financial advisers, and contracts abroad.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from workbench.brokers.ibkr.bars import history_bars
from workbench.brokers.ibkr.contracts import one_in_the_us
from workbench.brokers.ibkr.parse import (
    AuthBody,
    LedgerRow,
    OrdersBody,
    PositionRow,
    StatusBody,
    TickleBody,
    evidence_of,
)
from workbench.brokers.ibkr.tickets import ticket_of
from workbench.brokers.ibkr.words import e8
from workbench.brokers.pool import decode
from workbench.errors import VenueRefused
from workbench.model import from_e8
from workbench.model.orders import LIMIT, WORKING

NAME = "ibkr"
SENTINEL_NS = 4_000_000_000 * 10**9  # long after every recording
STATUS = {"PreSubmitted": WORKING, "Submitted": WORKING}

type Check = Callable[[], None] | None


def raw(body: Any) -> bytes:
    return json.dumps(body).encode()


def state(body: Mapping[str, Any]) -> None:
    """The session's state, as it is asked for."""
    said = decode(NAME, raw(body), AuthBody, what="a state")
    names = ("authenticated", "competing", "connected", "message", "fail")
    assert [getattr(said, name) for name in names] == [body[name] for name in names]


def tickle(body: Mapping[str, Any]) -> None:
    """The session's number and state, as a tickle tells them."""
    said = decode(NAME, raw(body), TickleBody, what="a tickle")
    theirs = body["iserver"]["authStatus"]
    assert said.session == body["session"]
    names = ("authenticated", "competing", "connected")
    assert [getattr(said.iserver.authStatus, name) for name in names] == [theirs[name] for name in names]


def ledger(body: Mapping[str, Any]) -> None:
    """Balances, to the cent."""
    said = decode(NAME, raw(body), dict[str, LedgerRow], what="the ledger")
    assert said.keys() == body.keys()
    for currency, row in said.items():
        for name in ("cashbalance", "netliquidationvalue"):
            assert from_e8(e8(getattr(row, name), name)) == body[currency][name], (currency, name)


def positions(body: list[Any]) -> None:
    """Positions by contract."""
    said = decode(NAME, raw(body), list[PositionRow], what="positions")
    for row, theirs in zip(said, body, strict=True):
        assert (row.conid, row.ticker) == (theirs["conid"], theirs["ticker"])
        assert from_e8(e8(row.position, "position")) == theirs["position"]


def stock(symbol: str, body: list[Any], conid: int) -> None:
    """A symbol's contract: the one in the US that the client found, or a refusal when there is none."""
    in_us = [place for one in body for place in one["contracts"] if place["isUS"]]
    found, refused = 0, ""
    try:
        found = one_in_the_us(symbol, {symbol: body})
    except VenueRefused as error:
        refused = f"{error.code} {error.field}"
    if in_us:
        assert found == conid
        assert [place["conid"] for place in in_us] == [conid]
    else:
        assert (found, refused) == (0, "UNKNOWN_SYMBOL symbol")


def chart(body: Mapping[str, Any]) -> None:
    """A chart's bars: prices as they are, named by their end, volumes in shares."""
    bars, dropped = history_bars(raw(body), 3, SENTINEL_NS)
    assert (len(bars), dropped) == (len(body["data"]), 0)
    for bar, point in zip(bars, body["data"], strict=True):
        assert [bar.open, bar.high, bar.low, bar.close] == [point[letter] for letter in "ohlc"]
        assert bar.ts_ns == (point["t"] // 1_000 + body["barLength"]) * 10**9
        assert bar.volume == 100 * point["v"]
    top, low = max(bars, key=lambda bar: bar.high), min(bars, key=lambda bar: bar.low)
    # the chart says its extremes itself: price times its factor, volume, minutes
    for bar, px, said in ((top, top.high, body["high"]), (low, low.low, body["low"])):
        price, volume, _ = said.split("/")
        assert round(px * body["priceFactor"]) == int(price)
        assert bar.volume == 100 * float(volume)


def live_order(body: Mapping[str, Any]) -> None:
    """A row of the live orders: evidence of an order, and the ticket it can be changed by."""
    [row] = decode(NAME, raw({"orders": [body], "snapshot": True}), OrdersBody, what="orders").orders or []
    assert (row.number, row.order_ref, row.conid) == (str(body["orderId"]), body["order_ref"], body["conid"])
    found = evidence_of(row.order_ref or "", row.number, row.status, row.totalSize, row.filledQuantity, 1)
    assert found.state == STATUS[body["status"]]
    assert (from_e8(found.qty_e8), from_e8(found.filled_e8)) == (body["totalSize"], body["filledQuantity"])
    assert from_e8(e8(row.price or 0, "price")) == float(body["price"])
    said, kind = ticket_of(row, body["acct"])
    assert (said["orderType"], kind) == ("LMT", LIMIT)
    assert (said["conid"], said["side"], said["tif"], said["acctId"], said["cOID"]) == (
        body["conid"],
        body["side"],
        body["timeInForce"],
        body["account"],
        body["order_ref"],
    )


def status(number: str, body: Mapping[str, Any]) -> None:
    """One order, asked for by its number."""
    said = decode(NAME, raw(body), StatusBody, what="an order's status")
    found = evidence_of("wb-1-1", number, said.order_status, said.total_size, said.cum_fill, 1)
    assert str(said.order_id) == number
    assert found.state == STATUS[body["order_status"]]
    assert (from_e8(found.qty_e8), from_e8(found.filled_e8)) == (
        float(body["total_size"]),
        float(body["cum_fill"]),
    )
    assert from_e8(e8(said.limit_price or 0, "limit_price")) == float(body["limit_price"])
    assert (said.conid, said.side, said.tif) == (body["conid"], body["side"], body["tif"])


def cases(folder: Path) -> Iterator[tuple[str, Check]]:
    """Every recorded answer of the gateway."""
    recorded = json.loads((folder / "ibkr_bodies.json").read_text())["responses"]
    whole: dict[str, Callable[[Any], None] | None] = {
        "auth_status": state,
        "tickle": tickle,
        "ledger": ledger,
        "positions": positions,
        "accounts": None,  # asked for because it has to be, and not read
        "fa_model_list": None,
        "fa_model_positions": None,
        "filtered_conids": None,  # what that client makes of filters of its own
    }
    for name, check in whole.items():
        if name in recorded:
            yield name, None if check is None else partial(check, recorded[name])
    for symbol, body in recorded["stocks"].items():
        yield f"stocks {symbol}", partial(stock, symbol, body, recorded["conids"][symbol])
    for symbol, body in recorded["history"].items():
        yield f"history {symbol}", partial(chart, body)
    for number, body in enumerate(recorded["live_orders"]):
        yield f"live order {number}", partial(live_order, body)
    for number_text, body in recorded["order_status"].items():
        yield f"order {number_text}", partial(status, number_text, body)
