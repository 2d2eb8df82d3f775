"""Strategies are found by folder; nothing registers anything."""

from pathlib import Path

import pytest

from workbench.errors import BadInput, StrategyError
from workbench.strategy import code_hash, find_strategies, strategy_source

TEXT = "from workbench.strategy import Strategy\nclass {}(Strategy):\n    def decide(p, x, pos): return {}\n"


def test_a_new_file_is_all_it_takes(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(TEXT.format("One", 1))
    assert list(find_strategies(tmp_path)) == ["One"]
    (tmp_path / "two.py").write_text(TEXT.format("Two", 1) + "class _Hidden(Two): ...\n")
    assert list(find_strategies(tmp_path)) == ["One", "Two"]


def test_files_are_read_afresh(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text(TEXT.format("One", 1))
    before = find_strategies(tmp_path)["One"]
    file.write_text(TEXT.format("One", 0))
    after = find_strategies(tmp_path)["One"]
    assert code_hash(before) != code_hash(after)
    assert "return 0" in strategy_source(after).source


def test_underscore_files_are_helpers(tmp_path: Path) -> None:
    (tmp_path / "_smooth_b1.py").write_text("def smooth(v):\n    return v / 2\n")
    (tmp_path / "one.py").write_text(
        "from _smooth_b1 import smooth\n" + TEXT.format("One", "smooth(x.close)")
    )
    cls = find_strategies(tmp_path)["One"]
    assert "def smooth" in strategy_source(cls).source


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        find_strategies(tmp_path / "nowhere")
    (tmp_path / "one.py").write_text(TEXT.format("One", 1))
    (tmp_path / "other.py").write_text(TEXT.format("One", 0))
    with pytest.raises(BadInput, match=r"strategy 'One' stands in one\.py and in other\.py"):
        find_strategies(tmp_path)
    (tmp_path / "other.py").write_text("import not_there_b2\n")
    with pytest.raises(StrategyError, match=r"other\.py line 1: ModuleNotFoundError: .*not_there_b2"):
        find_strategies(tmp_path)
