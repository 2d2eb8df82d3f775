"""What is refused before it is sent, what refusals mean, and test network and exchange told apart."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from tests.brokers.alpaca.orders import exits, submit
from tests.brokers.binance.desk import BTC, ETH, Desk, trading
from tests.brokers.pool.wires import small_pool
from workbench.brokers.binance.bodies import ErrorBody, LimitBody, SymbolBody
from workbench.brokers.binance.client import BinanceDialect, query_of
from workbench.brokers.binance.config import Options, addresses_of, budgets, channels_of, options_of
from workbench.brokers.binance.parse import order_params
from workbench.brokers.binance.refusals import ClockOff, TooManyOrders, error_of
from workbench.brokers.binance.rules import Rules, instruments_of, listing_of
from workbench.brokers.binance.signer import Signer
from workbench.brokers.pool import Answer, Credentials
from workbench.config import BrokerSettings
from workbench.errors import (
    BadInput,
    BadValue,
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Refused,
    UnknownName,
    UnsafeVenue,
    VenueError,
    VenueRefused,
)
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
)
from workbench.model.scale import SCALE, to_e8
from workbench.testbed import emulated
from workbench.testbed.rigs.binance import binance_account

S = SCALE
FILTERS: list[dict[str, str | int | float | bool]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00010", "maxQty": "9000", "stepSize": "0.00001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.0", "maxQty": "128.5", "stepSize": "0.0"},
    {
        "filterType": "TRAILING_DELTA",
        "minTrailingAboveDelta": 10,
        "maxTrailingAboveDelta": 2000,
        "minTrailingBelowDelta": 10,
        "maxTrailingBelowDelta": 2000,
    },
    {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True, "maxNotional": "9000000.0"},
]
TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"]
SYMBOL = SymbolBody(
    "BTCUSDT", "TRADING", "BTC", "USDT", TYPES, FILTERS, True, True, True, True, allow_trailing_stop=True
)


def rules(**more: Any) -> Rules:
    made = Rules([Instrument(0, "BTCUSDT", tick_e8=1, lot_e8=1), Instrument(2, "NOPEUSDT")])
    made._add(listing_of(made.instruments[0], msgspec.structs.replace(SYMBOL, **more)))
    return made


# -- rules -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("order", "code"),
    [
        (submit(qty=0), "QTY"),
        (submit(iid=2), "UNKNOWN_SYMBOL"),
        (submit(iid=9), "UNKNOWN_SYMBOL"),
        (submit(tif=OPG), "TIF"),
        (submit(kind=LIMIT, tif=CLS, limit=100), "TIF"),
        (submit(kind=MARKET, tif=FOK), "TIF"),
        (submit(kind=STOP, tif=IOC, stop=100), "TIF"),
        (submit(kind=LIMIT), "PRICE"),
        (submit(kind=STOP), "PRICE"),
        (submit(kind=STOP_LIMIT, stop=100), "PRICE"),
        (submit(kind=LIMIT, limit=100.001), "PRICE_FILTER"),
        (submit(kind=STOP, stop=100.001), "PRICE_FILTER"),
        (submit(kind=LIMIT, limit=1_000_000.01), "PRICE_FILTER"),
        (submit(qty=0.000123), "LOT_SIZE"),
        (submit(qty=0.00009), "LOT_SIZE"),
        (submit(kind=LIMIT, qty=9000.1, limit=100), "LOT_SIZE"),
        (submit(qty=129), "MARKET_LOT_SIZE"),
        (submit(kind=LIMIT, qty=0.0499, limit=100), "NOTIONAL"),
        (submit(kind=LIMIT, qty=100, limit=90_001), "NOTIONAL"),
        (submit(SELL, STOP, qty=0.0499, stop=100), "NOTIONAL"),
        (submit(kind=TRAILING, trail_e8=S), "TRAIL"),
        (submit(kind=TRAILING), "TRAIL"),
        (submit(kind=TRAILING, trail_rate_e8=S // 10_000 + 1), "TRAIL"),
        (submit(kind=TRAILING, trail_rate_e8=9 * S // 10_000), "TRAILING_DELTA"),
        (submit(kind=TRAILING, trail_rate_e8=2_001 * S // 10_000), "TRAILING_DELTA"),
    ],
)
def test_orders_the_venue_would_refuse_are_not_sent(order: Submit, code: str) -> None:
    complaint = rules().complaint(order)
    assert complaint is not None
    assert complaint[0] == code
    assert complaint[1]


def test_symbols_that_do_not_trade_or_take_no_stops() -> None:
    halted = rules(status="BREAK").complaint(submit())
    assert halted is not None
    assert halted[0] == "NOT_TRADING"
    stops = rules(order_types=["LIMIT", "MARKET"]).complaint(submit(kind=STOP, stop=100))
    assert stops is not None
    assert stops[0] == "TYPE"


def test_one_account_has_one_cash_and_each_base_once() -> None:
    made = rules()
    euro = msgspec.structs.replace(SYMBOL, symbol="ETHEUR", base_asset="ETH", quote_asset="EUR")
    with pytest.raises(BadInput, match="ETHEUR is paid in EUR and others in USDT"):
        made._add(listing_of(Instrument(3, "ETHEUR"), euro))
    again = msgspec.structs.replace(SYMBOL, symbol="BTCUSDT2")
    with pytest.raises(BadInput, match="two instruments hold BTC"):
        made._add(listing_of(Instrument(4, "BTCUSDT2"), again))


ENTRY = submit(kind=LIMIT, limit=360, tif=GTC)


@pytest.mark.parametrize(
    "orders",
    [
        [ENTRY, *exits(qty=5)],
        [ENTRY, *exits(), exits()[0]],
        [submit(kind=MARKET), *exits()],
        [submit(kind=STOP, stop=400, tif=GTC), *exits()],
        [submit(SELL, LIMIT, GTC, limit=360), *exits()],
        [ENTRY, exits()[0], exits()[0]],
        [ENTRY, submit(SELL, TRAILING, GTC, trail_rate_e8=S // 100, parent_id=5)],
        [exits()[0]],
        exits(parent=0, loss={"stop": 390.0}),
        [exits(parent=0)[0], submit(BUY, STOP, GTC, stop=340, group=6)],
    ],
)
def test_orders_that_cannot_go_together_are_refused_together(orders: list[Submit]) -> None:
    assert rules().together(orders) is not None


def test_brackets_and_pairs_that_can() -> None:
    for orders in ([ENTRY, *exits()], [ENTRY, exits()[0]], [ENTRY, exits()[1]], exits(parent=0)):
        assert rules().together(orders) is None
    assert rules(oco_allowed=False).together(exits(parent=0)) is not None
    assert rules(oto_allowed=False).together([ENTRY, exits()[0]]) is not None


KINDS = (MARKET, LIMIT, STOP, STOP_LIMIT)
SIZES_E8 = (1, 10, 999, 1_000, 1_001, 5_000, 10_000, 12_345, S, 4_001 * S, 9_001 * S)


def wished(chance: random.Random, px: float) -> Submit:
    """An order of any form; stops are on the side where they wait."""
    side, kind = chance.choice((BUY, SELL)), chance.choice(KINDS)
    beyond = (1.01, 1.1, 4.0) if side == BUY else (0.5, 0.9, 0.99)
    shares = beyond if kind in (STOP, STOP_LIMIT) else (0.5, 0.9, 0.99, 1.01, 1.1, 4.0)
    at = round(px * chance.choice(shares), 2) + chance.choice((0.0, 0.0, 0.0, 0.001))
    limit = at if kind in (LIMIT, STOP_LIMIT) else 0.0
    stop = at if kind in (STOP, STOP_LIMIT) else 0.0
    order = submit(side, kind, chance.choice((DAY, GTC, IOC, FOK)), limit=limit, stop=stop)
    return msgspec.structs.replace(order, qty_e8=chance.choice(SIZES_E8))


async def test_law_what_is_sent_is_what_the_venue_takes() -> None:
    """Rules and the emulated venue's filters, written apart, agree about orders of any form."""
    chance = random.Random(7)
    async with trading(BTC, emulator={"cash": 1e10}) as desk:
        desk.venue.exchange.match.positions[0] = 10**6 * S
        seen = set()
        for _ in range(300):
            order = wished(chance, desk.px)
            mine = desk.broker.rules.complaint(order)
            seen.add(mine[0] if mine else "")
            if mine is not None and mine[0] == "TIF":
                continue  # words that have no parameter there
            theirs = await refusal(desk, order)
            if mine is None and not order.limit_px_e8 and "NOTIONAL" in theirs:
                continue  # without a price of its own only the venue values it
            assert mine[0] in theirs if mine else theirs == "", f"{order}: {mine} and '{theirs}'"
        assert seen == {"", "TIF", "LOT_SIZE", "MARKET_LOT_SIZE", "PRICE_FILTER", "NOTIONAL"}


