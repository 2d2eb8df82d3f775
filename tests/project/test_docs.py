"""The documents against the code: commands, links, settings, limits, routes, states, dependencies, and every example.

What files and make targets they name is checked by `tools/check_drift.py`.
"""

import functools
import inspect
import re
import shlex
import tomllib
from ast import literal_eval
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel

import workbench as wb
from workbench.api.routes import ROUTES
from workbench.api.topics import TOPICS
from workbench.cli import GROUPS
from workbench.config import Settings
from workbench.engine import rules
from workbench.engine.fees import FEES
from workbench.engine.fees.regulatory import SECTION_31_E8
from workbench.engine.fees.schedule import day_ns
from workbench.engine.limits import Limits
from workbench.engine.match.slippage import SLIPPAGE
from workbench.kernels import __all__ as kernel_names
from workbench.model.orders import STATE_NAMES, TIF_NAMES, TYPE_NAMES
from workbench.model.stages import STAGES
from workbench.research import FIGURES
from workbench.research.loops import LOOPS
from workbench.warehouse.schema import TABLES, VIEWS, ddl

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
# typed as an example of what is not a command
PLACEHOLDERS = {"COMMAND"}


def text_of(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language ("" for those without)."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for kind, block in fences if kind == language]


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The table whose first header cell is `heading`: first cell (without backticks) to the others."""
    found: dict[str, list[str]] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                first, *others = re.split(r"\s*\|\s*", row.strip()[1:-1].strip(" "))
                found[first.strip("`")] = others
    assert found, f"no table with the heading '{heading}'"
    return found


# ---------------------------------------------------------------- commands
@functools.cache
def commands() -> Any:
    """The `workbench` command as Typer's group, on an application of its own."""
    app = typer.Typer()
    for group in GROUPS:
        import_module(f"workbench.cli.{group}").register(app)
    return typer.main.get_command(app)


def subcommands(command: Any) -> dict[str, Any]:
    """The commands below a group by name; empty for a command."""
    return getattr(command, "commands", {})


def named_commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in subcommands(group).items():
        if subcommands(command):
            yield from named_commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def typed(text: str) -> list[str]:
    """Everything after `workbench ` that a page tells people to type."""
    in_words = re.findall(r"`workbench ([^`]+)`", text)
    in_blocks = [
        line.split("#")[0].removeprefix("workbench ").strip()
        for block in [*blocks(text, ""), *blocks(text, "sh")]
        for line in block.splitlines()
        if line.startswith("workbench ")
    ]
    return in_words + in_blocks


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_that_is_named_exists_with_its_options(page: Path) -> None:
    wrong = []
    for line in typed(page.read_text("utf-8")):
        words = shlex.split(line)
        if words[0] in PLACEHOLDERS:
            continue
        command = commands()
        while words and words[0] in subcommands(command):
            command = subcommands(command)[words.pop(0)]
        if subcommands(command):
            wrong.append(f"workbench {line}: no such command")
            continue
        known = {
            name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
        }
        known |= {"--help"}
        wrong += [
            f"workbench {line}: no option {word}"
            for word in words
            if word.startswith("-") and word not in known
        ]
    assert wrong == []


def test_the_command_line_page_names_every_command_and_no_option_that_is_not() -> None:
    text = text_of("command-line.md")
    lines = [" ".join(line.split()[:2]) for line in typed(text)]
    missing = [
        name
        for name, _ in named_commands(commands())
        if not any(line == name or line.split()[0] == name for line in lines)
    ]
    assert missing == []
    known = {
        name: {o for p in c.params for o in (*p.opts, *p.secondary_opts)}
        for name, c in named_commands(commands())
    }
    for said, (does, *_) in rows(text, "command").items():
        words = said.removeprefix("workbench ").split()
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        options = set(re.findall(r"--[a-z][a-z-]*", does))
        assert options <= known[name], f"{said}: {options - known[name]}"


def test_every_benchmark_that_is_named_exists() -> None:
    there = {path.stem.replace("_", "-") for path in (ROOT / "benchmarks").glob("[a-z]*.py")}
    named = {
        name
        for page in PAGES
        for name in re.findall(r"workbench bench ([a-z][a-z-]*)", page.read_text("utf-8"))
    }
    assert named <= there
    assert named


# ---------------------------------------------------------------- links
def links(page: Path) -> list[tuple[str, str]]:
    """(path, anchor) of every link inside the project."""
    found = re.findall(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)", page.read_text("utf-8"))
    return [(path, anchor) for path, anchor in found if not re.match(r"[a-z]+:", path)]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            broken.append(path)
        elif anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            if anchor not in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}:
                broken.append(f"{path}#{anchor}")
    assert broken == []


