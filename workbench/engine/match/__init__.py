"""The simulated venue for one account: orders in, market data in, reports out. Pure: no clock, no randomness.

Rules, chosen to be simple to state and never to look ahead (in full: docs/matching.md):

- An order decided at T sees only data with a later `ts_ns`. A market order fills at the first such print or quote.
  `fill_at="close"` is the exception: decided on a bar's close, it fills at that close.
- A print or quote fills directly: market orders at its price; a limit when the price is at it or better, at the price
  of the print; a stop is triggered at or beyond its price and then is a market (or limit) order at that same print.
  A quote's price is the ask for buys, the bid for sells. A known size caps what it can fill (orders in order of
  arrival share it, the rest waits); size 0 means unknown and fills all.
- A bar without a print before it fills an order that was there for all of it: at its open first (gaps fill at the
  open), then along the path open-low-high-close when close >= open, else open-high-low-close, at the order's own price
  when touched. An order that arrived inside the bar can only trade at its close, since the path before is unknown.
- A trailing order's reference is the best price it has seen, by the same path.
- An order with a parent waits until that has filled, and covers no more than what has. Orders of one group share one
  quantity: what one fills is taken from the others.
- DAY orders are good for the first session that has data after their arrival (sent after the close: the next one)
  and expire with the first data of a later one; IOC and FOK are decided by the first data they see; OPG by the first
  data of a session, CLS by its last.
- Every report's `ts_ns` is the later of the data's time and the submit's time plus the order's latency.

Its cash, positions and open orders are its own books: reconciliation compares them with the engine's ledger.
Feeding it the journal's submits, cancels, amendments and market data again gives the same venue again.
"""

from workbench.engine.match.orders import ON_REQUEST, Told
from workbench.engine.match.resting import Resting
from workbench.engine.match.sessions import SessionTable, TradingSessions, UtcDays
from workbench.engine.match.slippage import Slippage
from workbench.engine.match.terms import Terms
from workbench.engine.match.venue import Match

__all__ = [
    "ON_REQUEST",
    "Match",
    "Resting",
    "SessionTable",
    "Slippage",
    "Terms",
    "Told",
    "TradingSessions",
    "UtcDays",
]
