"""Ids, numbers, grids, claims: what goes to an exchange and what is refused before."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.brokers.ccxt.config import PRESETS, UNIT, allowances, plan_of
from workbench.brokers.ccxt.library import exchanges, shown
from workbench.brokers.ccxt.parse import client_id_of, e8, evidence_of, number, our_id, part_of, state_of
from workbench.brokers.ccxt.rules import check_able, claims_of, instruments_of, listing_of
from workbench.config import BrokerSettings
from workbench.errors import BadInput, BadValue, Refused, UnknownName, VenueGarbled, VenueRefused
from workbench.model.orders import CANCELLED, EXPIRED, FILLED, PARTIAL, REJECTED, WORKING


def account(**options: Any) -> BrokerSettings:
    return BrokerSettings(venue="ccxt", options=options)


# -- ids and numbers -----------------------------------------------------------------------------------------------
@given(
    st.integers(0, 10**18),
    st.integers(1, 10**18),
    st.integers(1, 99),
    st.sampled_from(["dashes", "plain"]),
    st.sampled_from(["", "t-", "x-broker"]),
)
def test_law_our_ids_come_back_whatever_stands_before_them(
    epoch: int, order: int, part: int, style: str, before: str
) -> None:
    ours = f"wb-{epoch}-{order}"
    told = before + client_id_of(ours, style, part)
    assert our_id(told) == ours
    assert part_of(told) == part
    assert style == "dashes" or client_id_of(ours, style, part).isalnum()


@given(st.integers(0, 9 * 10**15))
def test_law_amounts_pass_ccxts_floats_unchanged(units: int) -> None:
    assert e8(number(units), "qty") == units
    assert e8(str(number(units)), "qty") == units


@pytest.mark.parametrize("value", ["x", float("nan"), float("inf"), "1e40", [1]])
def test_what_is_no_number_is_said_so(value: Any) -> None:
    with pytest.raises(VenueGarbled, match="is no number"):
        e8(value, "qty")


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"status": "open", "filled": 0.0, "amount": 2.0}, WORKING),
        ({"status": "open", "filled": 1.0, "amount": 2.0}, PARTIAL),
        ({"status": "canceling", "filled": 0.0, "amount": 2.0}, WORKING),
        ({"status": "closed", "filled": 2.0, "amount": 2.0}, FILLED),
        ({"status": "closed", "filled": 1.0, "amount": 2.0}, CANCELLED),
        ({"status": "canceled", "filled": 1.0, "amount": 2.0}, CANCELLED),
        ({"status": "expired", "filled": 0.0, "amount": 2.0}, EXPIRED),
        ({"status": "rejected", "filled": None, "amount": 2.0}, REJECTED),
        ({"status": None, "filled": None, "amount": None}, WORKING),
        ({"status": None, "filled": 2.0, "amount": 2.0}, FILLED),
    ],
)
def test_states(row: dict[str, Any], state: int) -> None:
    assert state_of(row) == state


def test_a_state_nobody_knows_is_no_state() -> None:
    with pytest.raises(VenueGarbled, match="order status 'teleported' is unknown"):
        state_of({"status": "teleported", "filled": 0.0, "amount": 1.0})


def test_an_order_and_the_one_in_its_place_are_one() -> None:
    old = {"id": "1", "status": "canceled", "filled": 0.5, "amount": 2.0, "timestamp": 1}
    new = {"id": "2", "status": "open", "filled": 0.0, "amount": 1.0, "price": 9.5, "timestamp": 2}
    found = evidence_of([old, new], "wb-7-1", 0)
    assert (found.state, found.qty_e8, found.filled_e8) == (PARTIAL, 150_000_000, 50_000_000)
    assert found.terms == (150_000_000, 950_000_000, 0)
    assert (found.original_id, found.venue_id) == ("1", "2")


# -- settings ------------------------------------------------------------------------------------------------------
def test_options_are_checked_with_the_nearest_right_one() -> None:
    refused: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, BadValue, "ccxt option exchange"),
        ({"exchnge": "kraken"}, UnknownName, "did you mean 'exchange'"),
        ({"exchange": "kraken", "events": "strem"}, UnknownName, "did you mean 'stream'"),
        ({"exchange": "kraken", "channels": "bars,quote"}, UnknownName, "did you mean 'quotes'"),
        ({"exchange": "kraken", "poll_s": 0}, BadValue, "poll_s"),
        ({"exchange": "kraken", "amend": "maybe"}, UnknownName, "ccxt option amend 'maybe'"),
    ]
    for options, kind, text in refused:
        with pytest.raises(kind, match=text):
            plan_of(account(**options))


def test_what_is_known_of_exchanges_is_taken_unless_it_is_said() -> None:
    kraken, okx, alpaca = (plan_of(account(exchange=name)) for name in ("Kraken", "okx", "alpaca"))
    assert (kraken.exchange, kraken.amend, kraken.fills, kraken.client_ids) == ("kraken", "", "ask", "dashes")
    assert (okx.amend, okx.client_ids) == ("in_place", "plain")
    assert (alpaca.amend, alpaca.fills) == ("new_order", "ask")
    assert plan_of(account(exchange="binance")).fills == "stream"
    assert plan_of(account(exchange="alpaca", amend="never")).amend == ""


def test_every_exchange_of_the_tables_is_one_of_ccxts() -> None:
    from workbench.brokers.ccxt import config

    named = {*PRESETS, *config.BY_CLIENT_ID, *config._PLAIN_IDS, *config._NEW_ORDER, *config._IN_PLACE}
    assert named | config._TOLD_FILLS <= set(exchanges())


def test_an_exchange_ccxt_does_not_know() -> None:
    with pytest.raises(UnknownName, match="did you mean 'kraken'"):
        shown("krakn")


def test_allowances_are_ccxts_rate_over_ten_seconds() -> None:
    requests, in_flight = allowances(333.0)
    assert (requests.limit // UNIT, requests.period_s, in_flight.limit) == (30, 10.0, 64)
    assert (
        allowances(5_000.0)[0].limit == 10 * UNIT
    )  # one request at least, with something kept back for cancels


# -- exchanges -----------------------------------------------------------------------------------------------------
def test_claims_follow_from_what_an_exchange_has() -> None:
    def claims(name: str, **options: Any) -> set[str]:
        return set(claims_of(shown(name), plan_of(account(exchange=name, **options))))

    assert claims("alpaca") == {"gtc", "ioc", "amend", "stop_limit"}
    assert claims("alpaca", amend="never") == {"gtc", "ioc", "stop_limit"}
    assert claims("binance") == {"gtc", "ioc", "fok", "amend", "stop_limit"}
    assert {"stop", "stop_limit"} <= claims("kraken")
    assert not {"stop", "stop_limit"} & claims("okx")  # a triggered stop is an order of another number there


def test_exchanges_whose_orders_cannot_be_followed_are_refused() -> None:
    for name in ("alpaca", "binance", "binanceus", "bybit", "coinbase", "kraken", "kucoin", "okx"):
        check_able(shown(name))
    with pytest.raises(Refused, match="has no fetchMyTrades for 'upbit': orders there could not be followed"):
        check_able(shown("upbit"))


def test_grids_in_all_of_ccxts_ways() -> None:
    market = {
        "symbol": "BTC/USD",
        "base": "BTC",
        "quote": "USD",
        "spot": True,
        "precision": {"price": 0.01, "amount": 1e-9},
        "limits": {"amount": {"min": 0.0001}, "cost": None},
    }
    ticks = listing_of(shown("alpaca"), market, 3)
    assert (ticks.tick_e8, ticks.lot_e8, ticks.min_qty_e8) == (1_000_000, 1, 10_000)
    assert (ticks.instrument.iid, ticks.instrument.currency, ticks.instrument.calendar) == (3, "USD", "24/7")
    decimals = type("Exchange", (), {"id": "x", "precisionMode": 2})
    found = listing_of(decimals, {**market, "precision": {"price": 2, "amount": None}}, 0)
    assert (found.tick_e8, found.lot_e8) == (1_000_000, 1)


def test_markets_that_are_not_for_the_bridge_are_refused() -> None:
    spot = {
        "symbol": "BTC/USD",
        "base": "BTC",
        "quote": "USD",
        "spot": True,
        "precision": {},
        "limits": {},
        "active": True,
    }
    markets = {
        "BTC/USD": spot,
        "BTC/USDT": {**spot, "symbol": "BTC/USDT", "quote": "USDT"},
        "ETH/USD": {**spot, "symbol": "ETH/USD", "base": "ETH", "active": False},
        "BTC/USD:USD": {**spot, "symbol": "BTC/USD:USD", "spot": False, "type": "swap"},
    }
    exchange = shown("alpaca")
    assert [i.symbol for i in instruments_of(exchange, markets, ["BTC/USD"])] == ["BTC/USD"]
    refused: list[tuple[list[str], type[Exception], str]] = [
        (["BTCUSD"], UnknownName, "did you mean 'BTC/USD'"),
        (["BTC/USD:USD"], VenueRefused, "trades spot markets alone"),
        (["ETH/USD"], VenueRefused, "cannot be traded now"),
        (["BTC/USD", "BTC/USDT"], BadInput, "are both held as BTC"),
    ]
    for symbols, kind, text in refused:
        with pytest.raises(kind, match=text):
            instruments_of(exchange, markets, symbols)
