"""The accounts at venues as rows: how each is, what it holds, how much of its allowances is left; and its last minutes.

    pools' meters, the router's memory, feeds' states -> once a second -> rows and history -> snapshot, API

Lives here: reading. Nothing here is read back to decide anything: without it the same orders are sent. Not here: what a
pool counts (brokers/pool/meters.py), the books (view.py).
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from workbench.brokers.contract import Broker
from workbench.brokers.pool.meters import PoolSnapshot
from workbench.brokers.router import Router, health_of
from workbench.engine import Engine
from workbench.feeds.live import LiveFeed
from workbench.model import from_e8
from workbench.model.scale import SCALE
from workbench.model.snapshot import AccountHistoryRow, VenueAccountRow, VenueStreamRow

__all__ = ["AccountRows", "VenueSide", "badness", "standing"]

KEPT: Final = 900  # one a second
_WORSE: Final = (
    "healthy", "unknown", "connecting", "degraded", "stale", "down", "unauthorised", "closed",
)  # fmt: skip


class VenueSide(NamedTuple):
    """One account of a live market: who carries its orders (None: only its market data is used), who brings its market
    data (None: another account does), and whether that one is still to be connected for the first time."""

    account: str
    venue: str
    mode: str
    symbols: tuple[str, ...]
    broker: Broker | None
    feed: LiveFeed | None
    joining: bool = False


def badness(found: Sequence[str]) -> int:
    """How bad the state is that stands first: a larger number is worse."""
    return _WORSE.index(found[0]) if found[0] in _WORSE else 0


def standing(side: VenueSide) -> tuple[str, str]:
    """How an account is and why: the worse of its orders' side and its market data."""
    found = []
    if side.broker is not None:
        state, reason = health_of(side.broker)
        trouble = _trouble(side.broker) if state == "healthy" else ""
        found.append(("degraded", trouble) if trouble else (state, reason))
    if side.feed is not None:
        state = "connecting" if side.joining else side.feed.state
        found.append(("healthy" if state == "live" else state, _of_data(side.feed)))
    return max(found, key=badness, default=("healthy", ""))


