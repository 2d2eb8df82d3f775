"""Each kind of order through the adapter at its emulator, either way, with each kind of key."""

from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.brokers.binance.desk import BTC, WAYS, Desk, trading
from tests.brokers.pool.wires import until
from workbench.model.effects import Submit
from workbench.model.orders import BUY, FOK, GTC, IOC, LIMIT, SELL, STOP, STOP_LIMIT, TRAILING
from workbench.model.scale import SCALE, from_e8
from workbench.testbed import Emulator, emulated


@cache
def rsa_pair() -> tuple[str, str]:
    """A private key and its public half, PEM."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def keys_of(venue: Emulator, kind: str) -> tuple[str, str]:
    """Key and secret of the account."""
    facts = venue.facts
    if kind == "HMAC":
        return facts["key"], facts["secret"]
    if kind == "Ed25519":
        return facts["ed25519_key"], facts["ed25519_private_key"]
    private, public = rsa_pair()
    return venue.venue.register(public), private  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["HMAC", "RSA", "Ed25519"])
async def test_a_session_with_each_kind_of_key(kind: str, way: str) -> None:
    """An Ed25519 key logs the order connection on: requests carry neither key nor signature then."""
    async with (
        emulated("binance", speed=0, limits=False) as venue,
        trading(BTC, venue=venue, orders=way, keys=keys_of(venue, kind)) as desk,
    ):
        socket = desk.broker.trading.socket
        assert (socket is None) == (way == "rest")
        assert socket is None or socket._signed == (kind != "Ed25519")
        market, resting = desk.order(qty=1), desk.away(0.9)
        await desk.submit(market, resting)
        await desk.over(market)
        assert await desk.amend(resting, 0.2, round(desk.px * 0.91, 2)) == "Amended"
        await desk.cancel(resting)
        assert (desk.filled(market), desk.kinds(resting)[-1]) == (1, "Cancelled")
        assert (await desk.broker.account()).positions == {0: SCALE}
        by_rest = desk.broker.pool.meters.requests["order"]
        assert by_rest == 2


@pytest.mark.parametrize("way", WAYS)
async def test_stops_and_stop_limits_wait_for_their_price(way: str) -> None:
    async with trading(BTC, orders=way) as desk:
        px = desk.px
        stop = desk.order(kind=STOP, stop=round(px * 1.01, 2))
        both = desk.order(kind=STOP_LIMIT, stop=round(px * 1.02, 2), limit=round(px * 1.02, 2), tif=GTC)
        await desk.submit(stop, both)
        desk.move(round(px * 1.005, 2))
        await desk.quiet()
        assert desk.kinds(stop) == desk.kinds(both) == ["Accepted"]
        desk.move(round(px * 1.012, 2))
        await desk.over(stop)
        desk.move(round(px * 1.03, 2))  # beyond its limit: it rests
        await desk.quiet()
        assert desk.kinds(both) == ["Accepted"]
        desk.print_at(from_e8(both.limit_px_e8))
        await desk.over(both)
        assert desk.filled(stop) == desk.filled(both) == 0.1


@pytest.mark.parametrize("told", [True, False], ids=["by the stream", "by a look"])
async def test_a_stop_that_is_thrown_out_when_it_is_set_off_has_expired(told: bool) -> None:
    async with trading(BTC) as desk:
        stop = desk.order(kind=STOP, stop=round(desk.px * 1.01, 2))
        await desk.submit(stop)
        if not told:
            desk.fault("drop", "stream:ws_api:executionReport")
        desk.fault("reject", "order:accept", count=1)
        desk.move(round(desk.px * 1.012, 2))
        if not told:
            await desk.broker.sweep(settled_s=0.0)
        await desk.over(stop)
        assert desk.kinds(stop) == ["Accepted", "Expired"]
        assert (await desk.broker.account()).open_orders == ()


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("way", WAYS)
async def test_a_trail_follows_one_way_and_is_met_by_its_share(side: int, way: str) -> None:
    async with trading(BTC, orders=way) as desk:
        first = desk.order(qty=1)
        await desk.submit(first)
        await desk.over(first)
        px = desk.px
        order = desk.order(side, kind=TRAILING, trail_rate_e8=SCALE // 50, tif=GTC)  # 2 %
        await desk.submit(order)
        for share in (0.03, 0.015):
            desk.move(round(px * (1 - side * share), 2))
            await desk.quiet()
            assert desk.kinds(order) == ["Accepted"]
        desk.move(round(px * (1 - side * 0.005), 2))  # 2.5 % back from the best it has seen
        await desk.over(order)
        assert desk.filled(order) == 0.1


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_not_had_at_once_expires(way: str) -> None:
    async with trading(BTC, orders=way) as desk:
        part = desk.order(kind=LIMIT, limit=round(desk.px * 1.0001, 2), qty=100, tif=IOC)
        nothing = desk.order(kind=LIMIT, limit=round(desk.px * 0.99, 2), tif=FOK)
        whole = desk.order(kind=LIMIT, limit=round(desk.px * 1.01, 2), tif=FOK)
        await desk.submit(part, nothing, whole)
        await desk.over(part, nothing, whole)
        assert desk.kinds(part)[-1] == desk.kinds(nothing)[-1] == "Expired"
        assert 0 < desk.filled(part) < 100
        assert (desk.filled(nothing), desk.filled(whole)) == (0, 0.1)


def pair(desk: Desk) -> tuple[Submit, Submit]:
    """To sell what is held: higher, or when it falls."""
    px = desk.px
    take = desk.order(SELL, kind=LIMIT, limit=round(px * 1.02, 2), tif=GTC, group=9)
    loss = desk.order(SELL, kind=STOP, stop=round(px * 0.95, 2), tif=GTC, group=9)
    return take, loss


@pytest.mark.parametrize("met", ["take", "loss"])
@pytest.mark.parametrize("way", WAYS)
async def test_of_a_pair_one_trades_and_the_other_ends(met: str, way: str) -> None:
    async with trading(BTC, orders=way) as desk:
        bought = desk.order(qty=1)
        await desk.submit(bought)
        take, loss = pair(desk)
        await desk.submit(take, loss)
        if met == "take":
            desk.print_at(from_e8(take.limit_px_e8))
        else:
            desk.move(round(desk.px * 0.94, 2))
        await desk.over(take, loss)
        winner, loser = (take, loss) if met == "take" else (loss, take)
        assert (desk.filled(winner), desk.filled(loser)) == (0.1, 0)
        assert desk.kinds(loser)[-1] in ("Expired", "Cancelled")
        assert not desk.venue.exchange.open


async def test_a_pair_is_cancelled_as_one() -> None:
    async with trading(BTC) as desk:
        bought = desk.order(qty=1)
        await desk.submit(bought)
        take, loss = pair(desk)
        await desk.submit(take, loss)
        await desk.cancel(loss)
        await desk.over(take, loss)
        assert desk.kinds(take)[-1] == desk.kinds(loss)[-1] == "Cancelled"


async def test_an_account_without_money_is_told_so() -> None:
    async with trading(BTC, emulator={"cash": 100.0}) as desk:
        order = desk.order(qty=1)
        await desk.submit(order)
        await until(lambda: desk.kinds(order) == ["Rejected"])
        assert "insufficient balance" in getattr(desk.of(order)[0], "text", "")
