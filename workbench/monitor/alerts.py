"""Which budgets are broken now, and what else a person should hear about, each said once.

Reads snapshots, the engine's own effects and the journal's failure. Sending messages to people lives higher.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from workbench.model.commands import Kill
from workbench.model.effects import Refusal, StrategyHalted
from workbench.model.records import Record
from workbench.model.snapshot import AlertRow, LatencyRow, Snapshot
from workbench.model.stages import STAGES
from workbench.monitor.budgets import Budgets, Ceiling

__all__ = ["Alerts"]

_KEEP: Final = 200
# How much of a window may lie above a p99 budget.
_SHARE: Final = 0.01
_JOURNAL_BEHIND: Final = 10_000
_UNWELL_NS: Final = 3_000_000_000  # a stream that breaks and is back within this is no news
_GONE: Final = frozenset({"down", "unauthorised", "closed"})


class Alerts:
    """Budget breaches over a sliding window of snapshots, and engine events, as alert rows.

    An alert is raised when its condition begins and not again until the condition has ended. Repeated
    refusals and halts of one strategy with one code are one alert a window.
    """

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._window_ns = int(budgets.alerts.window_s * 1e9)
        self._snapshots: deque[Snapshot] = deque()
        self._base: Snapshot | None = (
            None  # the newest one older than the window; None: all of the session counts
        )
        self._open: set[tuple[str, str]] = set()
        self._said_ns: dict[tuple[str, str], int] = {}
        self._rows: deque[AlertRow] = deque(maxlen=_KEEP)

    @property
    def rows(self) -> list[AlertRow]:
        """The newest 200 alerts, newest last."""
        return list(self._rows)

    @property
    def open(self) -> frozenset[tuple[str, str]]:
        """Conditions that hold now, as (code, subject)."""
        return frozenset(self._open)

    def observe(self, snapshot: Snapshot) -> list[AlertRow]:
        """Judge the window that ends with this snapshot (`snapshot.ts_ns` drives it); returns the new alerts.

        Call it about once a second.
        """
        if self._snapshots and snapshot.session.epoch != self._snapshots[-1].session.epoch:
            self._snapshots.clear()  # counters of another session cannot be subtracted
            self._base = None
        self._snapshots.append(snapshot)
        while self._snapshots[0].ts_ns <= snapshot.ts_ns - self._window_ns:
            self._base = self._snapshots.popleft()
        new: list[AlertRow] = []
        holding: set[tuple[str, str]] = set()
        for code, subject, severity, text in self._conditions():
            key = (code, subject)
            holding.add(key)
            if key not in self._open and not self._said(key, snapshot.ts_ns):
                new.append(AlertRow(snapshot.ts_ns, severity, code, text))
        self._open = holding
        self._rows.extend(new)
        return new

    def event(self, record: Record, ts_ns: int) -> AlertRow | None:
        """An alert for a refusal, a halted strategy or a kill, seen at wall time `ts_ns`; None for all else,
        and for what was said within the window."""
        match record:
            case StrategyHalted(strategy_id=strategy_id, code=code, text=text):
                return self._say(
                    ts_ns, "warning", "HALTED", f"{strategy_id}/{code}", f"strategy {strategy_id}: {text}"
                )
            case Refusal(strategy_id=strategy_id, code=code, text=text):
                return self._say(
                    ts_ns, "info", "REFUSED", f"{strategy_id}/{code}", f"strategy {strategy_id}: {text}"
                )
            case Kill(reason=reason, by=by):
                return self._say(ts_ns, "critical", "KILLED", "", f"trading stopped by {by}: {reason}")
        return None

    def journal_failed(self, ts_ns: int, error: str) -> AlertRow | None:
        """The journal could not be written: nothing may be sent any more."""
        return self._say(ts_ns, "critical", "JOURNAL", "", f"journal stopped, no order leaves: {error}")

    def part_failed(self, ts_ns: int, part: str, error: str) -> AlertRow | None:
        """A part of the engine ended by an error of its own; the rest goes on without it."""
        return self._say(
            ts_ns, "critical", "FAILED", part, f"the {part} ended by an error, restart the desk: {error}"
        )

    def books_differ(self, ts_ns: int, what: str, text: str) -> AlertRow | None:
        """Desk and broker do not agree on a figure, and have not for a while."""
        return self._say(ts_ns, "critical", "DIFFERENCE", what, text)

    def _say(self, ts_ns: int, severity: str, code: str, subject: str, text: str) -> AlertRow | None:
        key = (code, subject)
        if key in self._open or self._said(key, ts_ns):
            return None
        self._said_ns[key] = ts_ns
        row = AlertRow(ts_ns, severity, code, text)
        self._rows.append(row)
        return row

    def _said(self, key: tuple[str, str], ts_ns: int) -> bool:
        said = self._said_ns.get(key)
        return said is not None and ts_ns - said < self._window_ns

    def _conditions(self) -> Iterator[tuple[str, str, str, str]]:
        last = self._snapshots[-1]
        before = {row.stage: row for row in self._base.latency} if self._base else {}
        for row in last.latency:
            if row.stage in STAGES:
                yield from self._latency(row, before.get(row.stage))
        health = last.health
        playing = last.session.market in ("playing", "live")
        checks: tuple[tuple[str, float, bool], ...] = (
            ("loop_lag", health.loop_lag_p99_ms, health.events > 0),
            ("journal_sync", health.journal_sync_p99_us / 1e3, True),
            ("feed_age", health.feed_age_s, playing),
            ("cpu_average", self._mean(lambda s: s.health.cpu_percent), self._base is not None),
            ("cpu_peak", health.cpu_percent, True),
        )
        for name, value, applies in checks:
            ceiling = self._budgets.ceilings.get(name)
            if ceiling is not None and applies and ceiling.broken_by(value):
                yield "BUDGET", name, ceiling.severity, _sentence(ceiling, value)
        behind = health.journal_seq - health.journal_synced_seq
        if behind > _JOURNAL_BEHIND:
            yield "JOURNAL_BEHIND", "", "critical", f"{behind} journal records are not on disk yet"
        if last.session.state == "killed":
            yield (
                "KILLED",
                "",
                "critical",
                f"trading is stopped: {last.session.kill_reason or 'no reason given'}",
            )
        unknown = sum(order.state == "unknown" for order in last.orders)
        if unknown:
            yield (
                "UNKNOWN",
                "",
                "critical",
                f"{unknown} orders of unknown outcome: only the broker can settle them",
            )

        for account in last.accounts:
            gone = account.state in _GONE
            if gone or self._unwell_ns(account.account) >= _UNWELL_NS:
                severity = (
                    "critical" if gone else "warning"
                )  # part of the subject: what gets worse is said again
                text = f"account '{account.account}' is {account.state}: {account.reason}"
                yield "VENUE", f"{account.account} {severity}", severity, text

    def _unwell_ns(self, account: str) -> int:
        """For how long an account has not been healthy without a break, within the window."""
        since_ns = last_ns = self._snapshots[-1].ts_ns
        for snapshot in reversed(self._snapshots):
            if not any(row.account == account and row.state != "healthy" for row in snapshot.accounts):
                break
            since_ns = snapshot.ts_ns
        return last_ns - since_ns

    def _latency(self, row: LatencyRow, before: LatencyRow | None) -> Iterator[tuple[str, str, str, str]]:
        """A p99 budget is broken when more than 1 % of the window's observations lie above it."""
        n = row.n - (before.n if before else 0)
        if n < self._budgets.alerts.min_observations:
            return
        over = row.n * row.share_over - (before.n * before.share_over if before else 0.0)
        ceiling = self._budgets.stages[row.stage]
        if over / n > _SHARE:
            text = f"{row.stage}: {over / n:.1%} of {n} orders took over {ceiling.limit:g} us; {ceiling.text}"
            yield "BUDGET", f"stage {row.stage}", ceiling.severity, text

    def _mean(self, of: Callable[[Snapshot], float]) -> float:
        return sum(of(s) for s in self._snapshots) / len(self._snapshots)


def _sentence(ceiling: Ceiling, value: float) -> str:
    side = "below" if ceiling.at_least else "above"
    limit = f"{ceiling.limit:g} {ceiling.unit}"
    return f"{ceiling.name} is {value:.4g} {ceiling.unit}, {side} its {limit}: {ceiling.text}"
