"""The desk as others see it: plain immutable rows in floats and words, ready for JSON.

The orchestrator fills them at most ten times a second; API, monitor and ui read nothing else. Money is in the
account's currency, quantities in units, latency in microseconds, `*_ns` in UTC nanoseconds.
"""

import msgspec

__all__ = [
    "AccountHistoryRow",
    "AccountRow",
    "AlertRow",
    "DifferenceRow",
    "FillRow",
    "HealthRow",
    "LatencyRow",
    "OrderRow",
    "PositionRow",
    "RefusalRow",
    "SessionRow",
    "Snapshot",
    "StrategyRow",
    "TraceRow",
    "VenueAccountRow",
    "VenueStreamRow",
]


class SessionRow(msgspec.Struct, frozen=True):
    """`state` is one of starting, recovering, running, killed, stopping; `market` one of playing, paused,
    finished, live; `speed` is replayed seconds per wall second (0 = as fast as it settles); `frozen` tells
    symbols in which only reducing orders pass, and why."""

    name: str
    mode: str
    state: str
    market: str
    epoch: int
    started_ns: int
    market_ts_ns: int
    speed: float
    progress: float
    data: str
    pid: int
    version: str
    kill_reason: str = ""
    frozen: dict[str, str] = {}


class AccountRow(msgspec.Struct, frozen=True):
    """`cash_moves` is cash that came or went without a trade: dividends, interest, borrowing fees, transfers."""

    account: str
    currency: str
    start_cash: float
    cash: float
    equity: float
    realized: float
    unrealized: float
    fees: float
    gross_exposure: float
    net_exposure: float
    cash_moves: float = 0.0


class PositionRow(msgspec.Struct, frozen=True):
    """`strategy_id` -1 is the account's total in that symbol."""

    strategy_id: int
    symbol: str
    quantity: float
    average_px: float
    last_px: float
    realized: float
    unrealized: float
    fees: float


class OrderRow(msgspec.Struct, frozen=True):
    """`trail` (a price distance) or `trail_percent` of a trailing order; `parent_id` is the entry an exit waits for;
    orders of one `group` (0: none) cancel one another; `amending` until the venue has answered a change; `account` is
    the account at a venue it went to in this session ("": the built-in exchange, or an earlier session)."""

    order_id: int
    client_id: str
    venue_id: str
    strategy_id: int
    strategy: str
    symbol: str
    side: str
    type: str
    tif: str
    quantity: float
    limit_px: float
    stop_px: float
    state: str
    filled: float
    average_px: float
    fees: float
    ts_ns: int
    updated_ns: int
    reason: str
    why: str
    trail: float = 0.0
    trail_percent: float = 0.0
    parent_id: int = 0
    group: int = 0
    amending: bool = False
    account: str = ""


class FillRow(msgspec.Struct, frozen=True):
    exec_id: str
    order_id: int
    strategy_id: int
    symbol: str
    side: str
    quantity: float
    px: float
    fee: float
    ts_ns: int
    account: str = ""


class RefusalRow(msgspec.Struct, frozen=True):
    ts_ns: int
    strategy_id: int
    symbol: str
    side: str
    quantity: float
    code: str
    text: str
    numbers: dict[str, float]


class StrategyRow(msgspec.Struct, frozen=True):
    """`state` is running, warming, paused or removed; `reason` says why it is paused; `placed_ns` is session time."""

    strategy_id: int
    name: str
    parameters: dict[str, float | int | bool | str]
    symbols: list[str]
    state: str
    reason: str
    form: str
    sizing: str
    quantity: float
    position: float
    realized: float
    unrealized: float
    fees: float
    orders: int
    fills: int
    refusals: int
    decisions: int
    code_hash: str
    provenance: str
    placed_ns: int = 0
    sizing_parameters: dict[str, float] = {}


class LatencyRow(msgspec.Struct, frozen=True):
    """One stage; `share_over` is the fraction of observations above the budget."""

    stage: str
    n: int
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float
    budget_us: float
    share_over: float


