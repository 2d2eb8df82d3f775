"""A stream whose venue takes the connection and never answers the handshake."""

import asyncio

from tests.brokers.pool.wires import Talk, raw_server, small_pool, until
from workbench.brokers.pool import Backoff


async def test_a_venue_that_takes_the_connection_and_says_nothing_is_left() -> None:
    """Without a limit it would connect for ever."""
    taken = 0

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        await asyncio.Event().wait()

    pool = small_pool()
    pool.open()
    async with raw_server(mute) as root:
        url = root.with_scheme("ws")
        stream = pool.stream("orders", url, Talk(), greet_s=0.02, backoff=Backoff(0.001, 0.01))
        stream.start()
        await until(lambda: taken >= 2)
        assert stream.connects >= 2
        await pool.close()
