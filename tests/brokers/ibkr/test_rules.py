"""What is refused before it is sent, which contract a symbol is, and what refusals mean."""

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from tests.brokers.ibkr.desk import trading
from workbench.brokers import open_broker
from workbench.brokers.ibkr.client import IbkrClient, IbkrDialect
from workbench.brokers.ibkr.config import Options
from workbench.brokers.ibkr.contracts import Contract, Contracts, contract_of
from workbench.brokers.ibkr.rules import Rules
from workbench.brokers.pool import Answer
from workbench.config import load_settings
from workbench.errors import (
    BadValue,
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    VenueDown,
    VenueGarbled,
    VenueRefused,
)
from workbench.model.effects import Amend, Submit
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

CENT = SCALE // 100
SAID: dict[str, Any] = {
    "con_id": 756733,
    "symbol": "SPY",
    "currency": "USD",
    "rules": {
        "orderTypes": ["limit", "market", "stop", "stop_limit", "trailing_stop", "midprice"],
        "incrementRules": [
            {"lowerEdge": 0.0, "increment": 0.0001},
            {"lowerEdge": 1.0, "increment": 0.01},
        ],
    },
}


def submit(side: int = BUY, kind: int = MARKET, tif: int = DAY, qty: float = 10, **more: Any) -> Submit:
    limit, stop = to_e8(more.pop("limit", 0)), to_e8(more.pop("stop", 0))
    number = more.pop("number", 5)
    return Submit(1, number, 7, 1, more.pop("iid", 0), side, kind, tif, to_e8(qty), limit, stop, **more)


@pytest.fixture
def rules() -> Rules:
    made = Rules([Instrument(0, "SPY"), Instrument(1, "NOSUCH")])
    made.contracts[0] = contract_of("SPY", 756733, SAID)
    return made


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (submit(), ""),
        (submit(kind=LIMIT, limit=367.48), ""),
        (submit(kind=LIMIT, limit=367.485), "GRID"),
        (submit(kind=LIMIT, limit=0.5001), ""),
        (submit(kind=LIMIT), "PRICE"),
        (submit(SELL, STOP, stop=360.0, tif=GTC), ""),
        (submit(SELL, STOP), "PRICE"),
        (submit(SELL, STOP_LIMIT, stop=360.0, limit=359.0), ""),
        (submit(SELL, STOP_LIMIT, stop=360.0, limit=359.001), "GRID"),
        (submit(SELL, TRAILING, trail_e8=SCALE), ""),
        (submit(SELL, TRAILING, trail_rate_e8=CENT), ""),
        (submit(SELL, TRAILING), "TRAIL"),
        (submit(SELL, TRAILING, trail_e8=SCALE, trail_rate_e8=CENT), "TRAIL"),
        (submit(qty=0), "QTY"),
        (submit(qty=1.5), "GRID"),
        (submit(tif=IOC), ""),
        (submit(tif=OPG), ""),
        (submit(tif=CLS, kind=LIMIT, limit=300), ""),
        (submit(SELL, STOP, stop=360.0, tif=IOC), "TIF"),
        (submit(tif=FOK), "TIF"),
        (submit(iid=1), "UNKNOWN_SYMBOL"),
        (submit(iid=9), "UNKNOWN_SYMBOL"),
    ],
)
def test_what_is_refused_before_it_is_sent(rules: Rules, order: Submit, code: str) -> None:
    said = rules.complaint(order)
    assert (said[0] if said else "") == code


def test_types_the_contract_does_not_take_are_refused(rules: Rules) -> None:
    said = {**SAID, "rules": {"orderTypes": ["limit"]}}
    rules.contracts[0] = contract_of("SPY", 756733, said)
    assert rules.complaint(submit(kind=LIMIT, limit=1.01)) is None
    complaint = rules.complaint(submit())
    assert complaint is not None
    assert complaint == ("TYPE", "SPY takes no market orders at ibkr")


def exits(**more: Any) -> list[Submit]:
    return [
        submit(SELL, LIMIT, limit=380.0, number=6, parent_id=5, group=6),
        submit(SELL, STOP, stop=340.0, number=7, parent_id=5, group=6, **more),
    ]


@pytest.mark.parametrize(
    ("orders", "fine"),
    [
        ([submit(), *exits()], True),
        ([submit(), exits()[0]], True),
        ([submit(tif=IOC), *exits()], False),
        ([submit(SELL), *exits()], False),
        ([submit(), *exits(iid=1)], False),
        ([submit(), *exits(), submit(SELL, MARKET, number=8, parent_id=5)], False),
        ([submit()], False),
        (
            [submit(kind=LIMIT, limit=1, number=1, group=3), submit(kind=LIMIT, limit=2, number=2, group=3)],
            True,
        ),
        ([submit(kind=LIMIT, limit=1, number=1, group=3), exits()[0]], False),
    ],
)
def test_what_may_go_together(rules: Rules, orders: list[Submit], fine: bool) -> None:
    assert (rules.together(orders) is None) is fine


