"""numba's functions of arrays, loaded without a Fortran parser.

numba looks into SciPy for its linear algebra, and SciPy asks numpy for every name it has. One of them, `f2py`, wraps
Fortran: it takes a tenth of a second to load, in every fresh process, and nothing here wants it. It stays importable.

Lives here: that one import. Not here: anything compiled.
"""

import sys

import numpy as np

__all__ = ["load_array_functions"]

_UNASKED = "f2py"


def load_array_functions() -> None:
    """Import what numba imports when it compiles for the first time; nothing where that has happened."""
    if "numba.np.arraymath" in sys.modules:
        return
    stands_in = _UNASKED not in vars(np)  # numpy loads it when it is asked for a name it does not have
    if stands_in:
        setattr(np, _UNASKED, None)
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        if stands_in and vars(np).get(_UNASKED) is None:
            delattr(np, _UNASKED)
