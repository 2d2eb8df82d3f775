"""Strategies are found by folder; nothing registers anything."""

import os
import sys
from pathlib import Path

import pytest

from workbench.errors import BadInput, StrategyError
from workbench.strategy import code_hash, find_strategies, loader, strategy_source

TEXT = "from workbench.strategy import Strategy\nclass {}(Strategy):\n    def decide(p, x, pos): return {}\n"


def test_a_new_file_is_all_it_takes(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(TEXT.format("One", 1))
    assert list(find_strategies(tmp_path)) == ["One"]
    (tmp_path / "two.py").write_text(TEXT.format("Two", 1) + "class _Hidden(Two): ...\n")
    assert list(find_strategies(tmp_path)) == ["One", "Two"]


def test_files_are_read_afresh(tmp_path: Path) -> None:
    written(tmp_path / "one.py", TEXT.format("One", 1))
    before = find_strategies(tmp_path)["One"]
    assert "return 1" in strategy_source(before).source
    written(tmp_path / "one.py", TEXT.format("One", 0))  # not even the size differs
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


@pytest.fixture
def bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytecode is written, as in a notebook, and somewhere of its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "bytecode"))


def written(file: Path, text: str) -> None:
    """An edit within one second: nothing but the text tells it from the file before."""
    file.write_text(text)
    os.utime(file, (1_700_000_000, 1_700_000_000))


@pytest.mark.usefixtures("bytecode")
def test_an_edited_helper_is_read_afresh_too(tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    helper, deep = folder / "_smooth_b3.py", folder / "_deep_b3.py"
    written(deep, "K = 2.0\ndef scaled(v):\n    return v / K\n")
    written(helper, "from _deep_b3 import scaled\ndef smooth(v):\n    return scaled(v) + 1\n")
    text = "from _smooth_b3 import smooth\n" + TEXT.format("One", "smooth(x.close)")
    (folder / "one.py").write_text(text)
    first = find_strategies(folder)["One"]
    assert "scaled(v) + 1" in strategy_source(first).source
    kept = sys.modules["_deep_b3"]
    assert find_strategies(folder)["One"] is not first
    assert sys.modules["_deep_b3"] is kept  # nothing was edited: nothing is imported anew
    assert sys.dont_write_bytecode is False

    written(helper, "from _deep_b3 import scaled\ndef smooth(v):\n    return scaled(v) + 3\n")
    second = find_strategies(folder)["One"]
    assert "scaled(v) + 3" in strategy_source(second).source
    written(deep, "K = 4.0\ndef scaled(v):\n    return v / K\n")
    third = find_strategies(folder)["One"]
    assert "K = 4.0" in strategy_source(third).source
    assert len({code_hash(cls) for cls in (first, second, third)}) == 3

    deep.unlink()
    with pytest.raises(StrategyError, match=r"one\.py line 1: ModuleNotFoundError: .*_deep_b3"):
        find_strategies(folder)


def test_two_folders_may_have_helpers_of_one_name(tmp_path: Path) -> None:
    sources = {}
    for name in ("a", "b", "a"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "_tuned_b4.py").write_text(f"def tuned(v):\n    return v > {ord(name)}\n")
        (folder / "one.py").write_text(
            "from _tuned_b4 import tuned\n" + TEXT.format("One", "1.0 if tuned(x.close) else 0.0")
        )
        sources[name] = strategy_source(find_strategies(folder)["One"]).source
        assert f"v > {ord(name)}" in sources[name]


@pytest.mark.usefixtures("bytecode")
@pytest.mark.parametrize("package", [True, False], ids=["package", "folder"])
def test_an_edited_helper_in_a_subfolder_is_read_afresh_too(tmp_path: Path, package: bool) -> None:
    inner = f"inner_b5_{package}".lower()
    for name, number in (("a", 1), ("a", 2), ("b", 3), ("a", 4)):
        folder = tmp_path / name
        (folder / inner).mkdir(parents=True, exist_ok=True)
        if package:
            (folder / inner / "__init__.py").write_text("")
        written(folder / inner / "tuned.py", f"K = {number}\ndef tuned(v):\n    return v > {number}\n")
        imports = f"from {inner} import tuned as whole\nfrom {inner}.tuned import tuned\nSEEN = whole.K\n"
        text = TEXT.format("One", "1.0 if tuned(x.close) else 0.0")
        (folder / "one.py").write_text(f"{imports}{text}")
        found = find_strategies(folder)["One"]
        assert vars(sys.modules[found.__module__])["SEEN"] == number
        assert f"v > {number}" in strategy_source(found).source


def test_an_installed_package_is_not_imported_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, folder = tmp_path / "lib" / "site-packages", tmp_path / "strategies"
    for made in (installed, folder):
        made.mkdir(parents=True)
    monkeypatch.syspath_prepend(installed)
    (installed / "bought_b6.py").write_text("K = 1.0\n")
    (folder / "_mine_b6.py").write_text("K = 1.0\n")
    (folder / "one.py").write_text("import bought_b6, _mine_b6\n" + TEXT.format("One", "1.0"))
    find_strategies(folder)
    bought, mine = sys.modules["bought_b6"], sys.modules["_mine_b6"]
    (folder / "_mine_b6.py").write_text("K = 2.0\n")
    find_strategies(folder)
    assert sys.modules["_mine_b6"] is not mine
    assert sys.modules["bought_b6"] is bought


def test_another_thread_may_find_strategies_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_mine_b7.py").write_text("K = 1.0\n")
    (tmp_path / "one.py").write_text("import _mine_b7\n" + TEXT.format("One", "1.0"))
    find_strategies(tmp_path)
    of_file = loader._text_hash

    def while_others_import(file: Path) -> str:
        monkeypatch.setitem(loader._HELPERS, f"other_b7_{len(loader._HELPERS)}", (file, of_file(file)))
        return of_file(file)

    monkeypatch.setattr(loader, "_text_hash", while_others_import)
    assert list(find_strategies(tmp_path)) == ["One"]
    loader._remember({"gone_b7"})  # the other one let it go already
    assert "gone_b7" not in loader._HELPERS


def test_no_module_of_the_package_or_of_a_library_is_ever_imported_anew() -> None:
    before = dict(loader._HELPERS)
    loader._remember({"workbench.kernels.sma", "workbench.strategy.loader", "numpy", "pathlib", "sys"})
    assert before == loader._HELPERS


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