class AccountRows:
    """The rows of what `sides()` tells; `refresh()` makes them anew, `rows` and `history()` only hand out."""

    def __init__(self, sides: Callable[[], Sequence[VenueSide]], engine: Engine, broker: Broker) -> None:
        self._sides, self._engine = sides, engine
        self._router = broker if isinstance(broker, Router) else None
        self._past: defaultdict[str, deque[_Second]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._before: dict[str, _Sums] = {}
        self.rows: list[VenueAccountRow] = []

    def refresh(self) -> None:
        """Read everything once; called once a second."""
        sides, router = self._sides(), self._router
        if not sides:
            return
        open_orders = Counter(
            map(router.account_of, self._engine.orders.active) if router is not None else ()
        )
        self.rows = [self._row(side, open_orders[side.account]) for side in sides]

    def history(self, since_ns: int = 0) -> list[AccountHistoryRow]:
        """The seconds after `since_ns` (wall), by account."""
        out = []
        for account, past in self._past.items():
            columns = list(zip(*(second for second in past if second.ts_ns > since_ns), strict=True))
            out.append(AccountHistoryRow(account, *map(list, columns or [()] * len(_Second._fields))))
        return out

    # -- inside ----------------------------------------------------------------------------------------------------

    def _row(self, side: VenueSide, open_orders: int) -> VenueAccountRow:
        orders, data = _pool_of(side.broker), _pool_of(side.feed)
        shots = [pool.snapshot() for pool in (orders, data) if pool is not None]
        first = shots[0] if shots else None  # the orders' side, where there is one
        books_ns, cash, equity, held = self._books(side.account)
        state, reason = standing(side)
        row = VenueAccountRow(
            account=side.account,
            venue=side.venue,
            mode=side.mode if side.broker is not None else "data",
            state=state,
            reason=reason,
            symbols=list(side.symbols),
            cash=cash,
            equity=equity,
            positions=held,
            books_ns=books_ns,
            open_orders=open_orders,
            moved=self._router.moved[side.account] if self._router is not None else 0,
            requests=sum(sum(shot.requests.values()) for shot in shots),
            errors=dict(sum((Counter(shot.errors) for shot in shots), Counter[str]())),
            limited=sum(shot.limited for shot in shots),
            headroom=_headroom(shots),
            waiting=sum(shot.waiting for shot in shots),
            waited=sum(sum(shot.waited.values()) for shot in shots),
            waited_us=sum(shot.waited_s for shot in shots) * 1e6,
            longest_wait_us=max((shot.longest_wait_s for shot in shots), default=0.0) * 1e6,
            breakers={breaker.name: breaker.state for shot in shots for breaker in shot.breakers},
            streams=[*_streams(orders, "orders"), *_streams(data, "data")],
            clock_offset_ms=first.clock_offset_s * 1e3 if first else 0.0,
            probe_p50_us=first.probe_p50_s * 1e6 if first else 0.0,
            probe_p99_us=first.probe_p99_s * 1e6 if first else 0.0,
            wire_p50_us=first.wire_p50_s * 1e6 if first else 0.0,
            wire_p99_us=first.wire_p99_s * 1e6 if first else 0.0,
            missed=_missed(side.feed),
        )
        self._remember(row, [pool.meters.wire for pool in (orders, data) if pool is not None])
        return row

    def _books(self, account: str) -> tuple[int, int | float, float, int]:
        """When the venue last told its books, and of them: cash, equity at the desk's prices, positions held."""
        told = self._router.told.get(account) if self._router is not None else None
        if told is None:
            return 0, 0.0, 0.0, 0
        books_ns, books = told
        marks = self._engine.book.mark_e8
        value_e8 = sum(qty_e8 * marks[iid] // SCALE for iid, qty_e8 in books.positions.items())
        held = sum(1 for qty_e8 in books.positions.values() if qty_e8)
        return books_ns, from_e8(books.cash_e8), from_e8(books.cash_e8 + value_e8), held

    def _remember(self, row: VenueAccountRow, wires: Sequence[Any]) -> None:
        answered, wire_ns = sum(wire.count for wire in wires), sum(wire.total_ns for wire in wires)
        now = _Sums(row.requests, row.waited_us, answered, wire_ns)
        then = self._before.get(row.account, now)
        self._before[row.account] = now
        came = now.answered - then.answered
        self._past[row.account].append(
            _Second(
                time.time_ns(),
                min(row.headroom.values(), default=1.0),
                row.waiting,
                now.waited_us - then.waited_us,
                now.requests - then.requests,
                (now.wire_ns - then.wire_ns) / came / 1e3 if came > 0 else float("nan"),
            )
        )


class _Second(NamedTuple):  # the columns of AccountHistoryRow in their order
    ts_ns: int
    headroom: float
    waiting: int
    waited_us: float
    requests: int
    wire_us: float


class _Sums(NamedTuple):
    requests: int
    waited_us: float
    answered: int
    wire_ns: int


def _pool_of(part: Broker | LiveFeed | None) -> Any:
    """A venue's connection, where the part has one: the contracts do not ask for it."""
    return getattr(part, "pool", None)


def _trouble(broker: Broker) -> str:
    ask = getattr(getattr(_pool_of(broker), "health", None), "trouble", None)
    return ask() if ask is not None else ""


def _of_data(feed: LiveFeed) -> str:
    state = feed.state
    if state == "live":
        return "market data is live"
    streams = _pool_of(feed).streams if _pool_of(feed) is not None else []
    if state == "stale":
        oldest_s = max((stream.age_s for stream in streams), default=0.0)
        return f"no market data for {oldest_s:.0f} s"
    away = [stream for stream in streams if stream.state != "live"]
    return (
        f"market data: stream '{away[0].name}' is {away[0].state} ({away[0].reason})"
        if away
        else (f"market data is {state}")
    )


def _missed(feed: LiveFeed | None) -> str:
    """The last bars that could not be had, in a sentence; "" when there were none."""
    found = [late.missed for late in getattr(feed, "late_bars", ()) if late.missed is not None]
    if not found:
        return ""
    newest = max(found)
    symbols = {i.iid: i.symbol for i in getattr(feed, "instruments", ())}
    named = [symbols.get(iid, f"instrument {iid}") for iid in newest.iids]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    after, noticed = (_utc(ns) for ns in (newest.after_ns, newest.at_ns))
    since = f" after {after}" if newest.after_ns else ""
    what = f"bars of {', '.join(named[:3])}{more}{since} were missed and could not be had"
    return f"{what}: indicators lack them (noticed {noticed}: {newest.why})"


def _utc(ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ns // 1_000_000_000))


def _headroom(shots: Sequence[PoolSnapshot]) -> dict[str, float]:
    """The share left of each allowance; both connections of an account may count one."""
    left: dict[str, float] = {}
    for shot in shots:
        for name, share in shot.headroom.items():
            left[name] = min(share, left.get(name, 1.0))
    return left


def _streams(pool: Any, carries: str) -> list[VenueStreamRow]:
    return [
        VenueStreamRow(s.name, carries, s.state, s.reason, round(s.age_s, 2), max(0, s.connects - 1), s.gaps)
        for s in (pool.streams if pool is not None else ())
    ]
