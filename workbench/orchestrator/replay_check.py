"""Replay in a fresh process with another PYTHONHASHSEED: what the journal says must come out again.

`python -m workbench.orchestrator.replay_check JOURNAL` prints one JSON object.
"""

import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import msgspec

from workbench.engine import Engine
from workbench.errors import JournalError, WorkbenchError
from workbench.journal import replay

__all__ = ["main", "replay_elsewhere"]


async def replay_elsewhere(journal: Path) -> dict[str, Any]:
    """Run the replay of `journal` in its own process; the report as a dictionary.

    Raises:
        JournalError: the replay could not be done; the text is the other process's last line.
    """
    seed = str(secrets.randbelow(2**32 - 1) + 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workbench.orchestrator.replay_check",
        str(journal),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    out, err = await process.communicate()
    if process.returncode:
        lines = err.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise JournalError(f"replay of '{journal}' failed: {lines[-1]}")
    report: dict[str, Any] = msgspec.json.decode(out)
    return {**report, "hash_seed": seed}


def main() -> None:
    """Replay the journal named on the command line."""
    try:
        report = replay(Path(sys.argv[1]), Engine)
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
