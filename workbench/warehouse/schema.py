"""The tables, as data: columns, keys, and the views people query. No rows are made here.

Amounts are exact integers of 1e-8 (`*_e8`); each has a float column computed on reading. `ts` is UTC.
`seq` is the journal record a row comes from.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMAT", "TABLES", "VIEWS", "Table", "arrow_schema", "ddl"]

FORMAT: Final = 2


class Table(NamedTuple):
    """`columns` and `computed` are SQL; rows with the same `key` replace each other, without one they add up.
    `segments` names the column whose sequence decides which Parquet segment a row goes to."""

    columns: str
    key: str = ""
    computed: tuple[tuple[str, str], ...] = ()
    segments: str = ""


def _money(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{column}_e8 / 1e8") for name, _, column in (n.partition("=") for n in names))


_TS: Final = ("ts", "make_timestamp_ns(ts_ns)")

TABLES: Final[dict[str, Table]] = {
    "sessions": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, name VARCHAR, mode VARCHAR, code_version VARCHAR",
        computed=(_TS,),
    ),
    "account": Table(
        "name VARCHAR, currency VARCHAR, start_cash_e8 BIGINT, cash_e8 BIGINT, fees_e8 BIGINT, value_e8 BIGINT,"
        " fills BIGINT, moved_e8 BIGINT, seq BIGINT, epoch BIGINT, ts_ns BIGINT",
        "name",
        (
            _TS,
            *_money("cash=cash", "fees=fees", "start_cash=start_cash", "moved=moved"),
            ("equity", "(cash_e8 + value_e8) / 1e8"),
        ),
    ),
    "instruments": Table(
        "iid INTEGER, symbol VARCHAR, venue VARCHAR, currency VARCHAR, tick_e8 BIGINT, lot_e8 BIGINT,"
        " calendar VARCHAR",
        "iid",
        _money("tick=tick", "lot=lot"),
    ),
    "marks": Table("iid INTEGER, symbol VARCHAR, px_e8 BIGINT, ts_ns BIGINT", "iid", (_TS, *_money("px=px"))),
    "strategies": Table(
        "strategy_id BIGINT, name VARCHAR, state VARCHAR, reason VARCHAR, parameters JSON, symbols JSON,"
        " sizing VARCHAR, sizing_parameters JSON, qty_e8 BIGINT, code_hash VARCHAR, provenance VARCHAR,"
        " source VARCHAR, loaded BOOLEAN, added_ns BIGINT, seq BIGINT",
        "strategy_id",
        (("quantity", "qty_e8 / 1e8"),),
    ),
    "orders": Table(
        "order_id BIGINT, client_id VARCHAR, epoch BIGINT, strategy_id BIGINT, iid INTEGER, symbol VARCHAR,"
        " side VARCHAR, type VARCHAR, tif VARCHAR, state VARCHAR, qty_e8 BIGINT, filled_e8 BIGINT,"
        " notional_e8 BIGINT, fee_e8 BIGINT, limit_px_e8 BIGINT, stop_px_e8 BIGINT, venue_id VARCHAR,"
        " reason VARCHAR, why VARCHAR, ts_ns BIGINT, updated_ns BIGINT, trail_e8 BIGINT,"
        " trail_rate_e8 BIGINT, parent_id BIGINT, group_id BIGINT, seq BIGINT, ended_seq BIGINT",
        "order_id",
        (
            _TS,
            *_money("quantity=qty", "filled=filled", "fees=fee", "limit_px=limit_px", "stop_px=stop_px"),
            ("trail", "trail_e8 / 1e8"),
            ("trail_percent", "trail_rate_e8 / 1e6"),
            ("average_px", "CASE WHEN filled_e8 = 0 THEN NULL ELSE abs(notional_e8 / filled_e8) END"),
        ),
        "ended_seq",
    ),
    "order_states": Table(
        "seq BIGINT, order_id BIGINT, ts_ns BIGINT, state VARCHAR, filled_e8 BIGINT, reason VARCHAR",
        computed=(_TS, *_money("filled=filled")),
    ),
    "fills": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, exec_id VARCHAR, order_id BIGINT, strategy_id BIGINT, iid INTEGER,"
        " symbol VARCHAR, side VARCHAR, qty_e8 BIGINT, px_e8 BIGINT, value_e8 BIGINT, fee_e8 BIGINT",
        computed=(
            _TS,
            *_money("quantity=qty", "px=px", "value=value", "fee=fee"),
            ("signed_qty_e8", "CASE WHEN side = 'buy' THEN qty_e8 ELSE -qty_e8 END"),
        ),
        segments="seq",
    ),
    "refusals": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, strategy_id BIGINT, symbol VARCHAR, side VARCHAR, qty_e8 BIGINT,"
        " code VARCHAR, text VARCHAR, numbers JSON",
        computed=(_TS, *_money("quantity=qty")),
    ),
    "bars": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, symbol VARCHAR, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE,"
        " volume DOUBLE",
        computed=(_TS,),
        segments="seq",
    ),
    "positions": Table(
        "strategy_id BIGINT, iid INTEGER, symbol VARCHAR, qty_e8 BIGINT, cost_e8 BIGINT, realized_e8 BIGINT,"
        " fees_e8 BIGINT, fills BIGINT, given_e8 BIGINT",
        "strategy_id, iid",
        (
            *_money("quantity=qty", "cost=cost", "realized=realized", "fees=fees"),
            ("average_px", "CASE WHEN qty_e8 = 0 THEN NULL ELSE cost_e8 / qty_e8 END"),
        ),
    ),
    "splits": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, iid INTEGER, symbol VARCHAR, numerator BIGINT, denominator BIGINT",
        computed=(_TS,),
    ),
    "cash_moves": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, move_id VARCHAR, iid INTEGER, symbol VARCHAR, amount_e8 BIGINT,"
        " reason VARCHAR",
        computed=(_TS, *_money("amount=amount")),
    ),
    "equity_points": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, cash_e8 BIGINT, value_e8 BIGINT",
        computed=(_TS, *_money("cash=cash"), ("equity", "(cash_e8 + value_e8) / 1e8")),
    ),
    "traces": Table(
        "seq BIGINT, ts_ns BIGINT, order_id BIGINT, feed_us DOUBLE, decide_us DOUBLE, risk_us DOUBLE,"
        " journal_us DOUBLE, limiter_us DOUBLE, wire_us DOUBLE, fill_us DOUBLE, book_us DOUBLE, total_us DOUBLE",
        computed=(_TS,),
    ),
    "audit": Table(
        "seq BIGINT, epoch BIGINT, ts_ns BIGINT, wall_ns BIGINT, kind VARCHAR, strategy_id BIGINT, order_id BIGINT,"
        " who VARCHAR, text VARCHAR, body JSON",
        computed=(_TS, ("wall", "make_timestamp_ns(wall_ns)")),
    ),
}

_META: Final = """
CREATE TABLE applied (format BIGINT, genesis VARCHAR, applied_seq BIGINT, applied_hash VARCHAR, state VARCHAR,
    counts VARCHAR);
