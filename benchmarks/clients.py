"""Published clients against the emulated venues: steps of a whole trading session tried and passed, by client.

Every client is a file in the tests' folder of clients; the same sessions run in the tests.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


async def _sessions(say: Callable[[str], None]) -> dict[str, Any]:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.testbed.clients.runner import find_clients, run_client

    clients: dict[str, Any] = {}
    for venue, name in find_clients():
        start = time.monotonic()
        report = await run_client(venue, name)
        failed = [f"{step['name']}: {step['text']}" for step in report["steps"] if not step["ok"]]
        clients[name] = {
            "client": report["client"],
            "version": report["version"],
            "venue": venue,
            "tried": report["tried"],
            "passed": report["passed"],
            "failed": failed,
            "seconds": round(time.monotonic() - start, 2),
        }
        say(f"{report['client']} {report['version']}: {report['passed']} of {report['tried']} steps")
    return clients


def run(say: Callable[[str], None]) -> dict[str, Any]:
    """Steps tried and passed of every client, and their sums."""
    clients = asyncio.run(_sessions(say))
    return {
        "clients": clients,
        "tried": sum(client["tried"] for client in clients.values()),
        "passed": sum(client["passed"] for client in clients.values()),
    }
