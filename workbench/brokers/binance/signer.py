"""Signing for Binance: HMAC with a secret, RSA or Ed25519 with a private key.

Lives here: reading a private key and making signatures. Not here: what is signed (client.py, sockets.py).

The secret of the credentials is the HMAC secret, or a private key in PEM, or the path of a file that holds one
(absolute, or beside the secrets file; nobody else may read it). A passphrase stands as `passphrase` in the same file.
"""

import hashlib
import hmac
import os
import stat
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from workbench.brokers.pool import Credentials
from workbench.errors import BadInput, BadValue, Refused

__all__ = ["Signer", "signer_of"]

_MARK: Final = "-----BEGIN"
_ENDING: Final = ".pem"


class Signer:
    """Signs payloads. `kind` is HMAC, RSA or Ed25519; HMAC signatures are hex, the others base64."""

    __slots__ = ("_sign", "kind")

    def __init__(self, kind: str, sign: Callable[[bytes], str]) -> None:
        self.kind, self._sign = kind, sign

    def __call__(self, payload: bytes) -> str:
        """The signature of a payload."""
        return self._sign(payload)

    def __repr__(self) -> str:
        return f"<Signer {self.kind} ***>"


def signer_of(keys: Credentials, folder: Path = Path()) -> Signer:
    """The signer for an account's keys; `folder` is the secrets folder.

    Raises:
        BadInput: a key file that is missing. BadValue: no RSA or Ed25519 private key.
        Refused: others can read the key file.
    """
    secret = keys.secret
    if secret.endswith(_ENDING) and _MARK not in secret:
        secret = _from_file(folder / secret)
    if _MARK not in secret:
        key = secret.encode()
        return Signer("HMAC", lambda payload: hmac.digest(key, payload, hashlib.sha256).hex())
    passphrase = keys.more("passphrase").encode() or None
    advice = "give an RSA or Ed25519 private key in PEM, and its passphrase if it has one"
    try:
        private = load_pem_private_key(secret.encode(), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # without the library's own text: it may quote the key
        raise BadValue("binance secret", "***", advice) from None
    if isinstance(private, Ed25519PrivateKey):
        return Signer("Ed25519", lambda payload: b64encode(private.sign(payload)).decode())
    if isinstance(private, RSAPrivateKey):
        rsa, padding, digest = private, PKCS1v15(), SHA256()
        return Signer("RSA", lambda payload: b64encode(rsa.sign(payload, padding, digest)).decode())
    raise BadValue("binance secret", type(private).__name__, advice)


def _from_file(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise BadInput(f"key file '{path}' cannot be opened ({error.strerror}): give its path") from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
            raise Refused(f"key file '{path}' can be read by others, or is no plain file: chmod 600 it")
        return os.read(handle, 65_536).decode("ascii", "replace")
    finally:
        os.close(handle)
