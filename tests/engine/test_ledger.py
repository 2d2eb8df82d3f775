"""Average cost, flips through zero, fees: exact, and always adding up."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.engine import Ledger, Position
from workbench.model import SCALE, to_e8


def test_average_cost_and_partial_exit() -> None:
    p = Position()
    p.book(to_e8(10), to_e8(1_000), to_e8(1))
    p.book(to_e8(10), to_e8(1_100), to_e8(1))
    assert p.average_px == 105.0
    p.book(-to_e8(5), -to_e8(550), to_e8(1))
    assert (p.qty_e8, p.average_px, p.realized_e8, p.fees_e8) == (to_e8(15), 105.0, to_e8(25), to_e8(3))
    assert p.unrealized_e8(to_e8(100)) == to_e8(-75)


def test_short_and_flip() -> None:
    p = Position()
    p.book(-to_e8(10), -to_e8(1_000), 0)
    p.book(to_e8(4), to_e8(360), 0)
    assert (p.qty_e8, p.realized_e8, p.average_px) == (-to_e8(6), to_e8(40), 100.0)
    p.book(to_e8(10), to_e8(1_100), 0)
    assert (p.qty_e8, p.realized_e8, p.average_px) == (to_e8(4), to_e8(-20), 110.0)


FILLS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 2),
        st.sampled_from([1, -1]),
        st.integers(1, 10**12),
        st.integers(1, 10**11),
        st.integers(-(10**6), 10**8),
    ),
    max_size=40,
)


@given(FILLS)
def test_the_books_add_up_to_the_last_unit(fills: list[tuple[int, int, int, int, int, int]]) -> None:
    ledger = Ledger()
    ledger.open("A", 10**14, "USD")
    quantities: dict[tuple[int, int], int] = {}
    for strategy_id, iid, side, px, qty, fee in fills:
        ledger.book(strategy_id, iid, side, px, qty, fee)
        quantities[strategy_id, iid] = quantities.get((strategy_id, iid), 0) + side * qty
        assert ledger.balanced()
    assert {key: p.qty_e8 for key, p in ledger.positions.items()} == quantities
    for iid, total in ledger.totals.items():
        assert total.qty_e8 == sum(q for (_, i), q in quantities.items() if i == iid)
    by_strategy = sum(p.realized_e8 - p.cost_e8 for p in ledger.positions.values())
    assert by_strategy == ledger.realized_e8 - ledger.cost_e8  # realized may differ, profit may not
    assert ledger.fees_e8 == sum(f[5] for f in fills)
    for p in (*ledger.positions.values(), *ledger.totals.values()):
        if p.qty_e8 == 0:
            assert p.cost_e8 == 0
        else:
            assert abs(p.cost_e8) < 10**12 * abs(p.qty_e8) // SCALE + 2
