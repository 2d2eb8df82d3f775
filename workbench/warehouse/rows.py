"""What the fold keeps and how it looks as table rows. Column order is `schema.py`'s."""

from itertools import pairwise
from typing import Any

import msgspec

from workbench.engine.ledger import Ledger, Position
from workbench.model import AddStrategy, Amend, Filled, Instrument, Record, Refusal, Stamped, Submit
from workbench.model.orders import SIDE_NAMES, STATE_NAMES, TIF_NAMES, TYPE_NAMES, Order
from workbench.model.stages import BOOKED, EDGE, INBOX

__all__ = [
    "FoldState",
    "Row",
    "StrategyState",
    "account_row",
    "audit_row",
    "fill_row",
    "instrument_row",
    "json_text",
    "new_order",
    "new_strategy",
    "order_of",
    "order_row",
    "position_row",
    "refusal_row",
    "strategy_row",
    "trace_row",
]

type Row = tuple[Any, ...]
_json = msgspec.json.Encoder(order="sorted").encode


class StrategyState(msgspec.Struct):
    """One placed strategy; `loaded` is False when its source never came to life."""

    strategy_id: int
    name: str
    state: str
    reason: str
    parameters: dict[str, float | int | bool | str]
    symbols: list[str]
    sizing: str
    sizing_parameters: dict[str, float]
    qty_e8: int
    code_hash: str
    provenance: str
    source: str
    loaded: bool
    added_ns: int
    seq: int


class FoldState(msgspec.Struct):
    """What the fold knows besides the tables: kept in the same transaction as they are.

    `moved` is the (seq, epoch, ts_ns) at which the account last changed in value, `bucket` the second of market time
    in hand, `point` the last equity point (epoch, cash, value). `before` holds strategies as they were before the
    command in hand, should the engine answer that it cannot be followed. `money` is the ledger's (opened, starting
    cash, cash, fees, fills), `moved_e8` the sum of its cash moves; `amending` the changes under way, by order.
    """

    epoch: int = 0
    seq: int = 0
    moved: tuple[int, int, int] = (0, 0, 0)
    bucket: int = -1
    point: tuple[int, int, int] = (-1, 0, 0)
    before: list[StrategyState] = []
    account: tuple[str, str] = ("", "USD")
    money: tuple[bool, int, int, int, int] = (False, 0, 0, 0, 0)
    oddities: dict[str, int] = {}
    moved_e8: int = 0
    amending: dict[int, Amend] = {}


def json_text(value: object) -> str:
    """Compact JSON with sorted keys; NaN and infinity become null.

    >>> json_text({"b": 1, "a": float("nan")})
    '{"a":null,"b":1}'
    """
    return _json(value).decode()


def new_order(effect: Submit) -> Order:
    """The order that a Submit opens."""
    terms = (effect.side, effect.kind, effect.tif, effect.qty_e8, effect.limit_px_e8, effect.stop_px_e8)
    ids = (effect.order_id, effect.epoch, effect.strategy_id, effect.iid)
    return Order(
        *ids,
        *terms,
        effect.ts_ns,
        updated_ns=effect.ts_ns,
        why=effect.why,
        trail_e8=effect.trail_e8,
        trail_rate_e8=effect.trail_rate_e8,
        parent_id=effect.parent_id,
        group=effect.group,
    )


def new_strategy(event: AddStrategy, symbols: list[str], seq: int) -> StrategyState:
    """The strategy that an AddStrategy places."""
    size = (event.sizing, dict(event.sizing_parameters), event.quantity_e8)
    said = (*size, event.code_hash, event.provenance, event.source)
    named = (event.strategy_id, event.name, "running", "", dict(event.parameters), symbols)
    return StrategyState(*named, *said, loaded=True, added_ns=event.ts_ns, seq=seq)


def fill_row(fill: Filled, order: Order, symbol: str, value_e8: int, state: FoldState) -> Row:
    ids = (fill.exec_id, fill.order_id, order.strategy_id, order.iid, symbol, SIDE_NAMES[order.side])
    return (state.seq, state.epoch, fill.ts_ns, *ids, fill.qty_e8, fill.px_e8, value_e8, fill.fee_e8)


