"""Make .venv from requirements.lock: what `make setup` runs. Also `--lock`, which makes the lock itself.

Lives here: the order of the steps, the stamp that makes a second run take a moment, the progress lines.
Not here: which Python is taken (pythons.py), Debian packages for tests (system_packages.py).

Runs before anything is installed, on any Python from 3.9: standard library only, no newer syntax.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.pythons import Python, candidates, probe

ROOT = Path(__file__).resolve().parent.parent
HEARTBEAT_S = 10.0
LOG_TAIL_LINES = 12


class SetupRefusedError(Exception):
    """Setting up cannot go on; the message is one line that says what to do."""


class NoWheelRefusedError(SetupRefusedError):
    """This Python has no ready-made file of some locked package; an older Python may."""


class Progress:
    """Plain lines with the seconds gone by: they read well in a terminal, in a log and in CI."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def say(self, text: str) -> None:
        print("setup: [{:5.1f} s] {}".format(time.monotonic() - self._began_s, text), flush=True)


class Workspace:
    """Where setup puts things inside one clone, and the commands that put them there."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self.root = root
        self.cache = root / ".cache"
        self.venv = root / ".venv"
        self.python = self.venv / "bin" / "python"
        self.lock = root / "requirements.lock"
        self.stamp = self.venv / "setup-stamp.json"
        self.log = self.cache / "setup.log"
        self.progress = progress

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

    def run(self, command: Sequence[str], doing: str, env: dict[str, str] | None = None) -> None:
        """Run one step: its own progress in a terminal; else quiet with a line every ten seconds."""
        self.cache.mkdir(exist_ok=True)
        began_s = time.monotonic()
        with self.log.open("w") as log:
            to_terminal = sys.stderr.isatty()
            out = None if to_terminal else log
            process = subprocess.Popen(list(command), stdout=out, stderr=out, env=env, cwd=str(self.root))
            try:
                while True:
                    try:
                        status = process.wait(HEARTBEAT_S)
                        break
                    except subprocess.TimeoutExpired:
                        if not to_terminal:
                            self.progress.say("still {} ({:.0f} s)".format(doing, time.monotonic() - began_s))
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if status != 0:
            tail = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            raise SetupRefusedError("\n".join([*tail, "{} failed (exit status {})".format(doing, status)]))


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


def locked_lines(lock_text: str, package: str) -> str:
    """The lines of one package in a hashed lock: its pin and its hashes.

    >>> print(locked_lines("a==1 \\\\\\n    --hash=sha256:0\\nuv==2 \\\\\\n    --hash=sha256:1\\n    # via x\\n", "uv"))
    uv==2 \\
        --hash=sha256:1
    """
    taken: list[str] = []
    for line in lock_text.splitlines():
        if line.startswith(package + "=="):
            taken.append(line)
        elif taken and line.startswith("    --hash"):
            taken.append(line)
        elif taken:
            break
    if not taken:
        raise SetupRefusedError("requirements.lock pins no {}; run `git checkout requirements.lock`".format(package))
    return "\n".join(taken)


def pip_setting(config_text: str, name: str) -> str | None:
    """One setting out of `pip config list`, the environment before the files, as pip itself ranks them.

    >>> pip_setting("global.index-url='a'\\n:env:.index-url='b'", "index-url")
    'b'
    """
    found = dict(re.findall(r"^(\S+?)\.%s='(.*)'$" % re.escape(name), config_text, re.MULTILINE))
    for section in (":env:", "install", "global"):
        if section in found:
            return str(found[section])
    return None


def uv_environment(bootstrap_python: Path) -> dict[str, str]:
    """The environment uv runs in: this machine's, plus the mirror and certificate that pip is set up with.

    uv does not read pip's configuration. pip's *extra* indexes are left out on purpose: uv takes a package from
    the first index that has it, so a partial mirror would hide versions; the lock asks for exact ones. Where the
    main index alone does not do, `install_locked` falls back to pip itself.
    """
    env = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON")}
    command = [str(bootstrap_python), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    if not any(key in env for key in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE")):
        index = pip_setting(listed, "index-url")
        if index:
            env["UV_DEFAULT_INDEX"] = index
    certificate = pip_setting(listed, "cert")
    if certificate and "SSL_CERT_FILE" not in env:
        env["SSL_CERT_FILE"] = certificate
    if "UV_CACHE_DIR" not in env and not os.access(os.path.expanduser("~"), os.W_OK):
        env["UV_CACHE_DIR"] = str(ROOT / ".cache" / "uv-cache")
    return env


def fetch_uv(work: Workspace) -> tuple[Path, Path]:
    """uv at the locked version, hash checked, in a folder of its own: (uv, the Python beside it)."""
    pinned = locked_lines(work.lock.read_text(), "uv")
    home = work.cache / "uv-{}".format(pinned.split("==")[1].split()[0])
    uv, python = home / "bin" / "uv", home / "bin" / "python"
    if uv.exists() and probe(python) is not None:
        return uv, python
    work.progress.say("fetching uv into {}".format(home.relative_to(work.root)))
    shutil.rmtree(str(home), ignore_errors=True)
    work.run([sys.executable, "-m", "venv", str(home)], "making uv's folder")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(pinned + "\n")
        wanted.flush()
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
        work.run([*pip, "--only-binary", ":all:", "--require-hashes", "-r", wanted.name], "fetching uv")
    return uv, python


def install_locked(work: Workspace, uv: Path, bootstrap_python: Path, env: dict[str, str]) -> None:
    """Everything in the lock, each file checked against its hash; what is not in the lock goes."""
    sync = [str(uv), "pip", "sync", "--python", str(work.python), "--require-hashes", "--no-build"]
    try:
        work.run([*sync, str(work.lock)], "installing", env)
    except SetupRefusedError as refused:
        if re.search(r"no (usable )?wheels|doesn't have a (source distribution or )?wheel", str(refused)):
            raise NoWheelRefusedError(str(refused)) from refused
        print(refused, file=sys.stderr)
        work.progress.say("uv could not; trying once more with pip, as this machine has it configured (slower)")
        pip = [str(bootstrap_python), "-m", "pip", "--disable-pip-version-check", "--python", str(work.python)]
        options = ["-q", "--only-binary", ":all:", "--require-hashes", "-r", str(work.lock)]
        work.run([*pip, "install", *options], "installing with pip")
    own = [str(uv), "pip", "install", "--python", str(work.python), "--no-deps", "--no-build-isolation", "--offline"]
    work.run([*own, "-q", "--editable", "."], "installing the project itself", env)


def make_venv(work: Workspace, uv: Path, bootstrap_python: Path, wanted: str | None, env: dict[str, str]) -> Python:
    """.venv with the newest Python that starts *and* has every locked package as a ready-made wheel."""
    existing = probe(work.python)
    choices = [existing] if existing is not None and existing.fits and existing.answers(wanted) else []
    keep = bool(choices)
    choices += [one for one in candidates(os.environ, wanted) if not keep]
    refused: SetupRefusedError | None = None
    for python in choices:
        try:
            if not keep:
                work.progress.say("making .venv with Python {} ({})".format(python.text, python.path))
                work.run([str(uv), "venv", "-q", "--clear", "--python", str(python.path), str(work.venv)], "making .venv", env)
            work.progress.say("installing the locked packages")
            install_locked(work, uv, bootstrap_python, env)
        except NoWheelRefusedError as exc:
            refused = exc
            work.progress.say("Python {} lacks a ready-made package; trying the next one".format(python.text))
        else:
            made = probe(work.python)
            if made is None:
                raise SetupRefusedError(".venv/bin/python does not start; remove .venv and run `make setup` again")
            return made
    if refused is not None:
        raise refused
    work.progress.say("no Python {} starts here; letting uv download one".format(wanted or "3.12 or newer"))
    try:
        download = [str(uv), "venv", "-q", "--clear", "--managed-python", "--python", wanted or "3.13", str(work.venv)]
        work.run(download, "downloading a Python", env)
    except SetupRefusedError as exc:
        text = "{}\nno Python {} here and none could be downloaded; install one (python.org, pyenv, your system)"
        raise SetupRefusedError(text.format(exc, wanted or "3.12 or newer")) from exc
    work.progress.say("installing the locked packages")
    install_locked(work, uv, bootstrap_python, env)
    made = probe(work.python)
    if made is None:
        raise SetupRefusedError("the downloaded Python does not start; install Python 3.12 or newer yourself")
    return made


def write_lock(work: Workspace, upgrade: bool) -> None:
    """requirements.lock anew from pyproject.toml: universal, hashed, free of addresses and paths."""
    uv, bootstrap_python = fetch_uv(work)
    work.progress.say("resolving requirements.lock" + (" anew" if upgrade else ", keeping the pins that still fit"))
    command = [str(uv), "pip", "compile", "pyproject.toml", "--universal", "--all-extras", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--python-version", "3.12", "-q"]
    command += ["--output-file", "requirements.lock"] + (["--upgrade"] if upgrade else [])
    work.run(command, "resolving", uv_environment(bootstrap_python))


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
        made = make_venv(work, uv, bootstrap_python, wanted, uv_environment(bootstrap_python))
        work.write_stamp(made)
    work.progress.say("ready: Python {} in .venv".format(made.text))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make setup", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", help="take this version only, e.g. 3.12")
    parser.add_argument("--lock", action="store_true", help="make requirements.lock instead of installing it")
    parser.add_argument("--upgrade", action="store_true", help="with --lock: newest versions instead of the present pins")
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
        print("setup: {}".format(refused), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
