"""Words, payloads, rules, addresses and refusals of Alpaca, as facts and laws."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.brokers.alpaca.orders import exits, submit
from workbench.brokers.alpaca.parse import (
    FillBody,
    OrderBody,
    TradeFrame,
    amend_body,
    evidence_of,
    order_body,
)
from workbench.brokers.alpaca.words import e8, number_text, state_of, ts_ns_of
from workbench.errors import (
    VenueGarbled,
)
from workbench.model.effects import Amend, Submit
from workbench.model.orders import (
    CANCELLED,
    CLS,
    FOK,
    GTC,
    IOC,
    LIMIT,
    OPG,
    PARTIAL,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
    WORKING,
)
from workbench.model.scale import SCALE

S = SCALE


# -- numbers and times -------------------------------------------------------------------------------------------
@given(st.integers(0, 10**17))
def test_law_amounts_survive_the_way_there_and_back(units: int) -> None:
    text = number_text(units)
    assert e8(text, "qty") == units
    assert Decimal(text) * SCALE == units
    assert not text.endswith((".", "0")) or "." not in text


@pytest.mark.parametrize("wrong", ["", "NaN", "inf", "-Infinity", "1e400", "ten", "1,5", "0x10", "1e30"])
def test_amounts_that_are_none_are_typed_errors(wrong: str) -> None:
    with pytest.raises(VenueGarbled, match=r"alpaca: .*field qty"):
        e8(wrong, "qty")


@given(st.datetimes(min_value=__import__("datetime").datetime(1990, 1, 1)), st.integers(0, 999))
def test_law_times_keep_their_nanoseconds(moment: Any, ns: int) -> None:
    from datetime import UTC

    whole = int(moment.replace(tzinfo=UTC, microsecond=0).timestamp())
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}{ns:03d}"
    exact = whole * 10**9 + moment.microsecond * 1000 + ns
    assert ts_ns_of(f"{text}Z") == ts_ns_of(f"{text}+00:00") == exact
    assert ts_ns_of(f"{text}-05:00") == exact + 5 * 3600 * 10**9


@pytest.mark.parametrize("status", ["new", "held", "calculated", "pending_review"])
def test_every_status_that_may_still_fill_is_working(status: str) -> None:
    assert state_of(status) == WORKING


def test_a_status_nobody_knows_is_no_state() -> None:
    with pytest.raises(VenueGarbled, match="order status 'teleported' is unknown"):
        state_of("teleported")


# -- bodies ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("order", "body"),
    [
        (submit(), {"qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}),
        (
            submit(SELL, LIMIT, GTC, 0.5, limit=367.48),
            {"qty": "0.5", "side": "sell", "type": "limit", "time_in_force": "gtc", "limit_price": "367.48"},
        ),
        (submit(kind=STOP, stop=400), {"type": "stop", "stop_price": "400"}),
        (
            submit(kind=STOP_LIMIT, stop=400, limit=401.5),
            {"type": "stop_limit", "stop_price": "400", "limit_price": "401.5"},
        ),
        (submit(kind=TRAILING, trail_e8=2 * S), {"type": "trailing_stop", "trail_price": "2"}),
        (submit(kind=TRAILING, trail_rate_e8=S // 40), {"type": "trailing_stop", "trail_percent": "2.5"}),
        (submit(tif=OPG), {"time_in_force": "opg"}),
        (submit(tif=CLS), {"time_in_force": "cls"}),
        (submit(tif=IOC), {"time_in_force": "ioc"}),
        (submit(tif=FOK), {"time_in_force": "fok"}),
    ],
)
def test_orders_are_written_as_alpaca_reads_them(order: Submit, body: dict[str, str]) -> None:
    written = order_body([order], "SPY")
    assert body.items() <= written.items()
    assert (written["symbol"], written["client_order_id"]) == ("SPY", "wb-7-5")


def test_a_bracket_is_one_order_with_legs() -> None:
    entry = submit(kind=LIMIT, limit=360.0, tif=GTC)
    body = order_body([entry, *exits()], "SPY")
    assert (body["order_class"], body["type"], body["limit_price"], body["side"]) == (
        "bracket",
        "limit",
        "360",
        "buy",
    )
    assert body["take_profit"] == {"limit_price": "380"}
    assert body["stop_loss"] == {"stop_price": "340"}
    assert order_body([entry, exits()[1]], "SPY")["order_class"] == "oto"
    capped = exits(loss={"kind": STOP_LIMIT, "limit": 339.0})
    assert order_body([entry, *capped], "SPY")["stop_loss"] == {"stop_price": "340", "limit_price": "339"}


def test_a_pair_is_led_by_its_limit_order() -> None:
    take, loss = exits(parent=0)
    body = order_body([loss, take], "SPY")
    assert (body["order_class"], body["client_order_id"], body["type"], body["side"]) == (
        "oco",
        "wb-7-6.0",
        "limit",
        "sell",
    )
    assert (body["take_profit"], body["stop_loss"]) == ({"limit_price": "380"}, {"stop_price": "340"})


def body(**fields: Any) -> OrderBody:
    return msgspec.convert(
        {"id": "v1", "client_order_id": "wb-7-5", "status": "new", "qty": "10", **fields}, OrderBody
    )


def test_a_replacement_asks_for_the_rest_and_for_what_changes() -> None:
    was = body(limit_price="360", filled_qty="4")
    wanted = Amend(1, 5, 12 * S, 361 * S, 0)
    assert amend_body(wanted, 4 * S, was, "wb-7-5.2") == {
        "client_order_id": "wb-7-5.2",
        "qty": "8",
        "limit_price": "361",
    }
    same = Amend(1, 5, 10 * S, 361 * S, 0)
    assert "qty" not in amend_body(same, 0, body(limit_price="360"), "x")


def fill(order_id: str, cum: str, qty: str) -> FillBody:
    return FillBody("a", order_id, "360.5", qty, cum, "2024-07-18T05:02:23Z")


def test_evidence_of_one_order() -> None:
    shown = evidence_of(
        [body(status="partially_filled", filled_qty="4")],
        "wb-7-5",
        [fill("v1", "4", "4"), fill("v9", "1", "1")],
    )
    assert (shown.state, shown.filled_e8, shown.qty_e8, shown.terms) == (PARTIAL, 4 * S, 10 * S, None)
    assert [x.exec_id for x in shown.fills or ()] == ["v1@4"]
    assert evidence_of([body(status="pending_cancel", filled_qty="4")], "x").state == PARTIAL
    assert evidence_of([body(status="canceled", filled_qty="4")], "x").state == CANCELLED


@pytest.mark.parametrize("carried", [False, True])
def test_evidence_along_replacements_counts_every_execution_once(carried: bool) -> None:
    """Whether the new order counts on from the old one's fills or from nothing: the sum is that of the executions."""
    first = body(status="replaced", filled_qty="4", replaced_by="v2")
    second = body(
        id="v2",
        status="partially_filled",
        filled_qty="7" if carried else "3",
        qty="12" if carried else "8",
        replaces="v1",
    )
    fills = [fill("v1", "4", "4"), fill("v2", "7" if carried else "3", "3")]
    shown = evidence_of([first, second], "wb-7-5", fills)
    assert (shown.filled_e8, shown.qty_e8, shown.venue_id, shown.original_id) == (7 * S, 12 * S, "v2", "v1")
    assert shown.terms == (12 * S, 0, 0)


def test_an_execution_is_the_same_by_stream_and_by_history() -> None:
    frame = msgspec.json.decode(
        b'{"stream":"trade_updates","data":{"event":"partial_fill","execution_id":"e1","price":"360.5","qty":"4",'
        b'"timestamp":"2024-07-18T05:02:23Z","order":{"id":"v1","client_order_id":"wb-7-5","status":"partially_filled",'
        b'"filled_qty":"4","new_field":{"a":[1]}}}}',
        type=TradeFrame,
    )
    from workbench.brokers.alpaca.parse import execution_of

    update = frame.data
    assert update.order is not None
    assert update.qty is not None
    assert update.price is not None
    told = execution_of("v1", update.order.filled_qty, update.qty, update.price, update.timestamp)
    [listed] = evidence_of([update.order], "wb-7-5", [fill("v1", "4", "4")]).fills or ()
    assert told == listed
