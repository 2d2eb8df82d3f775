"""Back-off, breaker, clock offset, health, addresses, payloads, numbers, keys."""

import contextlib
import json
import os
import pickle
import random
import re
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from yarl import URL

from tests.brokers.pool.wires import small_pool, until
from workbench.brokers.pool import (
    Backoff,
    Breaker,
    ClockOffset,
    Credentials,
    Health,
    Pool,
    Probed,
    Rolling,
    SignedHeaders,
    checked_address,
    decode,
    decode_msgpack,
    encode,
    read_credentials,
    snapshots,
    tls_for,
)
from workbench.brokers.pool.meters import Durations
from workbench.errors import (
    BadInput,
    BadValue,
    KeysRefused,
    Refused,
    UnsafeVenue,
    VenueDown,
    VenueGarbled,
)


# -- waiting -----------------------------------------------------------------------------------------------------
@given(seed=st.integers(0, 2**32))
def test_tries_are_never_more_than_ten_a_minute(seed: int) -> None:
    now = [0.0]
    backoff = Backoff(0.5, 30.0, per_minute=10, rng=random.Random(seed), clock=lambda: now[0])
    tries = []
    for _ in range(60):
        now[0] += backoff.next_s()
        tries.append(now[0])
        if len(tries) % 7 == 0:
            backoff.worked()
    assert all(later - first >= 60 - 1e-6 for first, later in zip(tries, tries[10:], strict=False))


def test_waits_grow_are_drawn_in_full_and_begin_anew() -> None:
    backoff = Backoff(0.5, 30.0, rng=random.Random(1))
    waits = [Backoff(0.5, 30.0, rng=random.Random(seed)).next_s() for seed in range(200)]
    assert min(waits) < 0.05
    assert max(waits) > 0.45
    assert max(backoff.next_s() for _ in range(50)) > 15
    backoff.worked()
    assert backoff.next_s() <= 0.5


def test_a_breaker_waits_twice_as_long_each_time() -> None:
    now = [0.0]
    breaker = Breaker("x", after=1, pause_s=1.0, longest_s=5.0, clock=lambda: now[0])
    pauses = []
    for _ in range(5):
        breaker.failed("HTTP 503")
        pauses.append(breaker.wait_s)
        now[0] += breaker.wait_s
        assert breaker.allows()
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert breaker.opened == 5
    with pytest.raises(BadValue, match="breaker x"):
        Breaker("x", after=0)


# -- time there --------------------------------------------------------------------------------------------------
@given(
    offset_ms=st.integers(-100_000, 100_000),
    trips=st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), min_size=1, max_size=20),
)
def test_the_offset_is_right_within_its_error(offset_ms: int, trips: list[tuple[int, float]]) -> None:
    clock, now = ClockOffset(), 10**18
    for took_ms, share in trips:
        there = now + int(took_ms * share * 1e6) + offset_ms * 10**6
        clock.measured(there, now, now + took_ms * 10**6)
        now += 10**9
        assert abs(clock.offset_ns - offset_ms * 10**6) <= clock.error_ns + 1
    assert clock.steps == 0


def test_a_clock_that_was_set_is_measured_anew() -> None:
    clock = ClockOffset()
    clock.measured(1_000_000_000, 999_000_000, 1_001_000_000)
    clock.measured(9_000_000_000, 1_999_000_000, 2_009_000_000)
    assert clock.steps == 1
    assert clock.offset_ns == 9_000_000_000 - 2_004_000_000


async def test_health_tells_states_with_reasons() -> None:
    answers: list[Probed | Exception] = [
        Probed(0, 1_000_000, 0),
        *[VenueDown("test", "HTTP 502", "ask again")] * 3,
        Probed(0, 3_000_000_000),
        Probed(0, 1_000_000),
        KeysRefused("test", "revoked", "renew the keys"),
        Probed(0, 1_000_000),
    ]
    told: list[str] = []

    async def probe() -> Probed:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    health = Health(probe, changed=lambda state, reason: told.append(state))
    while answers:
        await health.check()
    assert told == ["healthy", "degraded", "down", "degraded", "healthy", "unauthorised"]
    assert (health.state, "revoked" in health.reason) == (
        "unauthorised",
        True,
    )  # a probe that worked ends that not
    assert health.latency.count == 4


async def test_probing_goes_on_by_itself() -> None:
    asked = 0

    async def probe() -> Probed:
        nonlocal asked
        asked += 1
        return Probed(0, 1)

    health = Health(probe, every_s=0.01)
    health.start()
    await until(lambda: asked >= 3)
    await health.close()
    assert health.state == "closed"


