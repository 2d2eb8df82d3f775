"""The DuckDB file: opening and judging it, one transaction a batch, what the fold needs back. One writer thread.

    fine               -> go on after applied_seq
    damaged, foreign,
    ahead of the journal,
    of another format  -> move aside (the last three are kept), begin anew; the journal is the truth

Row counts and sums of `seq` are stored in the transaction that changes them: rows that vanished without an error,
as a damaged write-ahead log can make them, are seen at the next opening.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.engine.ledger import Position
from workbench.errors import Refused
from workbench.journal.codec import Frame
from workbench.journal.reader import read_meta
from workbench.journal.schema import connect_readonly
from workbench.model import Instrument
from workbench.model.orders import ACTIVE, STATE_NAMES, Order
from workbench.warehouse.fold import Fold
from workbench.warehouse.rows import FoldState, Row, StrategyState, order_of
from workbench.warehouse.schema import FORMAT, TABLES, VIEWS, arrow_schema, ddl

if TYPE_CHECKING:
    import duckdb

__all__ = ["Damaged", "Store", "frame_tip"]

_KEEP_ASIDE: Final = 3
_COUNTED: Final = tuple(name for name, table in TABLES.items() if not table.key)
_ACTIVE_WORDS: Final = [STATE_NAMES[state] for state in sorted(ACTIVE)]


class Damaged(Exception):
    """The warehouse's own file cannot be trusted; `str()` says why. Rebuild it."""


class Counts(msgspec.Struct):
    """Rows and sum of `seq` of one table that only grows."""

    n_rows: int = 0
    seqs: int = 0


def frame_tip(journal: Path, seq: int) -> str:
    """The chain hash (hex) of the journal's frame that ends at `seq`, or "" when no frame ends there."""
    connection = connect_readonly(journal)
    try:
        sql = "SELECT first_seq + count - 1, hash FROM frames WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1"
        row = connection.execute(sql, (seq,)).fetchone()
    finally:
        connection.close()
    return row[1].hex() if row is not None and row[0] == seq else ""


