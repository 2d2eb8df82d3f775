"""Who may ask what at Binance: API keys, signatures over the parameters as they were sent, and when they were.

Lives here: verifying. Not here: making signatures (the adapter's client.py), what a key may do (methods.py).

REST signs the raw query directly followed by the raw body, without the signature; the WebSocket API signs its
parameters sorted by name. HMAC signatures are hex in either case; RSA (PKCS#1 v1.5) and Ed25519 ones base64.
"""

import binascii
import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from workbench.errors import BadValue
from workbench.testbed.binance.refusals import Refusal, missing
from workbench.testbed.binance.words import amount

__all__ = ["ApiKey", "Keyring", "check_time", "seeded_ed25519", "socket_payload", "unsigned"]

_SIGNATURE: Final = re.compile(rb"(?:^|&)signature=[^&]*")
_KEY: Final = re.compile(r"[A-Za-z0-9]{10,64}")
_AHEAD_NS: Final = 1_000_000_000
_USUAL_MS: Final = 5_000
_MOST_MS: Final = 60_000


class ApiKey:
    """One key: its id, and how its signatures are verified. `secret` is for HMAC, `public` for the others."""

    __slots__ = ("_public", "_secret", "kind", "name")

    def __init__(
        self, name: str, *, secret: str = "", public: Ed25519PublicKey | RSAPublicKey | None = None
    ) -> None:
        self.name, self._secret, self._public = name, secret.encode(), public
        self.kind = "HMAC" if public is None else "RSA" if isinstance(public, RSAPublicKey) else "Ed25519"

    def verifies(self, payload: bytes, signature: str) -> bool:
        """Whether the holder of this key has signed the payload."""
        public = self._public
        if public is None:
            right = hmac.digest(self._secret, payload, hashlib.sha256).hex()
            return hmac.compare_digest(right.encode(), signature.lower().encode())
        try:
            raw = b64decode(signature, validate=True)
            if isinstance(public, RSAPublicKey):
                public.verify(raw, payload, PKCS1v15(), SHA256())
            else:
                public.verify(raw, payload)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


class Keyring:
    """The keys of one account; further ones are registered by their public half, as at the venue's own website."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = {key.name: key for key in keys}

    def register(self, name: str, pem: str) -> str:
        """Take a public key; returns the API key's kind.

        Raises:
            BadValue: it is no RSA or Ed25519 public key in PEM.
        """
        advice = "give an RSA or Ed25519 public key in PEM"
        try:
            public = load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BadValue("public_key", pem[:30], advice) from error
        if not isinstance(public, RSAPublicKey | Ed25519PublicKey):
            raise BadValue("public_key", type(public).__name__, advice)
        key = self._keys[name] = ApiKey(name, public=public)
        return key.kind

    def revoke(self, name: str) -> None:
        """Forget a key; harmless when repeated."""
        self._keys.pop(name, None)

    def find(self, name: str) -> ApiKey:
        """The key of this id.

        Raises:
            Refusal: it is no key at all, or not one of ours.
        """
        if not _KEY.fullmatch(name):
            raise Refusal(-2014, "API-key format invalid.", 401)
        key = self._keys.get(name)
        if key is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return key

    def check(self, name: str, payload: bytes, signature: str) -> ApiKey:
        """The key that has signed the payload.

        Raises:
            Refusal: no such key, or another signature.
        """
        key = self.find(name)
        if not signature:
            raise missing("signature")
        if not key.verifies(payload, signature):
            raise Refusal(-1022, "Signature for this request is not valid.")
        return key


def unsigned(raw: bytes) -> bytes:
    """A query or form without its signature.

    >>> unsigned(b"symbol=X&signature=ab&side=BUY"), unsigned(b"signature=ab")
    (b'symbol=X&side=BUY', b'')
    """
    return _SIGNATURE.sub(b"", raw).removeprefix(b"&") if b"signature=" in raw else raw


def socket_payload(params: Mapping[str, Any]) -> bytes:
    """What is signed of a request over the WebSocket API: every parameter but the signature, sorted by name.

    >>> socket_payload({"symbol": "BTCUSDT", "recvWindow": 100, "flag": True, "signature": "x"})
    b'flag=true&recvWindow=100&symbol=BTCUSDT'
    """
    return "&".join(
        f"{name}={_said(params[name])}" for name in sorted(params) if name != "signature"
    ).encode()


def _said(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def check_time(params: Mapping[str, Any], now_ns: int) -> None:
    """Whether a signed request is of now.

    Raises:
        Refusal: it has no time, or is too old, or from the future.
    """
    given = params.get("timestamp")
    read = amount(given) if given is not None else None
    if read is None:
        raise missing("timestamp")
    sent = read[0] // 100_000_000
    sent_ns = sent * (1_000_000 if sent < 10**14 else 1_000)
    window_ns = _USUAL_MS * 1_000_000
    if params.get("recvWindow") is not None:
        window = amount(params["recvWindow"])
        if window is None:
            raise missing("recvWindow")
        window_ns = window[0] // 100
        if window_ns > _MOST_MS * 1_000_000:
            raise Refusal(-1131, "recvWindow must be less than 60000")
    if sent_ns >= now_ns + _AHEAD_NS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ns - sent_ns > window_ns:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def seeded_ed25519(seed: int) -> tuple[str, Ed25519PublicKey]:
    """A private key as PEM with its public half; the same seed gives the same ones."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{seed}-ed25519".encode()).digest())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode(), private.public_key()