class HealthRow(msgspec.Struct, frozen=True):
    loop_lag_p99_ms: float
    loop_lag_max_ms: float
    inbox: int
    journal_seq: int
    journal_synced_seq: int
    journal_sync_p50_us: float
    journal_sync_p99_us: float
    journal_mb: float
    events: int
    effects: int
    clients: int
    rss_mb: float
    cpu_percent: float
    uptime_s: float
    broker: str
    broker_state: str
    feed_age_s: float


class AlertRow(msgspec.Struct, frozen=True):
    ts_ns: int
    severity: str
    code: str
    text: str


class TraceRow(msgspec.Struct, frozen=True):
    """One order's waterfall: for each stage its start after the first stamp and its length; `account` as in
    `OrderRow`."""

    order_id: int
    client_id: str
    stages: list[str]
    start_us: list[float]
    length_us: list[float]
    budget_us: list[float]
    total_us: float
    pauses: list[tuple[str, float, float]] = []
    account: str = ""


class VenueStreamRow(msgspec.Struct, frozen=True):
    """One stream of an account; `carries` is orders or data, `age_s` the time since its last frame (0 while it is not
    live)."""

    name: str
    carries: str
    state: str
    reason: str
    age_s: float
    reconnects: int
    gaps: int


class VenueAccountRow(msgspec.Struct, frozen=True):
    """One account at a venue as the desk sees it; made anew once a second.

    `state` is healthy, unknown, connecting, degraded, stale (market data is late), down, unauthorised or closed, the
    worst of orders and market data; `reason` says why. `mode` is paper, live or data (only its market data is used).
    `books_ns` is when the venue last told what the account holds (0: not yet; cash, equity and positions are 0 then).
    `open_orders` are the desk's; `moved` counts orders that came here because an account before it was not well.
    `headroom` is the share left of each allowance, 0 to 1; `waiting` requests wait at the limiter now,
    `longest_wait_us` is the longest so far. `breakers` tells closed, open or half-open by class of requests.
    `clock_offset_ms` is the venue's clock minus ours. `probe_*` is the round trip of the question that asks whether the
    venue is well, `wire_*` of every request. `missed` tells of the last bars of market data that a broken stream has
    missed and that could not be had afterwards, and when ("": none in this session)."""

    account: str
    venue: str
    mode: str
    state: str
    reason: str
    symbols: list[str]
    cash: float
    equity: float
    positions: int
    books_ns: int
    open_orders: int
    moved: int
    requests: int
    errors: dict[str, int]
    limited: int
    headroom: dict[str, float]
    waiting: int
    waited: int
    waited_us: float
    longest_wait_us: float
    breakers: dict[str, str]
    streams: list[VenueStreamRow]
    clock_offset_ms: float
    probe_p50_us: float
    probe_p99_us: float
    wire_p50_us: float
    wire_p99_us: float
    missed: str = ""


class AccountHistoryRow(msgspec.Struct, frozen=True):
    """The last quarter of an hour of one account at a venue, a figure a second, all lists of one length: the least
    headroom among its allowances (0 to 1), requests waiting then, requests and time waited (us) in that second, and the
    mean round trip of its requests in that second (us; not a number without any)."""

    account: str
    ts_ns: list[int]
    headroom: list[float]
    waiting: list[int]
    waited_us: list[float]
    requests: list[int]
    wire_us: list[float]


class DifferenceRow(msgspec.Struct, frozen=True):
    """A figure on which the desk and its brokers have not agreed for two looks: a position, or the cash (`symbol` is ""
    then)."""

    symbol: str
    ours: float
    theirs: float
    since_ns: int


class Snapshot(msgspec.Struct, frozen=True):
    """Everything at one instant. `seq` is the journal sequence it is true for. `orders` holds the active ones
    and the last 200 others, newest last; `fills`, `refusals`, `alerts` the last 200; `equity` the curve so far
    as (ts_ns, equity) points, thinned to at most 2,000. `accounts` are those at venues, none on a recorded market."""

    seq: int
    ts_ns: int
    session: SessionRow
    account: AccountRow
    positions: list[PositionRow]
    orders: list[OrderRow]
    fills: list[FillRow]
    refusals: list[RefusalRow]
    strategies: list[StrategyRow]
    latency: list[LatencyRow]
    health: HealthRow
    alerts: list[AlertRow]
    equity: list[tuple[int, float]]
    accounts: list[VenueAccountRow] = []
    differences: list[DifferenceRow] = []
