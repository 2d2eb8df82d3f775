"""One clone as setup sees it: its folders, and the stamp that makes a second run take a moment.

Not here: the steps that fill them (setup.py). Standard library only, from Python 3.9.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from pathlib import Path
from typing import Iterator, Sequence

from tools.pythons import Python, probe
from tools.steps import Progress, run_step


class Workspace:
    """Where setup puts things inside one clone, and the commands that put them there."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self.root = root
        self.cache = root / ".cache"
        self.venv = root / ".venv"
        self.python = self.venv / "bin" / "python"
        self.lock = root / "requirements.lock"
        self.stamp = self.venv / "setup-stamp.json"
        self.progress = progress

    def run(self, command: Sequence[str], doing: str, env: dict[str, str] | None = None) -> None:
        """Run one step in the clone's folder; what it says is kept in .cache/setup.log."""
        run_step(
            command, doing, log_file=self.cache / "setup.log", progress=self.progress, env=env, cwd=self.root
        )

    def inputs_digest(self) -> str:
        """One digest over everything the environment is made from."""
        digest = hashlib.sha256()
        for name in ("requirements.lock", "pyproject.toml", "tools/setup.py"):
            digest.update(name.encode() + b"\0" + (self.root / name).read_bytes() + b"\0")
        # An editable install remembers its folder: a clone that was moved has to be installed again.
        digest.update(str(self.root).encode())
        return digest.hexdigest()

    def is_current(self, wanted: str | None) -> bool:
        """Whether .venv was made from exactly these inputs, for the Python asked for, and still starts."""
        try:
            stamp = json.loads(self.stamp.read_text())
        except (FileNotFoundError, ValueError):
            return False
        if not isinstance(stamp, dict) or stamp.get("inputs") != self.inputs_digest():
            return False
        found = probe(self.python)
        return found is not None and stamp.get("python") == found.text and found.answers(wanted)

    def write_stamp(self, python: Python) -> None:
        self.stamp.write_text(json.dumps({"inputs": self.inputs_digest(), "python": python.text}) + "\n")


@contextlib.contextmanager
def one_at_a_time(cache: Path, progress: Progress) -> Iterator[None]:
    """Two `make` in one clone take turns instead of writing into one .venv together."""
    cache.mkdir(exist_ok=True)
    with (cache / "setup.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another setup is running in this clone; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
