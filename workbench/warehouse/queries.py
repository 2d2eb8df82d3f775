"""One query at a time on a cursor of its own: checked, read-only, capped in rows and time, as an Arrow stream.

    open (check, execute) -> schema -> chunk, chunk, ... -> end

The end is an empty Arrow batch whose metadata says how it went, because a failure after the first byte can no
longer be an HTTP status. Threads and HTTP are `server.py`.
"""

import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.errors import BadInput, BadValue, Busy, Refused, UnknownName, WorkbenchError
from workbench.warehouse.guard import check_sql, parse_message
from workbench.warehouse.schema import TABLES, VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

__all__ = ["END_KEY", "End", "Query", "translated"]

END_KEY: Final = b"workbench.end"
_BATCH_ROWS: Final = 65_536
_STOP_AGAIN_S: Final = 0.05
_NO_TABLE: Final = re.compile(r"(?:Table|View) with name \"?([^\"\s]+)\"? does not exist")

type Parameters = list[Any] | dict[str, Any] | None


class End(msgspec.Struct, frozen=True):
    """The last word of a stream: `code` and `text` are empty when all rows came."""

    rows: int
    elapsed_ms: float
    applied_seq: int
    code: str = ""
    text: str = ""


class Query:
    """A running query. Every method runs in a worker thread; `cancel` may come from any other."""

    def __init__(
        self,
        cursor: "duckdb.DuckDBPyConnection",
        sql: str,
        parameters: Parameters,
        *,
        row_cap: int,
        seconds_cap: float,
    ) -> None:
        self.rows = 0
        self.spent_s = 0.0
        self._cursor, self._sql, self._parameters = cursor, sql, parameters
        self._row_cap, self._seconds_cap = row_cap, seconds_cap
        self._reader: pa.RecordBatchReader | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def open(self) -> "pa.Schema":
        """Check and start; returns the schema of the answer.

        Raises:
            BadInput, BadValue, UnknownName: the SQL or its parameters are wrong.
            Refused: not a reading statement, or over the time cap.
        """
        parameters = _checked(self._parameters)
        check_sql(self._sql, self._cursor)
        with self._watched():
            self._cursor.execute("BEGIN TRANSACTION READ ONLY")
            reader = self._cursor.sql(self._sql, params=parameters).to_arrow_reader(_BATCH_ROWS)
        self._reader = reader
        self._batches = iter(reader)
        return reader.schema

    def chunk(self) -> "pa.RecordBatch | None":
        """The next rows, None at the end.

        Raises:
            Refused: over the cap of rows or of time.
        """
        with self._watched():
            batch = next(self._batches, None)
        if batch is None:
            return None
        self.rows += batch.num_rows
        if self.rows > self._row_cap:
            text = f"the answer has more than {self._row_cap} rows"
            raise Refused(f"{text}: add LIMIT, aggregate, or read the Parquet segments")
        return batch

    def cancel(self) -> None:
        """Stop what runs now."""
        self._cursor.interrupt()

    def close(self) -> None:
        """Give everything back."""
        if self._reader is not None:
            self._reader.close()
        self._cursor.close()

    def _watched(self) -> "_Watch":
        left_s = self._seconds_cap - self.spent_s
        if left_s <= 0:
            raise _over_time(self._seconds_cap)
        return _Watch(self, left_s, self._seconds_cap)


class _Watch:
    """Time inside the engine, against what is left of the cap; its errors become ours.

    Once over, the query is told to stop again and again: an interrupt that comes while nothing runs yet is forgotten.
    """

    def __init__(self, query: Query, left_s: float, cap_s: float) -> None:
        self._query, self._left_s, self._cap_s = query, left_s, cap_s
        self._late = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="query-watch", daemon=True)

    def _look(self) -> None:
        if self._over.wait(self._left_s):
            return
        self._late = True
        self._query.cancel()
        while not self._over.wait(_STOP_AGAIN_S):
            self._query.cancel()

    def __enter__(self) -> None:
        self._begun = time.monotonic()
        self._thread.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._over.set()
        self._thread.join()  # no stop of this step may reach the next one
        self._query.spent_s += time.monotonic() - self._begun
        if error is not None and self._late:
            raise _over_time(self._cap_s) from error
        if error is not None:
            ours = translated(error)
            if ours is not None:
                raise ours from error


def translated(error: BaseException) -> WorkbenchError | None:
    """A DuckDB or Arrow error as one of ours, in one line; None when it is neither."""
    import duckdb
    import pyarrow as pa

    if isinstance(error, duckdb.InterruptException) or "Interrupted" in str(error):
        return Busy("the query was interrupted: the warehouse is stopping or being rebuilt, ask again")
    # Arrow hands on what DuckDB raises while rows are read as a plain OSError.
    if not isinstance(error, duckdb.Error | pa.ArrowException | OSError):
        return None
    text = parse_message(error)
    missing = _NO_TABLE.search(str(error))
    if missing:
        return UnknownName("table", missing[1], [*TABLES, *VIEWS])
    if "Out of Memory" in str(error):
        return Refused(
            f"the query needs more memory than the warehouse may use ({text}): aggregate or filter more"
        )
    if isinstance(error, duckdb.PermissionException | duckdb.TransactionException):
        return Refused(text)
    return BadInput(text)


def _over_time(cap_s: float) -> Refused:
    return Refused(
        f"the query took longer than {cap_s:g} s and was stopped: filter, aggregate, or raise the cap"
    )


def _checked(parameters: Parameters) -> list[Any] | dict[str, Any] | None:
    if parameters is None:
        return None
    values = parameters.values() if isinstance(parameters, dict) else parameters
    for value in values:
        if not (value is None or isinstance(value, bool | int | float | str)):
            raise BadValue("params", value, "give numbers, texts, true, false or null")
    return parameters
