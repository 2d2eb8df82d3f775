"""The programs some tests need from the system: Chromium for the browser, promtool for the alert rules.

`--install` fetches what is missing where that is possible (root on Debian or Ubuntu). `--left-out` says, as
last words of a test run, which tests had to be left out and what to type. With CI=true a missing one is a
failure. Nothing else of the project needs root. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Need:
    """One program, the Debian packages that bring it, and the tests that are left out without it."""

    marker: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    tests: str

    def path(self) -> str | None:
        """Where the program is; None when it is not installed."""
        return next((found for name in self.programs if (found := shutil.which(name))), None)


NEEDS = (
    Need(
        "chromium",
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        # Without a font Chromium draws empty boxes.
        ("chromium", "fonts-dejavu-core"),
        "browser tests",
    ),
    # Debian ships promtool with the server. Where an init system runs, installing it also starts the server
    # on port 9090: `systemctl disable --now prometheus` ends that, the tests only use promtool.
    Need("promtool", ("promtool",), ("prometheus",), "checks of the Prometheus rules"),
)


def missing() -> list[Need]:
    """The needs this machine does not meet."""
    return [need for need in NEEDS if need.path() is None]


def in_ci(env: Mapping[str, str]) -> bool:
    """Whether this is a CI run, where leaving something out is a failure."""
    return env.get("CI", "").lower() in ("1", "true", "yes")


def left_out(needs: Sequence[Need]) -> list[str]:
    """One line for each group of tests that cannot run, with what to type."""
    return [
        f"left out: {need.tests}, as {need.programs[0]} is not installed;"
        f" type: sudo apt-get install --no-install-recommends {' '.join(need.packages)}"
        for need in needs
    ]


def install(needs: Sequence[Need], log_file: Path) -> int:
    """Install by apt-get, quietly, with a line every ten seconds; the exit status of the last command."""
    packages = [package for need in needs for package in need.packages]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    began_s = time.monotonic()
    print(f"tests: installing {' '.join(packages)} with apt-get", flush=True)
    commands = (
        ["apt-get", "-q", "update"],
        [
            "apt-get",
            "-q",
            "-y",
            "--no-install-recommends",
            "-o",
            "DPkg::Lock::Timeout=300",
            "install",
            *packages,
        ],
    )
    log_file.parent.mkdir(exist_ok=True)
    with log_file.open("w") as log:
        for command in commands:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
            while True:
                try:
                    status = process.wait(10)
                    break
                except subprocess.TimeoutExpired:
                    print(
                        f"tests: [{time.monotonic() - began_s:5.1f} s] still at {' '.join(command[:3])} ...",
                        flush=True,
                    )
    if status != 0:
        last = log_file.read_text(errors="replace").strip().splitlines()[-1:]
        print(f"tests: apt-get failed ({status}): {' '.join(last)}", file=sys.stderr)
    return status


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--install", action="store_true", help="install what is missing, where that is possible"
    )
    action.add_argument("--left-out", action="store_true", help="say which tests had to be left out")
    options = parser.parse_args(argv)
    needs = missing()
    if options.left_out:
        for line in left_out(needs):
            print(line)
        return 0
    if needs and os.geteuid() == 0 and shutil.which("apt-get"):
        install(needs, Path(__file__).resolve().parent.parent / ".cache" / "apt.log")
        needs = missing()
    if needs and in_ci(os.environ):
        for line in left_out(needs):
            print(f"tests: in CI nothing may be {line}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