def test_no_page_is_an_orphan() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [(page.parent / path).resolve() for path, _ in links(page) if path]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in reached] == []


def test_every_decision_is_numbered_once_and_listed() -> None:
    files = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    assert len({name[:4] for name in files}) == len(files)
    index = text_of("decisions/index.md")
    assert re.findall(r"\[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\)", index) == [(name[:4], name) for name in files]
    for name in files:
        head = text_of(f"decisions/{name}").splitlines()[0]
        assert re.match(rf"# 0*{int(name[:4])}[:.] \S", head), f"{name} begins with {head!r}"
        text = text_of(f"decisions/{name}")
        assert all(f"\n## {part}\n" in text for part in ("Context", "Decision", "Consequences")), name


def test_pictures_are_real_and_small() -> None:
    for name, size in (
        ("dashboard", (1440, 900)),
        ("notebook", (1440, 900)),
        ("report", (1340, 1180)),
        ("venues-live", (1440, 900)),
    ):
        data = (DOCS / "images" / f"{name}.png").read_bytes()
        assert data.startswith(b"\x89PNG")
        assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == size
        assert 40_000 < len(data) < 400_000
        assert f"](docs/images/{name}.png)" in (ROOT / "README.md").read_text("utf-8")


# ---------------------------------------------------------------- tables against the code
def settings_of(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings_of(field.annotation, f"{before}{name}.")
        else:
            default = field.get_default(call_default_factory=True)
            yield f"{before}{name}", list(default) if isinstance(default, tuple) else default


def test_settings_and_their_defaults_are_those_of_the_code() -> None:
    table = rows(text_of("settings.md"), "setting")
    said = {name: tomllib.loads(f"v = {default.strip('`')}")["v"] for name, (default, _) in table.items()}
    real = dict(settings_of(Settings))
    assert said == real
    assert {name: type(value) for name, value in said.items()} == {
        name: type(value) for name, value in real.items()
    }


def test_limits_and_their_defaults_are_those_of_the_code() -> None:
    table = rows(text_of("risk.md"), "limit")
    assert {name: float(cells[0].strip("`")) for name, cells in table.items()} == {
        name: getattr(Limits(), name) for name in Limits.__struct_fields__
    }
    codes = set(rows(text_of("risk.md"), "code"))
    named = {code.strip("`") for cells in table.values() if (code := cells[1])}
    assert named <= codes


def test_rules_are_those_of_the_code_in_their_order() -> None:
    said = re.findall(r"^\| `([A-Z_]+)` \|", text_of("risk.md").split("## Limits")[0], re.MULTILINE)
    called = [getattr(rules, name, None) for name in rules.first_no.__code__.co_names]
    codes = (re.match(r"([A-Z_]+):", str(rule.__doc__)) for rule in called if callable(rule))
    real = [code[1] for code in codes if code]
    assert said == real
    assert len(real) == 17  # the word "seventeen" stands on several pages


def test_halt_codes_are_those_of_the_code() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "workbench/engine").glob("*.py"))
    real = set(re.findall(r"halt\(\s*\w+(?:\.\w+)*, \"([A-Z]+)\"", source))
    real |= set(re.findall(r"StrategyHalted\([^)]*?, \"([A-Z]+)\"", source))
    halts = text_of("risk.md").split("## Halts")[1].split("## ")[0]
    assert set(re.findall(r"^\| `([A-Z]+)` \|", halts, re.MULTILINE)) == real


def test_routes_are_those_of_the_code() -> None:
    said = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| (\S+) \|", text_of("api.md"), re.MULTILINE)
    real = [(route.method, route.path, route.scope or "none") for route in ROUTES]
    assert sorted(said) == sorted(real)
    topics = re.search(r"^Topics: `([^`]+)`", text_of("api.md"), re.MULTILINE)
    assert topics is not None
    assert set(topics[1].split()) == set(TOPICS)


def test_states_and_stages_are_those_of_the_code() -> None:
    page = text_of("life-of-an-order.md")
    listed = {word for key in rows(page, "state") for word in re.findall(r"[a-z_]+", key)}
    assert listed == set(STATE_NAMES)
    assert tuple(rows(page, "stage")) == STAGES