# -- addresses ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "address", ["https://api.example.com/v2", "wss://x.example", "http://127.0.0.1:8", "ws://[::1]:8/a"]
)
def test_addresses_that_may_be_used(address: str) -> None:
    assert str(checked_address("test", address)) == address


@pytest.mark.parametrize(
    "address",
    ["http://api.example.com", "ws://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example"],
)
def test_plain_addresses_are_for_this_machine(address: str) -> None:
    with pytest.raises(UnsafeVenue, match="not encrypted"):
        checked_address("test", address)


@pytest.mark.parametrize(
    "address",
    ["", "ftp://x", "https://", "https://u:p@x.example", "https://x.example/?a=1", "https://x#f", "x"],
)
def test_addresses_that_make_no_sense(address: str) -> None:
    with pytest.raises(BadValue, match="test address"):
        checked_address("test", address)


def test_exceptions_to_tls_are_for_this_machine() -> None:
    for exception in ({"pin_sha256": "00" * 32}, {"loopback_unverified": True}):
        with pytest.raises(UnsafeVenue, match="not this machine"):
            tls_for("test", URL("https://api.example.com"), **exception)
    assert tls_for("test", URL("https://api.example.com")) is True
    assert tls_for("test", URL("https://localhost:5000"), loopback_unverified=True) is False
    with pytest.raises(BadValue, match="64 hex digits"):
        tls_for("test", URL("https://localhost:5000"), "beef")


# -- payloads ----------------------------------------------------------------------------------------------------
class Row(msgspec.Struct):
    qty: str
    note: str | None = None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON"),
        (b"<html>502 Bad Gateway</html>", "no JSON"),
        (b'{"qty": "1"', "no JSON"),
        (b"\xff\xfe{}", "no JSON"),
        (b'{"qty": NaN}', "no JSON"),
        (b'{"qty": 1}', "another shape: Expected `str`, got `int` - at `$.qty`"),
        (b"{}", "missing required field `qty`"),
        (b"[]", "another shape"),
        (b"[" * 100_000, "nested deeper than 32"),
        (b'{"qty": "1", "x": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "nested deeper than 32"),
    ],
)
def test_what_cannot_be_read_is_a_typed_error(body: bytes, says: str) -> None:
    with pytest.raises(VenueGarbled) as caught:
        decode("test", body, Row, what="an order")
    assert says in str(caught.value)
    assert str(caught.value).startswith("test: an order")


def test_extra_fields_are_left_out_and_brackets_in_texts_are_no_depth() -> None:
    wide = b'{"qty": "1", "note": "' + b"[{" * 50 + b'\\"[", "new": {"a": [1]}}'
    assert decode("test", wide, Row, what="an order").qty == "1"
    assert decode("test", b"[" + b"{}," * 100 + b"{}]", what="a list") == [{}] * 101
    assert encode({"qty": "1"}) == b'{"qty":"1"}'


def test_messagepack() -> None:
    assert decode_msgpack("test", msgspec.msgpack.encode([{"T": "t"}]), what="a frame") == [{"T": "t"}]
    for body in (b"", b"\xc1", b"\x91" * 50_000):
        with pytest.raises(VenueGarbled, match="a frame is no MessagePack"):
            decode_msgpack("test", body, what="a frame")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_typed_error(body: bytes) -> None:
    for read in (
        lambda: decode("test", body, what="x"),
        lambda: decode("test", body, Row, what="x"),
        lambda: decode_msgpack("test", body, what="x"),
    ):
        with contextlib.suppress(VenueGarbled):
            read()


