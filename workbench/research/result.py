"""What a backtest found: orders, fills, round trips, equity and the figures made of them, each when it is asked for."""

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.errors import BadValue
from workbench.kernels.returns import drawdown
from workbench.model.orders import SIDE_NAMES, STATE_NAMES, TIF_NAMES, TYPE_NAMES
from workbench.research.run import Run
from workbench.research.statistics import (
    exposure_of,
    held_of,
    session_ends,
    session_returns,
    statistics,
)
from workbench.research.trades import Trades, trades_of

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.models.ui import UIElement

    from workbench.feeds import Recording
    from workbench.model import Refusal

__all__ = ["Decision", "Result"]


class Decision(msgspec.Struct, frozen=True, order=True):
    """One order a strategy wanted: when (UTC ns of the bar's close), what, and what came of it."""

    ts_ns: int
    symbol: str
    side: str
    quantity: float
    state: str
    average_px: float


class Result:
    """A finished backtest: what `run` (plain arrays) amounts to, each part computed when it is asked for.

    >>> import workbench as wb
    >>> result = wb.backtest(wb.strategies.RsiReversion(period=14), data="SPY")
    >>> list(result.trades.columns[:4]), round(result.stats["hit_rate"], 2)
    (['symbol', 'strategy', 'side', 'quantity'], 0.67)
    """

    def __init__(
        self, run: Run, name: str, parameters: dict[str, Any], strategies: tuple[str, ...] = ()
    ) -> None:
        self.run = run
        self.name = name
        self.parameters = parameters
        self.strategies = strategies or (name,)

    @property
    def recording(self) -> "Recording":
        """The market it ran over."""
        return self.run.recording

    @property
    def cash(self) -> float:
        """Starting cash."""
        return self.run.cash

    @property
    def refusals(self) -> "list[Refusal]":
        """What the risk rules refused."""
        return self.run.refusals

    @cached_property
    def decisions(self) -> list[Decision]:
        """Every order, in the order it was decided."""
        symbols, rows = self.recording.symbols, self.run.orders
        columns = (rows[name].tolist() for name in ("ts_ns", "iid", "side", "qty", "state", "average_px"))
        return [
            Decision(ts_ns, symbols[iid], SIDE_NAMES[side], qty, STATE_NAMES[state], px)
            for ts_ns, iid, side, qty, state, px in zip(*columns, strict=True)
        ]

    # -- tables ----------------------------------------------------------------------------------------------------

    @cached_property
    def orders(self) -> "pd.DataFrame":
        """One row an order, by order id: when it was decided, what it asked for, how it ended."""
        rows = self.run.orders
        return self._by_order(
            rows,
            type=_words(TYPE_NAMES, rows["kind"]),
            tif=_words(TIF_NAMES, rows["tif"]),
            quantity=rows["qty"],
            limit_px=rows["limit_px"],
            stop_px=rows["stop_px"],
            state=_words(STATE_NAMES, rows["state"]),
            filled=rows["filled"],
            average_px=rows["average_px"],
            fee=rows["fee"],
        )

    @cached_property
    def fills(self) -> "pd.DataFrame":
        """One row an execution, by order id, in the order they happened."""
        rows = self.run.fills
        return self._by_order(rows, px=rows["px"], quantity=rows["qty"], fee=rows["fee"])

    def _by_order(self, rows: npt.NDArray[np.void], **columns: Any) -> "pd.DataFrame":
        import pandas as pd

        data = {
            "ts": _utc(rows["ts_ns"]),
            "symbol": self._symbols(rows["iid"]),
            "strategy": self._strategies(rows["strategy_id"]),
            "side": _words(("buy", "sell"), (rows["side"] < 0).astype(np.int64)),
        }
        return pd.DataFrame({**data, **columns}).set_index(pd.Index(rows["order_id"], name="order_id"))

    @cached_property
    def round_trips(self) -> Trades:
        """The round trips as arrays; `trades` is the same as a table."""
        return trades_of(self.run)

    @cached_property
    def trades(self) -> "pd.DataFrame":
        """One row a round trip, first in first out per strategy and symbol, in order of entry; `open` ones are still
        held and valued at the last price. `profit` is after fees, `return` the profit over the entry's value; `mae` and
        `mfe` the largest loss and gain on the way, over the entry price."""
        import pandas as pd

        t = self.round_trips
        return pd.DataFrame(
            {
                "symbol": self._symbols(t.iid),
                "strategy": self._strategies(t.strategy_id),
                "side": _words(("long", "short"), (t.side < 0).astype(np.int64)),
                "quantity": t.quantity,
                "entry": _utc(t.entry_ns),
                "entry_px": t.entry_px,
                "exit": _utc(t.exit_ns),
                "exit_px": t.exit_px,
                "profit": t.profit,
                "return": t.profit / (t.quantity * t.entry_px),
                "fees": t.fees,
                "bars": t.bars,
                "mae": t.worst,
                "mfe": t.best,
                "open": t.open,
            }
        )

    def positions(self) -> "pd.DataFrame":
        """What is held at the end, by symbol and strategy: quantity (signed), average price, last price, value, profit
        not taken yet (before fees)."""
        import pandas as pd

        held = self.trades[self.trades["open"]]
        signed = np.where(held["side"] == "long", 1.0, -1.0) * held["quantity"]
        table = pd.DataFrame(
            {
                "symbol": held["symbol"],
                "strategy": held["strategy"],
                "quantity": signed,
                "cost": signed * held["entry_px"],
                "value": signed * held["exit_px"],
            }
        )
        table = table.groupby(["symbol", "strategy"], sort=False).sum()
        table["average_px"] = table["cost"] / table["quantity"]
        table["last_px"] = table["value"] / table["quantity"]
        table["profit"] = table["value"] - table["cost"]
        return table[["quantity", "average_px", "last_px", "value", "profit"]]

    def by_strategy(self) -> "pd.DataFrame":
        """Round trips, profit after fees (what is still held at the last price) and fees of each strategy."""
        import pandas as pd

        grouped = self.trades.groupby("strategy")
        table = pd.DataFrame(
            {
                "trades": grouped["open"].agg(lambda column: int((~column).sum())),
                "profit": grouped["profit"].sum(),
                "fees": grouped["fees"].sum(),
            }
        )
        return table.reindex(list(self.strategies)).fillna(0.0).rename_axis("strategy")

    # -- curves ----------------------------------------------------------------------------------------------------

    @cached_property
    def equity(self) -> "pd.Series[float]":
        """The account by UTC time: cash plus everything held at the last prices, once every recorded instant."""
        return self._series("equity", self.run.equity)

    @cached_property
    def drawdown(self) -> "pd.Series[float]":
        """Share lost since the highest equity so far (the starting cash included), 0 or below, by UTC time."""
        return self._series("drawdown", drawdown(self.run.equity, self.run.cash))

    @cached_property
    def exposure(self) -> "pd.Series[float]":
        """Value held, long and short added up, over equity, by UTC time."""
        return self._series("exposure", self._exposure)

    @cached_property
    def returns(self) -> "pd.Series[float]":
        """Return of each session, by the UTC time of its last instant; the first one from the starting cash."""
        ends = session_ends(self.recording, self.run.ts_ns)
        import pandas as pd

        values = session_returns(self.run.equity, ends, self.run.cash)
        return pd.Series(values, index=_utc(self.run.ts_ns[ends]).rename("ts"), name="return")

    def held(self, symbol: str) -> "pd.Series[float]":
        """What was held of a symbol by UTC time, signed, all strategies together."""
        iid = self.recording.symbols.index(symbol) if symbol in self.recording.symbols else -1
        if iid < 0:
            from workbench.errors import UnknownName

            raise UnknownName("symbol", symbol, self.recording.symbols)
        return self._series("quantity", held_of(self.run, iid))

    def frame(self) -> "pd.DataFrame":
        """Equity, drawdown and exposure by UTC time."""
        import pandas as pd

        return pd.DataFrame({"equity": self.equity, "drawdown": self.drawdown, "exposure": self.exposure})

    @cached_property
    def _exposure(self) -> npt.NDArray[np.float64]:
        return exposure_of(self.run)

    def _series(self, name: str, values: npt.NDArray[np.float64]) -> "pd.Series[float]":
        import pandas as pd

        return pd.Series(values, index=_utc(self.run.ts_ns).rename("ts"), name=name)

    def _strategies(self, ids: npt.NDArray[Any]) -> Any:
        return np.array(self.strategies, dtype=object)[ids - 1]

    def _symbols(self, iids: npt.NDArray[Any]) -> Any:
        return np.array(self.recording.symbols, dtype=object)[iids]

    # -- figures ---------------------------------------------------------------------------------------------------

    @cached_property
    def stats(self) -> dict[str, float]:
        """The figures by name (`workbench.research.FIGURES` says what each is); NaN for what cannot be said."""
        return self.statistics()

    def statistics(self, *, risk_free: float = 0.0, periods: float | None = None) -> dict[str, float]:
        """The figures with another risk-free rate (a year's) or another number of sessions a year.

        Raises:
            BadValue: the rate is not finite, or the number not finite and above 0.
        """
        if not math.isfinite(risk_free):
            raise BadValue("risk_free", risk_free, "give a year's rate, like 0.04")
        if periods is not None and not 0.0 < periods < math.inf:
            raise BadValue("periods", periods, "give how many sessions a year has, like 252")
        return statistics(self.run, self.round_trips, self._exposure, risk_free=risk_free, periods=periods)

    # -- pictures --------------------------------------------------------------------------------------------------

    def plot(self, symbol: str = "") -> "UIElement":
        """Price with fills, equity and drawdown, linked and zoomable (a Bokeh layout). Without a symbol it is the one
        with the most fills."""
        from workbench.research.plot import result_plot

        picture: UIElement = result_plot(self, symbol)
        return picture

    def report(self, path: str | Path, *, progress: bool = True) -> Path:
        """Write a page about this backtest: figures, pictures, round trips. It needs no network and no kernel.

        Made by executing a notebook; `progress` shows how far it is. Returns the path.
        """
        from workbench.research.report.page import write_report

        return write_report(self, Path(path), progress=progress)

    def __repr__(self) -> str:
        s = self.stats
        words = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        refused = f", {len(self.refusals)} refused" if self.refusals else ""
        return (
            f"<Backtest {self.name}({words}) on {self.recording.name}: return {s['total_return']:+.3%}, "
            f"drawdown {s['max_drawdown']:.3%}, {s['orders']:.0f} orders, {s['fills']:.0f} fills{refused}>"
        )


def _words(names: tuple[str, ...], codes: npt.NDArray[Any]) -> Any:
    return np.array(names, dtype=object)[codes]


def _utc(ts_ns: npt.NDArray[np.int64]) -> "pd.DatetimeIndex":
    """Times as pandas has them, to the microsecond: an opening print stands 1 ns after the bar's start."""
    import pandas as pd

    return pd.DatetimeIndex(pd.to_datetime(ts_ns // 1_000 * 1_000, utc=True))
