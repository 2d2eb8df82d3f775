"""Find the Pythons of this machine that really start, newest first.

Lives here: where to look and how one is tried. Not here: what is done with the one taken (setup.py).
Standard library only, from Python 3.9: it runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator, Mapping, NamedTuple, Optional

OLDEST = (3, 12)
PROBE_TIMEOUT_S = 20.0
# What the candidate says about itself. A build without the GIL or a pre-release has no ready-made packages.
_QUESTION = (
    "import sys, sysconfig; v = sys.version_info; "
    "no_gil = sysconfig.get_config_var('Py_GIL_DISABLED') or 0; "
    "print('%d.%d.%d' % v[:3], sys.implementation.name, v.releaselevel, no_gil)"
)


class Python(NamedTuple):
    """One interpreter that started and told its version."""

    version: tuple[int, int, int]
    path: Path
    fits: bool

    @property
    def text(self) -> str:
        """The version as people write it."""
        return ".".join(str(part) for part in self.version)

    def answers(self, wanted: Optional[str]) -> bool:
        """Whether it is the version asked for, e.g. `3.12`; None asks for nothing."""
        return wanted is None or "{}.{}".format(*self.version[:2]) == wanted


def probe(path: Path) -> Optional[Python]:
    """Start it and ask; None when it does not start, as a version manager's shim without its version."""
    try:
        done = subprocess.run(
            [str(path), "-c", _QUESTION],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.fullmatch(r"(\d+)\.(\d+)\.(\d+) (\S+) (\S+) (\d)", done.stdout.strip())
    if done.returncode != 0 or said is None:
        return None
    version = (int(said[1]), int(said[2]), int(said[3]))
    fits = version[:2] >= OLDEST and (said[4], said[5], said[6]) == ("cpython", "final", "0")
    return Python(version, path, fits)


def places(env: Mapping[str, str]) -> Iterator[Path]:
    """Every file that by its name may be a Python: on PATH, then in pyenv's versions folder."""
    named = re.compile(r"python(3(\.\d+)?)?")
    for folder in env.get("PATH", "").split(os.pathsep):
        if folder and os.path.isdir(folder):
            yield from sorted(Path(folder, name) for name in os.listdir(folder) if named.fullmatch(name))
    pyenv = Path(env.get("PYENV_ROOT") or Path(env.get("HOME", "/"), ".pyenv"))
    yield from sorted(pyenv.glob("versions/*/bin/python"))


def candidates(env: Mapping[str, str], wanted: Optional[str] = None) -> list[Python]:
    """The Pythons that start and fit, newest first; of one version the one found first.

    `wanted` keeps one minor version only, e.g. `3.12`. Names that promise too old a version are not started.
    """
    found: dict[tuple[int, int, int], Python] = {}
    for path in places(env):
        promised = re.search(r"3\.(\d+)$", path.name)
        if promised and (3, int(promised[1])) < OLDEST:
            continue
        python = probe(path)
        if python is not None and python.fits and python.answers(wanted):
            found.setdefault(python.version, python)
    return [found[version] for version in sorted(found, reverse=True)]