class Store:
    """The open warehouse of one journal. Make it with `Store.open`.

    `applied_seq` is the last journal record whose rows are in the tables; `rebuilt` says why an older file was
    moved aside ("" when it was not).
    """

    def __init__(self, path: Path, journal: Path, *, threads: int, memory_mb: int) -> None:
        import duckdb

        self.path, self.journal = path, journal
        self.applied_seq = 0
        self.rebuilt = ""
        self._counts = {name: Counts() for name in _COUNTED}
        self._lock = threading.Lock()
        self._broken = (duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": str(threads),
            "memory_limit": f"{memory_mb}MB",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
        }
        self.writer = duckdb.connect(str(path), config=config)
        try:
            self.writer.execute("SET GLOBAL TimeZone = 'UTC'")
            if not self.writer.execute(
                "SELECT 1 FROM duckdb_tables() WHERE table_name = 'applied'"
            ).fetchall():
                self._create()
            self.writer.execute("SET enable_external_access = false")
            self.writer.execute("SET lock_configuration = true")
            # A connection of its own to make cursors from: the writer's may be in the middle of a batch.
            self._root = self.writer.cursor()
            self._load_marks()
        except BaseException:
            self.writer.close()
            raise

    @classmethod
    def open(cls, path: Path, journal: Path, *, threads: int = 1, memory_mb: int = 512) -> "Store":
        """Open the file at `path` for `journal`, or begin it anew when it cannot be trusted.

        Raises:
            Refused: another process holds the file.
            JournalError, JournalVersion, JournalDamaged: the journal cannot be read.
            OSError, duckdb.Error: the folder or the disk does not let us.
        """
        import duckdb

        reason = ""
        if path.exists():
            try:
                store = cls(path, journal, threads=threads, memory_mb=memory_mb)
            except Damaged as error:
                reason = str(error)
            except duckdb.IOException as error:
                if "lock" in str(error):
                    text = f"warehouse file '{path}' is held by another process: attach to that warehouse, or stop it"
                    raise Refused(text) from error
                if lacks_room(error):
                    raise
                reason = one_line(error)
            except duckdb.Error as error:
                if lacks_room(error):
                    raise
                reason = one_line(error)
            else:
                return store
            move_aside(path, reason)
        store = cls(path, journal, threads=threads, memory_mb=memory_mb)
        store.rebuilt = reason
        return store

    def close(self) -> None:
        """Close all connections; harmless twice."""
        with self._lock:
            self._root.close()
            self.writer.close()

    def cursor(self) -> "duckdb.DuckDBPyConnection":
        """A connection of its own for one query, from any thread; close it."""
        with self._lock:
            return self._root.cursor()

    def is_damage(self, error: BaseException) -> bool:
        """Whether an error means that the file itself is bad (and not the query or the disk's free space)."""
        if lacks_room(error):
            return False
        text = str(error).lower()
        return isinstance(error, self._broken) or any(word in text for word in ("checksum", "corrupt"))

    # -- writing ------------------------------------------------------------------------------------------------

    def write(self, frames: list[Frame], fold: Fold) -> int:
        """Apply frames through `fold`: their rows and `applied_seq` in one transaction. Returns the rows written.

        After an error neither this store nor the fold may be used again: open anew.
        """
        fold.apply(frames)
        rows = fold.take()
        seq = frames[-1].last_seq
        writer = self.writer
        writer.begin()
        try:
            for name, part in rows.items():
                self._insert(name, part)
            self._note(seq, frame_tip(self.journal, seq), fold.state)
            writer.commit()
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one that counts
                writer.rollback()
            raise
        self.applied_seq = seq
        return sum(map(len, rows.values()))

    def _insert(self, name: str, rows: list[Row]) -> None:
        import pyarrow as pa

        schema = arrow_schema(name)
        columns = [
            pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
        ]
        self.writer.register("incoming", pa.table(columns, schema=schema))
        try:
            verb = "INSERT OR REPLACE" if TABLES[name].key else "INSERT"
            names = ", ".join(schema.names)
            self.writer.execute(f"{verb} INTO {name} ({names}) SELECT {names} FROM incoming")  # noqa: S608
        finally:
            self.writer.unregister("incoming")
        if name in self._counts:
            counts, at = self._counts[name], schema.names.index("seq")
            counts.n_rows += len(rows)
            counts.seqs += sum(row[at] for row in rows)

    def _note(self, seq: int, tip: str, state: FoldState) -> None:
        values = [seq, tip, msgspec.json.encode(state).decode(), msgspec.json.encode(self._counts).decode()]
        self.writer.execute(
            "UPDATE applied SET applied_seq = $1, applied_hash = $2, state = $3, counts = $4", values
        )

    def _create(self) -> None:
        self.writer.begin()
        for statement in ddl():
            self.writer.execute(statement)
        genesis = read_meta(self.journal).genesis
        self.writer.execute("INSERT INTO applied VALUES ($1, $2, 0, '', '', '')", [FORMAT, genesis])
        self._note(0, "", FoldState())
        self.writer.commit()
        self.path.chmod(0o600)

    # -- judging and taking back --------------------------------------------------------------------------------

    def _load_marks(self) -> None:
        row = self._rows("SELECT format, genesis, applied_seq, applied_hash, counts FROM applied")[0]
        if row["format"] != FORMAT:
            raise Damaged(f"it has format {row['format']}, this code writes {FORMAT}")
        meta = read_meta(self.journal)
        if row["genesis"] != meta.genesis:
            raise Damaged("it belongs to another journal")
        self.applied_seq = row["applied_seq"]
        if self.applied_seq and frame_tip(self.journal, self.applied_seq) != row["applied_hash"]:
            raise Damaged(
                f"the journal has another record at seq {self.applied_seq}, or none: it is ahead of it"
            )
        self._counts = msgspec.json.decode(row["counts"], type=dict[str, Counts])
        for name in _COUNTED:
            found = self._rows(f"SELECT count(*) AS n, coalesce(sum(seq), 0) AS seqs FROM {name}")[0]  # noqa: S608
            known = self._counts[name]
            if (found["n"], found["seqs"]) != (known.n_rows, known.seqs):
                raise Damaged(f"table {name} has {found['n']} rows where {known.n_rows} were written")

    def fold(self) -> Fold:
        """A fold that goes on after `applied_seq`."""
        fold = Fold(self._missing)
        fold.restore_state(
            msgspec.json.decode(self._rows("SELECT state FROM applied")[0]["state"], type=FoldState)
        )
        for row in self._rows(_select("instruments") + " ORDER BY iid"):
            fold.book.add(msgspec.convert(row, Instrument))
        for row in self._rows(_select("marks")):
            fold.book.price(row["iid"], row["ts_ns"], row["px_e8"] / 1e8)
            fold.book.mark_e8[row["iid"]] = row["px_e8"]
        for row in self._rows(_select("strategies") + " ORDER BY strategy_id"):
            for column in ("parameters", "symbols", "sizing_parameters"):
                row[column] = msgspec.json.decode(row[column])
            fold.strategies[row["strategy_id"]] = msgspec.convert(row, StrategyState)
        for row in self._rows(_select("positions")):
            held = Position()
            held.qty_e8, held.cost_e8, held.realized_e8 = row["qty_e8"], row["cost_e8"], row["realized_e8"]
            held.fees_e8, held.fills, held.given_e8 = row["fees_e8"], row["fills"], row["given_e8"]
            fold.restore_position(row["strategy_id"], row["iid"], held)
        for row in self._rows("SELECT move_id FROM cash_moves ORDER BY seq"):
            fold.restore_move(row["move_id"])
        for row in self._rows(
            _select("orders") + " WHERE state IN (SELECT unnest($1)) ORDER BY order_id", [_ACTIVE_WORDS]
        ):
            fold.restore_order(*order_of(row))
        return fold

    def _missing(
        self, order_ids: set[int], exec_ids: set[str]
    ) -> tuple[list[tuple[Order, int, int]], set[str]]:
        orders: list[tuple[Order, int, int]] = []
        if order_ids:
            rows = self._rows(
                _select("orders") + " WHERE order_id IN (SELECT unnest($1))", [sorted(order_ids)]
            )
            orders = [order_of(row) for row in rows]
        known: set[str] = set()
        if exec_ids:
            sql = "SELECT exec_id FROM fills WHERE exec_id IN (SELECT unnest($1))"
            known = {row["exec_id"] for row in self._rows(sql, [sorted(exec_ids)])}
        return orders, known

    def _rows(self, sql: str, parameters: Iterable[Any] = ()) -> list[dict[str, Any]]:
        result = self.writer.execute(sql, list(parameters))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _select(name: str) -> str:
    return f"SELECT {', '.join(arrow_schema(name).names)} FROM {name}"  # noqa: S608 - our own names


