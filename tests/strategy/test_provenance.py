"""A strategy's text travels: whatever it refers to comes along, and the code hash is equal at the other end."""

import json
import linecache
import subprocess
import sys
import threading
import types
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import StrategyError, UnknownName
from workbench.strategy import code_hash, load_strategy, strategy_source

NUMBERS = count(1)


class Notebook:
    """Cells that share globals, each with its own file name in linecache, as a notebook has them."""

    def __init__(self) -> None:
        self.module = types.ModuleType(f"notebook_{next(NUMBERS)}")
        sys.modules[self.module.__name__] = self.module

    def cell(self, text: str) -> dict[str, Any]:
        file = f"<ipython-input-{next(NUMBERS)}-test>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec", dont_inherit=True), self.module.__dict__)
        return self.module.__dict__


IMPORTS = """
import math
import math as m
import numpy as np
from collections import namedtuple
from math import sqrt
from numba import njit
from workbench.kernels import Ema, Indicator
from workbench.strategy import Strategy
"""

OWN = """
LEVELS = (0.1, 0.2)
WEIGHTS = np.array([1.0, 2.0])
UNUSED = object()
S = namedtuple("S", "n total")

class Base(Strategy):
    low: float = 1.5

class Mean(Indicator):
    period: int = 3
    def init(p): return S(0, 0.0)
    def step(p, s, buf, bar): return S(s.n + 1, s.total + bar.close), s.total / (s.n + 1)

def inner(v):
    return min(v, LEVELS[1])

@njit
def helper(v):
    return inner2(v) + m.floor(v) * 0.0

@njit
def inner2(v):
    return sqrt(v)
"""

USER = """
@staticmethod
def other(v): return v

class Traveller(Base):
    period: int = 3
    def indicators(self):
        return {"mean": Mean(self.period), "ema": Ema(self.period)}
    def decide(p, x, pos):
        value = math.fabs(x.close - p.low)
        return inner(helper(value)) * WEIGHTS[1]
"""


def traveller() -> type:
    notebook = Notebook()
    notebook.cell(IMPORTS)
    notebook.cell(OWN)
    return notebook.cell(USER)["Traveller"]  # type: ignore[no-any-return]


def test_everything_referred_to_comes_along() -> None:
    cls = traveller()
    told = strategy_source(cls)
    assert told.name == "Traveller"
    for wanted in (
        "class Base",
        "class Mean",
        "def inner",
        "def inner2",
        "LEVELS = (0.1, 0.2)",
        "WEIGHTS = np.array",
    ):
        assert wanted in told.source
    assert 'S = namedtuple("S", "n total")' in told.source
    assert "from workbench.kernels import Ema" in told.source
    assert "UNUSED" not in told.source
    assert "def other" not in told.source
    assert code_hash(load_strategy(told.source, "Traveller")) == told.code_hash == code_hash(cls)
    assert strategy_source(load_strategy(told.source, "Traveller")).source == told.source


def test_another_process_with_another_hash_seed_gives_the_same_code_hash() -> None:
    told = strategy_source(traveller())
    code = (
        "import sys, json\nfrom workbench.strategy import *\n"
        "cls = load_strategy(sys.stdin.read(), 'Traveller')\n"
        "print(json.dumps([code_hash(cls), strategy_source(cls).code_hash]))"
    )
    for seed in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", code], input=told.source, capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""}, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert json.loads(done.stdout) == [told.code_hash, told.code_hash]


def test_the_hash_sees_helpers_constants_parameters_and_indicators() -> None:
    hashes = {code_hash(traveller())}
    for old, new in (
        ("(0.1, 0.2)", "(0.1, 0.3)"),
        ("min(v", "max(v"),
        ("[1.0, 2.0]", "[1.0, 2.5]"),
        ("return sqrt(v)", "return sqrt(v) * 2"),
        ("low: float = 1.5", "low: float = 1.25"),
        ("s.total / (s.n + 1)", "s.total / (s.n + 2)"),
    ):
        notebook = Notebook()
        notebook.cell(IMPORTS)
        assert old in OWN
        notebook.cell(OWN.replace(old, new))
        hashes.add(code_hash(notebook.cell(USER)["Traveller"]))
    assert len(hashes) == 7


def test_a_constant_changed_in_another_cell_travels_as_it_is_now() -> None:
    notebook = Notebook()
    notebook.cell(IMPORTS)
    notebook.cell("LEVEL = 0.5")
    space = notebook.cell("class Now(Strategy):\n    def decide(p, x, pos): return LEVEL\n")
    before = strategy_source(space["Now"])
    notebook.cell("LEVEL = -0.5")
    after = strategy_source(space["Now"])
    assert "LEVEL = 0.5" in before.source
    assert "LEVEL = -0.5" in after.source
    assert before.code_hash != after.code_hash


