"""Routes: what they answer, how they refuse, what every answer carries."""

import errno
import logging
import math

import msgspec
import pytest

from tests.api.conftest import Serve, Served, eventually
from tests.api.fake_snapshot import account_row
from workbench.api.server import ServerLimits, free_socket, on_port
from workbench.errors import Refused
from workbench.model.snapshot import AccountHistoryRow, DifferenceRow

ORDER = {"symbol": "SPY", "side": "buy", "quantity": 10}


async def test_every_answer_says_how_long_it_took(served: Served) -> None:
    for path, token in (
        ("/healthz", None),
        ("/api/v1/session", ""),
        ("/api/v1/nothing", ""),
        ("/metrics", "bad"),
    ):
        _, _, response = await served.ask("GET", path, token)
        assert float(response.headers["X-Response-Time"].removesuffix("ms")) >= 0
        assert response.headers["Server-Timing"].startswith("app;dur=")
        assert "Python" not in response.headers["Server"]


async def test_large_answers_are_compressed_and_small_ones_are_not(served: Served) -> None:
    await served.desk.add_strategy("S", "", {}, ["SPY"], 10)
    for _ in range(300):
        served.desk.step()
    for coding in ("gzip", "deflate"):
        headers = {"Accept-Encoding": coding}
        _, body, response = await served.ask("GET", "/api/v1/snapshot", headers=headers)
        assert response.headers["Content-Encoding"] == coding
        assert body["session"]["name"] == "fake"
        _, _, response = await served.ask("GET", "/api/v1/session", headers=headers)
        assert "Content-Encoding" not in response.headers
    _, _, response = await served.ask("GET", "/api/v1/snapshot", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in response.headers


async def test_an_order_is_placed_once_per_key_and_cancelled(served: Served) -> None:
    limit = {**ORDER, "type": "limit", "limit_px": 250.0, "key": "k1"}
    status, placed, _ = await served.ask("POST", "/api/v1/orders", json=limit)
    assert status == 201
    assert (await served.ask("POST", "/api/v1/orders", json=limit))[1] == placed
    where = f"/api/v1/orders/{placed['order_id']}"
    assert (await served.ask("GET", where))[1]["state"] == "working"
    assert (await served.ask("DELETE", where))[0] == 200
    assert (await served.ask("GET", where))[1]["state"] == "cancelled"
    status, told, _ = await served.ask("DELETE", where)
    assert (status, told["code"]) == (409, "Refused")
    assert (await served.ask("GET", f"{where}/trace"))[1]["stages"][0] == "feed"


async def test_an_order_is_amended(served: Served) -> None:
    limit = {**ORDER, "type": "limit", "limit_px": 250.0, "key": "k1"}
    _, placed, _ = await served.ask("POST", "/api/v1/orders", json=limit)
    where = f"/api/v1/orders/{placed['order_id']}"
    assert (await served.ask("PATCH", where, json={"quantity": 7}))[0] == 200
    row = (await served.ask("GET", where))[1]
    assert (row["quantity"], row["limit_px"], row["amending"]) == (7.0, 250.0, False)
    status, told, _ = await served.ask("PATCH", where, json={})
    assert (status, told["code"]) == (400, "BadValue")
    status, told, _ = await served.ask("PATCH", where, json={"limit": 3})
    assert "did you mean 'limit_px'" in told["text"]
    await served.ask("DELETE", where)
    status, told, _ = await served.ask("PATCH", where, json={"quantity": 5})
    assert (status, told["code"], told["refusal"]["code"]) == (409, "RiskRefusal", "AMEND")


async def test_flatten_says_what_it_did(served: Served) -> None:
    await served.desk.add_strategy("S", "", {}, ["SPY"], 10)
    await served.ask("POST", "/api/v1/orders", json=ORDER)
    for _ in range(5):
        served.desk.step()
    status, told, _ = await served.ask("POST", "/api/v1/flatten", json={"reason": "home", "symbol": "SPY"})
    assert status == 200
    assert told["paused"] == [1]
    assert {row["why"] for row in told["orders"]} == {"flatten: home"}
    status, told, _ = await served.ask("POST", "/api/v1/flatten", json={"symbol": "SPX"})
    assert (status, told["code"]) == (400, "UnknownName")
    await served.ask("POST", "/api/v1/kill", json={})
    status, told, _ = await served.ask("POST", "/api/v1/flatten", json={})
    assert (status, told["code"]) == (409, "Refused")
    assert "arm the desk, then flatten" in told["text"]


async def test_accounts_at_venues_and_what_differs(served: Served) -> None:
    assert (await served.ask("GET", "/api/v1/accounts"))[1] == []
    served.desk.accounts = [account_row("paper")]
    served.desk.differences = [DifferenceRow("SPY", 0.0, 3.0, 1)]
    served.desk.history = [
        AccountHistoryRow("paper", [5, 6], [1.0, 0.9], [0, 2], [0.0, 9.0], [1, 2], [math.nan, 2.0])
    ]
    served.desk.changed()
    _, told, _ = await served.ask("GET", "/api/v1/accounts")
    assert told == msgspec.to_builtins(served.desk.accounts)
    _, told, _ = await served.ask("GET", "/api/v1/differences")
    assert told == [{"symbol": "SPY", "ours": 0.0, "theirs": 3.0, "since_ns": 1}]
    _, told, _ = await served.ask("GET", "/api/v1/accounts/history?since_ns=5")
    assert told[0]["wire_us"] == [None, 2.0]
    assert (await served.ask("GET", "/api/v1/accounts/history?since_ns=6"))[1] == []
    status, told, _ = await served.ask("GET", "/api/v1/accounts/history?since=6")
    assert (status, "since_ns" in told["text"]) == (400, True)


async def test_a_risk_refusal_has_code_text_and_numbers(served: Served) -> None:
    status, told, _ = await served.ask("POST", "/api/v1/orders", json={**ORDER, "quantity": 9000})
    assert (status, told["code"]) == (409, "RiskRefusal")
    assert told["refusal"]["code"] == "SIZE"
    assert told["refusal"]["numbers"] == {"quantity": 9000.0, "limit": 5000.0}
    assert (await served.ask("GET", "/api/v1/refusals"))[1][-1]["code"] == "SIZE"


BAD_BODIES = [
    (b"", "symbol = None: this field is required"),
    (b"{", "body is not valid JSON"),
    (b"[]", "body: expected object, got array"),
    (b"\xff\xfe", "body is not valid JSON"),
    (b'{"symbol": "SPY", "side": "buy", "quanity": 2}', "field 'quanity' is unknown: did you mean 'quantity'"),
    (b'{"symbol": "SPY", "side": "bye", "quantity": 1}', "side 'bye' is unknown: did you mean 'buy'"),
    (b'{"symbol": "SPY", "side": "buy", "quantity": "1"}', "quantity = '1': expected float, got str"),
    (b'{"symbol": "SPY", "side": "buy", "quantity": 0}', "quantity = 0: give a number above 0"),
    (b'{"symbol": "SPY", "side": "buy", "quantity": NaN}', "body is not valid JSON"),
    (b'{"symbol": "SPY", "side": "buy", "quantity": 1e999}', "quantity"),
    (b'{"symbol": "", "side": "buy", "quantity": 1}', "symbol = '': expected str of length >= 1"),
    (b'{"symbol": "SPX", "side": "buy", "quantity": 1}', "symbol 'SPX' is unknown: did you mean 'SPY'"),
    (b'{"symbol": "SPY", "side": "buy", "quantity": 1, "type": "limit"}', "limit_px = 0.0: a limit order needs"),
    (b'{"symbol": "SPY", "side": "buy", "quantity": 1, "type": "trailing"}', "trail = 0.0: a trailing order needs"),
    (b'{"symbol": "SPY", "side": "buy", "quantity": 1, "trail": -1}', "trail = -1: give a number of 0 or more"),
    (b'{"symbol": ' + b"[" * 5000 + b"]" * 5000 + b"}", "symbol: expected str, got array"),
    (b"[" * 200_000, "body"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "text"), BAD_BODIES)
async def test_a_bad_body_gets_one_line_that_names_it(served: Served, raw: bytes, text: str) -> None:
    status, told, _ = await served.ask("POST", "/api/v1/orders", data=raw)
    assert status == 400
    assert text in told["text"]
    assert "\n" not in told["text"]


async def test_read_only_fields_cannot_be_assigned(served: Served) -> None:
    for field in (
        "order_id",
        "client_id",
        "strategy_id",
        "state",
        "filled",
        "average_px",
        "fees",
        "ts_ns",
        "venue_id",
    ):
        status, told, _ = await served.ask("POST", "/api/v1/orders", json={**ORDER, field: 1})
        assert (status, told["code"]) == (400, "UnknownName")
    for field in ("strategy_id", "state", "position", "realized", "orders", "code_hash", "form"):
        body = {"name": "S", "source": "", "symbols": ["SPY"], field: 1}
        assert (await served.ask("POST", "/api/v1/strategies", json=body))[0] == 400
    assert not served.desk.orders()


async def test_what_does_not_exist_is_404_with_the_nearest_name(served: Served) -> None:
    for method, path in (
        ("GET", "/api/v1/orders/99"),
        ("DELETE", "/api/v1/orders/99"),
        ("GET", "/api/v1/orders/99/trace"),
        ("POST", "/api/v1/strategies/99/pause"),
        ("DELETE", "/api/v1/strategies/99"),
        ("DELETE", "/api/v1/tokens/t99"),
    ):
        status, told, _ = await served.ask(method, path)
        assert (status, told["code"]) == (404, "UnknownName"), path
    status, told, _ = await served.ask("GET", "/api/v1/order")
    assert status == 404
    assert "did you mean '/api/v1/orders'" in told["text"]
    for bad in ("abc", "-1", "1.5", "9" * 30, "%00", "٣"):
        assert (await served.ask("GET", f"/api/v1/orders/{bad}"))[0] == 400


async def test_query_parameters_are_typed_and_strict(served: Served) -> None:
    for number in range(5):
        await served.desk.place("SPY", "buy", number + 1)
    _, told, _ = await served.ask("GET", "/api/v1/orders?limit=2&state=working")
    assert [row["order_id"] for row in told] == [4, 5]
    for query, text in (
        ("limt=2", "did you mean 'limit'"),
        ("limit=0", "limit = '0': expected int >= 1"),
        ("limit=x", "limit = 'x': expected int, got str"),
        ("limit=1&limit=2", "limit is given twice"),
        ("state=filed", "did you mean 'filled'"),
    ):
        status, told, _ = await served.ask("GET", f"/api/v1/orders?{query}")
        assert status == 400
        assert text in told["text"]


async def test_a_strategy_lives_through_its_routes(served: Served) -> None:
    body = {"name": "Rsi", "source": "class Rsi: ...", "symbols": ["SPY"], "parameters": {"period": 14}}
    status, told, _ = await served.ask("POST", "/api/v1/strategies", json=body)
    assert (status, told) == (201, {"strategy_id": 1})
    where = "/api/v1/strategies/1"
    for method, path, json, state, period in (
        ("PATCH", where, {"parameters": {"period": 7}}, "running", 7),
        ("POST", f"{where}/pause", {"reason": "lunch"}, "paused", 7),
        ("POST", f"{where}/resume", None, "running", 7),
        ("DELETE", where, None, "removed", 7),
    ):
        assert (await served.ask(method, path, json=json))[0] == 200
        row = (await served.ask("GET", "/api/v1/strategies"))[1][0]
        assert (row["state"], row["parameters"]["period"]) == (state, period)
    status, told, _ = await served.ask(
        "POST", "/api/v1/strategies", json={**body, "parameters": {"perod": 1}}
    )
    assert status == 400
    assert "did you mean 'period'" in told["text"]


async def test_kill_says_what_it_did_and_arm_ends_it(served: Served) -> None:
    await served.desk.place("SPY", "buy", 1, type="limit", limit_px=200)
    _, told, _ = await served.ask("POST", "/api/v1/kill", json={"reason": "test", "by": "me"})
    assert (told["cancels"], told["unconfirmed"]) == (1, [])
    assert (await served.ask("GET", "/api/v1/session"))[1]["kill_reason"] == "test (by me)"
    assert (await served.ask("POST", "/api/v1/orders", json=ORDER))[1]["refusal"]["code"] == "KILLED"
    await served.ask("POST", "/api/v1/arm")
    assert (await served.ask("POST", "/api/v1/orders", json=ORDER))[0] == 201


async def test_the_market_is_steered(served: Served) -> None:
    for body, market, speed in (
        ({"action": "pause"}, "paused", 60.0),
        ({"action": "speed", "speed": 10}, "paused", 10.0),
        ({"action": "play"}, "playing", 10.0),
    ):
        assert (await served.ask("POST", "/api/v1/market", json=body))[0] == 200
        row = (await served.ask("GET", "/api/v1/session"))[1]
        assert (row["market"], row["speed"]) == (market, speed)
    for bad in (
        {"action": "speed"},
        {"action": "play", "speed": 1},
        {"action": "stop"},
        {"action": "speed", "speed": -1},
    ):
        assert (await served.ask("POST", "/api/v1/market", json=bad))[0] == 400


async def test_metrics_stop_and_check(served: Served) -> None:
    status, text, response = await served.ask("GET", "/metrics")
    assert status == 200
    assert text.startswith(b"# HELP")
    assert response.content_type == "text/plain"
    _, told, _ = await served.ask("POST", "/api/v1/check")
    assert told["replay"]["equal"] is True
    assert (await served.ask("POST", "/api/v1/stop"))[0] == 202
    await eventually(lambda: served.stopped)


async def test_a_body_above_the_limit_is_refused(serve: Serve) -> None:
    served = await serve(ServerLimits(body_bytes=1000))
    status, told, _ = await served.ask("POST", "/api/v1/orders", data=b"x" * 2000)
    assert status == 413
    assert "1000 bytes" in told["text"]


async def test_an_unexpected_failure_is_500_without_its_secrets(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(served.desk, "snapshot", broken)
    with caplog.at_level(logging.ERROR):
        status, told, _ = await served.ask("GET", "/api/v1/session?x=1")
    assert status == 500
    assert "hunter2" not in told["text"]
    assert "ZeroDivisionError" in caplog.text
    assert served.token not in caplog.text


async def test_not_a_number_is_null_in_json_and_survives_msgpack(served: Served) -> None:
    import msgspec

    served.desk._px["SPY"] = float("nan")
    served.desk.changed()
    _, told, _ = await served.ask("GET", "/api/v1/positions")
    assert told[0]["last_px"] is None
    _, raw, _ = await served.ask("GET", "/api/v1/positions", headers={"Accept": "application/msgpack"})
    assert msgspec.msgpack.decode(raw)[0]["last_px"] != msgspec.msgpack.decode(raw)[0]["last_px"]


def test_a_busy_port_is_one_line() -> None:
    taken = free_socket("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(
        Refused, match=rf"cannot listen on 127.0.0.1:{port} .*in use.*give api.port another port"
    ):
        free_socket("127.0.0.1", port)
    taken.close()


def test_a_free_port_that_somebody_took_meanwhile_is_left_to_him() -> None:
    tried: list[int] = []

    def late(port: int) -> int:
        tried.append(port)
        if len(tried) == 1:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return port

    assert on_port("127.0.0.1", 0, "--port", late) == tried[1]
    assert len(tried) == 2


@pytest.mark.parametrize(("number", "tries"), [(errno.EADDRINUSE, 20), (errno.EACCES, 1)])
def test_a_port_that_cannot_be_had_is_one_line(
    number: int, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def refused(port: int) -> None:
        tried.append(port)
        raise OSError(number, "no")

    with pytest.raises(Refused, match=r"cannot listen on 127.0.0.1:\d+ \(no\): give --port another port"):
        on_port("127.0.0.1", 0, "--port", refused)
    assert len(tried) == tries
    monkeypatch.setattr("workbench.api.server.free_socket", lambda host, *_: free_socket(host, 0))
    with pytest.raises(Refused, match="cannot listen"):
        on_port("127.0.0.1", 8888, "--port", refused)
    assert len(tried) == tries + 1  # a port that was asked for is not exchanged for another
