"""What a backtest found: decisions, fills, equity and the figures made of them, with a text form everywhere."""

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.engine import Engine
from workbench.feeds import Recording
from workbench.model import Filled, Refusal, from_e8
from workbench.model.orders import SIDE_NAMES, STATE_NAMES

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.models.ui import UIElement

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
    """A finished backtest. `equity_ts` int64[n] (UTC ns) and `equity` float64[n] (account currency) per event time."""

    def __init__(
        self,
        *,
        name: str,
        parameters: dict[str, Any],
        recording: Recording,
        engine: Engine,
        fills: list[Filled],
        refusals: list[Refusal],
        equity_ts: list[int],
        equity: list[float],
        cash: float,
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.recording = recording
        self.engine = engine
        self.fills = fills
        self.refusals = refusals
        self.equity_ts: npt.NDArray[np.int64] = np.asarray(equity_ts, dtype=np.int64)
        self.equity: npt.NDArray[np.float64] = np.asarray(equity, dtype=np.float64)
        self.cash = cash

    @property
    def decisions(self) -> list[Decision]:
        """Every order, in the order it was decided."""
        symbol = self.engine.book.symbol
        return [
            Decision(
                order.ts_ns,
                symbol(order.iid),
                SIDE_NAMES[order.side],
                from_e8(order.qty_e8),
                STATE_NAMES[order.state],
                order.notional_e8 / order.filled_e8 if order.filled_e8 else 0.0,
            )
            for order in self.engine.orders.by_id.values()
        ]

    @property
    def drawdown(self) -> npt.NDArray[np.float64]:
        """Share lost since the highest equity so far, float64[n], 0 or below."""
        peak = np.maximum.accumulate(self.equity)
        return self.equity / peak - 1.0

    @property
    def stats(self) -> dict[str, float]:
        """The main figures. Sharpe: mean over sample deviation (ddof 1) of session returns, times sqrt(252)
        (W. F. Sharpe, "The Sharpe Ratio", 1994, risk-free rate 0); NaN below three sessions."""
        ledger = self.engine.ledger
        daily = self._session_returns()
        deviation = float(np.std(daily, ddof=1)) if len(daily) > 2 else 0.0
        return {
            "total_return": float(self.equity[-1] / self.cash - 1.0) if len(self.equity) else 0.0,
            "final_equity": float(self.equity[-1]) if len(self.equity) else self.cash,
            "max_drawdown": float(self.drawdown.min()) if len(self.equity) else 0.0,
            "sharpe": float(np.mean(daily)) / deviation * SESSIONS_PER_YEAR**0.5
            if deviation
            else float("nan"),
            "orders": len(self.engine.orders.by_id),
            "fills": len(self.fills),
            "refusals": len(self.refusals),
            "realized": from_e8(ledger.realized_e8),
            "fees": from_e8(ledger.fees_e8),
        }

    def frame(self) -> "pd.DataFrame":
        """Equity and drawdown by UTC time."""
        import pandas as pd

        index = pd.DatetimeIndex(pd.to_datetime(self.equity_ts, unit="ns", utc=True), name="ts")
        return pd.DataFrame({"equity": self.equity, "drawdown": self.drawdown}, index=index)

    def plot(self) -> "UIElement":
        """Price with fills, equity and drawdown, linked and zoomable (a Bokeh layout)."""
        from workbench.research.plot import result_plot

        return result_plot(self)

    def _session_returns(self) -> npt.NDArray[np.float64]:
        """Return of each UTC day that holds data."""
        if not len(self.equity):
            return np.zeros(0)
        day = self.equity_ts // _DAY_NS
        last = np.flatnonzero(np.append(day[1:] != day[:-1], True))
        closes = np.concatenate([[self.cash], self.equity[last]])
        returns: npt.NDArray[np.float64] = np.diff(closes) / closes[:-1]
        return returns

    def __repr__(self) -> str:
        s = self.stats
        words = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return (
            f"<Backtest {self.name}({words}) on {self.recording.name}: return {s['total_return']:+.3%}, "
            f"drawdown {s['max_drawdown']:.3%}, {s['orders']:.0f} orders, {s['fills']:.0f} fills>"
        )