CREATE TABLE segments (name VARCHAR, file VARCHAR, first_seq BIGINT, last_seq BIGINT, n_rows BIGINT);
"""

VIEWS: Final[dict[str, str]] = {
    "equity": """
        SELECT ts, ts_ns, epoch, cash, equity FROM equity_points
        UNION ALL
        SELECT ts, ts_ns, epoch, cash, equity FROM account a
        WHERE a.seq > coalesce((SELECT max(seq) FROM equity_points), 0)
        ORDER BY epoch, ts_ns""",
    "pnl_by_strategy": """
        WITH held AS (
            SELECT p.strategy_id, p.symbol, p.qty_e8, p.realized_e8, p.fees_e8, p.fills,
                p.qty_e8::DOUBLE * coalesce(m.px_e8, 0) / 1e16 AS value, p.cost_e8 / 1e8 AS cost
            FROM positions p LEFT JOIN marks m USING (iid) WHERE p.strategy_id >= 0),
        sent AS (SELECT strategy_id, count(*) AS orders FROM orders GROUP BY ALL),
        refused AS (SELECT strategy_id, count(*) AS refusals FROM refusals GROUP BY ALL),
        known AS (SELECT strategy_id, name, state FROM strategies UNION ALL
            SELECT 0, 'operator', 'running' WHERE EXISTS (FROM held WHERE strategy_id = 0))
        SELECT k.strategy_id, k.name, k.state, coalesce(any_value(s.orders), 0) AS orders,
            coalesce(sum(h.fills), 0)::BIGINT AS fills, coalesce(any_value(r.refusals), 0) AS refusals,
            coalesce(sum(h.value), 0) AS exposure, coalesce(sum(h.realized_e8), 0) / 1e8 AS realized,
            coalesce(sum(h.value - h.cost), 0) AS unrealized, coalesce(sum(h.fees_e8), 0) / 1e8 AS fees,
            coalesce(sum(h.realized_e8), 0) / 1e8 + coalesce(sum(h.value - h.cost), 0)
                - coalesce(sum(h.fees_e8), 0) / 1e8 AS pnl
        FROM known k LEFT JOIN held h USING (strategy_id) LEFT JOIN sent s USING (strategy_id)
            LEFT JOIN refused r USING (strategy_id)
        GROUP BY ALL ORDER BY k.strategy_id""",
    "latency_by_stage": """
        WITH long AS (UNPIVOT (SELECT feed_us, decide_us, risk_us, journal_us, limiter_us, wire_us, fill_us, book_us,
            total_us FROM traces) ON COLUMNS(*) INTO NAME stage VALUE us)
        SELECT replace(long.stage, '_us', '') AS stage, count(*) AS n, quantile_cont(us, 0.5) AS p50_us,
            quantile_cont(us, 0.9) AS p90_us, quantile_cont(us, 0.99) AS p99_us, max(us) AS max_us
        FROM long GROUP BY long.stage
        ORDER BY list_position(['feed', 'decide', 'risk', 'journal', 'limiter', 'wire', 'fill', 'book', 'total'],
            replace(long.stage, '_us', ''))""",
    "position_check": """
        WITH summed AS (
            SELECT strategy_id, iid, sum(signed_qty_e8)::BIGINT AS fills_qty_e8 FROM fills GROUP BY ALL
            UNION ALL SELECT -1, iid, sum(signed_qty_e8)::BIGINT FROM fills GROUP BY iid)
        SELECT strategy_id, iid, coalesce(p.qty_e8, 0) AS position_qty_e8, coalesce(s.fills_qty_e8, 0) AS fills_qty_e8,
            coalesce(p.qty_e8 - p.given_e8, 0) = coalesce(s.fills_qty_e8, 0) AS equal
        FROM positions p FULL JOIN summed s USING (strategy_id, iid)""",
    "cash_check": """
        SELECT cash_e8, start_cash_e8 - coalesce(f.paid, 0)::BIGINT + coalesce(m.moved, 0)::BIGINT AS fills_cash_e8,
            cash_e8 = start_cash_e8 - coalesce(f.paid, 0) + coalesce(m.moved, 0) AS equal
        FROM account, (SELECT sum(sign(signed_qty_e8)::BIGINT * value_e8 + fee_e8) AS paid FROM fills) f,
            (SELECT sum(amount_e8) AS moved FROM cash_moves) m""",
}


def ddl() -> list[str]:
    """Every statement that makes an empty warehouse, in order."""
    out = [part for part in _META.strip().split(";\n") if part]
    for name, table in TABLES.items():
        parts = [table.columns]
        parts += [
            f"{column} {_TYPE.get(column, 'DOUBLE')} AS ({sql}) VIRTUAL" for column, sql in table.computed
        ]
        parts += [f"PRIMARY KEY ({table.key})"] if table.key else []
        out.append(f"CREATE TABLE {name} ({', '.join(parts)})")
    out += [f"CREATE VIEW {name} AS {sql}" for name, sql in VIEWS.items()]
    return out


_TYPE: Final = {"ts": "TIMESTAMP_NS", "wall": "TIMESTAMP_NS", "signed_qty_e8": "BIGINT"}


def arrow_schema(name: str) -> "pa.Schema":
    """The stored columns of a table as an Arrow schema, in the order the fold makes them."""
    import pyarrow as pa

    types = {
        "BIGINT": pa.int64(),
        "INTEGER": pa.int32(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "VARCHAR": pa.string(),
        "JSON": pa.string(),
    }
    pairs = (column.split() for column in TABLES[name].columns.split(","))
    return pa.schema([(column, types[kind]) for column, kind in pairs])
