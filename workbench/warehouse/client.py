"""Asking a warehouse from a notebook or a script: one call, an Arrow table back. Light until the first call."""

import http.client
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from workbench.errors import (
    BadInput,
    Busy,
    NotRunning,
    Refused,
    Unauthorised,
    UnknownName,
    Unreachable,
    WorkbenchError,
)
from workbench.warehouse.address import Address, desk_folder, not_running, read_address

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["QueryResult", "query", "segments", "tables"]

_SHOWN: Final = 10
_SEGMENTED: Final = ("bars", "fills", "orders")
_KINDS: Final[dict[str, type[WorkbenchError]]] = {
    kind.__name__: kind for kind in (BadInput, Refused, Busy, Unauthorised, Unreachable)
}


class QueryResult:
    """The rows of one query: `.arrow` (the table as it came), `.df()` (pandas), `.json()` (plain values).

    `applied_seq` is the journal record it was true for.
    """

    def __init__(self, arrow: "pa.Table", elapsed_ms: float, applied_seq: int) -> None:
        self.arrow = arrow
        self.elapsed_ms = elapsed_ms
        self.applied_seq = applied_seq

    def df(self) -> "pd.DataFrame":
        """A pandas DataFrame; exact decimals (sums of integers) become float64."""
        import pyarrow as pa

        fields = [f.with_type(pa.float64()) if pa.types.is_decimal(f.type) else f for f in self.arrow.schema]
        frame: pd.DataFrame = self.arrow.cast(pa.schema(fields)).to_pandas()
        return frame

    def json(self) -> list[dict[str, Any]]:
        """One dictionary a row, of values that JSON knows: times as ISO texts, decimals as numbers."""
        rows = _timeless(self.arrow).to_pylist()
        return [{key: _plain(value) for key, value in row.items()} for row in rows]

    @property
    def columns(self) -> list[str]:
        return list(self.arrow.column_names)

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.json())

    def __repr__(self) -> str:
        rows = [self.columns, *self._shown()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, self._foot()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self._shown()
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"{table}<small>{escape(self._foot())}</small>"

    def _shown(self) -> list[list[str]]:
        rows = _timeless(self.arrow.slice(0, _SHOWN)).to_pylist()
        return [[_cell(value) for value in row.values()] for row in rows]

    def _foot(self) -> str:
        more = f", first {_SHOWN} shown" if len(self) > _SHOWN else ""
        return f"[{len(self)} rows x {len(self.columns)} columns{more}; {self.elapsed_ms:.1f} ms]"


def query(
    sql: str,
    params: Sequence[Any] | dict[str, Any] | None = None,
    name: str = "default",
    *,
    home: Path | None = None,
    timeout_s: float = 60.0,
) -> QueryResult:
    """Run one SELECT in the warehouse of desk `name`; `params` fill `$1, $2` (list) or `$key` (dictionary).

    Raises:
        NotRunning: no warehouse answers; says what to type.
        BadInput: the SQL is wrong, with the engine's message and the nearest table name.
        Refused: not a reading statement, or over the cap of rows or time.
        Busy: the warehouse is starting or being rebuilt.
    """
    import pyarrow as pa

    address = read_address(name, home)
    values = list(params) if params is not None and not isinstance(params, dict) else params
    body = msgspec.json.encode({"sql": sql, "params": values})
    connection = _asked(address, name, "POST", "/api/v1/query", body, timeout_s)
    try:
        answer = connection.getresponse()
        if answer.status != 200:
            raise _error(answer.status, answer.read())
        batches: list[pa.RecordBatch] = []
        end: dict[str, Any] | None = None
        with pa.ipc.open_stream(pa.PythonFile(answer, mode="r")) as stream:
            while True:
                try:
                    batch, metadata = stream.read_next_batch_with_custom_metadata()
                except StopIteration:
                    break
                if metadata is not None and b"workbench.end" in metadata:
                    end = msgspec.json.decode(metadata[b"workbench.end"])
                else:
                    batches.append(batch)
            schema = stream.schema
    except (OSError, http.client.HTTPException, pa.ArrowInvalid) as error:
        raise Unreachable(
            f"the warehouse of desk '{name}' broke off its answer ({error}): ask again"
        ) from error
    finally:
        connection.close()
    if end is None:
        raise Unreachable(f"the warehouse of desk '{name}' broke off its answer: ask again")
    if end["code"]:
        raise _KINDS.get(end["code"], BadInput)(end["text"])
    return QueryResult(pa.Table.from_batches(batches, schema), end["elapsed_ms"], end["applied_seq"])


def tables(
    name: str = "default", *, home: Path | None = None, timeout_s: float = 10.0
) -> list[dict[str, Any]]:
    """Every table and view of desk `name`'s warehouse, with columns and row counts."""
    address = read_address(name, home)
    connection = _asked(address, name, "GET", "/api/v1/tables", None, timeout_s)
    try:
        answer = connection.getresponse()
        data = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(
            f"the warehouse of desk '{name}' broke off its answer ({error}): ask again"
        ) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise _error(answer.status, data)
    found: list[dict[str, Any]] = msgspec.json.decode(data)["tables"]
    return found


def segments(table: str, name: str = "default", *, home: Path | None = None) -> "pa.Table":
    """All published Parquet segments of `table` (bars, fills or orders) as one Arrow table; needs no warehouse.

    Raises:
        UnknownName: the table has no segments.
        NotRunning: none was published yet.
    """
    if table not in _SEGMENTED:
        raise UnknownName("segmented table", table, _SEGMENTED)
    folder = desk_folder(name, home) / "parquet" / table
    if not any(folder.glob("*.parquet")):
        raise NotRunning(f"desk '{name}' has no Parquet segments of {table} yet: query the warehouse instead")
    import pyarrow.parquet as pq

    found = pq.read_table([str(path) for path in sorted(folder.glob("*.parquet"))])
    return found.sort_by("ended_seq" if table == "orders" else "seq")


def _asked(
    address: Address, name: str, method: str, path: str, body: bytes | None, timeout_s: float
) -> http.client.HTTPConnection:
    place = urlsplit(address.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout_s)
    headers = {"Authorization": f"Bearer {address.token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, headers)
    except OSError as error:
        connection.close()
        raise not_running(name) from error
    return connection


def _error(status: int, data: bytes) -> WorkbenchError:
    try:
        said = msgspec.json.decode(data)
        return _KINDS.get(said["code"], BadInput)(said["text"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return Refused(f"the warehouse answered status {status} without a reason: look at its log")


def _timeless(table: "pa.Table") -> "pa.Table":
    """Nanosecond times as ISO texts: Python's datetime has no nanoseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            texts = pc.strftime(table.column(i), format="%Y-%m-%dT%H:%M:%S")
            table = table.set_column(i, field.name, texts)
    return table


def _plain(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
