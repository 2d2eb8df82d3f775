"""After a restart the exchange is what its journaled reports said, and trades on from there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.brokers.sim import SimBroker
from workbench.brokers.sim.rebuild import rebuilt
from workbench.config import SimSettings
from workbench.engine.match import Match
from workbench.journal import Journal
from workbench.model import (
    SCALE,
    Accepted,
    Bar,
    BarSlice,
    Cancel,
    Cancelled,
    Filled,
    MarketEvent,
    Record,
    Rejected,
    Report,
    Submit,
    Trade,
    to_e8,
)
from workbench.model.orders import BUY, FILLED, GTC, LIMIT, MARKET, SELL, STOP_LIMIT, WORKING

CASH = 100_000 * SCALE
COSTS = SimSettings.model_validate({"ack_median_us": 0, "fill_median_us": 0, "fee_per_unit": 0.01})


def submit(order_id: int, kind: int = MARKET, side: int = BUY, limit: float = 0, stop: float = 0) -> Submit:
    return Submit(order_id, order_id, 1, 1, 0, side, kind, GTC, 10 * SCALE, to_e8(limit), to_e8(stop))


def history(broker_sees: SimBroker) -> Iterator[Record]:
    """A life of orders as the journal would hold it: orders, the market, and what came of it."""
    match = broker_sees.match

    def market(event: MarketEvent) -> Iterator[Record]:
        yield from match.on_market(event)
        yield event

    for order in (
        submit(1),
        submit(2, LIMIT, limit=90.0),
        submit(3, LIMIT, SELL, limit=110.0),
        submit(4, STOP_LIMIT, BUY, limit=99.0, stop=103.0),
        submit(5, LIMIT, limit=95.0),
        submit(6, MARKET, SELL, limit=0),
    ):
        yield order
        yield from match.submit(order)
    yield from market(Trade(1_000, 0, 100.0))
    yield Cancel(1_001, 5)
    yield from match.cancel(Cancel(1_001, 5))
    yield from market(Bar(2_000, 0, 100.0, 104.0, 99.5, 101.0, 5.0))  # sets off the stop of 4, fills nothing
    order = submit(7, LIMIT, limit=80.0)
    yield order
    yield from match.submit(order)


def books(match: Match) -> object:
    return (
        match.cash_e8,
        match.fees_e8,
        match.positions,
        match.open_orders,
        {n: (r.state, r.filled_e8, r.fills, r.triggered) for n, r in match.orders.items()},
    )


@pytest.fixture
def lived() -> tuple[SimBroker, list[Record]]:
    broker = SimBroker(COSTS, cash_e8=CASH)
    return broker, list(history(broker))


def test_the_books_are_the_same_again(lived: tuple[SimBroker, list[Record]]) -> None:
    broker, records = lived
    again = SimBroker(COSTS, cash_e8=CASH)
    known = rebuilt(again.match, records)
    assert books(again.match) == books(broker.match)
    assert broker.match.open_orders == [2, 3, 4, 7]
    assert sorted(known) == [1, 2, 3, 4, 5, 6, 7]


def test_it_trades_on_the_same_way(lived: tuple[SimBroker, list[Record]]) -> None:
    broker, records = lived
    again = SimBroker(COSTS, cash_e8=CASH)
    rebuilt(again.match, records)
    for event in (
        Bar(3_000, 0, 101.0, 101.0, 98.0, 98.5, 1.0),
        Trade(4_000, 0, 110.5),
        Trade(5_000, 0, 79.0),
    ):
        assert again.match.on_market(event) == broker.match.on_market(event)
    assert again.match.open_orders == []
    assert books(again.match) == books(broker.match)


def test_what_was_not_reported_did_not_happen(lived: tuple[SimBroker, list[Record]]) -> None:
    _, records = lived
    fill = next(at for at, record in enumerate(records) if isinstance(record, Filled))
    before_fill = records[:fill]  # the crash came after the exchange filled 1, before the engine was told
    again = SimBroker(COSTS, cash_e8=CASH)
    rebuilt(again.match, before_fill)
    assert (again.match.cash_e8, again.match.positions, again.match.open_orders) == (
        CASH,
        {},
        [1, 2, 3, 4, 5, 6],
    )
    only_sent = [record for record in records if isinstance(record, Submit)]
    assert rebuilt(SimBroker(COSTS, cash_e8=CASH).match, only_sent) == {}


def test_a_fill_reported_twice_counts_once(lived: tuple[SimBroker, list[Record]]) -> None:
    broker, records = lived
    twice = [
        copy for record in records for copy in ([record, record] if isinstance(record, Filled) else [record])
    ]
    again = SimBroker(COSTS, cash_e8=CASH)
    rebuilt(again.match, twice)
    assert books(again.match) == books(broker.match)


def test_slices_set_off_stops_too() -> None:
    import numpy as np

    order = submit(1, STOP_LIMIT, BUY, limit=99.0, stop=103.0)
    row = np.array([[100.0, 104.0, 99.5, 101.0, 5.0]])
    before, event = (BarSlice(at, np.array([0], np.int32).tobytes(), row.tobytes()) for at in (1, 2_000))
    lived, match = Match(CASH), Match(CASH)
    lived.on_market(before)
    lived.submit(order)
    assert lived.on_market(event) == []
    rebuilt(match, [before, order, Accepted(1, 1, "v-1"), event])
    assert match.orders[1].triggered
    assert books(match) == books(lived)


async def test_from_a_journal_on_disk(lived: tuple[SimBroker, list[Record]], tmp_path: Path) -> None:
    broker, records = lived
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        for record in [*records, Rejected(1, 9, "X", "never seen here")]:
            journal.append(record)
        journal.commit()
    again = SimBroker(COSTS, cash_e8=CASH)
    assert again.rebuild(tmp_path / "journal.sqlite") == 7
    assert await again.account() == await broker.account()
    filled, resting = await again.order("wb-1-1"), await again.order("wb-1-2")
    assert filled is not None
    assert resting is not None
    assert (filled.state, resting.state) == (FILLED, WORKING)
    assert [type(report) for report in filled.reports] == [Accepted, Filled]
    cancelled = await again.order("wb-1-5")
    assert cancelled is not None
    assert [type(report) for report in cancelled.reports] == [Accepted, Cancelled]

    reports: list[Report] = []
    await again.connect(reports.append)
    again.submit(submit(2, LIMIT, limit=90.0))  # a client id from before the restart
    again.on_market(Trade(9_000, 0, 89.0))
    await again.settled()
    assert [(type(r).__name__, r.order_id) for r in reports if r.order_id == 2] == [
        ("OutcomeLost", 2),
        ("Filled", 2),
    ]
    await again.close()
