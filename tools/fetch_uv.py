"""Fetch uv, hash checked, into a folder of this clone, and give it the machine's own pip settings.

Not here: what uv is used for (setup.py). Standard library only, from Python 3.9.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.pythons import probe
from tools.steps import SetupRefusedError
from tools.workspace import Workspace


def locked_lines(lock_text: str, package: str) -> str:
    """The lines of one package in a hashed lock: its pin and its hashes.

    >>> lock = "a==1 \\n    --hash=sha256:0\\nuv==2 \\n    --hash=sha256:1\\n    # via x\\n"
    >>> print(locked_lines(lock, "uv"))
    uv==2
        --hash=sha256:1
    """
    taken: list[str] = []
    for line in lock_text.splitlines():
        if line.startswith(package + "==") or (taken and line.startswith("    --hash")):
            taken.append(line)
        elif taken:
            break
    if not taken:
        raise SetupRefusedError(
            "requirements.lock pins no {}; run `git checkout requirements.lock`".format(package)
        )
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


def uv_environment(work: Workspace, bootstrap_python: Path) -> dict[str, str]:
    """The environment uv runs in: this machine's, plus the mirror and certificate that pip is set up with.

    uv does not read pip's configuration. pip's *extra* indexes are left out on purpose: uv takes a package
    from the first index that has it, so a partial mirror would hide versions; the lock asks for exact ones.
    Where the main index alone does not do, setup falls back to pip itself.
    """
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON")
    }
    command = [str(bootstrap_python), "-m", "pip", "config", "list"]
    listed = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    ).stdout
    if not any(key in env for key in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE")):
        index = pip_setting(listed, "index-url")
        if index:
            env["UV_DEFAULT_INDEX"] = index
    certificate = pip_setting(listed, "cert")
    if certificate and "SSL_CERT_FILE" not in env:
        env["SSL_CERT_FILE"] = certificate
    if not os.access(os.path.expanduser("~"), os.W_OK):  # a service account has no home to keep things in
        env.setdefault("UV_CACHE_DIR", str(work.cache / "uv-cache"))
        env.setdefault("UV_PYTHON_INSTALL_DIR", str(work.cache / "pythons"))
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
