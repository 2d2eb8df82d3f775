"""Edited code is never answered with what was compiled before: across files, notebook cells, and processes.

Every question is asked in a fresh process with one shared cache folder, as an engine and a notebook would.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRATEGY = """
from typing import Any
from workbench.kernels import Sma
from workbench.strategy import Strategy
from tuning import factor

class Scaled(Strategy):
    def indicators(self): return {"mean": Sma(2)}
    def decide(p, x, pos): return factor(x.mean)
"""

ASK = """
import json, sys
sys.path.insert(0, ".")
from scaled import Scaled
from workbench.model.market import Bar
from workbench.strategy import Program, code_hash
import workbench.strategy.compiled as compiled
program = Program(Scaled)
assert program.form == "compiled", program.why_interpreted
row = program.add(Scaled())
target = 0.0
for k in range(3):
    target = program.step(row, Bar(k, 0, 1.0, 1.0, 1.0, 1.0, 1.0), target)
[entries] = compiled._BUILT.values()
print(json.dumps([program.form, target, entries.from_disk, code_hash(Scaled)]))
"""

NOTEBOOK = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def cell(text):
    shell.run_cell(text, store_history=True).raise_error()
cell('''
from workbench.strategy import *
from workbench.kernels import Sma
from workbench.model.market import Bar
def ask(cls):
    program = program_for(cls)
    row = program.add(cls())
    return [program.form, program.step(row, Bar(1, 0, 1.0, 1.0, 1.0, 1.0, 1.0), 0.0), code_hash(cls)]
''')
cell("level = " + sys.argv[1])
cell("def half(v):\\n    return v * level")
cell('''
class InCell(Strategy):
    def decide(p, x, pos):
        return half(x.close)
''')
cell("first = ask(InCell)")
cell("level = 0.75")
cell("second = ask(InCell)")
cell("def half(v):\\n    return v * level / 3")
cell("third = ask(InCell)")
cell("told = strategy_source(InCell)")
cell("loaded = ask(load_strategy(told.source, 'InCell'))")
ns = shell.user_ns
print(json.dumps([ns["first"], ns["second"], ns["third"], ns["loaded"], ns["told"].code_hash, ns["told"].provenance]))
"""


def run(code: str, folder: Path, *args: str, hash_seed: str = "random") -> Any:
    project = Path(__file__).parents[2]
    env = os.environ | {
        "WORKBENCH_CACHE": str(folder / "cache"),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": str(project),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_edited_helper_in_another_file_gives_the_new_answer(tmp_path: Path) -> None:
    (tmp_path / "scaled.py").write_text(STRATEGY)
    (tmp_path / "tuning.py").write_text("K = 0.5\ndef factor(v):\n    return v * K\n")
    form, target, from_disk, first_hash = run(ASK, tmp_path, hash_seed="1")
    assert (form, target, from_disk) == ("compiled", 0.5, False)

    # nothing changed: found on disk by another process with another hash seed, and the same code hash
    assert run(ASK, tmp_path, hash_seed="2") == ["compiled", 0.5, True, first_hash]

    # a comment, moved lines: still the same code
    (tmp_path / "tuning.py").write_text(
        "# tuned by hand\nK = 0.5\n\n\ndef factor(v):\n    return v * K  # half\n"
    )
    assert run(ASK, tmp_path) == ["compiled", 0.5, True, first_hash]

    # the helper's constant, then its body
    (tmp_path / "tuning.py").write_text("K = 0.25\ndef factor(v):\n    return v * K\n")
    assert run(ASK, tmp_path)[:3] == ["compiled", 0.25, False]
    (tmp_path / "tuning.py").write_text("K = 0.25\ndef factor(v):\n    return v / K / 8\n")
    form, target, from_disk, last_hash = run(ASK, tmp_path)
    assert (form, target, from_disk) == ("compiled", 0.5, False)
    assert last_hash != first_hash

    # a damaged file is compiled anew, and mended
    for k, file in enumerate(sorted((tmp_path / "cache").iterdir())):
        file.write_bytes(file.read_bytes()[:-7] + b"garbage" if k % 3 else b"")
    assert run(ASK, tmp_path)[:3] == ["compiled", 0.5, False]
    assert run(ASK, tmp_path)[:3] == ["compiled", 0.5, True]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_notebook_cell_is_answered_with_its_present_helpers_and_globals(tmp_path: Path) -> None:
    first, second, third, loaded, told, provenance = run(NOTEBOOK, tmp_path, "0.5")
    assert first[:2] == ["compiled", 0.5]
    assert second[:2] == ["compiled", 0.75]
    assert third[:2] == ["compiled", 0.25]
    assert loaded == third
    assert told == third[2]
    assert len({first[2], second[2], third[2]}) == 3
    assert provenance.endswith("cell In[4]")
    again = run(NOTEBOOK, tmp_path, "0.125")
    assert again[0][:2] == ["compiled", 0.125]
    assert [a[2] for a in again[1:4]] == [second[2], third[2], loaded[2]]


def test_an_unwritable_cache_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "scaled.py").write_text(STRATEGY)
    (tmp_path / "tuning.py").write_text("def factor(v):\n    return v\n")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert run(ASK, tmp_path)[:3] == ["compiled", 1.0, False]
