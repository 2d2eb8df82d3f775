"""Requests over TLS: whose certificate is trusted, and that nothing is sent where it is not."""

from typing import Any

import pytest
from aiohttp import web

from tests.brokers.pool.certificates import Authority, tls_server
from tests.brokers.pool.wires import http_server, rest_of
from workbench.brokers.pool import Pool, tls_for
from workbench.errors import UnsafeVenue, VenueDown


async def test_a_certificate_nobody_vouches_for_is_refused(pool: Pool) -> None:
    async with tls_server() as (root, fingerprint):
        rest, route = rest_of(pool, root)
        with pytest.raises(UnsafeVenue, match="cannot be trusted"):
            await rest.send("POST", route, "/x")
        pinned, _ = rest_of(pool, root, tls=tls_for("test", root, fingerprint))
        assert (await pinned.ask(route, "/x")).body == b"over TLS"
        wrong, _ = rest_of(pool, root, tls=tls_for("test", root, "00" * 32))
        with pytest.raises(UnsafeVenue, match="cannot be trusted"):
            await wrong.ask(route, "/x", tries=1)
        open_eyed, _ = rest_of(pool, root, tls=tls_for("test", root, loopback_unverified=True))
        assert (await open_eyed.ask(route, "/x")).status == 200


@pytest.mark.parametrize(
    "server",
    [
        {"days": (-10, -1)},  # expired
        {"days": (1, 10)},  # not valid yet
        {"ip": "127.0.0.9"},  # of another host
        {"authority": "another"},  # of an authority nobody asked for
    ],
    ids=lambda server: "-".join(map(str, server.values())),
)
async def test_certificates_are_checked_in_every_respect(pool: Pool, server: dict[str, Any]) -> None:
    trusted = Authority()
    async with tls_server(trusted) as (root, _):
        rest, route = rest_of(pool, root, tls=trusted.trusting())
        assert (await rest.ask(route, "/x")).body == b"over TLS"
    shown = dict(server)
    signer = Authority(shown.pop("authority")) if "authority" in shown else trusted
    async with tls_server(signer, **shown) as (root, _):
        rest, route = rest_of(pool, root, tls=trusted.trusting(), breaker="other")
        with pytest.raises(UnsafeVenue, match="cannot be trusted"):
            await rest.send("POST", route, "/x")
        assert pool.meters.requests["call"] == 2


async def test_a_plain_server_behind_https_is_refused(pool: Pool) -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response()

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root.with_scheme("https"))
        with pytest.raises((UnsafeVenue, VenueDown)):
            await rest.send("POST", route, "/x")