async def refusal(desk: Desk, order: Submit) -> str:
    """What the venue says of an order when it is only tested."""
    client = desk.broker.client
    try:
        query = query_of(order_params(order, "BTCUSDT"))
        await client.rest.send("POST", client.routes.time, "/api/v3/order/test", query)
    except VenueRefused as error:
        return str(error)
    return ""


# -- what it says ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "code", "text", "kind", "field"),
    [
        (400, -2010, "Account has insufficient balance for requested action.", VenueRefused, "quantity"),
        (400, -2010, "Duplicate order sent.", OutcomeUnknown, ""),
        (400, -2010, "Order would immediately match and take.", VenueRefused, "price"),
        (400, -2010, "Stop price would trigger immediately.", VenueRefused, ""),
        (400, -2010, "Market is closed.", VenueRefused, "symbol"),
        (400, -1013, "Filter failure: PRICE_FILTER", VenueRefused, "price"),
        (400, -1013, "Filter failure: LOT_SIZE", VenueRefused, "quantity"),
        (400, -1121, "Invalid symbol.", VenueRefused, "symbol"),
        (400, -2011, "Unknown order sent.", VenueRefused, ""),
        (400, -2013, "Order does not exist.", VenueRefused, ""),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", ClockOff, ""),
        (400, -1022, "Signature for this request is not valid.", KeysRefused, ""),
        (401, -2014, "API-key format invalid.", KeysRefused, ""),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", KeysRefused, ""),
        (429, -1003, "Too much request weight used.", RateLimited, ""),
        (429, -1015, "Too many new orders.", TooManyOrders, ""),
        (418, -1003, "IP banned.", RateLimited, ""),
        (403, 0, "<html>", RateLimited, ""),
        (400, -1006, "An unexpected response was received.", VenueError, ""),
        (409, -2021, "Order cancel-replace partially failed.", VenueRefused, ""),
    ],
)
def test_refusals_are_typed_and_name_field_and_next_step(
    status: int, code: int, text: str, kind: type[Exception], field: str
) -> None:
    error = error_of(status, ErrorBody(code, text), 3.0)
    assert type(error) is kind
    assert str(error).startswith("binance: ")
    if field:
        assert getattr(error, "field", "") == field
    if isinstance(error, RateLimited):
        assert error.retry_after_s in (3.0, 60.0)


