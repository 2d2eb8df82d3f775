"""Which SQL may run: one reading statement over our own tables. The first of four walls.

The others are DuckDB's: a read-only transaction, no file or network access, a locked configuration.
"""

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.errors import BadInput, BadValue, Refused

if TYPE_CHECKING:
    import duckdb

__all__ = ["MAX_SQL_CHARS", "check_sql"]

MAX_SQL_CHARS: Final = 100_000
_READS: Final = frozenset({"SELECT", "EXPLAIN"})
_EXPLAIN: Final = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?(\s*\([^)]*\))?\s+", re.IGNORECASE)

# Functions in FROM: only those that read nothing but our tables and the catalogue.
_TABLE_FUNCTIONS: Final = frozenset(
    [
        "range",
        "generate_series",
        "unnest",
        "json_each",
        "json_tree",
        "icu_calendar_names",
        "pg_timezone_names",
        "duckdb_columns",
        "duckdb_constraints",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_tables",
        "duckdb_types",
        "duckdb_views",
        "pragma_table_info",
        "pragma_version",
        "summary",
    ]
)
# Functions in an expression that do more than compute.
_FORBIDDEN_FUNCTIONS: Final = frozenset(
    ["write_log", "nextval", "currval", "setseed", "set_config", "getenv"]
)


def check_sql(sql: str, cursor: "duckdb.DuckDBPyConnection") -> None:
    """Let one SELECT, SHOW, DESCRIBE, SUMMARIZE, VALUES or EXPLAIN of one pass; refuse everything else.

    Raises:
        BadValue: empty, too long, or more than one statement.
        BadInput: the engine cannot parse it; its message in one line.
        Refused: another kind of statement, or a function that reaches outside the warehouse.
    """
    if len(sql) > MAX_SQL_CHARS:
        raise BadValue("sql", f"{len(sql)} characters", f"give at most {MAX_SQL_CHARS}")
    import duckdb

    try:
        statements = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise BadInput(parse_message(error)) from error
    if len(statements) != 1:
        raise BadValue("sql", f"{len(statements)} statements", "give exactly one")
    kind = statements[0].type.name
    if kind not in _READS:
        raise Refused(f"a {kind} statement is not allowed here: the warehouse only reads, give a SELECT")
    body = _EXPLAIN.sub("", sql, count=1) if kind == "EXPLAIN" else sql
    # fetchall, as everywhere: an answer that is not read to its end keeps the connection busy
    tree = msgspec.json.decode(
        cursor.execute("SELECT json_serialize_sql($1::VARCHAR)", [body]).fetchall()[0][0]
    )
    if tree.get("error", True):
        raise Refused(
            "only SELECT statements (also SHOW, DESCRIBE, SUMMARIZE, VALUES) may be read or explained"
        )
    _check_functions(tree)


def _check_functions(tree: Any) -> None:
    """Walk the parsed statement without recursion: its depth is the caller's choice."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            if node.get("type") == "TABLE_FUNCTION":
                name = str((node.get("function") or {}).get("function_name", "")).lower()
                if name not in _TABLE_FUNCTIONS:
                    raise Refused(
                        f"function {name}() is not allowed in FROM: query the warehouse's own tables"
                    )
            elif str(node.get("function_name", "")).lower() in _FORBIDDEN_FUNCTIONS:
                raise Refused(
                    f"function {node['function_name']}() is not allowed here: it does more than compute"
                )
            waiting.extend(node.values())


def parse_message(error: BaseException) -> str:
    """An engine's message in one line: what is wrong, and where in the text when it says so.

    >>> parse_message(ValueError("Parser Error: syntax error\\n\\nLINE 1: selct 1\\n        ^"))
    'syntax error (LINE 1: selct 1)'
    """
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    first = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", lines[0]) if lines else type(error).__name__
    place = next((line for line in lines if line.startswith("LINE ")), "")
    return f"{first} ({place})" if place else first