def test_indicators_are_those_of_the_code() -> None:
    listed = {word for key in rows(text_of("indicators.md"), "name") for word in re.findall(r"\w+", key)}
    assert listed == set(kernel_names) - {"Indicator", "PairIndicator", "Stream", "batch", "check_indicator"}


def test_parameters_of_indicators_are_those_of_the_code() -> None:
    for names, (said, *_) in rows(text_of("indicators.md"), "name").items():
        for name in re.findall(r"\w+", names):
            declared = getattr(import_module("workbench.kernels"), name).parameters_declared.values()
            told = re.findall(r"`(\w+)` ([^,\s]+)", said)
            assert [(p.name, p.default) for p in declared] == [(n, literal_eval(v)) for n, v in told], name


def test_the_venues_words_are_those_of_the_code() -> None:
    page = text_of("matching.md")

    def words(heading: str) -> set[str]:
        return {word for key in rows(page, heading) for word in re.findall(r"[a-z-]+", key)}

    assert words("`fees`") == set(FEES)
    assert words("`slippage`") == set(SLIPPAGE)
    assert words("word") == set(TIF_NAMES)
    kinds = {key.split(" (")[0].replace("-", "_") for key in rows(page, "kind")}
    assert kinds == {*TYPE_NAMES, "bracket", "group"}
    for amount in re.findall(r"\$(\d+\.\d\d) \((\d{4}-\d\d-\d\d)\)", page.split("TAF, a share")[0]):
        rate, day = float(amount[0]), int(amount[1].replace("-", ""))
        assert SECTION_31_E8.at(day_ns(day)) == round(rate * 100), amount


def test_backtests_arguments_figures_and_loops_are_those_of_the_code() -> None:
    page = text_of("backtests.md")
    arguments = [name for cell in rows(page, "argument") for name in re.findall(r"[a-z_]+", cell)]
    assert arguments == list(inspect.signature(wb.backtest).parameters)
    assert {name: said for name, (said, *_) in rows(page, "figure").items()} == FIGURES
    assert {"auto", *rows(page, "loop")} == set(LOOPS)


def test_warehouse_tables_are_those_of_the_code() -> None:
    page = text_of("warehouse.md")
    assert list(rows(page, "table")) == list(TABLES)
    assert list(rows(page, "view")) == list(VIEWS)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {canonicalize_name(Requirement(line).name) for line in wanted}
    page = text_of("decisions/0006-dependencies.md").split("## Decision")[1].split("## Consequences")[0]
    assert names == {canonicalize_name(name) for name in re.findall(r"`([A-Za-z0-9-]+)`", page)}


# ---------------------------------------------------------------- examples
@pytest.mark.parametrize(
    "name",
    ["strategies.md", "backtests.md", "examples.md", "indicators.md", "data.md", "matching.md", "sweeps.md"],
)
def test_every_python_example_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    examples = blocks(text_of(name), "python")
    assert examples
    for number, example in enumerate(examples, 1):
        run_as_file(example, tmp_path / f"{name[:-3]}_{number}.py")
    assert capsys.readouterr().out  # an example that shows nothing explains nothing


def run_as_file(example: str, path: Path) -> None:
    """Run an example from a file of its own: a strategy's source has to be found somewhere."""
    path.write_text(example, "utf-8")
    exec(compile(example, str(path), "exec"), {"__name__": path.stem, "__file__": str(path)})


def test_the_examples_of_the_api_run_against_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    desk = wb.start("demo", host="thread", quiet=True, speed=60.0)
    try:
        desk.wait(until=lambda shot: shot.session.progress > 0, timeout_s=30)
        run_as_file("\n".join(blocks(text_of("api.md"), "python")), tmp_path / "api_examples.py")
    finally:
        desk.stop()
    printed = capsys.readouterr().out
    assert printed.startswith("running\n")
    assert "'op': 'welcome'" in printed
    assert "data orders 1" in printed


def test_the_settings_example_is_accepted(tmp_path: Path) -> None:
    from workbench.config import load_settings

    path = tmp_path / "workbench.toml"
    path.write_text(blocks(text_of("settings.md"), "toml")[0], "utf-8")
    settings = load_settings(path)
    assert settings.market.speed == 600.0
    assert Limits().changed(settings.limits.items()).max_order_qty == 500.0


def test_the_warehouse_examples_run_on_its_tables() -> None:
    with duckdb.connect() as warehouse:
        for statement in ddl():
            warehouse.execute(statement)
        examples = blocks(text_of("warehouse.md"), "sql")
        assert len(examples) >= 4
        for example in examples:
            assert warehouse.sql(example).fetchall() == []