def test_a_closed_market_is_no_fault_of_the_order() -> None:
    error = error_of(400, ErrorBody(-2010, "Market is closed."), 1.0)
    assert str(error).endswith("wait until the symbol trades again")
    disabled = error_of(400, ErrorBody(-2010, "This action is disabled on this account."), 1.0)
    assert str(disabled).endswith("see the account's permissions at the venue")


@pytest.mark.parametrize(("status", "code"), [(500, 0), (503, 0), (504, -5000), (302, 0), (301, -1000)])
def test_statuses_that_prove_nothing_are_left_to_who_asked(status: int, code: int) -> None:
    assert error_of(status, ErrorBody(code, "?"), 3.0) is None


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007])
def test_codes_that_prove_nothing_are_no_refusals(code: int) -> None:
    """The venue itself says that it does not know: an order may have been taken."""
    assert not isinstance(error_of(400, ErrorBody(code, "Timeout waiting for response"), 3.0), VenueRefused)


def test_limits_and_counts_are_believed() -> None:
    pool = small_pool(*budgets())
    pool.limiter.clock = lambda: 1_000_025.0  # in the middle of every window
    dialect = BinanceDialect(Credentials("K", SecretStr("x")), Signer("none", str), pool, Options())
    rows = [LimitBody("REQUEST_WEIGHT", "MINUTE", 1, 1_200), LimitBody("ORDERS", "SECOND", 10, 50)]
    dialect.limits.told(rows, 0.0, counts=False)
    assert pool.limiter.budgets["weight"].limit == 1_200
    assert pool.limiter.budgets["orders_10s"].limit == 50
    headers = {"X-MBX-USED-WEIGHT-1M": "900", "X-MBX-ORDER-COUNT-10S": "20"}
    called_ns = 1_000_024 * 10**9
    dialect.heard(Answer(200, headers, b"{}", called_ns, called_ns))
    assert pool.limiter.headroom()["weight"] == pytest.approx(300 / 1_200, abs=0.02)
    assert pool.limiter.headroom()["orders_10s"] == pytest.approx(30 / 50, abs=0.02)


