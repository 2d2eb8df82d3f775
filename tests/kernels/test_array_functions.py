"""The first result of a process waits for nothing that nobody asked for."""

import subprocess
import sys

FIRST = """
import sys
import numpy as np
import workbench as wb
assert wb.backtest(wb.strategies.RsiReversion(), "SPY").run.loop == "compiled"
assert "numba.np.arraymath" in sys.modules
print("numpy.f2py" in sys.modules, "f2py" in vars(np))
import numba
import scipy.linalg
print(numba.njit(lambda a: a @ a)(np.eye(2) * 3.0).tolist(), np.f2py.__name__)
"""


def test_a_compiled_backtest_loads_no_fortran_parser_and_linear_algebra_works_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False False", "[[9.0, 0.0], [0.0, 9.0]] numpy.f2py"]
