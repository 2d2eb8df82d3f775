"""Unadjusted prices through a backtest: a holder's money is what it would have been, to the cent."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.config import SimSettings
from workbench.feeds import Recording, import_data, open_data
from workbench.strategy import OrderRequest, Signal, Strategy

# a day's open and close; 4 for 1 before the fourth day, 1.20 a unit before the sixth
OPENS = (400.0, 404.0, 408.0, 103.0, 104.0, 102.5, 103.5, 104.5)
CLOSES = (402.0, 406.0, 410.0, 104.0, 103.5, 103.0, 104.0, 105.0)


class Hold(Strategy):
    """Fully invested from the first bar on."""

    def on_bar(self, ctx: object, bar: object) -> Signal:
        return Signal(1.0)


class Short(Strategy):
    """Fully short from the first bar on."""

    def on_bar(self, ctx: object, bar: object) -> Signal:
        return Signal(-1.0)


class BuyAtTheOpenings(Strategy):
    """Asks for one unit at every opening, and sells one at every close."""

    def on_bar(self, ctx: object, bar: object) -> list[OrderRequest]:
        return [OrderRequest("buy", 2, tif="opg"), OrderRequest("sell", 1, tif="cls")]


def table() -> pd.DataFrame:
    highs, lows = np.maximum(OPENS, CLOSES) + 1, np.minimum(OPENS, CLOSES) - 1
    frame = pd.DataFrame({"open": OPENS, "high": highs, "low": lows, "close": CLOSES, "volume": 1_000.0})
    frame["ts"] = pd.date_range("2024-03-04 21:00", periods=len(OPENS), tz="UTC")
    frame["split"], frame["dividend"] = [1, 1, 1, 4, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1.20, 0, 0]
    return frame


@pytest.fixture
def recording() -> Recording:
    return open_data(table())


def test_a_holder_lives_through_a_split_and_a_dividend(recording: Recording) -> None:
    result = wb.backtest(Hold(), data=recording, quantity=10, cash=100_000)
    assert result.run.loop == "engine"
    assert "splits or dividends" in result.run.why
    assert len(result.run.fills) == 1  # ten bought at the second open; nothing was traded for the split
    assert result.run.cash_moves == pytest.approx(40 * 1.20)
    closes = dict(zip(recording.bars("DATA")[0].tolist(), CLOSES, strict=True))
    expected = {}
    held, cash = 0, 100_000.0
    for number, (ts_ns, close) in enumerate(closes.items()):
        if number == 1:
            held, cash = 10, cash - 10 * OPENS[1]
        if number == 3:
            held = 40
        if number == 5:
            cash += 48.0
        expected[ts_ns] = cash + held * close
    equity = dict(zip(result.run.ts_ns.tolist(), result.run.equity.tolist(), strict=True))
    assert {ts_ns: equity[ts_ns] for ts_ns in expected} == pytest.approx(expected)


def test_orders_for_openings_and_closes_meet_them(recording: Recording) -> None:
    result = wb.backtest(BuyAtTheOpenings(), data=recording, cash=100_000)
    fills = result.run.fills
    bought = [float(fill["px"]) for fill in fills if fill["side"] > 0]
    sold = [float(fill["px"]) for fill in fills if fill["side"] < 0]
    assert bought == list(OPENS[1:])
    assert sold == list(CLOSES[1:])


def test_costs_of_holding_short_reach_the_engines_books(recording: Recording) -> None:
    sim = SimSettings.model_validate(
        {"ack_median_us": 0, "fill_median_us": 0, "borrow_rate": 0.36, "fees": "alpaca"}
    )
    result = wb.backtest(Short(), data=recording, quantity=10, cash=100_000, sim=sim)
    # every night at the last close: ten over two, then forty over four (opened with the second day, held to the last)
    nights = 10 * (406 + 410) + 40 * (104 + 103.5 + 103 + 104)
    assert result.run.cash_moves == pytest.approx(-40 * 1.20 - nights * 0.36 / 360)


def test_on_paper_the_engine_and_the_exchange_agree_after_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    import_data(table(), name="acted", symbol="DATA")
    desk = wb.start("splits", host="thread", data="acted", speed=0, quiet=True, play=False)
    try:
        desk.run(Hold(), symbols=["DATA"], quantity=10)
        desk.market_control("play")
        desk.wait(finished=True, timeout_s=60)
        account = desk.account
        assert (account.cash, account.cash_moves) == (1_000_000 - 10 * OPENS[1] + 48, 48)
        assert account.equity == account.cash + 40 * CLOSES[-1]
        told = desk.check()
        assert told["replay_hash_equal"]
        assert told["positions_equal_broker"]
        assert told["cash_conserved"]
        assert told["differences"] == []
    finally:
        desk.stop()
