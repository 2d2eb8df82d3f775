"""The strategies one can name: the project's `strategies/` folder, the one of the current folder, the home's.

`workbench.strategies.RsiReversion` is the class; names complete with Tab. Files are read afresh each time.
"""

from pathlib import Path
from typing import Any

from workbench.errors import BadInput, UnknownName
from workbench.strategy.base import Strategy
from workbench.strategy.loader import find_strategies

__all__ = ["Library", "find_strategy", "strategies", "strategy_folders"]

_PROJECT = Path(__file__).resolve().parents[2]


def strategy_folders() -> list[Path]:
    """Folders that are searched, strongest first; those that do not exist are left out."""
    from workbench.config import home_folder  # settings cost more to import than all of this room

    own = [_PROJECT / "strategies"] if (_PROJECT / "pyproject.toml").exists() else []
    folders = [*own, Path.cwd() / "strategies", home_folder() / "strategies"]
    return [folder for folder in dict.fromkeys(f.resolve() for f in folders) if folder.is_dir()]


def find_strategy(name: str) -> type[Strategy]:
    """A strategy class by its name, or by `FILE.py:CLASS`.

    Raises:
        UnknownName: nobody knows it, with the nearest right name. StrategyError: its file does not run.
    """
    path, colon, wanted = name.rpartition(":")
    if colon and path.endswith(".py"):
        file = Path(path)
        if not file.is_file():
            raise BadInput(f"strategy file '{path}' does not exist: give FILE.py:CLASS")
        found = {n: c for n, c in find_strategies(file.parent).items() if _file_of(c) == file.resolve()}
        if wanted not in found:
            raise UnknownName("strategy", wanted, found)
        return found[wanted]
    found = {}
    for folder in reversed(strategy_folders()):
        found |= find_strategies(folder)
    if name not in found:
        raise UnknownName("strategy", name, found)
    return found[name]


class Library:
    """Strategy classes as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return find_strategy(name)
        except UnknownName as error:
            raise AttributeError(str(error)) from error

    def __dir__(self) -> list[str]:
        return sorted({name for folder in strategy_folders() for name in find_strategies(folder)})

    def __repr__(self) -> str:
        return f"<strategies: {', '.join(dir(self))}>"


strategies = Library()


def _file_of(cls: type) -> Path:
    import sys

    return Path(str(getattr(sys.modules[cls.__module__], "__file__", ""))).resolve()