@pytest.mark.parametrize(
    ("made", "changed"),
    [
        ("held = types.SimpleNamespace(level=0.5)", "held.level = 0.25"),
        ("held = collections.deque([0.5])", "held[0] = 0.25"),
        ("held = np.array([0.5])", "held[0] = 0.25"),
    ],
)
def test_an_object_changed_since_its_cell_ran_is_not_passed_off_as_what_stands_there(
    made: str, changed: str
) -> None:
    notebook = Notebook()
    notebook.cell(IMPORTS + "import collections\nimport types\n")
    notebook.cell(made)
    space = notebook.cell("class Held(Strategy):\n    def on_bar(self, ctx, bar): return str(held)\n")
    strategy_source(space["Held"])
    notebook.cell(changed)
    with pytest.raises(StrategyError, match=r"is not the code that runs: .*run its cell again"):
        strategy_source(space["Held"])


def test_a_cell_run_again_wins_over_the_old_one() -> None:
    notebook = Notebook()
    notebook.cell(IMPORTS)
    text = "class Again(Strategy):\n    def decide(p, x, pos): return {}\n"
    old = notebook.cell(text.format(0.5))["Again"]
    new = notebook.cell(text.format(0.75))["Again"]
    assert "return 0.5" in strategy_source(old).source
    assert "return 0.75" in strategy_source(new).source


def test_a_class_with_nothing_but_new_defaults_travels() -> None:
    notebook = Notebook()
    notebook.cell(IMPORTS)
    notebook.cell(
        "class Slow(Strategy):\n    period: int = 3\n    def decide(p, x, pos): return 1.0 / p.period\n"
    )
    fast = notebook.cell("class Fast(Slow):\n    period = 2\n")["Fast"]
    told = strategy_source(fast)
    assert load_strategy(told.source, "Fast")().parameters == {"period": 2}


def test_what_cannot_travel_is_named() -> None:
    notebook = Notebook()
    notebook.cell(IMPORTS)
    notebook.module.lock = threading.Lock()  # type: ignore[attr-defined]
    space = notebook.cell("class Locked(Strategy):\n    def on_bar(self, ctx, bar): lock.acquire()\n")
    with pytest.raises(
        StrategyError, match=r"Locked uses 'lock' \(lock\), which cannot travel to the engine"
    ):
        strategy_source(space["Locked"])


def test_a_module_of_the_users_own_is_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_tools_a1.py").write_text("SCALE = 0.5\ndef scaled(v): return v * SCALE\n")
    notebook = Notebook()
    notebook.cell(IMPORTS + "import own_tools_a1\nfrom own_tools_a1 import scaled\n")
    whole = notebook.cell(
        "class Whole(Strategy):\n    def decide(p, x, pos): return own_tools_a1.scaled(x.close)\n"
    )
    with pytest.raises(StrategyError, match="write 'from own_tools_a1 import"):
        strategy_source(whole["Whole"])
    named = notebook.cell("class Named(Strategy):\n    def decide(p, x, pos): return scaled(x.close)\n")
    source = strategy_source(named["Named"]).source
    assert "def scaled" in source
    assert "SCALE = 0.5" in source


def test_two_things_under_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_tools_a2.py").write_text("K = 2\ndef doubled(v): return v * K\n")
    notebook = Notebook()
    notebook.cell(IMPORTS + "from own_tools_a2 import doubled\nK = 3\n")
    space = notebook.cell("class Torn(Strategy):\n    def decide(p, x, pos): return doubled(x.close) * K\n")
    with pytest.raises(StrategyError, match="two different things called 'K'"):
        strategy_source(space["Torn"])


def test_a_file_edited_after_import_is_not_passed_off_as_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "own_strategy_a3.py"
    text = "from workbench.strategy import Strategy\nclass Edited(Strategy):\n    def decide(p, x, pos): return {}\n"
    file.write_text(text.format("0.5"))
    import own_strategy_a3  # type: ignore[import-not-found]

    assert strategy_source(own_strategy_a3.Edited).provenance.endswith("own_strategy_a3.py")
    file.write_text(text.format("0.25 + 0.0 * x.close"))
    with pytest.raises(StrategyError, match="is not the code that runs: import it again"):
        strategy_source(own_strategy_a3.Edited)


def test_loading_tells_the_users_line() -> None:
    with pytest.raises(StrategyError, match=r"Bad line 2: .*: class Bad\(Strategy$"):
        load_strategy("from workbench.strategy import Strategy\nclass Bad(Strategy\n", "Bad")
    with pytest.raises(StrategyError, match="Bad line 2: ZeroDivisionError: division by zero: x = 1 / 0"):
        load_strategy("from workbench.strategy import Strategy\nx = 1 / 0\n", "Bad")
    with pytest.raises(UnknownName, match="strategy 'Godo' is unknown: did you mean 'Good'"):
        load_strategy(
            "from workbench.strategy import Strategy\nclass Good(Strategy):\n    def decide(p, x, pos): return 1\n",
            "Godo",
        )
