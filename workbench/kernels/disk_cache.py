"""Compiled loops on disk, found by what they compute. Imports numba; leans on its private cache classes.

numba's own cache asks only whether the file of the *outer* function changed, and so serves old machine code after an
edit of a helper elsewhere. Here the key is the fingerprint of everything inside, with the versions of all libraries.
Files are written beside and renamed, carry a digest, and are shared by all processes of the user; a file that fails
its digest is compiled anew. Folder: `WORKBENCH_CACHE`, else `cache` under `WORKBENCH_HOME`, else the user's cache.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import sys
import time
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numba.core.caching
import numpy as np

__all__ = ["cache_folder", "is_kept", "library_versions", "remember"]

# private classes, used as they are in the pinned version; tests fail when they change
_CompileResultCacheImpl: Any = numba.core.caching.CompileResultCacheImpl
_FunctionCache: Any = numba.core.caching.FunctionCache
_IndexDataCacheFile: Any = numba.core.caching.IndexDataCacheFile

_FILES_KEPT = 600


def cache_folder() -> Path:
    """Where compiled loops lie; made private (0700) when missing."""
    named = os.environ.get("WORKBENCH_CACHE")
    home = os.environ.get("WORKBENCH_HOME")
    if named:
        folder = Path(named).expanduser()
    elif home:
        folder = Path(home).expanduser() / "cache"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench" / "compiled"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@functools.cache
def library_versions() -> str:
    """Everything besides the user's code that machine code depends on."""
    packages = (f"numba {numba.__version__}", f"llvmlite {llvmlite.__version__}", f"numpy {np.__version__}")
    return "; ".join(
        [platform.python_implementation(), sys.version, platform.machine(), *packages, _own_code()]
    )


def _own_code() -> str:
    """Digest of the compiler's own sources: a changed loop or layout must never meet an old file."""
    digest = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(__file__).parent.parent / "strategy"):
        for file in sorted(folder.glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


class _Place:
    """What numba calls a locator: here it only names the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._py_file = __file__

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(self._folder)


class _Impl(_CompileResultCacheImpl):  # type: ignore[misc]
    def __init__(self, place: _Place, name: str) -> None:
        self._locator = place
        self._lineno = 0
        self._filename_base = name


class _DigestedFile(_IndexDataCacheFile):  # type: ignore[misc]
    """Index and data files that start with the sha256 of the rest: nothing that does not fit is ever unpickled."""

    def _save_index(self, overloads: Any) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_index(self) -> Any:
        held = self._read(self._index_path)
        if held is None or held[:2] != (self._version, self._source_stamp):
            return {}
        return held[2]

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _write(self, path: str, data: Any) -> None:
        raw = self._dump(data)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(raw).digest() + raw)

    def _read(self, path: str) -> Any:
        """What `_write` wrote; None when the file is missing or damaged (the loop is then compiled again)."""
        try:
            raw = Path(path).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(raw[32:]).digest() != raw[:32]:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # keeps it from the oldest, which are forgotten first
        return pickle.loads(raw[32:])  # noqa: S301 - our own file in a private folder, digest checked


class _SoundCache(_FunctionCache):  # type: ignore[misc]
    def __init__(self, py_func: Any, folder: Path, name: str, key: str) -> None:
        self._name = name
        self._py_func = py_func
        self._key = key
        self._impl = _Impl(_Place(folder), name)
        self._cache_path = str(folder)
        self._cache_file = _DigestedFile(cache_path=str(folder), filename_base=name, source_stamp=key)
        self.enable()

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (sig, codegen.magic_tuple(), self._key)

    def _save_overload(self, sig: Any, data: Any) -> None:
        try:
            super()._save_overload(sig, data)
        except OSError:  # a full or read-only disk costs the next start a second, nothing else
            self.disable()


def remember(function: Any, key: str) -> None:
    """Let the compiled `function` be found on disk by `key`, which must cover everything it computes.

    Its name must contain the key (symbols of several files meet in one process).
    """
    try:
        folder = cache_folder()
        _forget_oldest(folder)
    except OSError:
        return
    function._cache = _SoundCache(function.py_func, folder, function.py_func.__name__, key)


def is_kept(name: str) -> bool:
    """Whether a function called `name` (which holds its key) is on disk."""
    try:
        return (cache_folder() / f"{name}.nbi").exists()
    except OSError:
        return False


def _forget_oldest(folder: Path) -> None:
    files = [entry for entry in os.scandir(folder) if entry.is_file()]
    if len(files) <= _FILES_KEPT:
        return
    edge = time.time() - 60
    for entry in sorted(files, key=lambda entry: entry.stat().st_mtime)[: len(files) - _FILES_KEPT // 2]:
        if entry.stat().st_mtime < edge:
            Path(entry.path).unlink(missing_ok=True)
