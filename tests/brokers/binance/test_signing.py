"""Signatures made for Binance: its published examples exactly, every kind of key, and no key shown by an error."""

import json
import traceback
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from workbench.brokers.binance.client import BinanceDialect, query_of
from workbench.brokers.binance.config import Options
from workbench.brokers.binance.feed import BinanceFeed
from workbench.brokers.binance.signer import signer_of
from workbench.brokers.binance.sockets import Requests
from workbench.brokers.pool import Credentials
from workbench.config import BrokerSettings
from workbench.errors import BadInput, BadValue, Refused
from workbench.testbed.binance.refusals import Refusal
from workbench.testbed.binance.signing import ApiKey, Keyring, socket_payload, unsigned

# the example keys of the venue's own documentation
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = (
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # not-a-secret: a published example
)
KEYS = Credentials(KEY, SecretStr(SECRET))
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
PLAIN = NoEncryption()


def pem_of(
    private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    lock: KeySerializationEncryption = PLAIN,
) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()


FEED = BinanceFeed(BrokerSettings(venue="binance", credentials="env:X"), [])
NAMED = {"HMAC": KEY, "Ed25519": "E" * 20, "RSA": "R" * 20}
PAIRS = {
    "HMAC": KEYS,
    "Ed25519": Credentials(NAMED["Ed25519"], SecretStr(pem_of(PRIVATE))),
    "RSA": Credentials(NAMED["RSA"], SecretStr(pem_of(RSA))),
}
SIGNERS = {kind: signer_of(keys) for kind, keys in PAIRS.items()}


def dialect(kind: str = "HMAC", *, at_ms: int = 1_700_000_000_123, window: int = 5_000) -> BinanceDialect:
    made = BinanceDialect(PAIRS[kind], SIGNERS[kind], FEED.pool, Options("ws", window))
    made.now_ms = lambda: at_ms  # type: ignore[method-assign]
    return made


def ring() -> Keyring:
    """The venue's side of all three keys."""
    made = Keyring([ApiKey(KEY, secret=SECRET)])
    for kind, private in (("Ed25519", PRIVATE), ("RSA", RSA)):
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert made.register(NAMED[kind], public.decode()) == kind
    return made


RING = ring()


# -- published examples ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("payload", "signature"),
    [
        (
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
            "&timestamp=1499827319559",
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (
            "timestamp=1700000000123&symbol=LTCUSDT&side=BUY&newClientOrderId=x-TKT5PX2F0123456789abcdef012345"
            "&newOrderRespType=FULL&type=LIMIT&quantity=0.2&price=50&timeInForce=GTC&recvWindow=10000",
            "fe7f8dfa2c94a4d4d5ece810998f505c989ee6b3a4c01179313d712f4c394715",
        ),
        (
            "timestamp=1700000000123&symbol=BTCUSDT&side=BUY&newClientOrderId=x-TKT5PX2F0123456789abcdef012345"
            "&newOrderRespType=FULL&type=MARKET&quoteOrderQty=15&recvWindow=10000",
            "bffe8dbfce7ff3cfdd042e3624a7655bdfe14546e6daa85597f0fea02f448f92",
        ),
        (
            "timestamp=1700000000123&symbol=LTCUSDT&recvWindow=10000",
            "a0e371da2a9cdab1af54c3841c1263fee00dd72d3fffedba178c8f478f92f336",
        ),
    ],
)
def test_payloads_are_signed_as_published(payload: str, signature: str) -> None:
    assert signer_of(KEYS)(payload.encode()) == signature


def test_a_frame_is_signed_as_published() -> None:
    """Parameters sorted by name, numbers as they stand; the key is one of them."""
    made = Requests(KEYS, signer_of(KEYS), dialect(at_ms=1_645_423_376_532), 100)
    given_params = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
    }
    frame = json.loads(made.frame(1, "order.place", given_params))
    assert frame["params"]["signature"] == "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    assert frame["params"]["recvWindow"] == 100
    assert socket_payload(frame["params"]).startswith(b"apiKey=vmPUZE6mv9SD5VNH")


def test_an_ed25519_key_signs_as_published() -> None:
    payload = (
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918"
        "&recvWindow=5000"
    )
    sign = signer_of(Credentials(KEY, SecretStr(pem_of(PRIVATE))))
    assert sign.kind == "Ed25519"
    wanted = "m5loLRxgkb9HyW0wkZ4KNrpck881bx5D0OrKNnPklvk4tlGjEJkhiP9DoyC0sc1lXA/TWugjVPrMb/bfNdmdBw=="
    assert sign(payload.encode()) == wanted


