"""Words, parameters of orders, commissions and evidence of Binance, as facts and laws."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.brokers.alpaca.orders import exits, submit
from workbench.brokers.binance.bodies import Event, OrderBody
from workbench.brokers.binance.parse import (
    bracket_params,
    commission_of,
    event_order,
    evidence_of,
    order_params,
    pair_params,
    replace_params,
)
from workbench.brokers.binance.words import amended_id, e8, number_text, own_id, state_of, ts_ns_of
from workbench.errors import VenueGarbled
from workbench.model.effects import Amend, Submit
from workbench.model.orders import (
    BUY,
    CANCELLED,
    DAY,
    EXPIRED,
    FILLED,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    PARTIAL,
    REJECTED,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
    WORKING,
)
from workbench.model.scale import SCALE, notional_e8, to_e8

S = SCALE


# -- numbers and times -------------------------------------------------------------------------------------------
@given(st.integers(0, 10**17))
def test_law_amounts_survive_the_way_there_and_back(units: int) -> None:
    text = number_text(units)
    assert e8(text, "qty") == e8(f"{Decimal(units) / S:.8f}", "qty") == units
    assert Decimal(text) * SCALE == units
    assert "e" not in text.lower()
    assert not text.endswith(".")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "NaN",
        "inf",
        "-Infinity",
        "1e400",
        "1e9999999",
        "ten",
        "1,5",
        "0x10",
        "1e30",
        ".",
        "1" + 40 * "0",
        5_000 * "9",
    ],
    ids=lambda wrong: wrong[:12] or "nothing",
)
def test_amounts_that_are_none_are_typed_errors(wrong: str) -> None:
    with pytest.raises(VenueGarbled, match=r"binance: .*field qty"):
        e8(wrong, "qty")


def test_finer_amounts_than_ours_are_cut() -> None:
    assert e8("0.123456789", "qty") == 12_345_678
    assert e8("-0.5", "d") == -S // 2


@given(st.integers(1, 4 * 10**12))
def test_law_times_are_told_in_milli_or_microseconds(ms: int) -> None:
    assert ts_ns_of(ms) == ts_ns_of(str(ms)) == ms * 1_000_000
    if ms > 10**11:  # later than 1973
        assert ts_ns_of(ms * 1_000 + 7) == ms * 1_000_000 + 7_000


def test_a_time_that_is_none_is_a_typed_error() -> None:
    with pytest.raises(VenueGarbled, match="'soon' is no whole number"):
        ts_ns_of("soon")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", WORKING),
        ("PENDING_NEW", WORKING),
        ("PENDING_CANCEL", WORKING),
        ("PARTIALLY_FILLED", PARTIAL),
        ("FILLED", FILLED),
        ("CANCELED", CANCELLED),
        ("REJECTED", REJECTED),
        ("EXPIRED", EXPIRED),
        ("EXPIRED_IN_MATCH", EXPIRED),
    ],
)
def test_every_status_there_is(status: str, state: int) -> None:
    assert state_of(status) == state


def test_a_status_nobody_knows_is_no_state() -> None:
    with pytest.raises(VenueGarbled, match="order status 'TELEPORTED' is unknown"):
        state_of("TELEPORTED")


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(2, 99))
def test_law_versions_of_an_order_are_told_by_their_ids(epoch: int, order_id: int, version: int) -> None:
    own = f"wb-{epoch}-{order_id}"
    assert own_id(own) == (own, 1)
    assert own_id(amended_id(own, version)) == (own, version)
    assert len(amended_id(own, version)) <= 36  # the venue's limit


@pytest.mark.parametrize("other", ["", "x-R4BD3S82", "wb-7", "wb-7-1_", "wb-7-1_2_3", "web_abc", "WB-7-1"])
def test_ids_of_others_are_not_ours(other: str) -> None:
    assert own_id(other) == ("", 0)


# -- parameters --------------------------------------------------------------------------------------------------
USUAL = {"symbol": "BTCUSDT", "newClientOrderId": "wb-7-5", "newOrderRespType": "FULL"}


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        (submit(qty=0.2), {"side": "BUY", "type": "MARKET", "quantity": "0.2"}),
        (submit(SELL, MARKET, IOC, qty=3), {"side": "SELL", "type": "MARKET", "quantity": "3"}),
        (
            submit(kind=LIMIT, qty=0.2, limit=50.0),
            {"side": "BUY", "type": "LIMIT", "quantity": "0.2", "price": "50", "timeInForce": "GTC"},
        ),
        (
            submit(kind=LIMIT, tif=FOK, qty=0.00078, limit=55000.01),
            {
                "side": "BUY",
                "type": "LIMIT",
                "quantity": "0.00078",
                "price": "55000.01",
                "timeInForce": "FOK",
            },
        ),
        (
            submit(SELL, STOP, GTC, qty=1, stop=40000.5),
            {"side": "SELL", "type": "STOP_LOSS", "quantity": "1", "stopPrice": "40000.5"},
        ),
        (
            submit(kind=STOP_LIMIT, tif=DAY, qty=0.2, stop=100.0, limit=50.0),
            {
                "side": "BUY",
                "type": "STOP_LOSS_LIMIT",
                "quantity": "0.2",
                "price": "50",
                "stopPrice": "100",
                "timeInForce": "GTC",
            },
        ),
        (
            submit(SELL, TRAILING, GTC, qty=0.1, trail_rate_e8=S // 20),
            {"side": "SELL", "type": "STOP_LOSS", "quantity": "0.1", "trailingDelta": "500"},
        ),
    ],
)
def test_orders_as_the_venue_wants_them(order: Submit, wanted: dict[str, str]) -> None:
    params = order_params(order, "BTCUSDT")
    assert dict(params) == {**USUAL, **wanted}
    assert len(params) == len(dict(params))


def test_a_pair_names_what_is_above_and_below() -> None:
    """Sold: the profit is above. Bought back: the profit is below."""
    sold = dict(pair_params(exits(parent=0), "BTCUSDT"))
    assert sold == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "10",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": "380",
        "aboveClientOrderId": "wb-7-6",
        "belowType": "STOP_LOSS",
        "belowStopPrice": "340",
        "belowClientOrderId": "wb-7-7",
        "newOrderRespType": "RESULT",
    }
    stop = submit(BUY, STOP_LIMIT, GTC, 10, limit=391.0, stop=390.0, number=8)
    bought = dict(pair_params([submit(BUY, LIMIT, GTC, 10, limit=300.0, number=9), stop], "BTCUSDT"))
    assert (bought["aboveType"], bought["aboveTimeInForce"]) == ("STOP_LOSS_LIMIT", "GTC")
    assert (bought["abovePrice"], bought["aboveStopPrice"]) == ("391", "390")
    assert (bought["belowType"], bought["belowClientOrderId"]) == ("LIMIT_MAKER", "wb-7-9")


def test_a_bracket_names_its_entry_and_what_waits() -> None:
    entry = submit(kind=LIMIT, tif=GTC, limit=360.0)
    both = dict(bracket_params(entry, exits(), "BTCUSDT", to_e8(9.99)))
    assert (both["workingType"], both["workingSide"], both["workingPrice"]) == ("LIMIT", "BUY", "360")
    assert (both["workingClientOrderId"], both["workingTimeInForce"]) == ("wb-7-5", "GTC")
    assert (both["workingQuantity"], both["pendingQuantity"], both["pendingSide"]) == ("10", "9.99", "SELL")
    assert (both["pendingAboveType"], both["pendingAbovePrice"]) == ("LIMIT_MAKER", "380")
    assert (both["pendingBelowType"], both["pendingBelowStopPrice"]) == ("STOP_LOSS", "340")
    assert (both["pendingAboveClientOrderId"], both["pendingBelowClientOrderId"]) == ("wb-7-6", "wb-7-7")
    one = dict(bracket_params(entry, exits()[:1], "BTCUSDT", to_e8(10)))
    assert (one["pendingType"], one["pendingPrice"], one["pendingTimeInForce"]) == ("LIMIT", "380", "GTC")
    assert one["pendingClientOrderId"] == "wb-7-6"


def test_a_replacement_gives_way_when_anything_has_filled() -> None:
    order = submit(kind=LIMIT, tif=GTC, qty=2, limit=360.0)
    wanted = Amend(1, 5, to_e8(3), to_e8(361), 0)
    params = dict(replace_params(order, wanted, "BTCUSDT", "12", "wb-7-5_2"))
    assert (params["quantity"], params["price"]) == ("3", "361")
    assert (params["cancelOrderId"], params["newClientOrderId"]) == ("12", "wb-7-5_2")
    assert (params["cancelReplaceMode"], params["cancelRestrictions"]) == ("STOP_ON_FAILURE", "ONLY_NEW")


# -- commissions -------------------------------------------------------------------------------------------------
@given(
    st.sampled_from([BUY, SELL]),
    st.integers(1, 10**13),
    st.integers(1, 10**12),
    st.integers(0, 10**9),
    st.sampled_from(["BTC", "USDT"]),
)
def test_law_whatever_the_fee_is_paid_in_cash_and_position_are_the_venues(
    side: int, px_e8: int, qty_e8: int, fee_e8: int, asset: str
) -> None:
    """Cash moves by what was traded (and a fee in cash), the position by what was traded (and a fee in coins)."""
    fee_e8 = min(fee_e8, qty_e8)
    booked = commission_of(side, px_e8, qty_e8, fee_e8, asset, "BTC", "USDT")
    cash_e8 = -side * notional_e8(px_e8, booked.qty_e8) - booked.fee_e8
    in_coins, in_cash = (fee_e8, 0) if asset == "BTC" else (0, fee_e8)
    assert cash_e8 == -side * notional_e8(px_e8, qty_e8) - in_cash
    assert side * booked.qty_e8 == side * qty_e8 - in_coins
    assert booked.asset == ""


def test_a_fee_in_a_third_asset_is_left_to_be_valued() -> None:
    booked = commission_of(BUY, 60_000 * S, S, 7, "BNB", "BTC", "USDT")
    assert (booked.qty_e8, booked.fee_e8, booked.asset, booked.amount_e8) == (S, 0, "BNB", 7)


# -- evidence ----------------------------------------------------------------------------------------------------
def body(**more: object) -> OrderBody:
    usual = {
        "symbol": "LTCUSDT",
        "orderId": 38,
        "clientOrderId": "wb-7-5",
        "status": "NEW",
        "origQty": "0.10",
    }
    return msgspec.convert({**usual, **more}, OrderBody)


def test_numbers_as_text_and_as_numbers_are_the_same() -> None:
    text = {"orderId": "38", "executedQty": "0.10000000", "status": "FILLED", "updateTime": "1679571174472"}
    plain = {"orderId": 38, "executedQty": 0.1, "status": "FILLED", "updateTime": 1679571174472}
    one, other = (evidence_of([body(**given_as)], "wb-7-5") for given_as in (text, plain))
    assert one == other
    assert (one.state, one.filled_e8, one.ts_ns) == (FILLED, to_e8("0.1"), 1_679_571_174_472_000_000)


def test_a_chain_is_one_order() -> None:
    """What the first filled counts, and the newest says how it is."""
    first = body(status="CANCELED", executedQty="0.04")
    newest = body(orderId=39, clientOrderId="wb-7-5_2", origQty="0.06", price="71.5")
    evidence = evidence_of([first, newest], "wb-7-5")
    assert (evidence.venue_id, evidence.state) == ("39", PARTIAL)
    assert (evidence.qty_e8, evidence.filled_e8) == (to_e8("0.1"), to_e8("0.04"))
    assert evidence.terms == (to_e8("0.1"), to_e8("71.5"), 0)


def test_a_cancel_is_told_by_the_id_the_order_had() -> None:
    event = msgspec.convert({"e": "executionReport", "c": "web_cancel", "C": "wb-7-5_3"}, Event)
    assert event_order(event) == ("wb-7-5", 3)
    assert event_order(msgspec.convert({"e": "executionReport", "c": "wb-7-5"}, Event)) == ("wb-7-5", 1)
    assert event_order(msgspec.convert({"e": "executionReport", "c": "web_1"}, Event)) == ("", 0)
