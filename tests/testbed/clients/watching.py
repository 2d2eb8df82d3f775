"""Waiting for what ccxt watches, when its subscription has no answer it would wait for.

Lives here: that. Not here: what is watched and what it has to say (the clients of ccxt in the venues' folders).
"""

import asyncio
from typing import Any

MOST_S = 60.0


async def placed_until_told(exchange: Any, pair: str, *watching: asyncio.Task[Any]) -> set[str]:
    """Place an order now and then until everything watched was told of one; the numbers of the orders placed."""
    placed: set[str] = set()
    async with asyncio.timeout(MOST_S):
        while not all(task.done() for task in watching):
            placed.add((await exchange.create_order(pair, "market", "buy", 0.01))["id"])
            await asyncio.wait(watching, timeout=0.5)
    return placed
