"""Where keys come from, and how they are kept out of everything that is shown.

    env:ALPACA            ALPACA_KEY and ALPACA_SECRET in the environment
    file:alpaca-paper     a file in the secrets folder (or an absolute path): KEY = "...", SECRET = "..." as TOML
    keyring:alpaca-paper  the system's key ring (extra `keyring`): entries "key" and "secret" of that service

Lives here: reading them. Not here: what a venue does with them (its client.py).
"""

import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from workbench.errors import BadInput, BadValue, Refused

__all__ = ["Credentials", "SignedHeaders", "read_credentials"]

_WEAK: Final = frozenset(
    {"", "changeme", "change-me", "secret", "super-secret", "password", "test", "xxx", "none"}
)
_MOST_BYTES: Final = 65_536  # an RSA key in PEM is 3 kB


class Credentials:
    """A key and its secret (or private key), shown by nothing: not repr, str, format, JSON, pickle or a traceback.

    >>> keys = Credentials("PKABC123", SecretStr("s3cr3t"))
    >>> keys, f"{keys}", keys.key_id
    (<Credentials ***>, '<Credentials ***>', 'PK***')
    """

    __slots__ = ("_key", "_more", "_secret")

    def __init__(self, key: str, secret: SecretStr, more: Mapping[str, SecretStr] | None = None) -> None:
        self._key, self._secret, self._more = SecretStr(key), secret, dict(more or {})

    @property
    def key(self) -> str:
        """The key itself: for the request's header only."""
        return self._key.get_secret_value()

    @property
    def secret(self) -> str:
        """The secret itself: for signing only."""
        return self._secret.get_secret_value()

    def more(self, name: str) -> str:
        """A further value of the file by its lower-case name; empty when it is not there."""
        value = self._more.get(name)
        return value.get_secret_value() if value is not None else ""

    @property
    def key_id(self) -> str:
        """Enough of the key to tell two apart, and no more."""
        return f"{self.key[:2]}***"

    def __repr__(self) -> str:
        return "<Credentials ***>"

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        raise Refused("credentials are not pickled: read them again where they are needed")


class SignedHeaders(dict[str, str]):
    """Headers that hold a key or a signature; a traceback or a log line shows their names alone.

    >>> SignedHeaders({"X-Key": "PKABC123"})
    <headers X-Key: ***>
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<headers " + ", ".join(f"{name}: ***" for name in self) + ">"

    __str__ = __repr__


def read_credentials(
    reference: str, folder: Path, *, environ: Mapping[str, str] | None = None
) -> Credentials:
    """The keys a reference of the settings names; `folder` is the secrets folder.

    Raises:
        BadValue: the reference has another form, or a value is empty or a placeholder.
        BadInput: the variables, the file or the entry are missing.
        Refused: the file can be read by others, is a link, or belongs to somebody else; or the extra is missing.
    """
    kind, _, name = reference.partition(":")
    readers: dict[str, Callable[[], Mapping[str, str]]] = {
        "env": lambda: _from_environment(name, os.environ if environ is None else environ),
        "file": lambda: _from_file(folder / name),
        "keyring": lambda: _from_keyring(name),
    }
    if kind not in readers or not name:
        raise BadValue("credentials", reference, "write env:PREFIX, file:NAME or keyring:SERVICE")
    values = readers[kind]()
    for field in ("key", "secret"):
        if values.get(field, "").strip().lower() in _WEAK:
            raise BadValue(f"credentials {reference} {field}", "***", "give the key the venue issued")
        if not values[field].strip().isprintable() and field == "key":
            raise BadValue(f"credentials {reference} {field}", "***", "it has characters no header can carry")
    more = {field: SecretStr(value) for field, value in values.items() if field not in ("key", "secret")}
    return Credentials(values["key"].strip(), SecretStr(values["secret"].strip()), more)


def _from_environment(prefix: str, environ: Mapping[str, str]) -> Mapping[str, str]:
    names = {field: f"{prefix}_{field.upper()}" for field in ("key", "secret")}
    missing = [name for name in names.values() if not environ.get(name)]
    if missing:
        raise BadInput(
            f"environment variable {' and '.join(missing)} is not set: set it, or name a secrets file"
        )
    return {field: environ[name] for field, name in names.items()}


def _from_file(path: Path) -> Mapping[str, str]:
    try:
        # O_NONBLOCK: opening a pipe must not wait for somebody to write into it
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise BadInput(f"secrets file '{path}' does not exist: make it with mode 0600") from error
    except OSError as error:
        text = f"secrets file '{path}' cannot be opened ({error.strerror})"
        raise Refused(f"{text}: it must be a plain file of your own, not a link") from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"secrets file '{path}' is no plain file: make it one, with mode 0600")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise Refused(f"secrets file '{path}' can be read by others: chmod 600 it, and renew the keys")
        if found.st_uid != os.geteuid():
            raise Refused(f"secrets file '{path}' belongs to another user: make your own")
        body = os.read(handle, _MOST_BYTES + 1)
    finally:
        os.close(handle)
    if len(body) > _MOST_BYTES:
        raise Refused(f"secrets file '{path}' is too large: it holds a key and a secret")
    try:
        values = tomllib.loads(body.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # without the parser's own text and cause: both quote the file
        raise BadInput(f'secrets file \'{path}\' is no TOML: write key = "..." and secret = "..."') from None
    return {name.lower(): value for name, value in values.items() if isinstance(value, str)}


def _from_keyring(service: str) -> Mapping[str, str]:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise Refused(
            "the key ring needs the extra 'keyring': `pip install -e '.[keyring]'` in the project's folder"
        ) from error
    try:
        found = {field: keyring.get_password(service, field) for field in ("key", "secret")}
    except KeyringError as error:
        text = f"the key ring cannot be asked for service '{service}' ({type(error).__name__})"
        raise BadInput(f"{text}: unlock or install one, or name a secrets file") from error
    missing = [field for field, value in found.items() if not value]
    if missing:
        raise BadInput(
            f"key ring service '{service}' has no {' and '.join(missing)}: add it with keyring set"
        )
    return {field: value for field, value in found.items() if value is not None}
