"""What a backtest found: decisions, fills, equity and the figures made of them, with a text form everywhere."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.model.orders import SIDE_NAMES, STATE_NAMES, TIF_NAMES, TYPE_NAMES
from workbench.research.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.models.ui import UIElement

    from workbench.feeds import Recording
    from workbench.model import Refusal

__all__ = ["Decision", "Result"]

_DAY_NS = 86_400_000_000_000
SESSIONS_PER_YEAR = 252


class Decision(msgspec.Struct, frozen=True, order=True):
    """One order a strategy wanted: when (UTC ns of the bar's close), what, and what came of it."""

    ts_ns: int
    symbol: str
    side: str
    quantity: float
    state: str
    average_px: float


class Result:
    """A finished backtest: what `run` (plain arrays) amounts to, each part computed when it is asked for."""

    def __init__(self, run: Run, name: str, parameters: dict[str, Any]) -> None:
        self.run = run
        self.name = name
        self.parameters = parameters

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
        symbols = self.recording.symbols
        return [
            Decision(ts_ns, symbols[iid], SIDE_NAMES[side], qty, STATE_NAMES[state], px)
            for ts_ns, iid, side, qty, state, px in zip(
                *(
                    self.run.orders[name].tolist()
                    for name in ("ts_ns", "iid", "side", "qty", "state", "average_px")
                ),
                strict=True,
            )
        ]

    @cached_property
    def orders(self) -> "pd.DataFrame":
        """One row an order, by order id: when it was decided, what it asked for, how it ended."""
        rows = self.run.orders
        return self._table(
            rows,
            strategy=rows["strategy_id"],
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
        return self._table(
            rows, strategy=rows["strategy_id"], px=rows["px"], quantity=rows["qty"], fee=rows["fee"]
        )

    def _table(self, rows: npt.NDArray[np.void], **columns: Any) -> "pd.DataFrame":
        import pandas as pd

        names = np.array(self.recording.symbols, dtype=object)
        side = np.where(rows["side"] > 0, "buy", "sell").astype(object)
        data = {"ts": pd.to_datetime(rows["ts_ns"], utc=True), "symbol": names[rows["iid"]], "side": side}
        index = pd.Index(rows["order_id"], name="order_id")
        return pd.DataFrame({**data, **columns}).set_index(index)

    @cached_property
    def equity(self) -> "pd.Series[float]":
        """The account by UTC time: cash plus everything held at the last prices, once every recorded instant."""
        return self._series("equity", self.run.equity)

    @cached_property
    def drawdown(self) -> "pd.Series[float]":
        """Share lost since the highest equity so far, 0 or below, by UTC time."""
        equity = self.run.equity
        return self._series("drawdown", equity / np.maximum.accumulate(equity) - 1.0)

    def _series(self, name: str, values: npt.NDArray[np.float64]) -> "pd.Series[float]":
        import pandas as pd

        index = pd.DatetimeIndex(pd.to_datetime(self.run.ts_ns, utc=True), name="ts")
        return pd.Series(values, index=index, name=name)

    @cached_property
    def stats(self) -> dict[str, float]:
        """The main figures. Sharpe: mean over sample deviation (ddof 1) of session returns, times sqrt(252)
        (W. F. Sharpe, "The Sharpe Ratio", 1994, risk-free rate 0); NaN below three sessions."""
        run, equity = self.run, self.run.equity
        daily = self._session_returns()
        deviation = float(np.std(daily, ddof=1)) if len(daily) > 2 else 0.0
        return {
            "total_return": float(equity[-1] / run.cash - 1.0),
            "final_equity": float(equity[-1]),
            "max_drawdown": float(self.drawdown.min()),
            "sharpe": float(np.mean(daily)) / deviation * SESSIONS_PER_YEAR**0.5
            if deviation
            else float("nan"),
            "orders": len(run.orders),
            "fills": len(run.fills),
            "refusals": len(run.refusals),
            "realized": realized(run.fills, len(run.recording.instruments)),
            "fees": float(run.fills["fee"].sum()),
        }

    def frame(self) -> "pd.DataFrame":
        """Equity and drawdown by UTC time."""
        import pandas as pd

        return pd.DataFrame({"equity": self.equity, "drawdown": self.drawdown})

    def plot(self) -> "UIElement":
        """Price with fills, equity and drawdown, linked and zoomable (a Bokeh layout)."""
        from workbench.research.plot import result_plot

        return result_plot(self)

    def _session_returns(self) -> npt.NDArray[np.float64]:
        """Return of each UTC day that holds data."""
        day = self.run.ts_ns // _DAY_NS
        last = np.flatnonzero(np.append(day[1:] != day[:-1], True))
        closes = np.concatenate([[self.run.cash], self.run.equity[last]])
        returns: npt.NDArray[np.float64] = np.diff(closes) / closes[:-1]
        return returns

    def __repr__(self) -> str:
        s = self.stats
        words = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return (
            f"<Backtest {self.name}({words}) on {self.recording.name}: return {s['total_return']:+.3%}, "
            f"drawdown {s['max_drawdown']:.3%}, {s['orders']:.0f} orders, {s['fills']:.0f} fills>"
        )


def realized(fills: npt.NDArray[np.void], instruments: int) -> float:
    """Profit taken by closing, before fees, at the account's average cost of each instrument."""
    held, cost, taken = [0.0] * instruments, [0.0] * instruments, 0.0
    for iid, side, px, qty in zip(
        *(fills[name].tolist() for name in ("iid", "side", "px", "qty")), strict=True
    ):
        signed = side * qty
        closing = 0.0
        if held[iid] * signed < 0:
            closing = -held[iid] if abs(signed) > abs(held[iid]) else signed
            average = cost[iid] / held[iid]
            taken -= closing * (px - average)
            held[iid] += closing
            cost[iid] = cost[iid] + closing * average if held[iid] else 0.0
        held[iid] += signed - closing
        cost[iid] += (signed - closing) * px
    return taken


def _words(names: tuple[str, ...], codes: npt.NDArray[np.int32]) -> Any:
    return np.array(names, dtype=object)[codes]
