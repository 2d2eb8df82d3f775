"""Delays by hash: of the order alone, log-normal or as measured."""

import numpy as np
import pytest

from tests.engine.venues import T, opened, order, told
from workbench.engine import Latency
from workbench.errors import BadValue, UnknownName
from workbench.model import Bar, Quote, Trade
from workbench.model.orders import BUY, LIMIT, MARKET
from workbench.monitor.histogram import Histogram


def test_latency_depends_on_the_order_alone() -> None:
    drawn = Latency(400, 900, 0.35, 7)
    alone = [drawn(n) for n in range(1, 2_001)]
    assert [Latency(400, 900, 0.35, 7)(n) for n in range(2_000, 0, -1)] == alone[::-1]
    assert alone != [Latency(400, 900, 0.35, 8)(n) for n in range(1, 2_001)]
    acks = sorted(ack for ack, _ in alone)
    assert 380_000 < acks[1_000] < 420_000
    assert all(0 < ack <= fill for ack, fill in alone)
    with pytest.raises(BadValue, match="sigma"):
        Latency(sigma=float("nan"))


def test_measured_delays_are_those_measured() -> None:
    quantiles = np.array([100_000, 200_000, 250_000, 300_000, 900_000])  # 0, 25, 50, 75, 100 %
    drawn = Latency.measured({"wire": quantiles, "fill": ([0, 1_000, 3_000], [3, 1])}, seed=5)
    acks, gaps = zip(*((ack, fill - ack) for ack, fill in map(drawn, range(1, 4_001))), strict=True)
    assert 100_000 <= min(acks) <= max(acks) <= 900_000
    assert np.percentile(acks, [25, 50, 75]) == pytest.approx([200_000, 250_000, 300_000], rel=0.08)
    assert 0 <= min(gaps) <= max(gaps) <= 3_000
    assert sum(gap <= 1_000 for gap in gaps) / 4_000 == pytest.approx(0.75, abs=0.03)
    assert abs(np.corrcoef(acks, gaps)[0, 1]) < 0.05  # each stage by itself
    again = Latency.measured({"wire": quantiles, "fill": ([0, 1_000, 3_000], [3, 1])}, seed=5)
    assert [again(n) for n in range(4_000, 0, -1)] == [drawn(n) for n in range(4_000, 0, -1)]
    other = Latency.measured({"wire": quantiles}, seed=6)
    assert other(1)[0] != drawn(1)[0]
    assert other(1)[0] == other(1)[1]  # no stage "fill": filled when accepted


def test_stages_before_the_acceptance_add_up() -> None:
    drawn = Latency.measured(
        {"decide": [5, 5], "journal": [70, 70], "wire": [900, 900], "fill": [4_000, 4_000]}
    )
    assert drawn(17) == (975, 4_975)


def test_a_desks_own_histogram_serves() -> None:
    measured = Histogram()
    measured.record_many([1_000 * n for n in range(1, 1_001)])
    drawn = Latency.measured({"wire": measured.percentiles(np.linspace(0, 100, 101).tolist())})
    acks = [drawn(n)[0] for n in range(1, 3_001)]
    assert np.percentile(acks, 90) == pytest.approx(900_000, rel=0.05)


@pytest.mark.parametrize(
    "bad",
    [[1], [], [3, 2], [-1, 2], [1, float("nan")], ([1, 2], [1, 2]), ([1, 2], [0]), ([1, 2, 3], [1, -1])],
)
def test_measurements_that_cannot_be_are_refused(bad: object) -> None:
    with pytest.raises(BadValue, match="stages\\['wire'\\]"):
        Latency.measured({"wire": bad})  # type: ignore[dict-item]


def test_only_stages_of_an_order_count() -> None:
    with pytest.raises(UnknownName, match="did you mean 'wire'"):
        Latency.measured({"wires": [1, 2]})
    with pytest.raises(UnknownName, match="book"):
        Latency.measured({"book": [1, 2]})


def test_a_delayed_order_misses_the_quotes_and_trades_before_its_acceptance() -> None:
    how = {"latency": Latency(400.0, 900.0, 0.0), "arrival": "delayed"}
    venue = opened(order(1), **how)
    assert told(venue.on_market(Quote(T + 400_000, 0, 99, 1, 100, 0))) == []
    assert told(venue.on_market(Trade(T + 400_000, 0, 100, 5))) == []
    assert told(venue.on_market(Trade(T + 400_001, 0, 101, 50))) == ["1 10 at 101"]
    # an opening print stands for its bar, and bars are too coarse to be late for
    assert told(opened(order(1), **how).on_market(Trade(T + 1, 0, 100))) == ["1 10 at 100"]
    late = opened(order(1, BUY, LIMIT, limit=99), order(2, BUY, MARKET), **how)
    assert told(late.on_market(Bar(T + 60, 0, 100, 101, 98, 100, 1))) == ["2 10 at 100", "1 10 at 99"]
