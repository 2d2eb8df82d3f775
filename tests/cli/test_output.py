"""How answers are written. Not here: what commands answer (test_commands.py)."""

import io
import json
import sys

import pytest

from workbench.cli.output import emit


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_says_the_same_whatever_letters_the_terminal_has(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding=encoding, errors="replace")
    monkeypatch.setattr(sys, "stdout", out)
    value = {"name": "Größe \u2212 \U0001f4c8", "left": 0.1, "orders": [1, None, True]}
    emit(value, True)
    assert json.loads(written.getvalue().decode(encoding)) == value
    assert written.getvalue().count(b"\n") == 1
