"""Published clients by folder, and running one against a fresh emulator of its venue.

Lives here: finding and running. Not here: what a client does (its file in its venue's folder), a step (session.py).
Adding a client is adding a file `clients/VENUE/NAME.py`: the test and `workbench bench clients` find it.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from workbench.testbed import emulated

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(__file__).resolve().parent
LONGEST_S = 110


def find_clients() -> list[tuple[str, str]]:
    """(venue, name) of every client there is."""
    return sorted((path.parent.name, path.stem) for path in FOLDER.glob("*/[a-z]*.py"))


async def run_client(venue: str, name: str, **settings: Any) -> dict[str, Any]:
    """The session of one client: tried, passed, and its steps. It runs in a process of its own, as its users run it."""
    async with emulated(venue, **settings) as emulator:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "ignore",  # what a client's own libraries warn of is not ours to judge
            "-m",
            f"tests.testbed.clients.{venue}.{name}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        facts = json.dumps(emulator.facts).encode()
        try:
            out, err = await asyncio.wait_for(process.communicate(facts), LONGEST_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"{name} ended with {process.returncode}: {err.decode()[-2_000:]}")
        report: dict[str, Any] = json.loads(out)
        report["books"] = emulator.console.state()
        return report
