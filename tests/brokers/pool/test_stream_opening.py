"""A stream whose venue takes the connection and never answers the handshake."""

import asyncio

from yarl import URL

from tests.brokers.pool.wires import Talk, small_pool, until
from workbench.brokers.pool import Backoff


async def test_a_venue_that_takes_the_connection_and_says_nothing_is_left() -> None:
    """Without a limit it would connect for ever."""
    waiting: list[asyncio.StreamWriter] = []

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    pool = small_pool()
    pool.open()
    url = URL(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    stream = pool.stream("orders", url, Talk(), greet_s=0.02, backoff=Backoff(0.001, 0.01))
    stream.start()
    await until(lambda: len(waiting) >= 2)
    assert stream.connects >= 2
    await pool.close()
    for writer in waiting:
        writer.close()
    server.close()
