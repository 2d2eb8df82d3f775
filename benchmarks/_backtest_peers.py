"""Other backtesters with the same strategy (RSI(14), 30 and 70, ten units, fees of the value), if they are installed.

Each answers bars a second of one whole run, signals and equity included, over as many bars as it does in some seconds.
None of them is a dependency: `workbench bench backtest` says "not installed" otherwise.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

PERIOD, LOW, HIGH, QUANTITY, CASH, RATE = 14, 30.0, 70.0, 10.0, 1_000_000.0, 0.0001
FEW, MANY = 20_000, 100_000


def peers(series: Any) -> dict[str, Callable[[], int]]:
    """Each peer's package name and what measures it. `series` has the columns of `feeds.Series`."""
    return {
        "backtesting": lambda: _backtesting(series, MANY),
        "vectorbt": lambda: _vectorbt(series),
        "nautilus_trader": lambda: _nautilus(series, FEW),
    }


def _rsi(close: Any) -> Any:
    """Wilder's RSI by pandas."""
    import pandas as pd

    change = pd.Series(np.asarray(close)).diff()
    up = change.clip(lower=0).ewm(alpha=1 / PERIOD, adjust=False).mean()
    down = -change.clip(upper=0).ewm(alpha=1 / PERIOD, adjust=False).mean()
    return (100 * up / (up + down)).to_numpy()


def _backtesting(series: Any, n: int) -> int:
    import warnings

    import pandas as pd
    from backtesting import Backtest, Strategy

    class Reversion(Strategy):  # type: ignore[misc, unused-ignore]
        def init(self) -> None:
            self.rsi = self.I(_rsi, self.data.Close)

        def next(self) -> None:
            if self.rsi[-1] < LOW and not self.position:
                self.buy(size=int(QUANTITY))
            elif self.rsi[-1] > HIGH and self.position:
                self.position.close()

    frame = pd.DataFrame(
        {name: getattr(series, name.lower())[:n] for name in ("Open", "High", "Low", "Close", "Volume")},
        index=pd.DatetimeIndex(pd.to_datetime(series.ts_ns[:n], utc=True)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = Backtest(frame, Reversion, cash=CASH, commission=RATE, finalize_trades=True)
        begun = time.perf_counter()
        test.run()
        return round(len(frame) / (time.perf_counter() - begun))


def _vectorbt(series: Any) -> int:
    import vectorbt

    def once() -> float:
        begun = time.perf_counter()
        rsi = vectorbt.RSI.run(series.close, window=PERIOD, ewm=True).rsi.to_numpy()
        folio = vectorbt.Portfolio.from_signals(
            series.close, rsi < LOW, rsi > HIGH, size=QUANTITY, fees=RATE, init_cash=CASH, freq="1min"
        )
        folio.value()
        return time.perf_counter() - begun

    once()  # compiles
    return round(len(series.close) / min(once() for _ in range(3)))


def _nautilus(series: Any, n: int) -> int:
    from decimal import Decimal

    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.indicators import RelativeStrengthIndex
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import Bar, BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.objects import Money, Price, Quantity
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    instrument = TestInstrumentProvider.equity(symbol="S000", venue="XNYS")
    kind = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")

    class Reversion(Strategy):  # type: ignore[misc, unused-ignore]
        def on_start(self) -> None:
            self.rsi = RelativeStrengthIndex(PERIOD)
            self.register_indicator_for_bars(kind, self.rsi)
            self.subscribe_bars(kind)

        def on_bar(self, bar: Any) -> None:
            if not self.indicators_initialized():
                return
            flat = self.portfolio.is_flat(instrument.id)
            side = (
                OrderSide.BUY
                if flat and self.rsi.value < LOW / 100
                else OrderSide.SELL
                if not flat and self.rsi.value > HIGH / 100
                else None
            )
            if side is not None:
                quantity = instrument.make_qty(Decimal(int(QUANTITY)))
                self.submit_order(self.order_factory.market(instrument.id, side, quantity))

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(log_level="ERROR")))
    engine.add_venue(
        venue=Venue("XNYS"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(CASH, USD)],
    )
    engine.add_instrument(instrument)
    columns = (series.ts_ns, series.open, series.high, series.low, series.close, series.volume)
    engine.add_data(
        [
            Bar(kind, Price(o, 2), Price(h, 2), Price(low, 2), Price(c, 2), Quantity(v, 0), ts, ts)
            for ts, o, h, low, c, v in zip(*(column[:n].tolist() for column in columns), strict=True)
        ]
    )
    engine.add_strategy(Reversion())
    begun = time.perf_counter()
    engine.run()
    taken = time.perf_counter() - begun
    engine.dispose()
    return round(n / taken)
