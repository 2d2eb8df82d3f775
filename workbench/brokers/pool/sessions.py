"""Addresses that may be used, and what certificates must be: for requests and WebSockets alike.

Lives here: those rules, and the session WebSockets are opened with. Not here: requests (http.py, rest.py), WebSockets
themselves (stream.py), keys (credentials.py).

Remote hosts are spoken to by https and wss only, with the certificate verified; there is no switch for that. Plain
http and ws exist for loopback, where emulators are. A gateway on this machine that has a certificate of its own making
(Interactive Brokers') is either pinned by its SHA-256, or accepted unverified, which loopback alone may be.
"""

import ssl
from typing import Final

import aiohttp
from yarl import URL

from workbench.errors import BadValue, UnsafeVenue

__all__ = ["TLS_ERRORS", "Tls", "checked_address", "is_loopback", "open_session", "tls_for"]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PLAIN: Final = frozenset({"http", "ws"})
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})
TLS_ERRORS: Final = (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError)
"""What a certificate that cannot be trusted raises."""

type Tls = bool | aiohttp.Fingerprint | ssl.SSLContext


def is_loopback(host: str | None) -> bool:
    """Whether a host name is this machine itself, by its exact name.

    >>> is_loopback("127.0.0.1"), is_loopback("127.0.0.1.example.org")
    (True, False)
    """
    return host in _LOOPBACK


def checked_address(venue: str, address: str) -> URL:
    """The address as a URL, when it may be spoken to.

    Raises:
        BadValue: it is no http, https, ws or wss address, or carries a user, a query or a fragment.
        UnsafeVenue: it is not encrypted and not on this machine.
    """
    try:
        url = URL(address)
    except ValueError as error:
        raise BadValue(f"{venue} address", address, f"give a URL ({error})") from error
    if url.scheme not in _SCHEMES or not url.host or url.user or url.query_string or url.fragment:
        raise BadValue(f"{venue} address", address, "give https://HOST[:PORT]/PATH (or wss)")
    if url.scheme in _PLAIN and not is_loopback(url.host):
        text = f"address '{url}' is not encrypted"
        raise UnsafeVenue(venue, text, "use https or wss; plain addresses are for this machine only")
    return url


def tls_for(venue: str, url: URL, pin_sha256: str = "", *, loopback_unverified: bool = False) -> Tls:
    """How to check the certificate of `url`: verified by the system's authorities, unless it is on this machine and
    pinned or (asked for by name) taken as it is.

    Raises:
        BadValue: the pin is no SHA-256 in hex. UnsafeVenue: an exception is asked for a remote host.
    """
    if (pin_sha256 or loopback_unverified) and not is_loopback(url.host):
        text = f"host '{url.host}' is not this machine"
        raise UnsafeVenue(venue, text, "remove the pin: remote certificates are always verified")
    if pin_sha256:
        digits = pin_sha256.replace(":", "").lower()
        if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
            raise BadValue(
                f"{venue} pin_sha256", pin_sha256, "give the certificate's SHA-256 as 64 hex digits"
            )
        return aiohttp.Fingerprint(bytes.fromhex(digits))
    return not loopback_unverified


def open_session() -> aiohttp.ClientSession:
    """The session WebSockets are opened with: verified TLS, no cookies, no proxies from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "workbench"},
        trust_env=False,
    )
