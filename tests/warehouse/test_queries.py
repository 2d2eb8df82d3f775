import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import BadInput, BadValue, Busy, Refused, UnknownName
from workbench.warehouse.queries import Query
from workbench.warehouse.store import Store

type Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    from workbench.journal.log import Journal

    folder = tmp_path_factory.mktemp("queries")
    with Journal.open(folder / "journal.sqlite"):
        store = Store.open(folder / "w.duckdb", folder / "journal.sqlite", memory_mb=64)
        yield store
        store.close()


def asked(
    store: Store, sql: str, parameters: Any = None, *, row_cap: int = 1000, seconds_cap: float = 30.0
) -> list[Any]:
    query = Query(store.cursor(), sql, parameters, row_cap=row_cap, seconds_cap=seconds_cap)
    try:
        query.open()
        rows = []
        while (batch := query.chunk()) is not None:
            rows += batch.to_pylist()
        return rows
    finally:
        query.close()


def test_parameters_by_place_and_by_name(store: Store) -> None:
    assert asked(store, "SELECT $1 + $2 AS x", [1, 2]) == [{"x": 3}]
    assert asked(store, "SELECT $a || $b AS x", {"a": "1; DROP TABLE fills", "b": "'"}) == [
        {"x": "1; DROP TABLE fills'"}
    ]
    assert asked(store, "SELECT $1 AS x", [None]) == [{"x": None}]
    with pytest.raises(BadValue, match="give numbers, texts"):
        asked(store, "SELECT $1", [[1, 2]])
    with pytest.raises(BadInput):
        asked(store, "SELECT $1")


def test_the_row_cap_is_exact_and_says_what_to_do(store: Store) -> None:
    assert len(asked(store, "FROM range(1000)")) == 1000
    with pytest.raises(Refused, match=r"more than 1000 rows: add LIMIT"):
        asked(store, "FROM range(1001)")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(sin(a.range * b.range)) FROM range(10000000) a, range(10000000) b",
        "SELECT a.range FROM range(100000000) a, range(100000000) b WHERE sin(a.range) > 2",
        "SELECT a.range, sin(b.range) FROM range(100000000) a, range(100000000) b ORDER BY 2",
    ],
)
def test_the_time_cap_interrupts(store: Store, sql: str) -> None:
    with pytest.raises(Refused, match=r"longer than 0.3 s|more memory"):
        asked(store, sql, seconds_cap=0.3)
    assert asked(store, "SELECT 1 AS x") == [{"x": 1}]


def test_a_stop_that_came_too_early_is_said_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    query = Query(store.cursor(), "SELECT sum(sin(a.range * b.range)) FROM range(10000000) a, range(10000000) b",
                  None, row_cap=10, seconds_cap=0.1)  # fmt: skip
    said: list[None] = []

    def forgotten_once() -> None:  # as DuckDB forgets it while no query of the cursor runs
        said.append(None)
        if len(said) > 1:
            query._cursor.interrupt()

    monkeypatch.setattr(query, "cancel", forgotten_once)
    with pytest.raises(Refused, match=r"longer than 0.1 s"):
        query.open()
    assert len(said) > 1
    query.close()


def test_time_between_chunks_is_not_the_engines(store: Store) -> None:
    query = Query(store.cursor(), "FROM range(200000)", None, row_cap=10**6, seconds_cap=30.0)
    query.open()
    while query.chunk() is not None:
        pass
    assert query.rows == 200_000
    assert 0 < query.spent_s < 30
    query.close()


def test_cancel_from_another_thread(store: Store) -> None:
    query = Query(store.cursor(), "SELECT sum(sin(a.range * b.range)) FROM range(10000000) a, range(10000000) b",
                  None, row_cap=10, seconds_cap=100.0)  # fmt: skip
    over = threading.Event()

    def stop() -> None:  # again and again: what comes before the query runs stops nothing
        while not over.wait(0.05):
            query.cancel()

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(Busy, match="interrupted"):
            query.open()  # an aggregate: everything is computed before the first row
    finally:
        over.set()
        stopper.join()
    query.close()


def test_errors_are_one_line_with_the_nearest_table(store: Store) -> None:
    with pytest.raises(UnknownName, match="table 'filz' is unknown: did you mean 'fills'"):
        asked(store, "SELECT * FROM filz")
    for sql, says in (
        ("SELECT quantty FROM fills", "quantty"),
        ("SELECT 1 +", "syntax error"),
        ("SELECT 'x'::INT", "Could not convert"),
        ("SELECT nosuch(1)", "nosuch"),
    ):
        with pytest.raises(BadInput, match=says) as caught:
            asked(store, sql)
        assert "\n" not in str(caught.value)


def test_memory_is_capped(store: Store) -> None:
    with pytest.raises(Refused, match="more memory"):
        asked(
            store,
            "SELECT max(len(l)) FROM (SELECT list(range::VARCHAR) AS l FROM range(20000000))",
            seconds_cap=60,
        )


def test_a_query_cannot_write_even_when_it_passes_the_guard(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workbench.warehouse.queries.check_sql", lambda *_: None)
    with pytest.raises(Refused, match="read-only"):
        asked(store, "INSERT INTO bars (seq) VALUES (1)")
    with pytest.raises(Refused, match="disabled by configuration"):
        asked(store, f"COPY bars TO '{tmp_path / 'x.csv'}'")
    assert not (tmp_path / "x.csv").exists()
