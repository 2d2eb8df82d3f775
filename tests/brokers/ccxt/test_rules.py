"""Options, claims, grids, orders: what goes to an exchange and what is refused before."""

from typing import Any

import pytest

from workbench.brokers.ccxt.config import PRESETS, UNIT, allowances, plan_of
from workbench.brokers.ccxt.library import exchanges, shown
from workbench.brokers.ccxt.rules import (
    Rules,
    arguments_of,
    check_able,
    claims_of,
    instruments_of,
    listing_of,
)
from workbench.config import BrokerSettings
from workbench.errors import BadInput, BadValue, Refused, UnknownName, VenueRefused
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
    BUY,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
)
from workbench.model.scale import SCALE, to_e8


def account(**options: Any) -> BrokerSettings:
    return BrokerSettings(venue="ccxt", options=options)


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
        "SOL/EUR": {**spot, "symbol": "SOL/EUR", "base": "SOL", "quote": "EUR"},
        "SOL/BTC": {**spot, "symbol": "SOL/BTC", "base": "SOL", "quote": "BTC"},
        "SOL/USDT": {**spot, "symbol": "SOL/USDT", "base": "SOL", "quote": "USDT"},
        "USDT/USD": {**spot, "symbol": "USDT/USD", "base": "USDT"},
        "LONG": {**spot, "symbol": "L" * 40 + "/USD", "base": "L"},
        "BTC/USD:USD": {**spot, "symbol": "BTC/USD:USD", "spot": False, "type": "swap"},
    }
    exchange = shown("alpaca")
    one_money = instruments_of(exchange, markets, ["BTC/USD", "SOL/USDT"])
    assert [i.currency for i in one_money] == ["USD", "USDT"]  # a dollar is a dollar
    assert [i.symbol for i in instruments_of(exchange, markets, ["BTC/USD"])] == ["BTC/USD"]
    refused: list[tuple[list[str], type[Exception], str]] = [
        (["BTCUSD"], UnknownName, "did you mean 'BTC/USD'"),
        (["BTC/USD:USD"], VenueRefused, "trades spot markets alone"),
        (["ETH/USD"], VenueRefused, "cannot be traded now"),
        (["BTC/USD", "BTC/USDT"], BadInput, "are both held as BTC"),
        (
            ["BTC/USD", "SOL/EUR"],
            BadInput,
            r"BTC/USD \(USD\) and SOL/EUR \(EUR\) at alpaca are paid in different",
        ),
        (["BTC/USD", "SOL/BTC"], BadInput, "are paid in different moneys"),
        (["SOL/USDT", "USDT/USD"], BadInput, "USDT/USD at alpaca trades what other symbols are paid in"),
        (["LONG"], VenueRefused, "too long a symbol"),
    ]
    for symbols, kind, text in refused:
        with pytest.raises(kind, match=text):
            instruments_of(exchange, markets, symbols)


# -- orders before they are sent -----------------------------------------------------------------------------------
BTC: dict[str, Any] = {
    "symbol": "BTC/USD",
    "base": "BTC",
    "quote": "USD",
    "spot": True,
    "active": True,
    "precision": {"price": 0.01, "amount": 0.001},
    "limits": {"amount": {"min": 0.002}, "cost": {"min": 10.0}},
}


def rules_of(name: str, **market: Any) -> Rules:
    rules = Rules([Instrument(0, "BTC/USD")])
    plan = plan_of(account(exchange=name))
    assert rules.learn(shown(name), {"BTC/USD": {**BTC, **market}}, claims_of(shown(name), plan)) == []
    return rules


def order_of(
    kind: int = LIMIT, qty: float = 1.0, limit: float = 100.0, stop: float = 0.0, **more: Any
) -> Submit:
    terms: dict[str, Any] = {"side": BUY, "tif": GTC, "qty_e8": to_e8(qty), **more}
    terms |= {"limit_px_e8": to_e8(limit), "stop_px_e8": to_e8(stop)}
    return Submit(ts_ns=1, order_id=1, epoch=7, strategy_id=1, iid=0, kind=kind, **terms)


