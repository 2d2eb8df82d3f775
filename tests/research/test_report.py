"""The page about a backtest, a result as files, several results side by side."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from tests.research.test_backtest import CROSS, HOLD, recording, strategy, walk
from workbench.errors import BadInput, BadValue
from workbench.feeds import synthetic
from workbench.research import Result, backtest, compare
from workbench.research.notebooks import NotebookFailed
from workbench.research.report import parts
from workbench.research.report.files import load_result, save_result
from workbench.research.report.page import TEMPLATE
from workbench.research.tick_formats import percents

EVIL = '"]; print("<script>alert(1)</script>")\n#'


@pytest.fixture(scope="module")
def busy() -> Result:
    return backtest(strategy(CROSS, "AroundMean", period=30), synthetic(1, 2_000, seed=5), quantity=100)


def test_a_result_survives_as_files(busy: Result, tmp_path: Path) -> None:
    for result in (
        busy,
        backtest(strategy(HOLD, "Hold"), recording(walk(30, 1)), limits={"max_order_qty": 1}),
    ):
        save_result(result, tmp_path / "r")
        again = load_result(tmp_path / "r")
        for name in ("ts_ns", "equity", "fills", "orders"):
            assert np.array_equal(getattr(result.run, name), getattr(again.run, name)), name
        assert again.refusals == result.refusals
        assert (again.name, again.parameters, again.run.loop) == (
            result.name,
            result.parameters,
            result.run.loop,
        )
        assert repr(again) == repr(result)
        assert again.stats == pytest.approx(result.stats, nan_ok=True)
    with pytest.raises(BadInput, match="holds no saved result"):
        load_result(tmp_path)


def test_the_report_is_one_page_with_everything_inside(busy: Result, tmp_path: Path) -> None:
    odd = Result(busy.run, "AroundMean", {"word": EVIL, "period": 30})
    page = odd.report(tmp_path / "deep" / "report.html", progress=False)
    html = page.read_text("utf-8")
    assert list(page.parent.iterdir()) == [page]
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html
    for said in ("profit factor", "Return by month", "Best round trips", "max drawdown days"):
        assert said in html
    assert parts.shown("final_equity", busy.stats["final_equity"]) in html
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", html)
    assert html.count("Bokeh") > 10


def test_the_report_of_nothing_says_so_and_warns_of_nothing(tmp_path: Path) -> None:
    idle = backtest(strategy(HOLD, "Hold"), recording(walk(1, 1)))
    html = idle.report(tmp_path / "idle.html", progress=False).read_text("utf-8")
    assert "None has ended." in html
    assert "MISSING_RENDERERS" not in html.partition("<main>")[2]
    assert html.count("<h2>Round trips</h2>") == 2  # the figures, and the sentence
    assert "0.00%</td>" in parts.returns_by_month(idle)
    assert parts.shown("alpha", np.inf) == "∞"


def test_the_template_takes_nothing_but_a_folder() -> None:
    """Whatever a result holds, it never becomes text of a program."""
    notebook: Any = nbformat.read(TEMPLATE, 4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    [cell] = tagged
    assert [line for line in cell.source.splitlines() if not line.startswith("#")] == ['folder = ""']
    assert all(not cell.get("outputs") for cell in notebook.cells)
    assert json.loads(TEMPLATE.read_text("utf-8"))["metadata"]["kernelspec"]["name"] == "python3"


def test_a_report_that_fails_says_where_and_keeps_the_notebook(
    busy: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "report.ipynb"
    broken.write_text(TEMPLATE.read_text("utf-8").replace("part.head(result)", "part.hed(result)"), "utf-8")
    monkeypatch.setattr("workbench.research.report.page.TEMPLATE", broken)
    with pytest.raises(NotebookFailed, match=r"cell 3: AttributeError.*report\.failed\.ipynb"):
        busy.report(tmp_path / "report.html", progress=False)
    assert (tmp_path / "report.failed.ipynb").exists()
    assert not (tmp_path / "report.html").exists()
    with pytest.raises(BadValue, match=r"ends in \.html"):
        busy.report(tmp_path / "report.pdf")


def test_results_side_by_side(busy: Result) -> None:
    other = backtest(strategy(CROSS, "AroundMean", period=50), busy.recording, quantity=100)
    both = compare([busy, other])
    assert list(both.results) == ["AroundMean(period=30)", "AroundMean(period=50)"]
    assert both.table.loc["AroundMean(period=50)", "fills"] == other.stats["fills"]
    assert "AroundMean(period=30)" in repr(both)
    growth, drawdown = both.plot().children
    assert len(growth.renderers) == len(drawdown.renderers) == 2
    assert growth.x_range is drawdown.x_range
    last = growth.renderers[1].data_source.data["y"][-1]
    assert last == pytest.approx(other.stats["total_return"])
    named = compare(
        {"one": busy, "two": busy, "short": backtest(strategy(CROSS, "AroundMean"), recording(walk(60, 2)))}
    )
    assert list(named.results) == ["one", "two", "short"]
    assert len(named.plot().children) == 2
    assert list(compare([busy, busy]).results) == ["AroundMean", "AroundMean #2"]
    with pytest.raises(BadValue, match="at least one"):
        compare([])


def test_axes_have_the_decimals_that_tell_small_returns_apart() -> None:
    small = backtest(strategy(CROSS, "AroundMean", period=30), synthetic(1, 2_000, seed=5), quantity=1)
    width = float(np.ptp(small.returns.to_numpy()))
    assert 0 < width < 1e-4
    sessions = parts.sessions_picture(small)
    form = sessions.xaxis[0].formatter.format
    assert sessions.yaxis[0].ticker.min_interval == 1  # what is counted has no halves
    assert form == percents(width)
    assert f"{width / 5:.{form.count('0') - 1}%}" != f"{0:.{form.count('0') - 1}%}"
    profits, against = parts.trades_picture(small).children
    assert "." in profits.xaxis[0].formatter.format
    assert "." in against.yaxis[0].formatter.format
    assert parts.sessions_picture(backtest(strategy(HOLD, "Hold"), recording(walk(1, 1)))) is not None
