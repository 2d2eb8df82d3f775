"""Pairing live decisions with those of a backtest."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.research import Decision
from workbench.research.parity import paired


def d(
    ts_ns: int, side: str = "buy", quantity: float = 10.0, px: float = 100.0, symbol: str = "SPY"
) -> Decision:
    return Decision(ts_ns, symbol, side, quantity, "filled" if px else "working", px)


def test_every_field_of_a_decision_counts_but_its_outcome() -> None:
    one = d(1)
    for other in (d(2), d(1, side="sell"), d(1, quantity=11.0), d(1, symbol="QQQ")):
        report = paired([one], [other])
        assert not report.equal
        assert (report.same, report.only_live, report.only_backtest) == (0, [one], [other])
    report = paired([d(1, px=0.0)], [one])
    assert report.equal
    assert report.largest_px_gap == 0.0  # one of them has no price to compare


def test_the_largest_gap_is_told() -> None:
    report = paired([d(1, px=100.0), d(2, px=99.0)], [d(1, px=100.5), d(2, px=101.0)])
    assert (report.same, report.largest_px_gap) == (2, 2.0)
    assert "equal: 2 decisions agree" in repr(report)
    assert "largest price gap 2" in repr(report)


def test_the_same_decision_twice_needs_two_twins() -> None:
    report = paired([d(1), d(1)], [d(1)])
    assert (report.same, len(report.only_live), len(report.only_backtest)) == (1, 1, 0)
    assert repr(report).startswith("<Parity DIFFERENT")


_some = st.lists(
    st.builds(d, st.integers(0, 3), st.sampled_from(["buy", "sell"]), st.sampled_from([1.0, 2.0]))
)


@given(_some, _some)
def test_law_nothing_is_lost_in_pairing(live: list[Decision], backtest: list[Decision]) -> None:
    report = paired(live, backtest)
    assert report.same + len(report.only_live) == len(live)
    assert report.same + len(report.only_backtest) == len(backtest)
    mirrored = paired(backtest, live)
    assert mirrored.same == report.same
    assert paired(live, list(reversed(live))).equal