REFUSED: list[tuple[str, Submit, str, str]] = [
    (
        "alpaca",
        order_of(TRAILING, trail_e8=SCALE),
        "TYPE",
        "trailing orders cannot be sent to alpaca by ccxt",
    ),
    ("alpaca", order_of(STOP, stop=90.0), "TYPE", "stop orders cannot be sent to alpaca by ccxt"),
    ("okx", order_of(STOP_LIMIT, stop=90.0), "TYPE", "stop_limit orders cannot be sent to okx by ccxt"),
    ("alpaca", order_of(group=3), "TOGETHER", "send them one by one"),
    ("alpaca", order_of(parent_id=3), "TOGETHER", "send them one by one"),
    ("alpaca", order_of(tif=FOK), "TIF", "alpaca takes no limit order fok by ccxt"),
    (
        "alpaca",
        order_of(STOP_LIMIT, stop=90.0, tif=IOC),
        "TIF",
        "alpaca takes no stop_limit order ioc by ccxt",
    ),
    ("coinbase", order_of(MARKET), "TYPE", "coinbase takes market buys as an amount of money, not of coins"),
    ("gate", order_of(MARKET), "TYPE", "send a limit order"),
    ("gemini", order_of(MARKET), "TYPE", "gemini takes no market orders by ccxt"),
    ("alpaca", order_of(qty=0.0), "QTY", "qty 0 is not above 0"),
    ("alpaca", order_of(qty=1.0005), "GRID", "qty 1.0005 is no multiple of 0.001"),
    ("alpaca", order_of(qty=0.001), "MIN_QTY", "qty 0.001 is below the least, 0.002"),
    ("alpaca", order_of(limit=0.0), "PRICE", "a limit order needs a limit_price above 0"),
    ("alpaca", order_of(limit=1.001), "GRID", "limit_price 1.001 is no multiple of 0.01"),
    ("alpaca", order_of(STOP_LIMIT), "PRICE", "a stop_limit order needs a stop_price above 0"),
    ("alpaca", order_of(qty=0.01), "MIN_VALUE", "a value of 1 is below the least, 10"),
]


@pytest.mark.parametrize(("name", "order", "code", "text"), REFUSED, ids=lambda value: str(value)[:20])
def test_what_cannot_be_sent_is_refused_by_name(name: str, order: Submit, code: str, text: str) -> None:
    complaint = rules_of(name).complaint(order)
    assert complaint is not None
    assert complaint[0] == code
    assert text in complaint[1]


def test_what_can_be_sent_is_not_refused() -> None:
    for name in ("alpaca", "binance", "bybit", "kraken", "okx"):
        for order in (order_of(MARKET), order_of(), order_of(tif=IOC), order_of(tif=DAY)):
            assert rules_of(name).complaint(order) is None, name
    assert rules_of("coinbase").complaint(order_of(MARKET, side=SELL)) is None
    assert rules_of("kraken").complaint(order_of(STOP, stop=90.0)) is None


def test_a_symbol_that_is_halted_or_unknown_is_refused() -> None:
    halted = rules_of("alpaca", active=False).complaint(order_of())
    assert halted == ("NOT_TRADABLE", "BTC/USD cannot be traded at alpaca now")
    rules = Rules([Instrument(0, "NO/USD")])
    assert rules.learn(shown("alpaca"), {"BTC/USD": BTC}, frozenset()) == ["NO/USD"]
    assert rules.complaint(order_of()) == ("UNKNOWN_SYMBOL", "instrument 'NO/USD' is not listed at alpaca")


def test_a_classic_account_is_never_sent_coins_as_money() -> None:
    """ccxt would send the quantity of a market buy as dollars there; so it is told to refuse it."""
    assert PRESETS["bybit"]["createOrder"] == {"createMarketBuyOrderRequiresPrice": True}
    assert shown("bybit").options["createOrder"]["createMarketBuyOrderRequiresPrice"] is False


def test_orders_in_ccxts_words() -> None:
    def said(name: str, order: Submit) -> tuple[Any, ...]:
        plan = plan_of(account(exchange=name))
        client = type("Client", (), {"plan": plan, "exchange": shown(name)})
        return arguments_of(order, rules_of(name), client)  # type: ignore[arg-type]

    assert said("alpaca", order_of(MARKET, qty=0.5)) == (
        "BTC/USD",
        "market",
        "buy",
        0.5,
        None,
        {"clientOrderId": "wb-7-1"},
    )
    assert said("okx", order_of(tif=FOK, side=SELL)) == (
        "BTC/USD",
        "limit",
        "sell",
        1.0,
        100.0,
        {"clientOrderId": "wbx7x1", "timeInForce": "FOK"},
    )
    assert said("kraken", order_of(STOP, stop=90.0, side=SELL))[1:] == (
        "market",
        "sell",
        1.0,
        None,
        {"clientOrderId": "wb-7-1", "triggerPrice": 90.0},
    )
