"""What every venue's adapter stands on, so that it holds nothing but the venue: one `Pool` an account.

    Pool                     opened and closed with the account; its numbers by `snapshot()` (meters.py)
     |-- limiter.py          may this request go now? lanes (lanes.py), allowances (budgets.py)
     |-- rest.py             questions and orders over HTTP, with a breaker (breaker.py) and typed errors
     |-- stream.py           a WebSocket kept alive and joined with snapshots; script.py, subscriptions.py
     |-- late_bars.py        bars a stream has missed, asked for by REST
     |-- health.py           is the venue well, what time is it there
     `-- sessions.py         addresses, TLS, time-outs
    venue_broker.py          the broker contract for all venues; a venue fills in hooks.py
     |-- withdrawals.py      cancels, one by one and all at once
     |-- tracker.py          what is known of each order, and the reports that follow, in order, each once
     |-- inquest.py          what became of an order whose answer was lost
     `-- follower.py         sweeps, looks, missing executions
    accounts.py              which account of the settings; live needs arming
    credentials.py           where keys come from
    payload.py, backoff.py   bytes to values; waits between tries

Lives here: what venues have in common. Not here: any venue, deciding, risk.
"""

from workbench.brokers.pool.backoff import Backoff
from workbench.brokers.pool.breaker import Breaker
from workbench.brokers.pool.budgets import Bucket, Budget, Fixed, Rolling, Slots, shared
from workbench.brokers.pool.credentials import Credentials, SignedHeaders, read_credentials
from workbench.brokers.pool.health import ClockOffset, Health, Probed
from workbench.brokers.pool.lanes import CANCEL, DATA, ENTRY, EXIT, HISTORY
from workbench.brokers.pool.late_bars import MOST_LATE_BARS, AskTogether, LateBars
from workbench.brokers.pool.limiter import Limiter, Route
from workbench.brokers.pool.meters import PoolSnapshot, snapshots
from workbench.brokers.pool.payload import decode, decode_msgpack, encode
from workbench.brokers.pool.pool import Pool
from workbench.brokers.pool.rest import Answer, Dialect, Rest
from workbench.brokers.pool.script import Frame, Script, Wire
from workbench.brokers.pool.sessions import checked_address, is_loopback, tls_for
from workbench.brokers.pool.stream import Stream
from workbench.brokers.pool.subscriptions import Ledger

__all__ = [
    "CANCEL",
    "DATA",
    "ENTRY",
    "EXIT",
    "HISTORY",
    "MOST_LATE_BARS",
    "Answer",
    "AskTogether",
    "Backoff",
    "Breaker",
    "Bucket",
    "Budget",
    "ClockOffset",
    "Credentials",
    "Dialect",
    "Fixed",
    "Frame",
    "Health",
    "LateBars",
    "Ledger",
    "Limiter",
    "Pool",
    "PoolSnapshot",
    "Probed",
    "Rest",
    "Rolling",
    "Route",
    "Script",
    "SignedHeaders",
    "Slots",
    "Stream",
    "Wire",
    "checked_address",
    "decode",
    "decode_msgpack",
    "encode",
    "is_loopback",
    "read_credentials",
    "shared",
    "snapshots",
    "tls_for",
]
