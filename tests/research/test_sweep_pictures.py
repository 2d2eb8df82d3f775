"""A sweep's pictures: the right sets in the right places, and nothing lost of what was asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.research.test_sweep_lanes import market
from workbench.errors import BadInput, BadValue, UnknownName
from workbench.research import walk_forward
from workbench.research.sweep import SweepResult, sweep
from workbench.research.sweep.pictures import _Scale
from workbench.strategy import Strategy
from workbench.ui.display import register

RSI = wb.strategies.RsiReversion


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    out = tmp_path_factory.mktemp("sweep") / "pictures.sweep"
    recording = market(2_000, seed=5).recording
    return sweep(
        RSI, recording, period=[4, 7, 60], low=[2.0, 30.0, 40.0], short=[False, True], out=out, progress=False
    )


def _source(picture: Any, kind: str) -> dict[str, Any]:
    [plot] = picture.children
    [drawn] = [r for r in plot.renderers if type(r.glyph).__name__ == kind][:1]
    return {name: np.asarray(values) for name, values in drawn.data_source.data.items()}


def test_every_cell_shows_the_best_of_its_sets(result: SweepResult) -> None:
    frame = result.frame()
    cells = _source(result.heatmap("period", "low"), "Rect")
    assert len(cells["_x"]) == 9
    for x, y, value, number, sets in zip(
        cells["_x"], cells["_y"], cells["sharpe"], cells["_set"], cells["_sets"], strict=True
    ):
        mine = frame[(frame["period"] == int(x)) & (frame["low"] == float(y))]
        assert sets == len(mine) == 2
        assert np.isnan(value) == mine["sharpe"].isna().all()
        if not np.isnan(value):
            assert value == mine["sharpe"].max()
            assert frame.loc[int(number), "sharpe"] == value
    means = _source(result.heatmap("low", "short", "total_return", others="mean"), "Rect")
    for x, y, value in zip(means["_x"], means["_y"], means["total_return"], strict=True):
        mine = frame[(frame["low"] == float(x)) & (frame["short"].astype(str) == y)]
        assert value == pytest.approx(mine["total_return"].mean())


def test_axes_keep_their_order_and_the_best_cell_is_marked(result: SweepResult) -> None:
    [plot] = result.heatmap("period", "low").children  # type: ignore[attr-defined]
    assert plot.x_range.factors == ["4", "7", "60"]
    assert plot.y_range.factors == ["2", "30", "40"]
    assert "grey: none there" in plot.title.text
    star = _source(result.heatmap("period", "low"), "Scatter")
    assert star["_set"].tolist() == [result.best(1).index[0]]


def test_a_heat_map_takes_the_first_two_axes_where_none_is_named(result: SweepResult) -> None:
    [plot] = result.heatmap().children  # type: ignore[attr-defined]
    assert (plot.xaxis[0].axis_label, plot.yaxis[0].axis_label) == tuple(result.axes[:2])
    [plot] = result.heatmap(y=result.axes[0]).children  # type: ignore[attr-defined]
    assert (plot.xaxis[0].axis_label, plot.yaxis[0].axis_label) == (result.axes[1], result.axes[0])
    single = sweep(RSI, "SPY", period=[5, 6], progress=False)
    with pytest.raises(BadInput, match="takes two axes, the sweep has period: draw it"):
        single.heatmap()


def test_every_set_with_a_value_is_a_line_the_best_on_top(result: SweepResult) -> None:
    frame = result.frame()
    lines = _source(result.parallel("total_return"), "MultiLine")
    assert len(lines["_set"]) == len(frame)
    assert (np.diff(lines["total_return"]) >= 0).all()
    heights = np.stack([np.asarray(ys) for ys in lines["_ys"]])
    assert heights.min() >= 0.0
    assert heights.max() <= 1.0
    low, high = frame["total_return"].min(), frame["total_return"].max()
    assert np.allclose(heights[:, -1], (lines["total_return"] - low) / (high - low))
    assert np.allclose(heights[:, 0], (frame.loc[lines["_set"], "period"] - 4) / 56)
    few = _source(result.parallel("total_return", most=6), "MultiLine")
    assert len(few["_set"]) <= 6
    assert few["total_return"][-1] == high


class Named(Strategy):
    """Its parameters are called like figures, and like what a picture says of its lines."""

    width: float = 1.0
    exposure: float = 1.0
    set: int = 1

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return p.exposure if x.close > p.width else -p.exposure


def test_parameters_may_be_called_like_figures(tmp_path: Path) -> None:
    recording = market(500, seed=5).recording
    swept = sweep(
        Named, recording, width=[1.0, 400.0], exposure=[0.25, 0.5], set=[1, 2], out=tmp_path / "named.sweep",
        progress=False,
    )  # fmt: skip
    assert swept.axes == ["width", "exposure (parameter)", "set"]
    frame = swept.frame()
    assert sorted(frame["exposure (parameter)"].unique()) == [0.25, 0.5]
    assert frame["exposure"].between(0.9, 1.0).all()
    lines = _source(swept.parallel("total_return"), "MultiLine")
    assert set(lines["_width"]) <= {1.0, 3.0}
    assert lines["_alpha"].dtype == np.float64
    assert (frame.loc[lines["_set"], "total_return"].to_numpy() == lines["total_return"]).all()
    cells = _source(swept.heatmap("exposure", "set", "total_return"), "Rect")
    assert set(cells["_x"]) == {"0.25", "0.5"}
    assert frame.loc[cells["_set"], "set"].astype(str).tolist() == cells["_y"].tolist()
    walked = walk_forward(
        Named, recording, train=200, test=100, unit="bars", exposure=[0.25, 0.5], objective="total_return",
        progress=False,
    )  # fmt: skip
    assert walked.windows["exposure"].isin([0.25, 0.5]).all()


@pytest.mark.filterwarnings("error")
def test_sets_without_a_figure_are_drawn_as_none(tmp_path: Path) -> None:
    recording = market(50, seed=5).recording
    none = sweep(RSI, recording, period=[4, 7], low=[1.0, 2.0], out=tmp_path / "none.sweep", progress=False)
    assert none.best().empty
    advice = 'none has a Sharpe ratio (3 sessions or more, not all alike): rank by objective="total_return"'
    assert advice in repr(none)
    with pytest.raises(BadInput, match='rank by objective="total_return", or name a set by its number'):
        none.backtest()
    assert len(_source(none.parallel(), "MultiLine")["_set"]) == 0
    assert len(_source(none.heatmap(), "Rect")["_x"]) == 4


@pytest.mark.parametrize("sets", [5, "period", [5, 6]])
def test_sets_that_name_no_parameters_are_refused(sets: Any) -> None:
    with pytest.raises(BadValue, match=r"sets = .*: give a list of dictionaries"):
        sweep(RSI, "SPY", sets=sets)


def test_one_axis_is_no_heat_map(result: SweepResult) -> None:
    with pytest.raises(BadValue, match="y = 'low': give another axis than x"):
        result.heatmap("low", "low")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda r: r.heatmap("perod", "low"), "did you mean 'period'?"),
        (lambda r: r.heatmap("period", "low", "sharp"), "did you mean 'sharpe'?"),
        (lambda r: r.heatmap("period", "low", others="median"), "Known: best, mean"),
        (lambda r: r.parallel("orderz"), "did you mean 'orders'?"),
    ],
)
def test_unknown_names_are_told(result: SweepResult, call: Any, text: str) -> None:
    with pytest.raises(UnknownName) as caught:
        call(result)
    assert text in str(caught.value)


def test_it_shows_itself_with_its_guards(result: SweepResult) -> None:
    drawn: dict[tuple[str, str], Any] = {}

    class Shell:
        def __init__(self) -> None:
            self.display_formatter = self
            self.formatters = {"text/html": self}
            self.mimebundle_formatter = self

        def for_type_by_name(self, module: str, name: str, draw: Any) -> None:
            drawn[module, name] = draw

    register(Shell())
    html = drawn[type(result).__module__, "SweepResult"](result)
    assert "probability of overfitting" in html
    assert "18 sets by grid" in html
    assert Path(result.path).name in html
    assert drawn["workbench.research.sweep.guards", "Guards"](result.guards).count("<tr>") >= 3
    picture = drawn["bokeh.models.layouts", "Column"](result.heatmap("period", "low"))
    assert picture is not None
    assert "<iframe" in picture


def test_sets_are_cross_validated(result: SweepResult) -> None:
    found = result.cross_validate(groups=4, test_groups=2)
    assert len(found.frame()) == 6
    assert set(found.chosen.tolist()) <= set(range(18))


def test_no_mark_is_a_negative_nothing() -> None:
    scale = _Scale(np.array([-0.00002, -1e-9, 0.00002]), "total_return")
    assert scale.ticks()[1] == ["-0.002%", "0.000%", "0.002%"]