# -- what is sent is what is signed ------------------------------------------------------------------------------
NAMES = st.text("abcXYZ", min_size=1, max_size=6).filter(lambda name: name not in ("signature", "timestamp"))
PARAMS = st.lists(st.tuples(NAMES, st.text(max_size=12).filter(lambda s: s.isprintable())), max_size=5)


@given(PARAMS, st.sampled_from(sorted(PAIRS)))
def test_law_every_signed_query_is_one_the_venue_takes(params: list[tuple[str, str]], kind: str) -> None:
    """Percent-encoding and all; one character changed and it is refused."""
    signed = dialect(kind, window=10_000).sign("POST", "/api/v3/order", query_of(params), b"")
    query, headers = signed
    assert query.isascii()
    read = dict(parse_qsl(query, keep_blank_values=True))
    assert (read["timestamp"], read["recvWindow"]) == ("1700000000123", "10000")
    raw = unsigned(query.encode())
    RING.check(headers["X-MBX-APIKEY"], raw, read["signature"])
    with pytest.raises(Refusal, match="Signature for this request is not valid"):
        RING.check(NAMED[kind], raw.replace(b"1700000000123", b"1700000000124"), read["signature"])


def test_public_questions_carry_neither_key_nor_signature() -> None:
    assert dialect().sign("GET", "/api/v3/depth", "symbol=BTCUSDT", b"") == ("symbol=BTCUSDT", {})


def test_headers_and_signers_show_no_key() -> None:
    _, headers = dialect().sign("GET", "/api/v3/account", "", b"")
    sign = signer_of(KEYS)
    assert KEY not in f"{headers} {headers!r} {sign!r}"
    assert SECRET not in f"{sign!r} {KEYS!r}"


# -- private keys ------------------------------------------------------------------------------------------------
def test_an_rsa_key_signs_with_pkcs1(tmp_path: Path) -> None:
    sign = signer_of(Credentials(KEY, SecretStr(pem_of(RSA))))
    assert sign.kind == "RSA"
    RSA.public_key().verify(b64decode(sign(b"a=1")), b"a=1", padding.PKCS1v15(), SHA256())


def test_a_private_key_may_stand_in_a_file_with_a_passphrase(tmp_path: Path) -> None:
    file = tmp_path / "trading.pem"
    file.write_text(pem_of(PRIVATE, BestAvailableEncryption(b"open sesame")))
    file.chmod(0o600)
    more = {"passphrase": SecretStr("open sesame")}
    for path in ("trading.pem", str(file)):
        sign = signer_of(Credentials(KEY, SecretStr(path), more), tmp_path)
        assert sign(b"x") == signer_of(Credentials(KEY, SecretStr(pem_of(PRIVATE))))(b"x")
    with pytest.raises(BadValue, match="its passphrase if it has one"):
        signer_of(Credentials(KEY, SecretStr("trading.pem")), tmp_path)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "open.pem"
    file.write_text(pem_of(PRIVATE))
    file.chmod(0o644)
    with pytest.raises(Refused, match=r"can be read by others.*chmod 600"):
        signer_of(Credentials(KEY, SecretStr("open.pem")), tmp_path)
    with pytest.raises(BadInput, match=r"missing\.pem' cannot be opened"):
        signer_of(Credentials(KEY, SecretStr("missing.pem")), tmp_path)
    link = tmp_path / "link.pem"
    link.symlink_to(file)
    with pytest.raises(BadInput, match=r"link\.pem' cannot be opened"):
        signer_of(Credentials(KEY, SecretStr("link.pem")), tmp_path)


@pytest.mark.parametrize(
    "secret",
    [
        pem_of(ec.generate_private_key(ec.SECP256R1())),
        "-----BEGIN PRIVATE KEY-----\nAAAABBBBCCCC\n-----END PRIVATE KEY-----\n",  # not-a-secret: garbage
        pem_of(PRIVATE)[:-30],
    ],
    ids=["another curve", "garbage", "cut short"],
)
def test_a_key_of_no_use_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(BadValue, match="give an RSA or Ed25519 private key in PEM") as caught:
        signer_of(Credentials(KEY, SecretStr(secret)))
    shown = "".join(traceback.format_exception(caught.value))
    assert secret.split("\n")[1] not in shown
