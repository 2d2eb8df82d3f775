import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from workbench.errors import BadInput, BadValue, Busy, NotRunning, Refused, Unauthorised, UnknownName
from workbench.warehouse.address import Address, desk_folder, read_address, write_address
from workbench.warehouse.client import QueryResult, query, segments, tables

type Until = Callable[..., None]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


class Process:
    """A real warehouse process of desk `one` under `home`."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        here = os.environ | {"WORKBENCH_HOME": str(home), **environment}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "workbench.warehouse.serve", "--name", "one"],
            env=here,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout is not None
        self.line = self.popen.stdout.readline()

    def end(self) -> tuple[int, str]:
        self.popen.send_signal(signal.SIGTERM)
        _, errors = self.popen.communicate(timeout=60)
        return self.popen.returncode, errors


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Path]:
    from tests.warehouse.conftest import Recorder, until

    recorder = Recorder(home / "one" / "journal.sqlite")
    recorder.begin()
    for n in range(50):
        recorder.bar(0, 100.0 + n)
    recorder.buy(0, 3, 149.0)
    process = Process(home, WORKBENCH_WAREHOUSE__ROW_CAP="100000", WORKBENCH_WAREHOUSE__SECONDS_CAP="5")
    assert "ready at http://127.0.0.1:" in process.line, process.end()

    def level() -> bool:
        try:
            return query("SELECT 1", name="one", home=home).applied_seq == recorder.journal.last_seq
        except Busy:
            return False

    until(level)
    yield home
    recorder.journal.close()
    status, errors = process.end()
    assert (status, errors) == (0, "")
    assert not (home / "one" / "warehouse.json").exists()


def ask(home: Path, sql: str, params: Any = None) -> QueryResult:
    return query(sql, params, "one", home=home)


def test_a_table_comes_back_in_four_shapes(served: Path) -> None:
    found = ask(
        served, "SELECT symbol, count(*) AS n, sum(px_e8) AS exact, max(ts) AS last FROM fills GROUP BY ALL"
    )
    assert found.columns == ["symbol", "n", "exact", "last"]
    assert found.arrow.column("exact").to_pylist() == [Decimal(149 * 10**8)]
    frame = found.df()
    assert frame["exact"].dtype == "float64"
    assert str(frame["last"].dtype).startswith("datetime64")
    assert found.json()[0]["n"] == 1
    assert found.json()[0]["exact"] == 149 * 10**8
    assert json.loads(json.dumps(found.json())) == found.json()
    assert found.json()[0]["last"].startswith("2020-12-15T15:20:01")
    text = repr(found)
    assert text.splitlines()[0].split() == ["symbol", "n", "exact", "last"]
    assert "[1 rows x 4 columns" in text
    assert len(found) == len(list(found)) == 1


def test_a_big_answer_comes_whole_and_shows_its_head(served: Path) -> None:
    found = ask(served, "SELECT range AS n, '<b>' AS html FROM range(99999)")
    assert found.arrow.column("n").to_pylist() == list(range(99_999))
    assert "first 10 shown" in repr(found)
    assert len(repr(found).splitlines()) == 12
    html = found._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_parameters_travel_as_values(served: Path) -> None:
    sql = "SELECT count(*) AS n FROM bars WHERE symbol = $1 AND close > $2"
    assert ask(served, sql, ["SPY", 120]).json() == [{"n": 29}]
    assert ask(served, sql, ["SPY' OR 1=1 --", 0]).json() == [{"n": 0}]
    assert ask(served, "SELECT $x::INT AS y", {"x": "7"}).json() == [{"y": 7}]


@pytest.mark.parametrize(
    ("sql", "kind", "says"),
    [
        ("SELECT * FROM fill", BadInput, "table 'fill' is unknown: did you mean 'fills'"),
        ("SELECT nope FROM fills", BadInput, "nope"),
        ("COPY fills TO '/tmp/x'", Refused, "COPY statement is not allowed"),
        ("SELECT * FROM read_csv('/etc/passwd')", Refused, r"read_csv\(\) is not allowed"),
        ("SELECT * FROM '/etc/passwd'", BadInput, "unknown"),
        ("SET threads = 8", Refused, "SET statement"),
        ("SELECT 1; SELECT 2", BadInput, "give exactly one"),
        ("FROM range(100001)", Refused, "more than 100000 rows"),
        (
            "SELECT sum(sin(a.range * b.range)) FROM range(10000000) a, range(10000000) b",
            Refused,
            "longer than 5 s",
        ),
        (
            "SELECT CASE WHEN range > 70000 THEN error('late') ELSE range END FROM range(99999)",
            BadInput,
            "late",
        ),
    ],
)
def test_errors_are_typed_and_one_line(served: Path, sql: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        ask(served, sql)
    assert "\n" not in str(caught.value)


def test_many_at_once_all_get_an_answer(served: Path) -> None:
    answers: list[object] = []

    def one() -> None:
        try:
            answers.append(ask(served, "SELECT sum(sin(range)) FROM range(300000)").json())
        except Busy as error:
            answers.append(error)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 12
    assert sum(isinstance(answer, list) for answer in answers) >= 4


def test_tables_tell_columns_rows_and_views(served: Path) -> None:
    found = {table["name"]: table for table in tables("one", home=served)}
    assert found["bars"]["rows"] == 50
    assert {"name": "close", "type": "DOUBLE"} in found["bars"]["columns"]
    assert found["pnl_by_strategy"]["kind"] == "view"
    assert {"equity", "latency_by_stage", "position_check"} <= set(found)


def raw(
    home: Path, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    address = read_address("one", home)
    connection = http.client.HTTPConnection("127.0.0.1", int(address.url.rsplit(":", 1)[1]), timeout=30)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for key, value in headers.items():
            connection.putheader(key, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/tables", "/api/v1/state", "/nowhere"])
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic dXNlcg==", "bearer "])
def test_every_route_but_health_wants_the_token(served: Path, path: str, given: str) -> None:
    method = "POST" if path.endswith("query") else "GET"
    headers = {"Authorization": given} if given else {}
    status, said = raw(served, method, path, b"{}" if method == "POST" else None, **headers)
    assert (status, said["code"]) == (401, "Unauthorised")


def test_a_token_in_the_address_or_cut_short_is_none(served: Path) -> None:
    token = read_address("one", served).token
    assert raw(served, "GET", f"/api/v1/state?token={token}")[0] == 401
    assert raw(served, "GET", "/api/v1/state", Authorization=f"Bearer {token[:-1]}")[0] == 401
    status, state = raw(served, "GET", "/api/v1/state", Authorization=f"Bearer {token}")
    assert (status, state["state"], state["lag"]) == (200, "following", 0)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "127.0.0.1.evil.example:{port}", "localhost.:{port}", "[::1]:{port}", ""],
)
def test_only_exact_hosts_are_answered(served: Path, host: str) -> None:
    port = read_address("one", served).url.rsplit(":", 1)[1]
    assert raw(served, "GET", "/healthz", Host=host.format(port=port))[0] in (400, 401)
    assert raw(served, "GET", "/healthz", Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1"])
def test_pages_are_not_answered(served: Path, origin: str) -> None:
    assert raw(served, "GET", "/healthz", Origin=origin)[0] == 401


def test_health_needs_no_token_and_tells_no_secret(served: Path) -> None:
    assert raw(served, "GET", "/healthz") == (200, {"ok": True, "state": "following"})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"sql": 5}', b'{"sql": "SELECT 1", "more": 1}', b'{"params": []}']
)
def test_a_wrong_body_says_what_to_send(served: Path, body: bytes) -> None:
    token = read_address("one", served).token
    status, said = raw(served, "POST", "/api/v1/query", body, Authorization=f"Bearer {token}")
    assert status == 400
    assert '{"sql": "SELECT ..."' in said["text"]


def test_a_second_warehouse_of_the_desk_is_refused(served: Path) -> None:
    second = Process(served)
    _, errors = second.popen.communicate(timeout=60)
    assert second.popen.returncode == 1
    assert "serves the warehouse of desk 'one' already" in errors
    assert ask(served, "SELECT 1 AS x").json() == [{"x": 1}]


def test_the_address_book_is_private_and_hides_its_token(served: Path) -> None:
    path = served / "one" / "warehouse.json"
    assert path.stat().st_mode & 0o777 == 0o600
    address = read_address("one", served)
    assert address.token not in repr(address)
    assert len(address.token) >= 43
    for each in (served / "one").glob("warehouse.*"):
        assert each.stat().st_mode & 0o077 == 0, each


def test_nobody_there_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="workbench up"):
        query("SELECT 1", name="two", home=tmp_path)
    folder = tmp_path / "two"
    folder.mkdir()
    write_address(folder, Address("http://127.0.0.1:1", "x", 1))
    with pytest.raises(NotRunning, match="--name two"):
        query("SELECT 1", name="two", home=tmp_path)
    (folder / "warehouse.json").write_text("{")
    with pytest.raises(NotRunning, match="remove it"):
        query("SELECT 1", name="two", home=tmp_path)


@pytest.mark.parametrize("name", ["", "../etc", "A", "x" * 33, "a/b", "a b"])
def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="name"):
        desk_folder(name, tmp_path)


def test_segments_of_other_tables_are_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'bars'"):
        segments("bar", "two", home=tmp_path)
    with pytest.raises(NotRunning, match="no Parquet segments"):
        segments("bars", "two", home=tmp_path)


def test_a_wrong_token_is_unauthorised(served: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    write_address(folder, Address(read_address("one", served).url, "wrong", 1))
    with pytest.raises(Unauthorised, match="token"):
        query("SELECT 1", name="one", home=tmp_path)


def test_odd_values_become_plain_ones() -> None:
    table = pa.table({"a": [[1.5, float("nan")]], "b": [{"x": b"\x00"}], "c": pa.array([None], pa.int64())})
    assert QueryResult(table, 1.0, 0).json() == [{"a": [1.5, None], "b": {"x": "b'\\x00'"}, "c": None}]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--name", "../x"], 2, "name"),
        (["--port", "70000"], 2, "port = 70000"),
        (["--config", "/nowhere.toml"], 2, "does not exist"),
    ],
)
def test_bad_usage_of_the_command_is_status_2(
    arguments: list[str],
    status: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from workbench.warehouse.serve import main

    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    before = os.umask(0o022)
    try:
        assert main(arguments) == status
    finally:
        os.umask(before)
    errors = capsys.readouterr().err
    assert says in errors
    assert len(errors.splitlines()) == 1
