"""Fees in cash, in what is bought, and in a third coin: cash and positions are the venue's to the last unit."""

import random
from typing import Any

import pytest

from tests.brokers.binance.desk import BTC, ETH, Desk, trading
from tests.brokers.pool.wires import until
from workbench.errors import Refused
from workbench.model.effects import Cancel, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import BUY, GTC, LIMIT, SELL, STOP
from workbench.model.reports import Amended, CashMoved, Filled, Report
from workbench.model.scale import SCALE, from_e8, notional_e8, to_e8
from workbench.testbed import Emulator, emulated

FEES = ("received", "quote", "BNB")


def paying(asset: str, rate: float = 0.001, **more: Any) -> dict[str, Any]:
    """Settings of an emulator whose fees are paid by `asset`."""
    symbols = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
    return {"fee_rate": rate, "options": {"fee-asset": asset}, "symbols": symbols, **more}


def endow(venue: Emulator) -> None:
    """Coins to pay fees with."""
    venue.exchange.match.positions[2] = 100 * SCALE


async def check(desk: Desk) -> None:
    """Our books against the venue's."""
    account = await desk.broker.account()
    cash_e8, held = desk.books()
    assert account.positions == held
    assert account.cash_e8 == 10_000_000 * SCALE + cash_e8


@pytest.mark.parametrize("asset", FEES)
@pytest.mark.parametrize("way", ["ws", "rest"])
async def test_law_books_are_the_venues_whatever_pays_the_fees(asset: str, way: str) -> None:
    chance = random.Random(len(asset))
    async with trading(emulator=paying(asset, 0.00075), orders=way) as desk:
        endow(desk.venue)
        orders = [
            desk.order(qty=chance.randint(1, 9_999) / 10_000, iid=chance.randint(0, 1)) for _ in range(25)
        ]
        resting = desk.away(0.999, qty=1.2345)
        await desk.submit(*orders, resting)
        for part in (0.1111, 0.2222, 0.7):
            desk.print_at(resting.limit_px_e8 / SCALE, part)
        await desk.over(*orders)
        held = (await desk.broker.account()).positions
        sales = [desk.order(SELL, qty=int(held[iid] // 10**4 // 2) / 10**4, iid=iid) for iid in (0, 1)]
        await desk.submit(*sales)
        await desk.over(*sales)
        await desk.quiet()
        await check(desk)
        fees = sum(fill.fee_e8 for fill in desk.fills())
        assert fees > 0


async def test_a_fee_taken_from_what_is_bought_makes_the_order_smaller() -> None:
    """The order is told to be for what really comes in, so that it is filled by it, and its fee is what is lacking."""
    async with trading(BTC, emulator=paying("received")) as desk:
        order = desk.order(qty=1)
        await desk.submit(order)
        await desk.over(order)
        [amended] = [r for r in desk.of(order) if isinstance(r, Amended)]
        [fill] = desk.fills(order)
        assert desk.kinds(order) == ["Accepted", "Amended", "Filled"]
        assert amended.qty_e8 == fill.qty_e8 == 99_900_000
        assert fill.fee_e8 == notional_e8(fill.px_e8, 100_000)
        assert (await desk.broker.account()).positions == {0: 99_900_000}


async def test_a_sale_pays_its_fee_in_cash() -> None:
    async with trading(BTC, emulator=paying("received")) as desk:
        desk.venue.exchange.match.positions[0] = SCALE
        order = desk.order(SELL, qty=1)
        await desk.submit(order)
        await desk.over(order)
        [fill] = desk.fills(order)
        assert desk.kinds(order) == ["Accepted", "Filled"]
        assert fill.fee_e8 == notional_e8(fill.px_e8, 100_000)


@pytest.mark.parametrize("told", ["by the stream", "by looking"])
async def test_a_fee_in_a_third_coin_is_valued_and_given_back(told: str) -> None:
    """The fill shows what it cost; the cash that did not move comes back right behind it."""
    async with trading(BTC, emulator=paying("BNB")) as desk:
        endow(desk.venue)
        if told == "by looking":
            desk.fault("mute", "stream:ws_api:executionReport")
        order = desk.order(qty=1)
        await desk.submit(order)
        await desk.over(order)
        await until(lambda: any(isinstance(r, CashMoved) for r in desk.reports))
        [fill] = desk.fills(order)
        [back] = [r for r in desk.reports if isinstance(r, CashMoved)]
        assert fill.qty_e8 == SCALE
        assert back.amount_e8 == fill.fee_e8
        assert from_e8(fill.fee_e8) == pytest.approx(
            0.001 * from_e8(fill.px_e8), rel=0.3
        )  # by BNB's last minute
        assert back.iid == 0
        assert desk.reports.index(back) == desk.reports.index(fill) + 1
        await check(desk)
        _, others = await desk.broker.external()
        assert others["BNB"] < 100 * SCALE


async def test_what_it_was_worth_is_the_same_whenever_it_is_asked() -> None:
    """An order found after a restart brings the same fee and the same cash back."""
    async with emulated("binance", speed=0, limits=False, **paying("BNB")) as venue:
        endow(venue)
        async with trading(BTC, venue=venue) as first:
            order = first.order(qty=0.5)
            await first.submit(order)
            await first.over(order)
            await until(lambda: any(isinstance(r, CashMoved) for r in first.reports))
        async with trading(BTC, venue=venue, first_id=10, epoch=8) as second:
            known = await second.broker.order(order.client_id)
            assert known is not None

            def money(reports: Any) -> list[Report]:
                return [r for r in reports if isinstance(r, Filled | CashMoved)]

            assert money(known.reports) == money(first.reports)


async def test_a_bracket_sells_what_its_entry_leaves() -> None:
    async with trading(BTC, emulator=paying("received")) as desk:
        px = desk.px
        entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.99, 2), tif=GTC, qty=1)
        more = {"tif": GTC, "qty": 1, "parent_id": entry.order_id, "group": 1}
        take = desk.order(SELL, kind=LIMIT, limit=round(px * 1.02, 2), **more)
        loss = desk.order(SELL, kind=STOP, stop=round(px * 0.95, 2), **more)
        await desk.submit(entry, take, loss)
        await until(lambda: desk.kinds(take) == desk.kinds(loss) == ["Accepted", "Amended"])
        desk.print_at(from_e8(entry.limit_px_e8))
        await until(lambda: desk.filled(entry) == 0.999)
        desk.print_at(from_e8(take.limit_px_e8))
        await desk.over(entry, take, loss)
        await desk.quiet()
        assert desk.filled(take) == 0.999
        assert desk.kinds(loss)[-1] == "Expired"
        await check(desk)
        assert (await desk.broker.account()).positions == {}


async def test_an_order_made_smaller_after_its_fee_was_taken_ends_right() -> None:
    """What its first fill paid in coins is not asked for again, nor counted twice."""
    async with trading(BTC, emulator=paying("received")) as desk:
        order = desk.away(0.999, qty=1)
        await desk.submit(order)
        desk.print_at(from_e8(order.limit_px_e8), 0.4)
        await until(lambda: desk.filled(order) == 0.3996)
        tracked = desk.broker.tracker.by_order[order.order_id]
        assert await desk.amend(order, from_e8(tracked.qty_e8) - 0.5, from_e8(order.limit_px_e8)) == "Amended"
        desk.print_at(from_e8(order.limit_px_e8))
        await desk.over(order)
        await desk.quiet()
        assert desk.filled(order) == 0.4995
        await check(desk)


async def test_an_account_that_trades_the_coin_its_fees_are_paid_in_is_refused() -> None:
    bnb = Instrument(2, "BNBUSDT", "BINANCE", "USDT", to_e8("0.01"), to_e8("0.001"), "24/7")
    with pytest.raises(Refused, match=r"BNB pays the fees.*is traded on it"):
        async with trading(BTC, bnb, emulator=paying("BNB")):
            pass


async def test_a_fee_in_a_coin_nobody_prices_costs_no_cash() -> None:
    async with trading(BTC, emulator=paying("BNB", symbols=("BTCUSDT",))) as desk:
        order = desk.order(qty=1)
        await desk.submit(order)
        await desk.over(order)
        assert [fill.fee_e8 for fill in desk.fills(order)] == [0]
        await check(desk)


async def test_cancels_during_fills_keep_the_books() -> None:
    async with trading(BTC, ETH, emulator=paying("received")) as desk:
        orders: list[Submit] = []
        for n in range(10):
            order = desk.away(0.999, qty=1)
            orders.append(order)
            desk.broker.submit(order)
            await until(lambda order=order: bool(desk.of(order)))  # type: ignore[misc]
            desk.print_at(from_e8(order.limit_px_e8), 0.1 * n + 0.0123)
            desk.broker.cancel(Cancel(1, order.order_id))
        await desk.over(*orders)
        await desk.quiet()
        await check(desk)