def test_amendments_are_checked_like_orders(rules: Rules) -> None:
    order = submit(SELL, STOP_LIMIT, stop=360.0, limit=359.0)
    for qty, limit, stop, code in (
        (10, 359.0, 360.0, ""),
        (10, 359.001, 360.0, "GRID"),
        (10, 359.0, 0, "PRICE"),
    ):
        said = rules.amendment(order, Amend(1, 5, to_e8(qty), to_e8(limit), to_e8(stop)))
        assert (said[0] if said else "") == code


# -- contracts -----------------------------------------------------------------------------------------------------
class Asked:
    """A client that answers from a table."""

    def __init__(self, stocks: Any, said: Any = SAID) -> None:
        self.said, self.listed, self.calls = said, stocks, 0

    async def stocks(self, symbol: str) -> Any:
        self.calls += 1
        return self.listed

    async def rules(self, conid: int) -> Any:
        self.calls += 1
        return {**self.said, "con_id": conid}


def contracts(asked: Asked, gateway: str, conids: str = "") -> Contracts:
    return Contracts(cast(IbkrClient, asked), gateway, Options(conids=conids))


def listed(*places: tuple[int, bool]) -> dict[str, Any]:
    rows = [{"conid": conid, "exchange": "ARCA", "isUS": us} for conid, us in places]
    return {"SPY": [{"name": "SOME FUND", "assetClass": "STK", "contracts": rows}]}


async def test_of_several_contracts_the_one_in_the_us_is_meant() -> None:
    asked = Asked(listed((1, False), (756733, True), (2, False)))
    found = await contracts(asked, "one").find("SPY")
    assert (found.conid, found.symbol, found.step_e8(230 * SCALE)) == (756733, "SPY", CENT)
    assert await contracts(asked, "one").find("SPY") is found
    assert asked.calls == 2  # what was found is kept, for every connection to the gateway
    await contracts(asked, "another gateway").find("SPY")
    assert asked.calls == 4


async def test_a_symbol_that_stands_for_several_has_to_be_named() -> None:
    asked = Asked(listed((1, True), (2, True)))
    with pytest.raises(
        VenueRefused, match=r'stands for several contracts: 1 .*options\.conids = "SPY=1"'
    ) as caught:
        await contracts(asked, "two").find("SPY")
    assert caught.value.code == "AMBIGUOUS"
    assert (await contracts(asked, "two", "SPY=2").find("SPY")).conid == 2


@pytest.mark.parametrize("said", [{}, {"SPY": []}, listed((1, False))])
async def test_a_symbol_that_is_not_listed_is_refused(said: Any) -> None:
    with pytest.raises(VenueRefused, match="no stock in the US"):
        await contracts(Asked(said), "three").find("SPY")


@pytest.mark.parametrize("said", [[], {"SPY": 7}, {"SPY": [{"contracts": [{"conid": "x"}]}]}])
async def test_a_list_of_another_shape_is_no_list(said: Any) -> None:
    with pytest.raises(VenueGarbled, match="has another shape"):
        await contracts(Asked(said), "four").find("SPY")


def test_conids_are_written_with_an_equals_sign() -> None:
    with pytest.raises(BadValue, match="SYMBOL=NUMBER"):
        contracts(Asked({}), "five", "SPY:756733")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({**SAID, "con_id": 5}, "heard of 5"),
        ({**SAID, "rules": 7}, "another shape"),
        ({**SAID, "rules": {"increment": 0}}, "price step of nothing"),
        ({**SAID, "rules": {"increment": "x"}}, "is no amount"),
    ],
)
def test_a_contract_that_cannot_be_true_is_not_used(said: Any, text: str) -> None:
    with pytest.raises(VenueGarbled, match=text):
        contract_of("SPY", 756733, said)


