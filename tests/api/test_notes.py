"""Notes of a session: on stderr, and plain where stderr is an alarm."""

import sys
from types import SimpleNamespace

import pytest

from workbench.api.notes import note


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        (None, ("", "it starts\n")),
        (SimpleNamespace(), ("", "it starts\n")),
        (SimpleNamespace(kernel=1), ("it starts\n", "")),
    ],
    ids=["a program", "IPython on a terminal", "a notebook"],
)
def test_a_note_is_plain_in_a_notebook_alone(
    shell: object, said: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    note("it starts")
    assert tuple(capsys.readouterr()) == said
