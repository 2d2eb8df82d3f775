"""The live view's script and the panel's loader: what they may never do, read from their text."""

import re
from pathlib import Path

import pytest

from workbench.ui import LIVE_SCRIPT
from workbench.ui.lab import HERE

SCRIPTS = [LIVE_SCRIPT, HERE / "extensions" / "workbench-live" / "static" / "remoteEntry.js"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_nothing_the_engine_says_is_parsed_as_html(path: Path) -> None:
    banned = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|setHTML"
    assert re.findall(banned, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    addresses = set(re.findall(r"(?:https?|wss?)://[^\s\"'`]+", path.read_text("utf-8")))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_the_stream_address_carries_no_secret_and_nothing_is_stored() -> None:
    text = LIVE_SCRIPT.read_text("utf-8")
    assert re.findall(r"localStorage|sessionStorage|indexedDB|document\.cookie", text) == []
    assert re.findall(r"searchParams|\?ticket|\?token", text) == []
