"""The widget's kernel side: tickets on request, wishes, text and HTML beside it, and no secret in what is saved."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ui.processes import RunningDesk, until
from workbench.errors import NotRunning
from workbench.ui import desk_key
from workbench.ui.desk_calls import DeskCalls
from workbench.ui.widget import LiveView, jupyter_origins, static_bundle


@pytest.fixture
def view(desk: RunningDesk) -> LiveView:
    return LiveView(desk.name, desk.home)


def saved(view: LiveView) -> str:
    """Everything of the widget that a notebook could keep."""
    state = {key: value for key, value in view.get_state().items() if key not in ("_esm", "layout")}
    bundle = view._repr_mimebundle_()
    return json.dumps([state, bundle], default=str)


def test_it_names_its_desk_and_holds_no_ticket_at_first(view: LiveView, desk: RunningDesk) -> None:
    assert (view.desk, view.ticket) == (desk.name, "")
    assert view.desk_key == desk_key(desk.home, desk.name)
    assert view.address == desk.address.url.replace("http", "ws") + "/api/v1/stream"


def test_beside_the_widget_are_text_and_html(view: LiveView) -> None:
    bundle, _ = view._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/plain", "text/html"}
    assert "equity" in bundle["text/plain"]
    assert "<table" in bundle["text/html"]


def test_nothing_that_is_saved_holds_the_token(view: LiveView, desk: RunningDesk) -> None:
    assert desk.address.token not in saved(view)
    assert str(desk.home) not in saved(view)


def test_each_wish_for_a_ticket_brings_another_one_and_only_then(view: LiveView) -> None:
    view.wants = 1
    first = view.ticket
    assert first
    view.ticket = ""  # what the page does as soon as it has read it
    assert first not in saved(view)
    view.wants = 2
    assert view.ticket not in ("", first)


def test_a_wish_to_resume_is_granted_and_answered(view: LiveView, calls: DeskCalls) -> None:
    number = calls.snapshot().strategies[0].strategy_id
    calls.pause_strategy(number, "test")
    view.wish = {"op": "resume", "strategy_id": number, "n": 41}
    assert view.answer == {"n": 41, "ok": True, "text": ""}
    until(lambda: calls.snapshot().strategies[0].state == "running", "the strategy to run again")


def test_a_wish_that_cannot_be_granted_is_answered_in_words(view: LiveView) -> None:
    view.wish = {"op": "resume", "strategy_id": 999, "n": 42}
    assert view.answer["n"] == 42
    assert view.answer["ok"] is False
    assert "999" in view.answer["text"]


def test_a_wish_for_anything_else_does_nothing(view: LiveView, calls: DeskCalls) -> None:
    view.wish = {"op": "place", "symbol": "SPY", "quantity": 1, "n": 43}
    assert view.answer == {}


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="desk 'nobody'"):
        LiveView("nobody", tmp_path)

    def gone() -> Any:
        raise NotRunning("engine of desk 'x' is gone")

    assert "is gone" in static_bundle(gone)["text/html"]


@pytest.mark.parametrize("parent", ["", "4242", "nonsense"])
def test_outside_a_jupyter_server_there_is_no_origin(
    parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", parent)
    assert jupyter_origins() == []


def test_the_origins_of_the_server_that_started_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", "4242")
    (tmp_path / "jpserver-4242.json").write_text(
        json.dumps({"port": 8888, "secure": False, "token": "secret"})
    )
    assert jupyter_origins() == ["http://127.0.0.1:8888", "http://localhost:8888"]