def lacks_room(error: BaseException) -> bool:
    """Whether an error is about the disk's or the machine's space: the file itself is fine."""
    text = str(error).lower()
    return any(word in text for word in ("no space left", "disk quota", "cannot allocate", "out of memory"))


def one_line(error: BaseException) -> str:
    """The first line of an engine message, without its class prefix."""
    first = str(error).strip().split("\n")[0].strip()
    head, _, rest = first.partition(" Error: ")
    return rest if rest and " " not in head.replace(" ", "", 1) else first


def known_names() -> list[str]:
    """What a query may read: tables and views."""
    return [*TABLES, *VIEWS]


def move_aside(path: Path, reason: str) -> Path:
    """Put the file, its log and its Parquet segments into `aside/`, with the reason; keep the newest three."""
    aside = path.parent / "aside"
    target = aside / time.strftime(f"{path.stem}-%Y%m%dT%H%M%S-{time.time_ns() % 10**9:09d}", time.gmtime())
    target.mkdir(mode=0o700, parents=True)
    for part in (path, path.with_name(path.name + ".wal"), path.parent / "parquet"):
        if part.exists():
            part.rename(target / part.name)
    (target / "reason.txt").write_text(reason + "\n", "utf-8")
    for old in sorted(aside.glob(f"{path.stem}-*"))[:-_KEEP_ASIDE]:
        shutil.rmtree(old)
    return target