# -- test network and exchange -----------------------------------------------------------------------------------
def account(**more: Any) -> BrokerSettings:
    return BrokerSettings(**{"venue": "binance", **more})


def test_paper_and_live_have_their_own_addresses() -> None:
    assert addresses_of(account()).rest.host == "testnet.binance.vision"
    assert addresses_of(account(mode="live", account="1")).ws_api.host == "ws-api.binance.com"


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"addresses": {"rest": "https://api.binance.com"}}, Refused, "is the live one and mode is paper"),
        (
            {"mode": "live", "account": "1", "addresses": {"stream": "wss://stream.testnet.binance.vision"}},
            Refused,
            "is the paper one and mode is live",
        ),
        ({"addresses": {"rest": "http://api.example.com"}}, UnsafeVenue, "not encrypted"),
        ({"addresses": {"wsapi": "wss://x.example"}}, UnknownName, "did you mean 'ws_api'"),
    ],
)
def test_addresses_that_do_not_fit_are_refused(
    more: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        addresses_of(account(**more))
    assert says in str(caught.value)


def test_options_are_read_and_checked() -> None:
    assert options_of(account()) == Options("ws", 5_000)
    chosen = account(options={"orders": "rest", "recv_window_ms": 800, "channels": "trades, depth"})
    assert options_of(chosen) == Options("rest", 800)
    assert channels_of(chosen) == ("trades", "depth")
    for wrong, error, says in (
        ({"order": "ws"}, UnknownName, "did you mean 'orders'"),
        ({"orders": "fix"}, UnknownName, "fix"),
        ({"recv_window_ms": 99}, BadValue, "100 to 60000"),
        ({"recv_window_ms": True}, BadValue, "100 to 60000"),
        ({"channels": "bars,quots"}, UnknownName, "did you mean 'quotes'"),
    ):
        with pytest.raises(error, match=says):
            options_of(account(options=wrong))


# -- at the door -------------------------------------------------------------------------------------------------
async def test_another_account_than_the_named_one_is_refused() -> None:
    with pytest.raises(Refused, match="the keys belong to another account than '123'"):
        async with trading(settings={"account": "123"}):
            pass


async def test_instruments_come_from_the_venue_by_name() -> None:
    async with emulated("binance", speed=0) as venue:
        environ = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": venue.facts["secret"]}

        async def asked(*symbols: str) -> list[Instrument]:
            return await instruments_of(binance_account(venue), symbols, Path(), environ)

        assert await asked("BTCUSDT", "ETHUSDT") == [BTC, ETH]
        with pytest.raises(VenueRefused, match=r"'BTCUSD' is not listed.*check its spelling"):
            await asked("BTCUSDT", "BTCUSD")


async def test_orders_in_what_is_not_listed_are_rejected_and_the_rest_trades() -> None:
    nope = Instrument(1, "NOPEUSDT", "BINANCE", "USDT", 1, 1, "24/7")
    async with trading(BTC, nope) as desk:
        wrong, right = desk.order(iid=1), desk.order()
        await desk.submit(wrong, right)
        await desk.over(right)
        assert desk.kinds(wrong) == ["Rejected"]
        assert desk.filled(right) == float(to_e8("0.1")) / S
