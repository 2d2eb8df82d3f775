"""Every filter of a symbol: what breaks one is refused by the filter's name, with the field and the next step."""

import pytest
from msgspec import structs

from tests.brokers.binance.desk import BTC, WAYS, Desk, trading
from workbench.brokers.binance.bodies import ErrorBody
from workbench.brokers.binance.refusals import error_of
from workbench.errors import VenueRefused
from workbench.model.effects import Submit
from workbench.model.orders import BUY, GTC, LIMIT, MARKET, SELL, STOP, TRAILING
from workbench.model.reports import AmendRefused, Rejected
from workbench.model.scale import SCALE, from_e8, to_e8

SELF_CHECKED = (
    ("PRICE_FILTER", {"kind": LIMIT, "limit": 60_000.001}),
    ("PRICE_FILTER", {"kind": LIMIT, "limit": 5_000_000.0}),
    ("PRICE_FILTER", {"kind": STOP, "stop": 60_000.001}),
    ("LOT_SIZE", {"kind": MARKET, "qty": 0.000001}),
    ("LOT_SIZE", {"kind": LIMIT, "limit": 60_000.0, "qty": 9_001.0}),
    ("MARKET_LOT_SIZE", {"kind": MARKET, "qty": 4_001.0}),
    ("NOTIONAL", {"kind": LIMIT, "limit": 60_000.0, "qty": 0.00001}),
    ("NOTIONAL", {"kind": LIMIT, "limit": 60_000.0, "qty": 8_000.0}),
    ("TRAILING_DELTA", {"kind": TRAILING, "side": SELL, "trail_rate_e8": SCALE // 2}),
)


def limit_to(desk: Desk, **figures: int) -> None:
    """Change BTCUSDT's filters at the venue, behind the adapter's back."""
    rules = desk.binance.rules
    rules.filters[0] = structs.replace(rules.filters[0], **figures)


async def rejection(desk: Desk, order: Submit) -> Rejected:
    await desk.submit(order)
    [report] = desk.of(order)
    assert isinstance(report, Rejected), report
    return report


async def test_what_can_be_known_is_refused_before_it_is_sent() -> None:
    async with trading(BTC) as desk:
        for name, wanted in SELF_CHECKED:
            report = await rejection(desk, desk.order(**wanted))
            assert report.code == name, (name, wanted)
        assert not desk.venue.exchange.orders


@pytest.mark.parametrize("way", WAYS)
async def test_what_only_the_venue_knows_comes_back_by_name(way: str) -> None:
    """How far a price may be from the average, how many orders there may be, how much may be held."""
    async with trading(BTC, orders=way, emulator={"limits": True}) as desk:
        refused = [await rejection(desk, desk.away(0.1)), await rejection(desk, desk.away(6.0, side=SELL))]
        limit_to(desk, most_orders=1)
        await desk.submit(desk.away(0.9))
        refused.append(await rejection(desk, desk.away(0.9)))
        limit_to(desk, most_orders=200, most_algo=1)
        stop = round(desk.px * 1.1, 2)
        await desk.submit(desk.order(kind=STOP, stop=stop))
        refused.append(await rejection(desk, desk.order(kind=STOP, stop=stop)))
        limit_to(desk, most_position_e8=to_e8("0.5"))
        refused.append(await rejection(desk, desk.order(qty=0.6)))
        assert [report.code for report in refused] == [
            "PERCENT_PRICE_BY_SIDE",
            "PERCENT_PRICE_BY_SIDE",
            "MAX_NUM_ORDERS",
            "MAX_NUM_ALGO_ORDERS",
            "MAX_POSITION",
        ]
        advice = ("nearer to the average", "", "cancel an open order", "cancel a waiting stop", "buy less")
        for report, next_step in zip(refused, advice, strict=True):
            assert next_step in report.text
            assert report.text.startswith("binance: ")


async def test_how_many_pairs_and_amendments_there_may_be() -> None:
    async with trading(BTC, emulator={"limits": True}) as desk:
        limit_to(desk, most_lists=1, most_amends=1)
        await desk.submit(desk.order(qty=1))
        for expected in (["Accepted"], ["Rejected"]):
            px = desk.px
            more = {"tif": GTC, "group": 1 + len(desk.reports)}
            take = desk.order(SELL, kind=LIMIT, limit=round(px * 1.02, 2), **more)
            loss = desk.order(SELL, kind=STOP, stop=round(px * 0.95, 2), **more)
            await desk.submit(take, loss)
            assert [desk.kinds(take), desk.kinds(loss)] == [expected, expected]
        [refused] = [r for r in desk.of(take) if isinstance(r, Rejected)]
        assert (refused.code, "pair or bracket" in refused.text) == ("MAX_NUM_ORDER_LISTS", True)
        order = desk.away(0.9, side=BUY, qty=1)
        await desk.submit(order)
        assert await desk.amend(order, 0.8, from_e8(order.limit_px_e8)) == "Amended"
        assert await desk.amend(order, 0.6, from_e8(order.limit_px_e8)) == "AmendRefused"
        [said] = [r for r in desk.of(order) if isinstance(r, AmendRefused)]
        assert said.code == "MAX_NUM_ORDER_AMENDS"


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("PRICE_FILTER", "price"),
        ("PERCENT_PRICE", "price"),
        ("PERCENT_PRICE_BY_SIDE", "price"),
        ("LOT_SIZE", "quantity"),
        ("MARKET_LOT_SIZE", "quantity"),
        ("MIN_NOTIONAL", "quantity"),
        ("NOTIONAL", "quantity"),
        ("MAX_POSITION", "quantity"),
        ("MAX_ASSET", "quantity"),
        ("T_PLUS_SELL", "quantity"),
        ("ICEBERG_PARTS", "icebergQty"),
        ("TRAILING_DELTA", "trailingDelta"),
        ("MAX_NUM_ORDERS", "symbol"),
        ("MAX_NUM_ALGO_ORDERS", "type"),
        ("MAX_NUM_ICEBERG_ORDERS", "icebergQty"),
        ("MAX_NUM_ORDER_LISTS", "symbol"),
        ("MAX_NUM_ORDER_AMENDS", "newQty"),
        ("EXCHANGE_MAX_NUM_ORDERS", "symbol"),
        ("EXCHANGE_MAX_NUM_ALGO_ORDERS", "type"),
        ("EXCHANGE_MAX_NUM_ICEBERG_ORDERS", "icebergQty"),
        ("EXCHANGE_MAX_NUM_ORDER_LISTS", "symbol"),
        ("SOMETHING_NEW", ""),
    ],
)
@pytest.mark.parametrize("code", [-1013, -2010])
def test_every_filter_has_its_field_and_its_next_step(name: str, field: str, code: int) -> None:
    error = error_of(400, ErrorBody(code, f"Filter failure: {name}"), 1.0)
    assert isinstance(error, VenueRefused)
    assert (error.code, error.field) == (name, field)
    assert f"Filter failure: {name}" in str(error)
    assert len(error.advice) > 10