def refusal_row(effect: Refusal, symbol: str, state: FoldState) -> Row:
    what = (
        effect.strategy_id,
        symbol,
        SIDE_NAMES.get(effect.side, ""),
        effect.qty_e8,
        effect.code,
        effect.text,
    )
    return (state.seq, state.epoch, effect.ts_ns, *what, json_text(dict(effect.numbers)))


def order_row(order: Order, symbol: str, seqs: tuple[int, int]) -> Row:
    return (
        order.order_id,
        order.client_id,
        order.epoch,
        order.strategy_id,
        order.iid,
        symbol,
        SIDE_NAMES[order.side],
        TYPE_NAMES[order.kind],
        TIF_NAMES[order.tif],
        STATE_NAMES[order.state],
        order.qty_e8,
        order.filled_e8,
        order.notional_e8,
        order.fee_e8,
        order.limit_px_e8,
        order.stop_px_e8,
        order.venue_id,
        order.reason,
        order.why,
        order.ts_ns,
        order.updated_ns,
        order.trail_e8,
        order.trail_rate_e8,
        order.parent_id,
        order.group,
        *seqs,
    )


def order_of(row: dict[str, Any]) -> tuple[Order, int, int]:
    """The order that `order_row` wrote (by column name), and its two sequence numbers."""
    order = Order(
        row["order_id"],
        row["epoch"],
        row["strategy_id"],
        row["iid"],
        next(side for side, word in SIDE_NAMES.items() if word == row["side"]),
        TYPE_NAMES.index(row["type"]),
        TIF_NAMES.index(row["tif"]),
        row["qty_e8"],
        row["limit_px_e8"],
        row["stop_px_e8"],
        row["ts_ns"],
        STATE_NAMES.index(row["state"]),
        row["filled_e8"],
        row["notional_e8"],
        row["fee_e8"],
        row["updated_ns"],
        row["venue_id"],
        row["reason"],
        row["why"],
        trail_e8=row["trail_e8"],
        trail_rate_e8=row["trail_rate_e8"],
        parent_id=row["parent_id"],
        group=row["group_id"],
    )
    return order, row["seq"], row["ended_seq"]


def instrument_row(instrument: Instrument) -> Row:
    return msgspec.structs.astuple(instrument)


def position_row(strategy_id: int, iid: int, symbol: str, held: Position) -> Row:
    booked = (held.qty_e8, held.cost_e8, held.realized_e8, held.fees_e8, held.fills, held.given_e8)
    return (strategy_id, iid, symbol, *booked)


def account_row(ledger: Ledger, value_e8: int, state: FoldState) -> Row:
    money = (ledger.start_cash_e8, ledger.cash_e8, ledger.fees_e8, value_e8)
    return (ledger.account, ledger.currency, *money, ledger.fills, ledger.moved_e8, *state.moved)


def strategy_row(placed: StrategyState) -> Row:
    values = msgspec.structs.asdict(placed)
    values["parameters"] = json_text(placed.parameters)
    values["symbols"] = json_text(placed.symbols)
    values["sizing_parameters"] = json_text(placed.sizing_parameters)
    return tuple(values.values())


def trace_row(seq: int, note: Stamped) -> Row:
    """Stage lengths in us, None where a stamp is missing or the stage would run backwards."""
    stamps = note.stamps
    stages = [(b - a) / 1e3 if a and b and b >= a else None for a, b in pairwise(stamps)]
    first = stamps[EDGE] or stamps[INBOX]
    total = (stamps[BOOKED] - first) / 1e3 if first and stamps[BOOKED] else None
    return (seq, note.ts_ns, note.order_id, *stages, total)


def audit_row(record: Record, seq: int, epoch: int, wall_ns: int) -> Row:
    body = msgspec.structs.asdict(record)
    body.pop("source", None)  # kept once, in `strategies`
    ts_ns = body.pop("ts_ns")
    who = str(body.get("by", body.get("provenance", "")))
    text = str(body.get("text") or body.get("reason") or body.get("why") or "")
    ids = (body.get("strategy_id"), body.get("order_id"))
    return (seq, epoch, ts_ns, wall_ns, type(record).__name__, *ids, who, text, json_text(body))
