"""Ids, numbers, states and executions between ccxt's structures and ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.brokers.ccxt.parse import (
    booked_of,
    client_id_of,
    e8,
    evidence_of,
    number,
    our_id,
    part_of,
    state_of,
)
from workbench.errors import VenueGarbled
from workbench.model.orders import CANCELLED, EXPIRED, FILLED, PARTIAL, REJECTED, WORKING
from workbench.model.scale import SCALE


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


@pytest.mark.parametrize("value", ["x", float("nan"), float("inf"), "1e40", "1e9999999", [1]])
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


TRADE: dict[str, Any] = {
    "id": "9",
    "order": "5",
    "price": 2.0,
    "amount": 3.0,
    "timestamp": 7,
    "symbol": "BTC/USD",
    "side": "sell",
}


@pytest.mark.parametrize("lacks", [{"order": None}, {"price": None}, {"amount": 0.0}, {"price": "x"}])
def test_an_execution_that_lacks_what_it_is_made_of_is_not_booked(lacks: dict[str, Any]) -> None:
    with pytest.raises(VenueGarbled):
        booked_of({**TRADE, **lacks}, "USD")


def test_fees_in_money_in_the_coin_and_in_something_else() -> None:
    def booked(*fees: dict[str, Any]) -> tuple[int, int, int]:
        found = booked_of({**TRADE, "fees": list(fees)}, "USD")
        return found.execution.fee_e8, found.execution.qty_e8, found.moved_e8

    assert booked() == (0, 3 * SCALE, 0)
    assert booked({"cost": 0.25, "currency": "USD"}) == (SCALE // 4, 3 * SCALE, 0)
    assert booked({"cost": 0.5, "currency": "BTC"}) == (SCALE, 3 * SCALE + SCALE // 2, SCALE // 2)
    assert booked({"cost": 0.5, "currency": "BNB"}) == (0, 3 * SCALE, 0)
    assert booked({"cost": 1.0, "currency": "USD"}, {"cost": -0.5, "currency": "USD"})[0] == SCALE // 2
    assert booked({"cost": None, "currency": "USD"}) == (0, 3 * SCALE, 0)


def test_an_execution_without_a_number_is_told_by_what_it_was() -> None:
    first, again, other = (
        booked_of({**TRADE, "id": None, "timestamp": at}, "USD").execution.exec_id for at in (7, 7, 8)
    )
    assert first == again != other


@given(
    st.integers(1, 10**12),
    st.integers(0, 10**12),
    st.sampled_from(["open", "closed", "canceled", "expired"]),
)
def test_law_evidence_never_shows_more_filled_than_there_is(amount: int, filled: int, status: str) -> None:
    filled = min(filled, amount)
    row = {"id": "1", "status": status, "filled": number(filled), "amount": number(amount), "timestamp": 1}
    found = evidence_of([row], "wb-7-1", 0)
    assert (found.qty_e8, found.filled_e8) == (amount, filled)
    assert (found.state == FILLED) == (status == "closed" and filled == amount)
    assert found.state != WORKING or not filled
