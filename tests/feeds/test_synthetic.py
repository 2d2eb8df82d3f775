"""Made markets: the same for the same arguments, checked like real ones, and with the structure they promise."""

import numpy as np
import pytest

from workbench.errors import BadValue
from workbench.feeds import Recording, check_columns, synthetic, synthetic_pair, synthetic_quotes


@pytest.mark.parametrize(
    "market",
    [synthetic(2, 400), synthetic_pair(400), synthetic_quotes(2, 30)],
    ids=["bars", "pair", "quotes"],
)
def test_a_made_market_passes_the_checks_of_real_ones(market: Recording) -> None:
    for kind in ("bars", "quotes", "trades"):
        assert check_columns(market.columns(kind)).counts == {}
    assert all(market.sessions.is_open(int(ts)) for ts in market.ts_ns[::50])


def test_the_same_arguments_give_the_same_market_and_others_another() -> None:
    one, same, other = (synthetic_quotes(1, 20, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.values, same.values)
    assert np.array_equal(one.ts_ns, same.ts_ns)
    assert len(one) != len(other) or not np.array_equal(one.values, other.values)
    assert not np.array_equal(synthetic_pair(100, 1).values, synthetic_pair(100, 2).values)


def test_quotes_and_trades_hang_together() -> None:
    market = synthetic_quotes(minutes=800, seed=2)
    quotes, trades = market.columns("quotes"), market.columns("trades")
    bid, ask = quotes.values[:, 0], quotes.values[:, 2]
    assert np.all(ask - bid >= 0.0099)
    assert np.array_equal(np.round(bid * 100), np.round(bid * 100, 6))
    before = np.searchsorted(quotes.ts_ns, trades.ts_ns) - 1
    buys = trades.values[:, 2] > 0
    assert np.array_equal(trades.values[buys, 0], ask[before[buys]])  # a buyer pays the ask that stood there
    assert np.array_equal(trades.values[~buys, 0], bid[before[~buys]])
    assert 0.25 < len(trades) / len(quotes) < 0.35
    again = np.mean(trades.values[1:, 2] == trades.values[:-1, 2])
    assert 0.6 < again < 0.7  # trades come in runs
    assert len(market.sessions) == 3


def test_the_gap_of_a_pair_comes_back() -> None:
    market = synthetic_pair(4_000, beta=2.0, half_life=40)
    one, other = (market.bars(symbol)[1][:, 3] for symbol in market.symbols)
    gap = one / (20.0 + 2.0 * other) - 1.0
    assert abs(gap.mean()) < 0.002
    keep = np.polyfit(gap[:-1], gap[1:], 1)[0]
    assert 20 < np.log(0.5) / np.log(keep) < 80
    assert gap.std() == pytest.approx(0.003, rel=0.5)


def test_impossible_markets_are_refused() -> None:
    with pytest.raises(BadValue, match="minutes = 0"):
        synthetic_quotes(minutes=0)
    with pytest.raises(BadValue, match="trades = 2"):
        synthetic_quotes(trades=2)
    with pytest.raises(BadValue, match="half_life = 0"):
        synthetic_pair(half_life=0)
