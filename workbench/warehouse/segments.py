"""Parquet segments: finished stretches of the big tables as files that any process may read without a lock.

    <home>/<desk>/parquet/<table>/<first_seq>-<last_seq>.parquet

Written under a temporary name, synced, renamed, then listed in `segments`: a crash leaves at most an unlisted file,
which the next opening removes. An order is written when it ends, and again if it changes after that: the one with
the higher `ended_seq` holds.
"""

import os
from pathlib import Path
from typing import Final

from workbench.warehouse.schema import TABLES
from workbench.warehouse.store import Store

__all__ = ["Segments"]

_NAMES: Final = tuple(name for name, table in TABLES.items() if table.segments)


class Segments:
    """Publishes what `store` has beyond the last segment once that is `rows` rows. Use from the writer's thread."""

    def __init__(self, store: Store, folder: Path, rows: int = 100_000) -> None:
        self._store, self._folder, self._least = store, folder, rows
        self._published: dict[str, int] = {}
        listed: dict[str, set[str]] = {name: set() for name in _NAMES}
        for name, file, last_seq in store.writer.execute(
            "SELECT name, file, last_seq FROM segments"
        ).fetchall():
            listed[name].add(file)
            self._published[name] = max(self._published.get(name, 0), last_seq)
        for name in _NAMES:
            place = folder / name
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in place.iterdir():
                if path.name not in listed[name]:
                    path.unlink()

    def publish(self, *, everything: bool = False) -> list[Path]:
        """Write the segments that are due (with `everything`, whatever is there); returns the new files."""
        return [path for name in _NAMES if (path := self._publish(name, 1 if everything else self._least))]

    def _publish(self, name: str, least: int) -> Path | None:
        import pyarrow.parquet as pq

        column = TABLES[name].segments
        first, last = self._published.get(name, 0) + 1, self._store.applied_seq
        writer = self._store.writer
        where = f"FROM {name} WHERE {column} BETWEEN $1 AND $2"
        due = writer.execute(f"SELECT count(*) {where}", [first, last]).fetchall()[0][0]
        if due < least:
            return None
        reader = writer.sql(f"SELECT * {where} ORDER BY {column}", params=[first, last]).to_arrow_reader(
            65_536
        )
        path = self._folder / name / f"{first}-{last}.parquet"
        part = path.with_suffix(".part")
        with pq.ParquetWriter(part, reader.schema, compression="zstd") as out:
            for batch in reader:
                out.write_batch(batch)
        reader.close()
        _sync(part)
        part.replace(path)
        _sync(path.parent)
        writer.execute(
            "INSERT INTO segments VALUES ($1, $2, $3, $4, $5)", [name, path.name, first, last, due]
        )
        self._published[name] = last
        return path


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
