"""Notes of a session: on stderr, and small print where stderr is an alarm."""

from types import SimpleNamespace
from typing import Any

import IPython.display
import pytest

from workbench.api.notes import NOTE, note


@pytest.mark.parametrize("shell", [None, SimpleNamespace()], ids=["a program", "IPython on a terminal"])
def test_a_note_goes_to_stderr(
    shell: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    note("it starts")
    assert tuple(capsys.readouterr()) == ("", "it starts\n")


def test_a_note_is_small_print_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=1))
    monkeypatch.setattr(IPython.display, "display", lambda page, **more: shown.append((page, more)))
    note("a < b")
    page = {"text/plain": "a < b", "text/html": "<small>a &lt; b</small>"}
    assert shown == [(page, {"raw": True, "metadata": NOTE})]
    assert tuple(capsys.readouterr()) == ("", "")
