"""Answers that cannot be used, and venues that cannot be trusted: typed errors, and nothing dead without proof."""

from typing import Any

import pytest

from tests.brokers.binance.desk import BTC, POST, WAYS, trading
from tests.brokers.pool.wires import until
from workbench.brokers.binance.feed import BinanceFeed
from workbench.errors import KeysRefused, UnsafeVenue, VenueGarbled, VenueRefused
from workbench.model.scale import SCALE
from workbench.testbed import Fault, emulated
from workbench.testbed.rigs.binance import binance_account, opened

ACCOUNT = "rest:GET /api/v3/account"
INFO = "rest:GET /api/v3/exchangeInfo"
OPEN = "rest:GET /api/v3/openOrders"
TIME = "rest:GET /api/v3/time"
ANSWER = {"rest": (POST, "status"), "ws": ("stream:ws_api:answer:order.place", "result.status")}
MORE = "some_new_field"
CAP = 17_000_000  # more than an answer may have


# -- questions ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"what": "invalid_json"}, "the account"),
        ({"what": "huge", "bytes": CAP}, "larger than 16 MB"),
        ({"what": "bomb", "bytes": CAP}, "larger than 16 MB"),
        ({"what": "mutate", "set": {"balances": "none"}}, "balances"),
        ({"what": "mutate", "set": {"balances": [{"asset": "BTC", "free": "much", "locked": "0"}]}}, "much"),
    ],
    ids=lambda value: value["what"] if isinstance(value, dict) else "",
)
async def test_an_account_that_cannot_be_read_is_a_typed_error(fault: dict[str, Any], says: str) -> None:
    async with trading(BTC) as desk:
        desk.fault(where=ACCOUNT, **fault)
        with pytest.raises(VenueGarbled, match=says) as caught:
            await desk.broker.account()
        assert str(caught.value).startswith("binance: ")
        assert caught.value.advice
        desk.venue.faults.clear()
        assert (await desk.broker.account()).cash_e8 > 0


async def test_fields_nobody_knows_are_left_alone() -> None:
    async with trading(BTC) as desk:
        for where in ("rest:*", "stream:ws_api:*"):
            desk.fault("mutate", where, set={MORE: {"deeper": [1, 2]}})
        order, resting = desk.order(), desk.away(0.9)
        await desk.submit(order, resting)
        await desk.over(order)
        await desk.cancel(resting)
        assert desk.kinds(order) == ["Accepted", "Filled"]
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]
        assert (await desk.broker.account()).open_orders == ()


async def test_a_filter_nobody_knows_is_left_alone_whatever_is_in_it() -> None:
    new = {"filterType": "BRAND_NEW", "levels": [1, {"of": None}], "from": None, "to": {"be": 1}}
    async with emulated("binance", speed=0, limits=False) as venue:
        venue.faults.add(Fault(what="mutate", where=INFO, set={"symbols.0.filters.0": new}))
        venue.faults.add(Fault(what="mutate", where=TIME, set={MORE: "words"}))
        async with trading(BTC, venue=venue) as desk:
            order = desk.away(0.9)
            await desk.submit(order)
            assert desk.kinds(order) == ["Accepted"]


async def test_an_open_order_in_a_word_nobody_knows_does_not_hide_the_others() -> None:
    async with trading(BTC) as desk:
        odd, other = desk.away(0.9), desk.away(0.8)
        await desk.submit(odd, other)
        desk.fault("mutate", OPEN, set={"0.status": "TELEPORTED"})
        assert (await desk.broker.account()).open_orders == (odd.order_id, other.order_id)
        desk.fault("mute", "stream:ws_api:executionReport")
        desk.print_at(other.limit_px_e8 / SCALE)
        await desk.broker.sweep(settled_s=0.0)
        await desk.over(other)
        assert desk.filled(other) == 0.1


async def test_an_answer_nested_without_end_is_read_or_refused_and_harms_nothing() -> None:
    async with trading(BTC) as desk:
        number = desk.fault("deep", ACCOUNT, times=10_000)
        with pytest.raises(VenueGarbled, match="binance: "):
            await desk.broker.account()
        desk.venue.faults.remove(number)
        assert (await desk.broker.account()).cash_e8 > 0


@pytest.mark.parametrize("way", WAYS)
async def test_a_status_nobody_knows_is_no_end(way: str) -> None:
    """The order is looked up, and lives on."""
    async with trading(BTC, orders=way) as desk:
        where, word = ANSWER[way]
        desk.fault("mutate", where, count=1, set={word: "FROZEN"})
        desk.fault("mute", "stream:ws_api:executionReport")
        order = desk.away(0.9)
        await desk.submit(order)
        await until(lambda: desk.kinds(order)[-1] == "Accepted")
        desk.venue.faults.clear()
        await desk.cancel(order)
        assert desk.kinds(order) == ["OutcomeLost", "Accepted", "Cancelled"]


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "invalid_json"},
        {"what": "mutate", "unset": ["result.orderId"]},
        {"what": "mutate", "set": {"result": 7}},
    ],
    ids=["json", "no id", "no object"],
)
async def test_a_frame_that_does_not_answer_is_an_answer_lost(fault: dict[str, Any]) -> None:
    async with trading(BTC, orders="ws") as desk:
        desk.fault(where=ANSWER["ws"][0], count=1, **fault)
        desk.impatient()
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert [kind for kind in desk.kinds(order) if kind != "OutcomeLost"] == ["Accepted", "Filled"]
        assert len(desk.at_venue(order)) == 1


# -- opening -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tls", ["wrong-host", "expired", "good"])
async def test_a_certificate_nobody_vouches_for_is_refused_and_shown_nothing(tls: str) -> None:
    """A certificate of one's own is not vouched for either."""
    async with emulated("binance", speed=0, tls=tls) as venue:
        broker = opened(venue, [BTC])
        with pytest.raises(UnsafeVenue, match=r"binance: the certificate of .* cannot be trusted"):
            await broker.connect(lambda report: None)
        assert not broker.pool.is_open
        feed = BinanceFeed(binance_account(venue), [BTC])
        with pytest.raises(UnsafeVenue, match="cannot be trusted"):
            await feed.connect(lambda event: None)
        assert feed.state == "closed"


async def test_a_key_of_the_other_environment_is_named_as_such() -> None:
    """Both kinds look alike; the venue knows neither of the other's."""
    async with emulated("binance", speed=0, seed=2) as other, emulated("binance", speed=0) as venue:
        keys = other.facts["key"], other.facts["secret"]
        with pytest.raises(KeysRefused, match=r"-2015.*one of this environment \(paper or live\)"):
            await opened(venue, [BTC], keys=keys).connect(lambda report: None)


async def test_an_account_that_may_not_trade_is_refused() -> None:
    async with emulated("binance", speed=0, limits=False) as venue:
        venue.faults.add(Fault(what="mutate", where=ACCOUNT, set={"canTrade": False}))
        with pytest.raises(VenueRefused, match="the account cannot trade"):
            await opened(venue, [BTC]).connect(lambda report: None)


@pytest.mark.parametrize(
    "fault", [{"what": "invalid_json"}, {"what": "mutate", "set": {"symbols": 5}}], ids=["json", "shape"]
)
async def test_a_listing_that_cannot_be_read_stops_the_opening(fault: dict[str, Any]) -> None:
    async with emulated("binance", speed=0, limits=False) as venue:
        broker = opened(venue, [BTC])
        venue.faults.add(Fault(where=INFO, **fault))
        with pytest.raises(VenueGarbled, match="what is listed"):
            await broker.connect(lambda report: None)
        assert not broker.pool.is_open
