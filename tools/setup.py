"""Make .venv from requirements.lock: what `make setup` runs. Also `--lock`, which makes the lock itself.

Lives here: the order of the steps. Not here: which Python is taken (pythons.py), where uv comes from
(fetch_uv.py), when there is nothing to do (workspace.py), how a step is shown (steps.py), Debian's packages
for the tests (system_packages.py).

Runs before anything is installed, on any Python from 3.9: standard library only, no newer syntax.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.fetch_uv import fetch_uv, uv_environment
from tools.pythons import Python, candidates, probe
from tools.steps import Progress, SetupRefusedError
from tools.workspace import Workspace, one_at_a_time

ROOT = Path(__file__).resolve().parent.parent
FALLBACK_PYTHON = "3.13"  # what uv downloads where no Python fits


# Everything comes as a ready-made wheel, but for plain Python that its authors ship as source only (tests use it).
WHEELS_ONLY = ["--only-binary", ":all:", "--no-binary", "ibind"]


class NoWheelRefusedError(SetupRefusedError):
    """This Python has no ready-made file of some locked package; an older Python may."""


def install_locked(work: Workspace, uv: Path, bootstrap_python: Path, env: dict[str, str]) -> None:
    """Everything in the lock, each file checked against its hash; what is not in the lock goes. Bytecode is made now:
    the engine must start fast the first time, also where the environment forbids writing it later."""
    work.progress.say("installing the locked packages")
    target = ["--python", str(work.python)]
    try:
        work.run(
            [
                str(uv),
                "pip",
                "sync",
                *target,
                "--require-hashes",
                *WHEELS_ONLY,
                "--build-constraints",
                "tools/build_constraints.txt",
                "--compile-bytecode",
                str(work.lock),
            ],
            "installing",
            env,
        )
    except SetupRefusedError as refused:
        if re.search(r"no (usable )?wheels|doesn't have a (source distribution or )?wheel", str(refused)):
            raise NoWheelRefusedError(str(refused)) from refused
        print(refused, file=sys.stderr)
        work.progress.say("uv could not; once more with pip, as this machine has it configured (slower)")
        pip = [str(bootstrap_python), "-m", "pip", "--disable-pip-version-check", *target, "install", "-q"]
        work.run(
            [*pip, "--no-deps", *WHEELS_ONLY, "--require-hashes", "-r", str(work.lock)], "installing with pip"
        )
    own = [str(uv), "pip", "install", *target, "-q", "--offline", "--no-deps", "--no-build-isolation"]
    work.run([*own, "--editable", "."], "installing the project itself", env)


def make_venv(
    work: Workspace, uv: Path, bootstrap_python: Path, wanted: str | None, env: dict[str, str]
) -> Python:
    """.venv with the newest Python that starts *and* has every locked package as a ready-made wheel."""
    existing = probe(work.python)
    if existing is not None and existing.fits and existing.answers(wanted):
        install_locked(work, uv, bootstrap_python, env)
        return existing
    venv = [str(uv), "venv", "-q", "--clear", str(work.venv), "--python"]
    refused: NoWheelRefusedError | None = None
    for python in candidates(os.environ, wanted):
        work.progress.say("making .venv with Python {} ({})".format(python.text, python.path))
        work.run([*venv, str(python.path)], "making .venv", env)
        try:
            install_locked(work, uv, bootstrap_python, env)
        except NoWheelRefusedError as exc:
            refused = exc
            work.progress.say("Python {} lacks a ready-made package; trying an older one".format(python.text))
        else:
            return python
    if refused is not None:
        raise refused
    text = wanted or "3.12 or newer"
    work.progress.say("no Python {} starts here; letting uv download one".format(text))
    try:
        work.run([*venv, wanted or FALLBACK_PYTHON, "--managed-python"], "downloading a Python", env)
    except SetupRefusedError as exc:
        advice = (
            "no Python {} starts here and none could be downloaded; install one and run `make setup` again"
        )
        raise SetupRefusedError("{}\n{}".format(exc, advice.format(text))) from exc
    install_locked(work, uv, bootstrap_python, env)
    made = probe(work.python)
    if made is None:
        raise SetupRefusedError(
            "the downloaded Python does not start; install Python {} yourself".format(text)
        )
    return made


def write_lock(work: Workspace, upgrade: bool) -> None:
    """requirements.lock anew from pyproject.toml: universal, hashed, free of addresses and paths."""
    uv, bootstrap_python = fetch_uv(work)
    work.progress.say("resolving requirements.lock" + (" anew" if upgrade else ", keeping the pins that fit"))
    command = [str(uv), "pip", "compile", "pyproject.toml", "-q", "--output-file", work.lock.name]
    command += ["--universal", "--python-version", "3.12", "--all-extras", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header"]
    work.run(
        command + (["--upgrade"] if upgrade else []), "resolving", uv_environment(work, bootstrap_python)
    )


def set_up(work: Workspace, wanted: str | None) -> None:
    """Bring .venv to what the lock says; nothing at all when it is there already."""
    if work.is_current(wanted):
        work.progress.say("nothing changed")
        return
    with one_at_a_time(work.cache, work.progress):
        if work.is_current(wanted):
            work.progress.say("the other one has done it")
            return
        work.stamp.unlink(missing_ok=True)
        uv, bootstrap_python = fetch_uv(work)
        made = make_venv(work, uv, bootstrap_python, wanted, uv_environment(work, bootstrap_python))
        work.write_stamp(made)
    work.progress.say("ready: Python {} in .venv".format(made.text))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make setup", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--python", help="take this version only, e.g. 3.12")
    parser.add_argument("--lock", action="store_true", help="make requirements.lock instead of installing it")
    parser.add_argument(
        "--upgrade", action="store_true", help="with --lock: newest versions instead of the present pins"
    )
    options = parser.parse_args(argv)
    if options.python and not re.fullmatch(r"3\.\d+", options.python):
        parser.error("--python is a version such as 3.12, not {!r}".format(options.python))
    work = Workspace(ROOT, Progress())
    try:
        if options.lock:
            write_lock(work, options.upgrade)
        else:
            set_up(work, options.python or None)
    except SetupRefusedError as refused:
        *details, last = str(refused).splitlines()
        print("\n".join([*("  " + line for line in details), "setup: " + last]), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
