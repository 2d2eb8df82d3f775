"""Backtests in a notebook: HTML beside the text, pictures that need nothing from outside, everything escaped."""

import re
from html import unescape
from typing import Any

import pytest
from bokeh.layouts import column
from bokeh.plotting import figure

from workbench.feeds import synthetic
from workbench.kernels import Sma
from workbench.research import Result, backtest, compare
from workbench.strategy import Strategy
from workbench.ui.display import register


class Around(Strategy):
    period: int = 20

    def indicators(self) -> dict[str, Any]:
        return {"mean": Sma(self.period)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if x.close > x.mean else 0.0


class Formatters:
    """What IPython offers, as far as registration needs it."""

    def __init__(self) -> None:
        self.drawn: dict[tuple[str, str], Any] = {}
        self.display_formatter = self
        self.formatters = {"text/html": self}
        self.mimebundle_formatter = self

    def for_type_by_name(self, module: str, name: str, draw: Any) -> None:
        self.drawn[module, name] = draw

    def html(self, value: Any) -> str | None:
        kind = type(value)
        drawn: str | None = self.drawn[kind.__module__, kind.__name__](value)
        return drawn


@pytest.fixture(scope="module")
def result() -> Result:
    found = backtest(Around(), synthetic(1, 800, seed=3), quantity=10)
    return Result(found.run, "Around<b>", {"period": 20, "word": "<i>"})


@pytest.fixture(scope="module")
def shell() -> Formatters:
    made = Formatters()
    register(made)
    return made


def test_a_result_shows_its_figures_and_its_curve(result: Result, shell: Formatters) -> None:
    html = shell.html(result)
    assert html is not None
    assert not re.search(r"[\";]color:#", html)  # a grey of the light theme is hard to read on the dark one
    assert "Around&lt;b&gt;" in html
    assert "<i>" not in html
    assert "profit factor" in html
    assert "compiled loop" in html
    [points] = re.findall(r'points="([^"]+)"', html)
    assert 100 < len(points.split()) <= 503
    assert "<script" not in html


def test_a_comparison_is_a_table(result: Result, shell: Formatters) -> None:
    html = shell.html(compare([result, result]))
    assert html is not None
    assert html.count("<tr>") == 3
    assert "Around&lt;b&gt;" in html


def test_a_picture_is_a_page_of_its_own(result: Result, shell: Formatters) -> None:
    html = shell.html(result.plot())
    assert html is not None
    assert html.startswith("<iframe srcdoc=")
    page = unescape(html)
    assert "DecompressionStream" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", page)
    assert len(html) < 1_500_000


def test_other_peoples_pictures_are_left_alone(shell: Formatters) -> None:
    assert shell.html(column(figure())) is None