def test_prices_have_a_step_for_each_band() -> None:
    found = contract_of("SPY", 756733, SAID)
    assert isinstance(found, Contract)
    assert [found.step_e8(px) for px in (SCALE // 2, SCALE, 300 * SCALE)] == [10_000, CENT, CENT]
    assert contract_of("X", 1, {}).step_e8(SCALE) == CENT
    assert found.instrument(3).tick_e8 == CENT


# -- how it says no --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (200, b'{"error": "Order not confirmed"}', VenueRefused, "QUESTION"),
        (200, b'{"error": "Insufficient funds."}', VenueRefused, "FUNDS"),
        (200, b'{"error":"YOUR ORDER IS NOT ACCEPTED. IN ORDER TO"}', VenueRefused, "FUNDS"),
        (200, b'{"error":"Local order ID=wb-7-1 is already registered."}', OutcomeUnknown, None),
        (400, b'{"error":"Local order ID=wb-7-1 is already registered."}', OutcomeUnknown, None),
        (400, b'{"error":"OrderID 5 doesn\'t exist"}', VenueRefused, "UNKNOWN"),
        (400, b'{"error":"Order is inactive"}', VenueRefused, "INACTIVE"),
        (400, b'{"error":"Bad Request: no bridge","statusCode":400}', VenueDown, "NO_BRIDGE"),
        (500, b'{"error":"Please query /accounts first","statusCode":500}', VenueDown, "ACCOUNTS"),
        (401, b"Access Denied", KeysRefused, "NO_LOGIN"),
        (429, b'{"error":"Too Many Requests"}', RateLimited, ""),
        (500, b'{"error":"No data."}', type(None), None),
        (500, b'{"error":"no bridge"}', type(None), None),
        (408, b'{"error":"Insufficient funds"}', type(None), None),
        (408, b'{"error":"Please query /accounts first"}', type(None), None),
        (404, b"<html>not here</html>", VenueRefused, ""),
        (302, b'{"error":"moved"}', type(None), None),
        (200, b'{"error":null,"orders":[]}', type(None), None),
        (200, b"[]", type(None), None),
        (503, b'{"error":"Service Unavailable"}', type(None), None),
    ],
)
async def test_how_it_says_no(status: int, body: bytes, kind: type, code: str | None) -> None:
    error = IbkrDialect().judge(Answer(status, {}, body, 0, 0))
    assert type(error) is kind
    if code is not None:
        assert getattr(error, "code", None) == code


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Insufficient funds.", "quantity"),
        ("The price does not conform to the minimum price variation for this contract.", "price"),
        ("The size, 0.5, does not conform to the minimum variation of 1 for this contract.", "quantity"),
        ("OrderID 5 doesn't exist", "order_id"),
        ("No trading permissions.", "conid"),
    ],
)
def test_a_refusal_names_venue_field_and_next_step(text: str, field: str) -> None:
    error = IbkrDialect().judge(Answer(400, {}, msgspec.json.encode({"error": text}), 0, 0))
    assert isinstance(error, VenueRefused)
    assert (error.venue, error.field) == ("ibkr", field)
    assert str(error).startswith("ibkr: ")
    assert error.advice in str(error)


def test_a_penalty_box_is_left_after_ever_longer_pauses() -> None:
    dialect = IbkrDialect()
    pauses = []
    for _ in range(5):
        error = dialect.judge(Answer(429, {}, b"", 0, 0))
        assert isinstance(error, RateLimited)
        pauses.append(error.retry_after_s)
    assert pauses == [1.0, 5.0, 60.0, 600.0, 600.0]


def test_a_pause_that_is_named_is_kept_when_it_is_longer() -> None:
    dialect = IbkrDialect()
    for said, pause_s in (("7", 7.0), ("2", 5.0)):
        error = dialect.judge(Answer(429, {"Retry-After": said}, b"", 0, 0))
        assert isinstance(error, RateLimited)
        assert error.retry_after_s == pause_s


@pytest.mark.parametrize("status", [404, 500])
async def test_a_chart_of_nothing_is_one_whatever_its_status(status: int) -> None:
    async with trading() as desk:
        desk.fault("status", "rest:GET /v1/api/iserver/marketdata/history", status=status, text="No data.")
        with pytest.raises(VenueRefused) as caught:
            await desk.broker.client.history({"conid": "1"})
        assert caught.value.code == "NO_DATA"


def test_the_loss_of_a_session_is_told() -> None:
    dialect, told = IbkrDialect(), list[str]()
    dialect.lost = told.append
    dialect.judge(Answer(400, {}, b'{"error":"Bad Request: no bridge"}', 0, 0))
    dialect.judge(Answer(500, {}, b'{"error":"Please query /accounts first"}', 0, 0))
    dialect.judge(Answer(400, {}, b'{"error":"bad price"}', 0, 0))
    assert len(told) == 2


def test_the_venue_is_found_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "workbench.toml"
    path.write_text('[brokers.ib]\nvenue = "ibkr"\n', "utf-8")
    settings = load_settings(path)
    broker = open_broker("ibkr", settings, account="ib")
    assert (broker.name, str(cast(Any, broker).place.rest)) == ("ibkr", "https://localhost:5000/v1/api")
    assert msgspec.to_builtins(cast(Any, broker).options)["compete"] is False
