"""Settings turned into the built-in exchange: every word of them arrives."""

import pytest

from workbench.brokers.sim import SimBroker, latency_of, make_match
from workbench.config import SimSettings
from workbench.engine.match import Match, TradingSessions
from workbench.errors import BadValue, UnknownName
from workbench.model import Instrument, Quote, Rejected, Report, Split, Submit, Trade, to_e8
from workbench.model.orders import BUY, CLS, DAY, LIMIT, MARKET, SELL

SPY = Instrument(0, "SPY")
TSLA = Instrument(1, "TSLA")


def order(
    n: int, side: int = BUY, kind: int = MARKET, limit: float = 0, tif: int = DAY, iid: int = 0
) -> Submit:
    return Submit(n, n, 1, 1, iid, side, kind, tif, to_e8(10), to_e8(limit), 0)


def venue(cash: float = 10_000, **words: object) -> Match:
    sim = SimSettings.model_validate({"ack_median_us": 0, "fill_median_us": 0, **words})
    return make_match(sim, cash_e8=to_e8(cash), instruments=[SPY, TSLA])


def test_defaults_are_the_plain_venue() -> None:
    made = venue()
    made.submit(order(1))
    made.on_market(Trade(10, 0, 2_000.0))
    assert made.cash_e8 == -to_e8(10_000)  # nothing was checked, nothing was charged


def test_fees_by_name_go_before_the_simple_ones() -> None:
    made = venue(fees="binance", fee_rate=0.05)
    made.submit(order(1))
    made.on_market(Trade(10, 0, 100.0))
    assert made.fees_e8 == to_e8(1)
    with pytest.raises(UnknownName, match="did you mean 'binance'"):
        venue(fees="binanse")


def test_queue_share_and_slippage() -> None:
    made = venue(queue=True, participation=0.5, slippage="ticks", slippage_amount=2)
    made.on_market(Quote(1, 0, 99, 20, 100, 8))
    made.submit(order(2, kind=LIMIT, limit=99))
    made.submit(order(3))
    (fill,) = made.on_market(Quote(4, 0, 99, 20, 100, 8))
    assert (fill.px_e8, fill.qty_e8) == (to_e8(100.02), to_e8(4))  # type: ignore[union-attr]
    assert made.orders[2].ahead_e8 == to_e8(20)


def test_the_accounts_terms() -> None:
    made = venue(1_000, account="cash")
    made.on_market(Trade(1, 0, 101.0))
    assert isinstance(made.submit(order(2))[0], Rejected)
    short = venue(not_shortable=["TSLA"], borrow_rates={"SPY": 0.36}, borrow_rate=0.1)
    assert not isinstance(short.submit(order(1, SELL))[0], Rejected)
    assert isinstance(short.submit(order(2, SELL, iid=1))[0], Rejected)
    assert (short.terms.borrow_rates, short.terms.borrow_rate) == ({0: 0.36}, 0.1)
    with pytest.raises(UnknownName, match="did you mean 'TSLA'"):
        venue(not_shortable=["TSLAX"])
    with pytest.raises(BadValue, match="maintenance"):
        venue(account="margin", initial_margin=0.1)


def test_measured_delays() -> None:
    sim = SimSettings.model_validate({"measured": {"wire": [100, 100], "fill": [50, 50]}})
    assert latency_of(sim)(1) == (100_000, 150_000)
    assert latency_of(SimSettings())(1) != (100_000, 150_000)
    with pytest.raises(UnknownName, match="wire"):
        latency_of(SimSettings.model_validate({"measured": {"wired": [100, 100]}}))


def test_the_fill_mode_can_be_chosen_by_the_caller() -> None:
    assert make_match(SimSettings(), fill_at="close").filled_on_arrival is not None
    made = make_match(SimSettings(fill_at="close"), instruments=[SPY], fill_at="next")
    made.submit(order(1))
    assert made.open_orders == [1]


async def test_the_exchange_reports_cash_and_knows_its_sessions() -> None:
    sim = SimSettings.model_validate({"ack_median_us": 0, "fill_median_us": 0})
    hours = TradingSessions([0], [1_000])
    broker = SimBroker(sim, cash_e8=to_e8(10_000), instruments=[SPY], sessions=hours)
    reports: list[Report] = []
    await broker.connect(reports.append)
    broker.submit(order(1))
    broker.submit(order(2, SELL, tif=CLS))
    broker.on_market(Trade(10, 0, 3.0))
    broker.on_market(Split(20, 0, 1, 4))  # 2.5 of the new: half a unit is paid, at 12
    broker.on_market(Trade(1_000, 0, 12.0))
    await broker.settled()
    kinds = [f"{type(r).__name__} {r.order_id}" for r in reports]
    assert kinds == ["Accepted 1", "Accepted 2", "Filled 1", "CashMoved 0", "Amended 2", "Filled 2"]
    account = await broker.account()
    assert (account.positions, account.cash_e8) == ({}, to_e8(10_000 - 30 + 6 + 24))
    known = await broker.order("wb-1-2")
    assert known is not None
    assert (known.qty_e8, known.filled_e8) == (to_e8(2), to_e8(2))
    await broker.close()
