"""Strategies out of text and out of folders. Adding a strategy is adding a file: nothing registers anything."""

import hashlib
import importlib
import linecache
import sys
import types
from pathlib import Path

from workbench.errors import BadInput, BadValue, StrategyError, UnknownName
from workbench.kernels.fingerprint import is_library
from workbench.strategy.base import Strategy

__all__ = ["find_strategies", "load_strategy", "source_of_loaded"]

_LOADED: dict[tuple[str, str], type[Strategy]] = {}
_ROOM = "workbench_strategy_"
_HELPERS: dict[str, tuple[Path, str]] = {}
"""Modules of the user's own that came with strategy files: the file each was made from, and the hash of its text."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Folders of installed packages, a person's own among them: these are not edited, and some cannot be imported twice."""


def load_strategy(source: str, name: str) -> type[Strategy]:
    """The strategy class `name` that `source` defines; the same text gives the same class object again.

    Raises:
        StrategyError: the text does not run; the message quotes the user's own line.
        UnknownName: it defines no such strategy.
    """
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    if (digest, name) in _LOADED:
        return _LOADED[digest, name]
    file = f"<strategy {name} {digest[:12]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = types.ModuleType(f"{_ROOM}{digest[:16]}")
    module.__file__ = file
    sys.modules[module.__name__] = module  # dataclasses and pickling look classes up by module
    _run(source, file, module, name)
    classes = _strategies_in(module)
    if name not in classes:
        raise UnknownName("strategy", name, classes)
    cls = _LOADED[digest, name] = classes[name]
    return cls


def source_of_loaded(cls: type) -> str | None:
    """The text `load_strategy` made this class from, or None."""
    if not cls.__module__.startswith(_ROOM):
        return None
    file = str(getattr(sys.modules.get(cls.__module__), "__file__", ""))
    return "".join(linecache.getlines(file)) or None


def find_strategies(folder: Path | str) -> dict[str, type[Strategy]]:
    """Every strategy class in the `*.py` files of a folder, by class name, in order of name.

    Files that start with `_` are helpers: they are not searched, but may be imported by the others. Files are read
    afresh each time, and so is an edited helper, wherever it stands.

    Raises:
        BadInput: no such folder, or two files define the same name.
        StrategyError: a file does not run.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(
            f"strategies folder '{folder}' does not exist: give the folder that holds your strategy files"
        )
    found: dict[str, type[Strategy]] = {}
    files: dict[str, str] = {}
    _forget_edited(folder.resolve())
    before, writes = set(sys.modules), sys.dont_write_bytecode
    sys.path.insert(0, str(folder.resolve()))
    sys.dont_write_bytecode = True  # bytecode is told by size and second: an edit may leave both as they were
    try:
        for path in sorted(folder.glob("[!_]*.py")):
            for name, cls in _of_file(path).items():
                if name in found:
                    raise BadInput(
                        f"strategy '{name}' stands in {files[name]} and in {path.name}: rename one of them"
                    )
                found[name], files[name] = cls, path.name
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(str(folder.resolve()))
        _remember(set(sys.modules) - before)
    return dict(sorted(found.items()))


def _remember(names: set[str]) -> None:
    """Note which of these new modules are the user's own files, and no installed package's wherever that stands."""
    for name in names:
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        ours = name.partition(".")[0] == "workbench" or getattr(module, "__spec__", None) is None
        if file and file.endswith(".py") and not ours and not is_library(module):
            path = Path(file).resolve()
            if _INSTALLED.isdisjoint(path.parts):
                _HELPERS[name] = (path, _text_hash(path))


def _forget_edited(folder: Path) -> None:
    """Let strategy files import their helpers anew when one was edited, or has a namesake in this folder. All of them:
    one may hold another's functions."""
    helpers = dict(_HELPERS)  # another thread may find strategies at the same time
    for name, (file, text) in helpers.items():
        if _text_hash(file) != text or _has_namesake(folder, name, file):
            break
    else:
        return
    for name in helpers:
        _HELPERS.pop(name, None)
        module = sys.modules.pop(name, None)
        linecache.cache.pop(str(getattr(module, "__file__", "")), None)
        package, _, last = name.rpartition(".")
        held = getattr(sys.modules.get(package), "__dict__", {})
        if module is not None and held.get(last) is module:
            del held[last]  # or `from package import helper` would answer the old one
    importlib.invalidate_caches()


def _has_namesake(folder: Path, name: str, file: Path) -> bool:
    """Whether a strategy file of this folder that imports `name` means another file than `file`."""
    place = folder.joinpath(*name.split("."))
    for there in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if there.is_file():
            return there.resolve() != file
    return False


def _text_hash(file: Path) -> str:
    """Hash of a file's text; "" where it cannot be read, which whoever imports it will say."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _of_file(path: Path) -> dict[str, type[Strategy]]:
    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StrategyError(f"strategy file {path.name} cannot be read: {error}") from error
    resolved = str(path.resolve())
    linecache.cache.pop(resolved, None)  # by size and time alone an edit of the same moment would not be seen
    module = types.ModuleType(f"strategies_{hashlib.sha256(resolved.encode()).hexdigest()[:8]}.{path.stem}")
    module.__file__ = resolved
    sys.modules[module.__name__] = module
    _run(source, resolved, module, path.name)
    return _strategies_in(module)


def _run(source: str, file: str, module: types.ModuleType, what: str) -> None:
    try:
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's own code
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise StrategyError(f"{what} line {error.lineno}: {error.msg}: {line}") from error
    except BadValue:
        raise
    except Exception as error:
        line_no = _line_in(file, error)
        line = linecache.getline(file, line_no).strip() if line_no else ""
        place = f" line {line_no}" if line_no else ""
        raise StrategyError(
            f"{what}{place}: {type(error).__name__}: {error}" + (f": {line}" if line else "")
        ) from error


def _line_in(file: str, error: BaseException) -> int:
    line, frame = 0, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == file:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _strategies_in(module: types.ModuleType) -> dict[str, type[Strategy]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
        and value.__name__ == name
        and not name.startswith("_")
    }
