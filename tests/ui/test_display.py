"""What `%load_ext workbench` brings: values that show themselves, `%desk` and `%kill`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from tests.ui.processes import RunningDesk, until
from workbench.api.session import Session
from workbench.model.snapshot import Snapshot
from workbench.ui.desk_calls import DeskCalls
from workbench.ui.display import live_here


@pytest.fixture
def shell(desk: RunningDesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[InteractiveShell]:
    """An IPython of its own: no profile and no history of the person who runs the tests, or of another test run."""
    import workbench

    monkeypatch.setenv("WORKBENCH_HOME", str(desk.home))
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.delenv("VSCODE_PID", raising=False)
    InteractiveShell.clear_instance()
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    workbench.load_ipython_extension(made)
    yield made
    made.user_ns.clear()
    InteractiveShell.clear_instance()


@pytest.fixture
def session(desk: RunningDesk) -> Iterator[Session]:
    with Session(desk.name, desk.folder) as opened:
        yield opened


def shown(shell: InteractiveShell, value: Any) -> dict[str, Any]:
    assert shell.display_formatter is not None
    bundle, _ = shell.display_formatter.format(value)  # type: ignore[no-untyped-call]  # IPython again
    return dict(bundle)


def test_a_desk_outside_jupyter_is_a_static_picture(shell: InteractiveShell, session: Session) -> None:
    assert not live_here()
    bundle = shown(shell, session)
    assert set(bundle) == {"text/plain", "text/html"}
    assert "Static picture" in bundle["text/html"]
    assert session.address.token not in str(bundle)


def test_a_desk_under_jupyter_is_live(
    shell: InteractiveShell, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSCODE_PID", "1")
    first, second = shown(shell, session), shown(shell, session)
    view = "application/vnd.jupyter.widget-view+json"
    assert first[view]["model_id"] == second[view]["model_id"]  # one widget a session, not one a display
    assert "text/html" in first


def test_an_order_shows_its_waterfall(shell: InteractiveShell, session: Session) -> None:
    order = next(order for order in session.orders if order.state == "filled")
    bundle = shown(shell, order)
    assert "<svg" in bundle["text/html"]
    assert bundle["text/plain"].startswith(f"order {order.order_id}:")
    assert "<svg" in shown(shell, order.trace())["text/html"]


@pytest.mark.parametrize("name", ["orders", "positions", "fills", "latency", "strategies", "account"])
def test_lists_show_as_tables(name: str, shell: InteractiveShell, session: Session) -> None:
    bundle = shown(shell, getattr(session, name))
    assert "<table" in bundle["text/html"]
    assert bundle["text/plain"]


def test_an_empty_list_shows_as_text(shell: InteractiveShell, session: Session) -> None:
    assert "text/html" not in shown(shell, session.find_orders(state="expired"))


def test_a_snapshot_shows_as_html(shell: InteractiveShell, snapshot: Snapshot) -> None:
    assert "equity" in shown(shell, snapshot)["text/html"]


def test_desk_magic_attaches(shell: InteractiveShell, desk: RunningDesk) -> None:
    attached = shell.run_line_magic("desk", "")
    assert attached.name == desk.name
    assert shell.user_ns["desk"] is attached
    attached.close()


def test_kill_magic_stops_and_says_what_happened(
    shell: InteractiveShell, session: Session, calls: DeskCalls, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["desk"] = session
    try:
        shell.run_line_magic("kill", "enough for today")
        assert "STOPPED" in capsys.readouterr().out
        assert "enough for today" in calls.snapshot().session.kill_reason
    finally:
        session.arm()
    until(lambda: calls.snapshot().session.state == "running", "the desk to run again")


def test_a_wrong_name_is_one_line(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%desk nowhere")  # type: ignore[no-untyped-call]  # IPython marks itself as typed
    told = capsys.readouterr()
    assert "nowhere" in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_importing_the_displays_is_light() -> None:
    heavy = {"panel", "bokeh", "anywidget", "pandas", "aiohttp"}
    code = f"import sys, workbench.ui.display; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
