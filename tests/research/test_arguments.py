"""What `backtest` takes and what it refuses: data of every kind, costs, limits, several strategies in one account."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.research.same import assert_same, market
from tests.research.test_fused import Steps, Turns
from workbench.config import SimSettings
from workbench.engine import Sizing
from workbench.engine.fees import PerUnit
from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds import DataRefused, Recording, open_data
from workbench.research import Part, Result, backtest
from workbench.strategy import OrderRequest, Signal, Strategy

LOOSE: dict[str, Any] = {"limits": "off"}


class Buys(Strategy):
    """One order on the first bar."""

    quantity: float = 20_000.0

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        if not getattr(self, "done", False):
            self.done = True
            return OrderRequest("buy", self.quantity)
        return None


class Half(Strategy):
    """Half long from the second bar on."""

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        return Signal(0.5)


def bars(n: int = 30, **more: Any) -> pd.DataFrame:
    random = np.random.default_rng(n)
    close = np.round(100 + np.cumsum(random.normal(0, 0.3, n)), 2)
    opened = np.round(close + random.normal(0, 0.1, n), 2)
    ts = pd.date_range("2021-03-01 15:00", periods=n, freq="min", tz="UTC")
    columns = {"ts": ts, "open": opened, "high": np.maximum(opened, close) + 0.05}
    columns |= {"low": np.minimum(opened, close) - 0.05, "close": close, "volume": 100.0}
    return pd.DataFrame(columns).assign(**more)


# ---------------------------------------------------------------- data
def test_frames_files_and_recordings_answer_alike(tmp_path: Path) -> None:
    frame = bars(symbol="ABC")
    frame.to_parquet(tmp_path / "abc.parquet")
    frame.to_csv(tmp_path / "abc.csv", index=False)
    indexed = frame.drop(columns=["symbol"]).set_index("ts")
    sources: list[Any] = [frame, open_data(frame), tmp_path / "abc.parquet", str(tmp_path / "abc.csv")]
    runs = [backtest(Steps(), data).run for data in sources]
    runs.append(backtest(Steps(), indexed, symbols="ABC").run)
    assert len(runs[0].fills) > 5
    for other in runs[1:]:
        assert_same(runs[0], other)
        assert other.recording.symbols == ("ABC",)


def test_times_without_a_zone_and_dates_of_sessions() -> None:
    naive = bars().assign(ts=lambda f: f["ts"].dt.tz_localize(None))
    with pytest.raises(BadValue, match="say which with tz"):
        backtest(Steps(), naive)
    assert backtest(Steps(), naive, tz="UTC").run.ts_ns[0] == bars()["ts"].iloc[0].value
    opened = backtest(Steps(), naive, tz="UTC", stamp="start")
    assert opened.run.ts_ns[0] == bars()["ts"].iloc[1].value
    dates = pd.date_range("2021-03-01", periods=5, freq="B")
    daily = bars(5).assign(ts=dates)
    result = backtest(Half(), daily, stamp="session")
    assert [str(ts) for ts in result.equity.index[:2]] == [
        "2021-03-01 21:00:00+00:00",
        "2021-03-02 21:00:00+00:00",
    ]
    assert len(result.returns) == 5


def test_a_recording_is_narrowed_too() -> None:
    whole = open_data(bars(symbol="ABC"))
    part = backtest(Steps(), whole, start=int(whole.ts_ns[5]), end=int(whole.ts_ns[20]))
    assert part.run.ts_ns.tolist() == whole.ts_ns[5:21].tolist()
    with pytest.raises(BadValue, match="is understood already"):
        backtest(Steps(), whole, tz="UTC")


def test_adjusted_prices() -> None:
    frame = bars(20)
    factor = np.where(np.arange(20) < 10, 0.5, 1.0)
    frame["adj_close"] = frame["close"] * factor
    result = backtest(Steps(), frame, adjusted=True)
    values = result.recording.values
    assert values[:, 3] == pytest.approx(frame["adj_close"])
    assert values[:, 0] == pytest.approx(frame["open"] * factor)
    assert np.all(values[:, 1] >= values[:, [0, 3]].max(1))
    assert np.all(values[:, 2] <= values[:, [0, 3]].min(1))
    assert values[:, 4] == pytest.approx(frame["volume"])
    with_actions = frame.assign(split=np.where(np.arange(20) == 10, 2.0, 1.0))
    assert backtest(Steps(), with_actions).recording.has_actions
    assert not backtest(Steps(), with_actions, adjusted=True).recording.has_actions
    with pytest.raises(UnknownName, match="adj_close"):
        backtest(Steps(), bars(), adjusted=True)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: f.iloc[[0, 2, 1, *range(3, 30)]], "comes before the row above it"),
        (lambda f: pd.concat([f.iloc[:5], f.iloc[4:]]), "repeats an earlier row"),
        (lambda f: f.assign(close=f["close"].where(f.index != 3)), "has no finite close"),
        (lambda f: f.assign(low=f["low"].where(f.index != 3, -1.0)), "low that is not above zero"),
        (lambda f: f.assign(high=f["high"].where(f.index != 3, 50.0)), "does not bound open and close"),
        (lambda f: f.drop(columns=["open"]), "column 'open' is unknown"),
    ],
)
def test_bad_bars_are_refused_in_one_line(harm: Any, said: str) -> None:
    with pytest.raises((DataRefused, UnknownName), match=said) as caught:
        backtest(Steps(), harm(bars()))
    assert "\n" not in str(caught.value)


def test_gaps_are_no_error_and_no_bar_is_used_before_its_close() -> None:
    frame = bars(60)
    holed = frame.drop(index=range(20, 40))
    result = backtest(Steps(), holed)
    assert len(result.run.ts_ns) == 40
    late = dict(zip(open_data(holed).ts_ns.tolist(), holed["open"].shift(-1), strict=True))
    for decision in result.decisions:
        if decision.state == "filled":
            assert decision.average_px == late[decision.ts_ns]


def test_symbols_are_named_and_have_data() -> None:
    two = pd.concat([bars(symbol="AAA"), bars(symbol="BBB").iloc[:10]]).sort_values(["ts", "symbol"])
    with pytest.raises(UnknownName, match=r"'BBC'.*'BBB'"):
        backtest(Steps(), two, symbols=["BBC"])
    late = int(bars()["ts"].iloc[15].value)
    with pytest.raises(BadValue, match="'BBB': data 'frame' has no row of it there"):
        backtest(Steps(), two, symbols=["AAA", "BBB"], start=late)
    assert backtest(Steps(), two, symbols="AAA").recording.symbols == ("AAA",)


# ---------------------------------------------------------------- size and money
def test_a_size_below_the_lot_is_told() -> None:
    with pytest.raises(BadValue, match=r"quantity = 0\.5: give at least 1, the lot of S0"):
        backtest(Turns(), market(20, 1), quantity=0.5)
    assert len(backtest(Turns(), market(20, 1, lot_e8=1), quantity=0.5).fills) > 5
    halves = backtest(Turns(), market(20, 1), quantity=0.5, lot=0.5)
    assert set(halves.fills["quantity"]) == {0.5, 1.0}
    assert halves.run.loop == "compiled"
    assert_same(halves.run, backtest(Turns(), market(20, 1), quantity=0.5, lot=0.5, loop="engine").run)


def test_prices_lie_on_the_tick_that_is_said() -> None:
    data = market(40, 3)
    fine = backtest(Turns(), data, slippage=0.0003, tick=0.0001)
    coarse = backtest(Turns(), data, slippage=0.0003)
    assert (fine.fills["px"] - fine.fills["px"].round(2)).abs().max() > 1e-4
    assert (coarse.fills["px"] - coarse.fills["px"].round(2)).abs().max() < 1e-9


def test_fees_by_fraction_by_name_and_of_ones_own() -> None:
    data = market(60, 2)
    rate = backtest(Turns(), data, fees=0.001)
    assert rate.run.loop == "compiled"
    value = rate.fills["px"] * rate.fills["quantity"]
    assert rate.fills["fee"].tolist() == pytest.approx((value * 0.001).tolist(), abs=1e-7)
    unit = backtest(Turns(), data, fee_per_unit=0.01)
    assert unit.fills["fee"].tolist() == pytest.approx((unit.fills["quantity"] * 0.01).tolist())
    each = backtest(Turns(), data, fee_per_order=1.5)
    assert (each.run.loop, set(each.fills["fee"])) == ("compiled", {1.5})
    own = backtest(Turns(), data, fees=PerUnit(0, 0.001))
    assert own.run.loop == "engine"
    assert own.fills["fee"].tolist() == rate.fills["fee"].tolist()
    flat = backtest(Turns(), data, fees=lambda side, px, qty, ts, maker, so_far: 100_000_000)
    assert set(flat.fills["fee"]) == {1.0}
    listed = backtest(Turns(), data, fees="ibkr-fixed")
    assert listed.run.loop == "engine"
    assert listed.stats["fees"] >= len(listed.fills)  # a dollar an order at least


def test_slippage_by_fraction_and_by_model() -> None:
    data = market(60, 2)
    plain = backtest(Turns(), data)
    slipped = backtest(Turns(), data, slippage=0.001)
    assert slipped.run.loop == "compiled"
    worse = (slipped.fills["px"] - plain.fills["px"]) * np.where(plain.fills["side"] == "buy", 1, -1)
    assert np.all(worse >= plain.fills["px"] * 0.001 - 1e-9)
    ticks = backtest(Turns(), data, slippage=("ticks", 3))
    assert (ticks.fills["px"] - plain.fills["px"]).abs().to_numpy() == pytest.approx(0.03)
    assert backtest(Turns(), data, slippage=("sqrt", 0.01)).run.loop == "engine"


def test_limits_can_be_put_out_of_reach() -> None:
    data = market(40, 3)
    refused = backtest(Buys(), data)
    assert [refusal.code for refusal in refused.refusals] == ["SIZE"]
    assert "1 refused" in repr(refused)
    assert len(backtest(Buys(), data, **LOOSE).fills) == 1


def test_the_venues_settings_may_say_the_fill() -> None:
    data = market(40, 3)
    sim = SimSettings(ack_median_us=0, fill_median_us=0, fill_at="close")
    assert_same(backtest(Turns(), data, sim=sim).run, backtest(Turns(), data, fill="close").run)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"fees": "ibrk-fixed"}, "'ibkr-fixed'"),
        ({"fees": 1.5}, "fees = 1.5: give a fraction"),
        ({"fees": -0.1}, "fees = -0.1"),
        ({"fee_per_unit": -1}, "fee_per_unit = -1"),
        ({"fee_per_order": -1}, "fee_per_order = -1: give an amount"),
        ({"fee_per_order": "some"}, "fee_per_order = 'some'"),
        ({"slippage": ("tick", 1)}, "'ticks'"),
        ({"slippage": 1.5}, "slippage amount = 1.5"),
        ({"limits": "of"}, "'off'"),
        ({"limits": 5}, "limits = 5: give limits by name"),
        ({"limits": {"max_order_qty": "many"}}, "limits.max_order_qty = 'many': give a number"),
        ({"calendar": "XNSY"}, "did you mean 'XNYS'"),
        ({"fill": "next_opn"}, "'next_open'"),
        ({"lot": -1}, "lot = -1: give a step"),
        ({"tick": 1e-9}, "tick = 1e-09: give a step"),
        ({"loop": "compild"}, "'compiled'"),
        ({"cash": "many"}, "cash = 'many': give a number"),
        ({"quantity": True}, "quantity = True"),
        ({"stamp": "begin"}, "stamp 'begin' is unknown"),
    ],
)
def test_bad_arguments_are_told_in_one_line(more: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        backtest(Turns(), bars(), **more)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="give a strategy"):
        backtest(3, bars())  # type: ignore[arg-type]


# ---------------------------------------------------------------- several strategies
def test_several_strategies_share_one_account() -> None:
    data = market(120, 4, symbols=2)
    result = backtest([Steps(), Steps(period=9), Half], data, quantity=5, **LOOSE)
    assert result.name == "Steps + Steps #2 + Half"
    assert result.strategies == ("Steps", "Steps #2", "Half")
    assert result.parameters["Steps #2.period"] == 9
    table = result.by_strategy()
    assert list(table.index) == list(result.strategies)
    assert table["profit"].sum() == pytest.approx(result.stats["final_equity"] - result.cash, abs=1e-6)
    assert set(result.fills["strategy"]) == set(result.strategies)
    assert (result.run.loop, result.run.why) == ("engine", "strategies of several classes share the account")


def test_each_has_its_own_symbols_and_size() -> None:
    data = market(120, 4, symbols=3)
    parts = {
        "fast": Part(Steps(period=3), symbols="S2", quantity=2),
        "slow": Part(Steps, sizing="percent", quantity=1),
    }
    result = backtest(parts, data, **LOOSE)
    assert set(result.fills[result.fills["strategy"] == "fast"]["symbol"]) == {"S2"}
    assert set(result.fills[result.fills["strategy"] == "slow"]["symbol"]) == {"S0", "S1", "S2"}
    alone = backtest(Steps(period=3), data, symbols=["S2"], quantity=2, **LOOSE)
    mine = result.trades[result.trades["strategy"] == "fast"]["profit"].tolist()
    assert mine == pytest.approx(alone.trades["profit"].tolist())
    assert result.run.loop == "compiled"
    assert_same(result.run, backtest(parts, data, loop="engine", **LOOSE).run)
    with pytest.raises(UnknownName, match="'S1'"):
        backtest({"a": Part(Steps(), symbols=["S11"])}, data)
    with pytest.raises(BadValue, match="at least one"):
        backtest([], data)


def test_a_followed_size_goes_through_the_engine() -> None:
    data = market(120, 4)
    result = backtest(Steps(), data, sizing=Sizing("percent", rebalance=0.01), quantity=10)
    assert result.run.loop == "engine"
    assert backtest(Steps(), data, sizing="volatility", quantity=10).run.loop == "engine"
    assert backtest(Steps(), data, sizing="notional", quantity=5_000).run.loop == "compiled"


def test_a_result_names_its_loop(tmp_path: Path) -> None:
    data = market(60, 1)
    events: Result = backtest(Half(), data)
    assert events.run.loop == "events"
    assert backtest(Half(), data, loop="engine").run.why == "that was asked for"
    with pytest.raises(BadValue, match="loop = 'events'"):
        backtest(Turns(), data, loop="events")
    assert isinstance(events.recording, Recording)


class AllIn(Strategy):
    """As many whole shares as nine tenths of the cash buy, sold again five bars later; notes what it was shown."""

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen % 10 == 1 and ctx.flat:
            return OrderRequest(
                "buy", int(0.9 * ctx.cash / bar.close), why=f"{ctx.cash:.6f} {ctx.equity:.6f}"
            )
        if self.seen % 10 == 6 and not ctx.flat:
            return OrderRequest("sell", ctx.position, why=f"{ctx.cash:.6f} {ctx.equity:.6f}")
        return None


@pytest.mark.parametrize("loop", ["events", "engine"])
def test_a_hook_knows_the_accounts_cash_and_equity(loop: str) -> None:
    data = market(60, 5)
    result = backtest(AllIn(), data, loop=loop, cash=10_000, fees=0.001, **LOOSE)
    assert len(result.fills) > 8
    cash, held = 10_000.0, 0.0
    closes = dict(zip(data.ts_ns.tolist(), data.values[:, 3].tolist(), strict=True))
    fills = iter(result.run.fills.tolist())
    for order in result.run.orders.tolist():
        ts_ns, qty = order[0], order[8]
        if not held:
            assert qty == int(0.9 * cash / closes[ts_ns])
        fill = next(fills, None)
        if fill is not None:
            side, px, units, fee = fill[4], fill[5], fill[6], fill[7]
            cash -= side * px * units + fee
            held += side * units
    assert result.stats["final_cash"] == pytest.approx(cash)
