"""One order's waterfall: its stages against their budgets, and what interrupted the process meanwhile."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from workbench.model.orders import Order
from workbench.model.snapshot import TraceRow
from workbench.model.stages import STAGES
from workbench.monitor.budgets import Budgets

__all__ = ["Pause", "render_text", "trace_row"]

_WIDTH: Final = 44


class Pause(NamedTuple):
    """Something that stopped the engine: `what` ("gc0".."gc2", "loop"), monotonic start and length in ns."""

    what: str
    start_ns: int
    length_ns: int


def trace_row(order: Order, budgets: Budgets, pauses: Iterable[Pause] = (), account: str = "") -> TraceRow:
    """The waterfall of one order, which went to `account`, in microseconds after its first stamp.

    Stages without both stamps are left out, and so is one that would run backwards (a fill that overtook its
    acceptance). `pauses` may be any; only those that overlap the order's time are kept.
    """
    stamps = order.stamps
    present = [stamp for stamp in stamps if stamp]
    if not present:
        return TraceRow(order.order_id, order.client_id, [], [], [], [], 0.0, account=account)
    first, last = min(present), max(present)
    names: list[str] = []
    starts: list[float] = []
    lengths: list[float] = []
    limits: list[float] = []
    for index, stage in enumerate(STAGES):
        begin, end = stamps[index], stamps[index + 1]
        if begin and end >= begin:
            names.append(stage)
            starts.append((begin - first) / 1e3)
            lengths.append((end - begin) / 1e3)
            limits.append(budgets.stage_us(stage))
    seen = [
        (pause.what, (pause.start_ns - first) / 1e3, pause.length_ns / 1e3)
        for pause in pauses
        if pause.start_ns < last and pause.start_ns + pause.length_ns > first
    ]
    return TraceRow(
        order.order_id,
        order.client_id,
        names,
        starts,
        lengths,
        limits,
        (last - first) / 1e3,
        sorted(seen, key=_start),
        account,
    )


def render_text(trace: TraceRow) -> str:
    """The waterfall as plain text, one line a stage; `!` marks a stage over its budget.

    >>> row = TraceRow(7, "wb-1-7", ["decide", "risk"], [0.0, 40.0], [40.0, 120.0], [50.0, 100.0], 160.0)
    >>> print(render_text(row))
    order 7 (wb-1-7): 160.0 us from first to last stamp
      decide   [###########                                 ]     40.0 us of    50
      risk     [           #################################]    120.0 us of   100 !
    """
    order = f"order {trace.order_id} ({trace.client_id}){f' at {trace.account}' if trace.account else ''}"
    lines = [f"{order}: {trace.total_us:.1f} us from first to last stamp"]
    if not trace.stages:
        return f"{order}: no stamps yet"
    rows = zip(trace.stages, trace.start_us, trace.length_us, trace.budget_us, strict=True)
    for stage, start, length, budget in rows:
        over = " !" if length > budget else ""
        lines.append(
            f"  {stage:<8} [{_bar(start, length, trace.total_us, '#')}] {length:8.1f} us of {budget:5g}{over}"
        )
    for what, start, length in trace.pauses:
        lines.append(f"  {what:<8} [{_bar(start, length, trace.total_us, '~')}] {length:8.1f} us")
    return "\n".join(lines)


def _bar(start: float, length: float, total: float, mark: str) -> str:
    scale = _WIDTH / total if total > 0 else 0.0
    begin = min(max(int(start * scale), 0), _WIDTH - 1)
    end = min(max(round((start + length) * scale), begin + 1), _WIDTH)
    return " " * begin + mark * (end - begin) + " " * (_WIDTH - end)


def _start(pause: tuple[str, float, float]) -> float:
    return pause[1]
