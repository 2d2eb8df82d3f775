"""What is refused before it is sent, what refusals mean, and paper and live told apart."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.brokers.alpaca.orders import exits, submit
from tests.brokers.pool.wires import small_pool
from workbench.brokers import open_broker
from workbench.brokers.alpaca.client import AlpacaDialect
from workbench.brokers.alpaca.config import addresses_of, check_keys
from workbench.brokers.alpaca.parse import (
    AssetBody,
)
from workbench.brokers.alpaca.rules import Rules, listing_of
from workbench.brokers.pool import Answer, Credentials
from workbench.brokers.pool.accounts import account_of
from workbench.config import BrokerSettings, load_settings
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Refused,
    UnknownName,
    UnsafeVenue,
    VenueRefused,
)
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
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
from workbench.model.scale import SCALE

S = SCALE


# -- rules -------------------------------------------------------------------------------------------------------
STOCK = AssetBody("SPY", tradable=True, fractionable=True)
COIN = AssetBody(
    "BTC/USD",
    "crypto",
    tradable=True,
    min_order_size="0.0001",
    min_trade_increment="0.000000001",
    price_increment="0.5",
)


def rules(**stock: Any) -> Rules:
    made = Rules(
        [Instrument(0, "SPY", lot_e8=1), Instrument(1, "BTC/USD", tick_e8=1, lot_e8=1), Instrument(2, "NOPE")]
    )
    made.listings[0] = listing_of(made.instruments[0], msgspec.structs.replace(STOCK, **stock))
    made.listings[1] = listing_of(made.instruments[1], COIN)
    return made


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (submit(qty=0), "QTY"),
        (submit(qty=-1), "QTY"),
        (submit(iid=2), "UNKNOWN_SYMBOL"),
        (submit(iid=9), "UNKNOWN_SYMBOL"),
        (submit(kind=LIMIT), "PRICE"),
        (submit(kind=LIMIT, limit=360.123), "GRID"),
        (submit(kind=STOP, stop=360.123), "GRID"),
        (submit(kind=STOP), "PRICE"),
        (submit(kind=TRAILING), "TRAIL"),
        (submit(kind=TRAILING, trail_e8=S, trail_rate_e8=S // 10), "TRAIL"),
        (submit(qty=0.5, tif=GTC), "FRACTION"),
        (submit(qty=0.5, kind=TRAILING, trail_e8=S), "FRACTION"),
        (submit(kind=STOP, stop=400, tif=OPG), "TIF"),
        (submit(kind=STOP, stop=400, tif=IOC), "TIF"),
        (submit(kind=TRAILING, trail_e8=S, tif=FOK), "TIF"),
        (submit(iid=1, qty=0.00001, tif=GTC), "MIN_QTY"),
        (submit(iid=1, kind=LIMIT, limit=60000.3, tif=GTC), "GRID"),
        (submit(iid=1, kind=STOP, stop=60000, tif=GTC), "TYPE"),
        (submit(iid=1, kind=LIMIT, limit=60000, tif=DAY), "TIF"),
        (submit(iid=1, kind=MARKET, tif=FOK), "TIF"),
    ],
)
def test_orders_the_venue_would_refuse_are_not_sent(order: Submit, code: str) -> None:
    complaint = rules().complaint(order)
    assert complaint is not None
    assert complaint[0] == code
    assert complaint[1]


@pytest.mark.parametrize(
    "order",
    [
        submit(),
        submit(qty=0.5),
        submit(qty=0.5, kind=LIMIT, limit=360.12),
        submit(kind=LIMIT, limit=0.1234),
        submit(tif=OPG),
        submit(kind=LIMIT, limit=360, tif=CLS),
        submit(kind=TRAILING, trail_e8=S, tif=GTC),
        submit(iid=1, qty=0.0001, tif=GTC),
        submit(iid=1, qty=0.12345678),
        submit(iid=1, qty=1, kind=STOP_LIMIT, stop=60000, limit=60000.5, tif=GTC),
    ],
)
def test_orders_the_venue_takes_are_sent(order: Submit) -> None:
    made = rules()
    made.instruments[0] = Instrument(0, "SPY", tick_e8=1, lot_e8=1)
    made.listings[0] = listing_of(made.instruments[0], STOCK)
    assert made.complaint(order) is None


def test_halted_and_whole_share_assets() -> None:
    complaint = rules(tradable=False).complaint(submit())
    assert complaint is not None
    assert complaint[0] == "NOT_TRADABLE"
    whole = rules(fractionable=False).complaint(submit(qty=0.5))
    assert whole is not None
    assert whole[0] == "GRID"


@pytest.mark.parametrize(
    "orders",
    [
        [submit(kind=LIMIT, limit=360, tif=IOC), *exits()],
        [submit(kind=LIMIT, limit=360, tif=GTC), *exits(qty=5)],
        [submit(kind=LIMIT, limit=360, tif=GTC), *exits(), exits()[0]],
        [submit(kind=STOP, stop=400, tif=GTC), *exits()],
        [submit(SELL, LIMIT, GTC, limit=360), *exits()],
        [submit(kind=LIMIT, limit=360, tif=GTC), exits()[0], exits()[0]],
        [submit(kind=LIMIT, limit=360, tif=GTC, qty=0.5), *exits(qty=0.5)],
        [submit(kind=MARKET, tif=GTC, group=6), submit(SELL, LIMIT, GTC, limit=380, group=6)],
        [exits()[0]],
    ],
)
def test_orders_that_cannot_go_together_are_refused_together(orders: list[Submit]) -> None:
    assert rules().together(orders) is not None


def test_brackets_and_pairs_that_can() -> None:
    entry = submit(kind=LIMIT, limit=360, tif=GTC)
    for orders in ([entry, *exits()], [entry, exits()[0]], exits(parent=0)):
        assert rules().together(orders) is None


# -- what it says ------------------------------------------------------------------------------------------------
def answer(status: int, said: bytes, **headers: str) -> Answer:
    return Answer(status, headers, said, 0, 0)


@pytest.mark.parametrize(
    ("status", "said", "kind", "field"),
    [
        (401, b'{"code":40110000,"message":"request is not authorized"}', KeysRefused, ""),
        (401, b'{"message":"unauthorized."}', KeysRefused, ""),
        (403, b'{"message":"forbidden."}', KeysRefused, ""),
        (
            403,
            b'{"code":40310000,"message":"insufficient buying power","buying_power":"0"}',
            VenueRefused,
            "qty",
        ),
        (403, b'{"code":40310000,"message":"insufficient qty available for order"}', VenueRefused, "qty"),
        (404, b'{"code":40410000,"message":"order not found for x"}', VenueRefused, ""),
        (422, b'{"code":40010001,"message":"client_order_id must be unique"}', OutcomeUnknown, ""),
        (
            422,
            b'{"code":42210000,"message":"invalid limit_price 360.123. sub-penny"}',
            VenueRefused,
            "limit_price",
        ),
        (422, b'{"code":42210000,"message":"invalid crypto time_in_force"}', VenueRefused, "time_in_force"),
        (422, b'{"code":42210000,"message":"asset \\"NOPE\\" not found"}', VenueRefused, "symbol"),
        (422, b"<html>gateway</html>", VenueRefused, ""),
        (400, b"[" * 5000, VenueRefused, ""),
        (429, b'{"code":42910000,"message":"rate limit exceeded"}', RateLimited, ""),
    ],
)
def test_refusals_are_typed_and_name_field_and_next_step(
    status: int, said: bytes, kind: type[Exception], field: str
) -> None:
    from pydantic import SecretStr

    from workbench.brokers.pool import Rolling

    pool = small_pool(Rolling("trading", 200, 60.0))
    dialect = AlpacaDialect(Credentials("PK1", SecretStr("x")), "trading", pool)
    error = dialect.judge(answer(status, said))
    assert type(error) is kind
    assert str(error).startswith("alpaca: ")
    assert getattr(error, "field", "") == field
    assert dialect.judge(answer(200, b"{}")) is dialect.judge(answer(503, b"")) is None
    dialect.heard(answer(200, b"", **{"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "300"}))
    assert pool.limiter.budgets["trading"].limit == 1000
    assert pool.limiter.headroom()["trading"] == pytest.approx(0.3)


def test_a_pause_lasts_until_the_allowance_is_renewed() -> None:
    import time

    from workbench.brokers.alpaca.client import _pause_s

    begun_s = time.time()
    soon = int(begun_s) + 40
    pause_s = _pause_s(answer(429, b"", **{"X-RateLimit-Reset": str(soon)}))
    assert soon - time.time() <= pause_s - 0.25 <= soon - begun_s
    assert _pause_s(answer(429, b"", **{"X-RateLimit-Reset": "1"})) == 0.25
    assert _pause_s(answer(429, b"", **{"Retry-After": "7"})) == 7.0
    assert _pause_s(answer(429, b"")) == 5.0


# -- paper and live ----------------------------------------------------------------------------------------------
def account(**more: Any) -> BrokerSettings:
    return BrokerSettings(**{"venue": "alpaca", **more})


def test_paper_and_live_have_their_own_addresses() -> None:
    assert addresses_of(account()).rest.host == "paper-api.alpaca.markets"
    assert addresses_of(account(mode="live", account="1")).stream.host == "api.alpaca.markets"


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"addresses": {"rest": "https://api.alpaca.markets"}}, Refused, "is the live one and mode is paper"),
        (
            {"addresses": {"stream": "wss://api.alpaca.markets/stream"}},
            Refused,
            "is the live one and mode is paper",
        ),
        (
            {"mode": "live", "account": "1", "addresses": {"rest": "https://paper-api.alpaca.markets"}},
            Refused,
            "is the paper one and mode is live",
        ),
        ({"addresses": {"rest": "http://api.example.com"}}, UnsafeVenue, "not encrypted"),
        ({"addresses": {"rst": "https://x.example"}}, UnknownName, "did you mean 'rest'"),
    ],
)
def test_addresses_that_do_not_fit_are_refused(
    more: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        addresses_of(account(**more))
    assert says in str(caught.value)


@pytest.mark.parametrize(("key", "mode"), [("AK123", "paper"), ("PK123", "live")])
def test_a_key_of_the_other_environment_is_refused_before_it_is_shown(key: str, mode: str) -> None:
    from pydantic import SecretStr

    settings = account(mode=mode, account="1")
    with pytest.raises(
        Refused, match=rf"key {key[:2]}\*\*\* is a .* key and mode is {mode}: nothing was sent"
    ):
        check_keys(settings, Credentials(key, SecretStr("x")), addresses_of(settings))
    right = "PK123" if mode == "paper" else "AK123"
    check_keys(settings, Credentials(right, SecretStr("x")), addresses_of(settings))


def test_live_needs_limits_and_accounts_are_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "workbench.toml"
    live = '[brokers.real]\nvenue = "alpaca"\nmode = "live"\naccount = "123"\n'
    path.write_text(live + '[brokers.paper]\nvenue = "alpaca"\n[brokers.other]\nvenue = "binance"\n')
    settings = load_settings(path)
    with pytest.raises(Refused, match="is live and no risk limit is set"):
        account_of(settings, "alpaca")
    assert account_of(settings, "alpaca", "paper")[0] == "paper"
    with pytest.raises(Refused, match="is at 'binance', not at 'alpaca'"):
        account_of(settings, "alpaca", "other")
    with pytest.raises(UnknownName, match="did you mean 'paper'"):
        account_of(settings, "alpaca", "papr")
    path.write_text(live + "[limits]\nmax_order_qty = 5\n")
    assert account_of(load_settings(path), "alpaca")[0] == "real"
    usual = account_of(load_settings(), "alpaca")
    assert (usual[0], usual[1].mode, usual[1].credentials) == ("alpaca", "paper", "env:ALPACA")


async def test_without_keys_it_says_which_variables_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.errors import BadInput

    for name in ("ALPACA_KEY", "ALPACA_SECRET"):
        monkeypatch.delenv(name, raising=False)
    broker = open_broker("alpaca", load_settings(), instruments=[Instrument(0, "SPY")])
    with pytest.raises(BadInput, match="environment variable ALPACA_KEY and ALPACA_SECRET is not set"):
        await broker.connect(lambda report: None)


async def test_another_account_than_the_named_one_is_refused() -> None:
    from tests.brokers.alpaca.desk import trading

    with pytest.raises(Refused, match="the keys belong to another account than 'PA-OTHER'"):
        async with trading(settings={"account": "PA-OTHER"}):
            pass
