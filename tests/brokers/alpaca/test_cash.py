"""Cash that moves without a trade: reported once, and history never."""

from collections.abc import Sequence

import pytest

from tests.brokers.alpaca.desk import trading
from workbench.brokers.alpaca.cash import CashBody, CashMoves, cash_moved
from workbench.errors import VenueGarbled
from workbench.model import to_e8
from workbench.model.reports import CashMoved

DIVIDEND = CashBody("a2", "DIV", "1.02", "SPY", "2024-08-01")
FEE = CashBody("a3", "FEE", "-0.05", None, "2024-08-02", "TAF fee")


class Entries:
    def __init__(self, *entries: CashBody) -> None:
        self.entries: Sequence[CashBody] = entries

    async def cash_entries(self, after: str) -> list[CashBody]:
        return list(self.entries)


async def test_what_was_there_is_history_and_what_comes_is_told_once() -> None:
    there, told = Entries(CashBody("a1", "CSD", "1000", None, "2024-07-01")), list[CashMoved]()
    moves = CashMoves(there, {"SPY": 4}.get, told.append)  # type: ignore[arg-type]
    assert await moves.look() == 0
    there.entries = [*there.entries, DIVIDEND, FEE]
    assert await moves.look() == 2
    assert await moves.look() == 0
    assert [(m.move_id, m.amount_e8, m.iid, m.reason) for m in told] == [
        ("a2", 102_000_000, 4, "DIV"),
        ("a3", -5_000_000, -1, "FEE: TAF fee"),
    ]


def test_trades_and_splits_move_no_cash() -> None:
    assert cash_moved(CashBody("a", "FILL"), 0) is None
    assert cash_moved(CashBody("a", "SPLIT", None, "SPY"), 0) is None
    assert cash_moved(CashBody("a", "JNLC", "0"), 0) is None
    with pytest.raises(VenueGarbled, match="net_amount"):
        cash_moved(CashBody("a", "DIV", "lots"), 0)


async def test_fees_and_transfers_at_the_venue_are_told_and_the_books_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workbench.brokers.alpaca.broker._CASH_S", 3_600.0)  # the test looks, nobody else
    async with trading(emulator={"fee_per_unit": 0.01}) as desk:
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        desk.venue.exchange.move_cash(to_e8(250))
        assert await desk.broker._cash.look() == 2
        assert await desk.broker._cash.look() == 0
        told = [report for report in desk.reports if isinstance(report, CashMoved)]
        assert {(move.reason.partition(":")[0], move.amount_e8) for move in told} == {
            ("FEE", -order.qty_e8 // 100),
            ("CSD", to_e8(250)),
        }


async def test_the_broker_asks_the_venue() -> None:
    async with trading() as desk:
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert await desk.broker.client.cash_entries("2020-01-01T00:00:00Z") == []
        assert await desk.broker._cash.look() == 0
