"""How long a connection to Binance lives: pings every 20 s, a pong within a minute, 24 hours at most.

Lives here: tending one connection. Not here: what it says (ws_api.py, streams.py).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from workbench.testbed.clock import VenueClock
from workbench.testbed.stream import Link

__all__ = ["tend"]

_LOOK_S: Final = 1.0
_PING_S: Final = 20.0
_PONG_S: Final = 60.0
_LIFE_NS: Final = 86_400_000_000_000
_NOTICE_NS: Final = 600_000_000_000


async def tend(link: Link, clock: VenueClock, farewell: Callable[[], None]) -> None:
    """Until cancelled, or until the connection's time is over; `farewell` is sent ten minutes before that. The age is
    counted by the venue's clock, silence by the machine's."""
    loop = asyncio.get_running_loop()
    opened_ns, pinged_s, warned = clock.now_ns(), loop.time(), False
    link.pong_s = pinged_s
    while True:
        await asyncio.sleep(_LOOK_S)
        now_s, age_ns = loop.time(), clock.now_ns() - opened_ns
        if age_ns >= _LIFE_NS - _NOTICE_NS and not warned:
            warned = True
            farewell()
        if age_ns >= _LIFE_NS:
            link.close(1008)
            return
        if now_s - link.pong_s > _PONG_S:
            link.close(1008)
            return
        if now_s - pinged_s >= _PING_S and not link.dead and not link.socket.closed:
            pinged_s = now_s
            try:
                await link.socket.ping(str(clock.now_ns() // 1_000_000).encode())
            except ConnectionError:
                return
