"""Their words and payloads, ours; quotes, prints and bars out of changed fields; turns."""

import asyncio
import math
from collections import Counter
from typing import Any

import msgspec
import pytest

from workbench.brokers.ibkr.bars import BarMaker, history_bars
from workbench.brokers.ibkr.parse import OrderRow, TradeRow, evidence_of, execution_of, state_of
from workbench.brokers.ibkr.screens import Screen
from workbench.brokers.ibkr.tickets import amended_ticket, ticket, ticket_of, tickets
from workbench.brokers.ibkr.turns import Turns
from workbench.brokers.ibkr.words import STATES, e8, px_of
from workbench.errors import Busy, VenueGarbled
from workbench.model.effects import Amend, Submit
from workbench.model.market import Bar, Quote, Trade
from workbench.model.orders import (
    BUY,
    CANCELLED,
    CLS,
    DAY,
    FILLED,
    GTC,
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
from workbench.model.scale import SCALE, to_e8


def submit(side: int = BUY, kind: int = MARKET, tif: int = DAY, number: int = 5, **more: Any) -> Submit:
    limit, stop = to_e8(more.pop("limit", 0)), to_e8(more.pop("stop", 0))
    return Submit(1, number, 7, 1, 0, side, kind, tif, 10 * SCALE, limit, stop, **more)


# -- tickets -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("order", "said"),
    [
        (submit(), {"orderType": "MKT", "side": "BUY", "tif": "DAY", "quantity": 10}),
        (
            submit(SELL, LIMIT, GTC, limit=1.5),
            {"orderType": "LMT", "side": "SELL", "tif": "GTC", "price": 1.5},
        ),
        (submit(SELL, STOP, stop=2), {"orderType": "STP", "price": 2}),
        (
            submit(SELL, STOP_LIMIT, stop=2, limit=1.9),
            {"orderType": "STOP_LIMIT", "price": 1.9, "auxPrice": 2},
        ),
        (submit(SELL, TRAILING, trail_e8=SCALE // 2), {"trailingType": "amt", "trailingAmt": 0.5}),
        (submit(SELL, TRAILING, trail_rate_e8=SCALE // 50), {"trailingType": "%", "trailingAmt": 2}),
        (submit(tif=CLS), {"orderType": "MOC", "tif": "DAY"}),
        (submit(kind=LIMIT, tif=CLS, limit=3), {"orderType": "LOC", "price": 3}),
    ],
)
def test_tickets_say_what_the_order_says(order: Submit, said: dict[str, Any]) -> None:
    made = ticket(order, "DU1", 756733)
    assert said.items() <= made.items()
    assert (made["cOID"], made["conid"], made["acctId"], made["outsideRTH"]) == (
        "wb-7-5",
        756733,
        "DU1",
        False,
    )


def test_a_bracket_names_its_entry_and_a_pair_its_group() -> None:
    entry = submit(kind=LIMIT, limit=10)
    out = submit(SELL, LIMIT, number=6, limit=11, parent_id=5, group=6)
    said = tickets([entry, out], "DU1", 1)
    assert ("parentId" in said[0], said[1]["parentId"]) == (False, "wb-7-5")
    pair = tickets(
        [submit(kind=LIMIT, limit=9, group=2), submit(number=6, kind=LIMIT, limit=8, group=2)], "DU1", 1
    )
    assert [one["isSingleGroup"] for one in pair] == [True, True]


def test_an_amendment_is_the_whole_ticket_again() -> None:
    said = {**ticket(submit(SELL, STOP_LIMIT, stop=2, limit=1.9), "DU1", 1), "parentId": "wb-7-4"}
    changed = amended_ticket(said, Amend(1, 5, 7 * SCALE, to_e8(1.8), to_e8(1.85)))
    assert (changed["quantity"], changed["price"], changed["auxPrice"]) == (7, 1.8, 1.85)
    assert changed["cOID"] == said["cOID"]
    assert "parentId" not in changed
    assert said["quantity"] == 10


def test_a_ticket_is_made_from_a_row_when_another_connection_sent_the_order() -> None:
    row = OrderRow(
        orderId=5, conid=1, order_ref="wb-7-5", side="BUY", origOrderType="LIMIT", timeInForce="GTC"
    )
    said, kind = ticket_of(row, "DU1")
    assert (said["orderType"], said["cOID"], said["tif"], kind) == ("LMT", "wb-7-5", "GTC", LIMIT)
    listed = OrderRow(orderId=5, conid=1, side="SELL", orderType="Stop", timeInForce="CLOSE")
    assert ticket_of(listed, "DU1")[0]["tif"] == "DAY"  # a day order, as lists word it
    for bad in (
        OrderRow(orderId=5, conid=1, side="BUY", origOrderType="TRAIL"),
        OrderRow(origOrderType="LIMIT"),
    ):
        with pytest.raises(VenueGarbled, match="cancel it"):
            ticket_of(bad, "DU1")


# -- evidence --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("Submitted", 0, WORKING),
        ("Submitted", "4", PARTIAL),
        ("PendingCancel", 0.0, WORKING),
        ("Filled", 10, FILLED),
        ("Cancelled", 4, CANCELLED),
        ("Inactive", None, REJECTED),
    ],
)
def test_a_row_is_evidence(status: str, filled: Any, state: int) -> None:
    found = evidence_of("wb-7-5", "1", status, 10, filled, 1)
    assert (found.state, found.qty_e8) == (state, 10 * SCALE)
    assert (found.code == "INACTIVE") is (state == REJECTED)


def test_executions_count_more_than_a_row_that_lags() -> None:
    fill = execution_of(TradeRow(execution_id="a.1.01", price="9.5", size=4, commission="0.5"))
    found = evidence_of("wb-7-5", "1", "Submitted", 10, 0, 1, [fill])
    assert (found.state, found.filled_e8, fill.fee_e8) == (PARTIAL, 4 * SCALE, SCALE // 2)


def test_a_status_nobody_knows_is_said_so() -> None:
    with pytest.raises(VenueGarbled, match="'Teleported' is unknown"):
        state_of("Teleported")
    assert all(state_of(word) == state for word, state in STATES.items())


def test_an_execution_without_a_time_is_from_now() -> None:
    told = TradeRow(execution_id="a.01.01", size=1.0, price="647.09", trade_time_r=1_783_618_111_000)
    assert execution_of(told).ts_ns == 1_783_618_111_000_000_000
    told.trade_time_r = None
    assert execution_of(told).ts_ns > 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    "more", [{"execution_id": ""}, {"price": None}, {"size": ""}, {"size": 0}, {"price": "x"}]
)
def test_an_execution_without_what_matters_is_none(more: dict[str, Any]) -> None:
    with pytest.raises(VenueGarbled):
        execution_of(TradeRow(**{"execution_id": "a.01", "price": 1.0, "size": 1, **more}))


@pytest.mark.parametrize(
    "value", ["", "x", "nan", math.inf, 1e300, "1e400", "1e99999", "-1e9999999", 5_000 * "9"]
)
def test_what_is_no_amount_is_not_used(value: Any) -> None:
    with pytest.raises(VenueGarbled):
        e8(value, "price")


# -- screens ---------------------------------------------------------------------------------------------------------
def screen() -> Screen:
    return Screen(0, "smd+1", BarMaker(0, 60, lambda bar: None), Counter())


def test_what_is_told_first_is_no_print() -> None:
    made = screen()
    assert made.trade({"31": "10.0", "7762": "1,000"}, 1) is None
    assert made.trade({"31": "10.1", "7762": "1,030"}, 2) == Trade(2, 0, 10.1, 30.0)
    assert made.trade({"7762": "1,040"}, 3) == Trade(3, 0, 10.1, 10.0)
    assert made.trade({"84": "9"}, 4) is None
    made.forget()
    assert made.trade({"31": "10.2", "7762": "2,000"}, 5) is None


@pytest.mark.parametrize(("text", "mark"), [("C10.5", "C"), ("H10.5", "H"), ("10.5", "")])
def test_marked_prices_are_no_prints(text: str, mark: str) -> None:
    made = screen()
    made.trade({"31": "10.0", "7762": "5"}, 1)
    assert (made.trade({"31": text, "7762": "6"}, 2) is None) is bool(mark)
    assert px_of(text) == (mark, 10.5)


def test_quotes_are_what_stands_after_a_change() -> None:
    made = screen()
    assert made.quote({"84": "10.0", "88": "3"}, 1) is None
    assert made.quote({"86": "10.1", "85": 2}, 2) == Quote(2, 0, 10.0, 300.0, 10.1, 200.0)
    assert made.quote({"84": "10.2"}, 3) is None
    assert made.quote({"84": "10.05"}, 4) == Quote(4, 0, 10.05, 300.0, 10.1, 200.0)
    assert made.quote({"84": "nan"}, 5) == Quote(5, 0, 10.05, 300.0, 10.1, 200.0)
    assert made.dropped == {"one side only": 1, "crossed": 1, "figures that cannot be true": 1}


# -- bars ------------------------------------------------------------------------------------------------------------
def test_a_span_that_was_not_seen_whole_is_left_out() -> None:
    bars: list[Bar] = []
    maker = BarMaker(0, 60, bars.append)
    for ts_ns in (30, 70, 130):
        maker.tick(ts_ns, 5.0, 1.0)
    assert [bar.ts_ns for bar in bars] == [120]
    maker.broken()
    maker.tick(140, 6.0, 1.0)
    maker.tick(190, 7.0, 1.0)
    assert [bar.ts_ns for bar in bars] == [120]
    maker.over(250)
    assert [bar.ts_ns for bar in bars] == [120, 240]
    maker.tick(200, 9.0, 1.0)
    assert maker.late == 1


def test_a_span_without_a_price_has_no_bar() -> None:
    bars: list[Bar] = []
    maker = BarMaker(0, 60, bars.append)
    maker.tick(10, 5.0, 1.0)
    maker.over(70)
    maker.over(130)
    maker.tick(150, 5.0, 1.0)
    maker.over(190)
    assert [(bar.ts_ns, bar.volume) for bar in bars] == [(180, 1.0)]


def test_a_chart_s_bars_are_named_by_their_end_and_the_one_under_way_is_left_out() -> None:
    minute = 60_000
    rows = [{"t": n * minute, "o": 1.0, "h": 2.0, "l": 1.0, "c": 2.0, "v": 7.0} for n in (3, 1, 2)]
    rows.append({"t": 0, "o": 1.0, "h": 0.5, "l": 1.0, "c": 2.0, "v": 7.0})
    body = msgspec.json.encode({"data": rows, "barLength": 60})
    bars, dropped = history_bars(body, 4, now_ns=3 * minute * 10**6 + 1)
    assert ([bar.ts_ns // (minute * 10**6) for bar in bars], dropped) == ([2, 3], 1)
    assert [bar.volume for bar in bars] == [700.0, 700.0]  # theirs are in hundreds of shares
    point = {"t": 1_775_136_600_000, "o": 646.42, "h": 647.47, "l": 646.38, "c": 646.86, "v": 17_219.125}
    body = msgspec.json.encode({"data": [point], "barLength": 60, "volumeFactor": 40})
    [bar], _ = history_bars(body, 4, now_ns=2 * 10**18)
    assert bar.volume == 688_765.0  # recorded: whole shares only by the factor
    with pytest.raises(VenueGarbled, match="bars of 0 s"):
        history_bars(b'{"data":[],"barLength":0}', 0, 1)
    with pytest.raises(VenueGarbled):
        history_bars(b"[]", 0, 1)


# -- turns -----------------------------------------------------------------------------------------------------------
async def test_turns_go_by_lane_and_then_by_age() -> None:
    turns, done = Turns(), list[str]()

    async def take(name: str, lane: int) -> None:
        async with turns.turn(lane):
            done.append(name)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(take(name, lane)) for name, lane in (("a", 2), ("b", 2), ("c", 1), ("d", 2))]
    await asyncio.gather(*tasks)
    assert done == ["a", "c", "b", "d"]


async def test_who_gives_up_waiting_holds_no_turn() -> None:
    turns = Turns()
    async with turns.turn(1):
        waiting = asyncio.create_task(turns.turn(1).__aenter__())
        await asyncio.sleep(0)
        assert len(turns) == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(30), turns.turn(1):
        pass


async def test_several_at_once_when_that_is_wanted() -> None:
    turns = Turns(2)
    async with turns.turn(1), turns.turn(1):
        third = asyncio.create_task(turns.turn(1).__aenter__())
        await asyncio.sleep(0)
        assert not third.done()
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)


async def test_who_waits_too_long_is_told_and_holds_no_turn() -> None:
    turns = Turns(1, most_s=0.01)
    async with turns.turn(1):
        with pytest.raises(Busy, match="nothing was sent"):
            await turns.turn(1).__aenter__()
    async with asyncio.timeout(30), turns.turn(1):
        pass
