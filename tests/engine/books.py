"""Everything that must hold between any two events, counted from the orders alone and compared with what the engine
keeps by small additions."""

from collections import defaultdict

from workbench.engine import Engine
from workbench.model.orders import ACTIVE, LIMIT, STOP_LIMIT, Order

__all__ = ["check", "claimed"]


def open_e8(engine: Engine, order: Order) -> int:
    """What may still fill of one order alone: while it is amended, of the larger version."""
    amend = engine.orders.amending.get(order.order_id)
    return max(0, max(order.qty_e8, amend.qty_e8 if amend else 0) - order.filled_e8)


def claimed(engine: Engine, iid: int, side: int) -> int:
    """What may still fill on one side of an instrument: plain orders whole, of a group the largest, of exits at most
    what their entry has filled and they have not."""
    orders = engine.orders
    largest: dict[int, int] = defaultdict(int)
    plain = 0
    for order in orders.active.values():
        if (order.iid, order.side) != (iid, side):
            continue
        most = open_e8(engine, order)
        if not order.group:
            plain += most
            continue
        if order.parent_id:
            done = sum(o.filled_e8 for o in orders if o.group == order.group)
            most = min(most, max(0, orders.by_id[order.parent_id].filled_e8 - done))
        largest[order.group] = max(largest[order.group], most)
    return plain + sum(largest.values())


def check(engine: Engine, moved_e8: int = 0) -> None:
    """The laws of the books; `moved_e8` is the sum of the cash moves so far, each counted once."""
    ledger = engine.ledger
    assert ledger.balanced()
    assert ledger.moved_e8 == moved_e8
    filled: dict[tuple[int, int], int] = defaultdict(int)
    working: dict[tuple[int, int], int] = defaultdict(int)
    cash = ledger.start_cash_e8 + moved_e8
    for order in engine.orders:
        key = (order.strategy_id, order.iid)
        filled[key] += order.side * order.filled_e8
        cash -= order.side * order.notional_e8 + order.fee_e8
        if order.counted and order.state in ACTIVE:
            working[key] += order.side * max(0, order.open_e8)
        assert (order.order_id in engine.orders.active) is (order.state in ACTIVE)
        most = order.filled_e8 + open_e8(engine, order)
        assert order.filled_e8 <= most
        assert (
            order.filled_e8 <= order.qty_e8 or order.state in ACTIVE or engine.orders.oddities.get("overfill")
        )
    assert ledger.cash_e8 == cash
    for key, position in ledger.positions.items():
        assert position.qty_e8 == filled[key] + position.given_e8
    for number in engine.orders.amending:
        assert number in engine.orders.active
    value = gross = buys_e16 = 0
    for iid, line in enumerate(engine.exposure.lines):
        total = sum(p.qty_e8 for (_, i), p in ledger.positions.items() if i == iid)
        assert line.held_e8 == total
        assert total == (ledger.totals[iid].qty_e8 if iid in ledger.totals else 0)
        buys, sells = claimed(engine, iid, 1), claimed(engine, iid, -1)
        assert (line.buys_e8, line.sells_e8) == (buys, sells)
        assert line.mark_e8 == engine.book.mark_e8[iid]
        value += total * line.mark_e8
        gross += max(total + buys, sells - total) * line.mark_e8
        buys_e16 += buys * line.mark_e8
        resting = {
            o.order_id
            for o in engine.orders.active.values()
            if o.iid == iid and (o.kind == LIMIT or (o.kind == STOP_LIMIT and not o.group))
        }
        assert resting == line.bids.keys() | line.asks.keys()
        for number, px_e8 in {**line.bids, **line.asks}.items():
            assert px_e8 == engine.orders.by_id[number].limit_px_e8 or number in engine.orders.amending
    exposure = engine.exposure
    assert (exposure.value_e16, exposure.gross_e16, exposure.buys_e16) == (value, gross, buys_e16)
    for key, seat in engine.host.seats.items():
        assert seat.held_e8 == ledger.held_e8(*key)
        assert seat.working_e8 == working[key]
        assert -1.0 <= seat.target <= 1.0
        if seat.cohort is not None:
            assert seat.cohort.targets[seat.slot] == seat.target
        if seat.placed.open_orders is not None:
            own = {o.order_id for o in engine.orders.active.values() if o.strategy_id == key[0]}
            assert seat.placed.open_orders.keys() == own
    claims = engine.claims
    for claim in {
        *claims.by_order.values(),
        *claims.behind.values(),
    }:  # nothing is kept once it means nothing
        ids = {order.order_id for order in claim.members}
        lives = bool(ids & engine.orders.active.keys()) or bool(ids & claims.behind.keys())
        assert lives, ids