# -- numbers -----------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=300))
def test_durations_are_right_within_a_bucket(values: list[int]) -> None:
    some = Durations()
    for ns in values:
        some.record(ns)
    exact = sorted(values)[max(0, -(-50 * len(values) // 100) - 1)]
    assert some.percentile_s(50) == pytest.approx(exact / 1e9, rel=0.13, abs=2e-9)
    assert some.longest_s == max(values) / 1e9
    counts = some.over_bounds((1e-6, 1e-3, 1.0, 1000.0))
    assert counts == sorted(counts)
    assert counts[-1] == len(values)


async def test_open_pools_are_listed_and_closed_ones_forgotten() -> None:
    pool = Pool("test", [Rolling("all", 5, 60.0)], name="paper-1")
    assert "paper-1" not in [row.name for row in snapshots()]
    pool.open()
    rows = [row for row in snapshots() if row.name == "paper-1"]
    assert [(row.venue, row.mode, row.state, row.headroom) for row in rows] == [
        ("test", "paper", "unknown", {"all": 1.0})
    ]
    assert json.loads(msgspec.json.encode(rows[0]))["limited"] == 0
    await pool.close()
    assert [row for row in snapshots() if row.name == "paper-1"] == []


def test_limits_of_the_user_stay() -> None:
    pool = Pool("test", [Rolling("all", 5, 60.0)], limits={"all": 50})
    pool.limiter.budgets["all"].observe_limit(5)
    assert pool.limiter.budgets["all"].limit == 50
    with pytest.raises(BadValue, match=r"test limits\.al = 3: no such allowance; there are: all"):
        Pool("test", [Rolling("all", 5, 60.0)], limits={"al": 3})


# -- keys --------------------------------------------------------------------------------------------------------
SECRET = "s3cr3t-do-not-show"


def test_keys_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"ALPACA_KEY": "PK1", "ALPACA_SECRET": SECRET}
    keys = read_credentials("env:ALPACA", tmp_path, environ=environ)
    assert (keys.key, keys.secret, keys.more("passphrase")) == ("PK1", SECRET, "")
    with pytest.raises(BadInput, match="environment variable OTHER_KEY and OTHER_SECRET is not set"):
        read_credentials("env:OTHER", tmp_path, environ=environ)


def secrets_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "paper"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_keys_come_from_a_private_file(tmp_path: Path) -> None:
    path = secrets_file(tmp_path, f'key = "PK1"\nSECRET = "{SECRET}"\nprivate_key = "PEM"\n')
    for reference in ("file:paper", f"file:{path}"):
        keys = read_credentials(reference, tmp_path)
        assert (keys.key, keys.secret, keys.more("private_key")) == ("PK1", SECRET, "PEM")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    secrets_file(tmp_path, f'key = "PK1"\nsecret = "{SECRET}"\n', mode)
    with pytest.raises(Refused, match="can be read by others: chmod 600"):
        read_credentials("file:paper", tmp_path)


def test_links_folders_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    target = secrets_file(tmp_path, f'key = "PK1"\nsecret = "{SECRET}"\n')
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "folder", "pipe"):
        with pytest.raises(Refused, match=re.escape(f"secrets file '{tmp_path / name}'")):
            read_credentials(f"file:{name}", tmp_path)
    with pytest.raises(BadInput, match="does not exist"):
        read_credentials("file:none", tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("key = ", "is no TOML"),
        (f"oops {SECRET}", "is no TOML"),
        ('secret = "x"', "give the key the venue issued"),
        ('key = "PK1"\nsecret = "changeme"', "give the key the venue issued"),
        ('key = "PK1"\nsecret = 5', "give the key the venue issued"),
        ("# " + "x" * 70_000, "too large"),
    ],
)
def test_a_file_without_keys_says_so_and_shows_nothing(tmp_path: Path, text: str, says: str) -> None:
    secrets_file(tmp_path, text)
    with pytest.raises((BadInput, Refused)) as caught:
        read_credentials("file:paper", tmp_path)
    assert says in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("reference", ["", "env:", "file:", "vault:x", "PK123"])
def test_other_references_are_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(BadValue, match="write env:PREFIX, file:NAME or keyring:SERVICE"):
        read_credentials(reference, tmp_path)


def test_keys_come_from_the_key_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring

    stored = {("alpaca", "key"): "PK1", ("alpaca", "secret"): SECRET}
    monkeypatch.setattr(keyring, "get_password", lambda service, name: stored.get((service, name)))
    assert read_credentials("keyring:alpaca", tmp_path).secret == SECRET
    with pytest.raises(BadInput, match="key ring service 'binance' has no key and secret"):
        read_credentials("keyring:binance", tmp_path)


def test_nothing_shows_a_secret() -> None:
    keys = Credentials("PKABCDEFG", SecretStr(SECRET), {"pem": SecretStr(SECRET)})
    headers = SignedHeaders({"APCA-API-SECRET-KEY": SECRET})
    shown = [
        repr(keys),
        str(keys),
        f"{keys}",
        f"{keys!r:>40}",
        keys.key_id,
        repr(headers),
        str(headers),
        f"{headers}",
    ]
    shown += [
        repr([keys]),
        repr({"k": keys}),
        str(headers.copy()) if isinstance(headers.copy(), SignedHeaders) else "",
    ]

    def fails(keys: Credentials, headers: SignedHeaders) -> None:
        raise ValueError("with locals")

    try:
        fails(keys, headers)
    except ValueError as error:
        shown += list(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert [text for text in shown if SECRET in text or "PKABCDEFG" in text] == []
    with pytest.raises(Refused, match="not pickled"):
        pickle.dumps(keys)
    with pytest.raises(TypeError):
        json.dumps(keys)
    with pytest.raises(TypeError):
        msgspec.json.encode(keys)


def test_the_pool_shows_no_secret_either() -> None:
    pool = small_pool()
    shown: Any = msgspec.to_builtins(pool.snapshot())
    assert "key" not in json.dumps(shown).lower()
