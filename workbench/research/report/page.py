"""A page about a backtest: papermill executes a notebook, its outputs become one HTML file with all inside.

The notebook (`report.ipynb` beside this file) is the same for all results: it gets a folder as its one parameter and
finds the result there, so nothing of a result ever becomes code. Not here: what the cells draw (parts.py).
"""

import re
import shutil
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadValue
from workbench.research.notebooks import NotebookFailed, execute
from workbench.research.report.files import save_result
from workbench.research.telling import telling, watched

if TYPE_CHECKING:
    from workbench.research.result import Result

__all__ = ["TEMPLATE", "page_html", "write_report"]

TEMPLATE = Path(__file__).with_name("report.ipynb")

_STYLE = """
body { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
       color: #111827; background: #f3f5f8; margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 20px 24px 60px; }
section { background: #fff; border: 1px solid #e1e6ee; border-radius: 8px; padding: 14px 18px; margin: 14px 0;
          overflow-x: auto; }
h1 { font-size: 24px; margin: 6px 0 2px; } h2 { font-size: 16px; margin: 2px 0 10px; }
p.lead { color: #5b6678; margin: 2px 0 12px; }
table { border-collapse: collapse; font-size: 13px; } td, th { padding: 3px 12px 3px 0; text-align: right; }
th { color: #5b6678; font-weight: 600; } td:first-child, th:first-child { text-align: left; }
td { font-variant-numeric: tabular-nums; } tr + tr td { border-top: 1px solid #eef1f6; }
.columns { display: flex; flex-wrap: wrap; gap: 8px 40px; align-items: flex-start; }
.small { gap: 8px 24px; } .small table { font-size: 11.5px; } .small td, .small th { padding-right: 7px; }
.months td { padding: 4px 8px; } .months th { padding: 4px 8px; }
.up { color: #00785a; } .down { color: #b93a06; } .note { color: #5b6678; font-size: 12px; }
"""


def write_report(result: "Result", path: Path, *, progress: bool = True) -> Path:
    """Write the page about `result` to `path`.

    Raises:
        BadValue: the path does not end in .html. NotebookFailed: a cell of the report raised.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise BadValue("path", str(path), "give a file name that ends in .html")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folder = Path(name)
        with telling("handing the result over..."):
            save_result(result, folder)
        executed = folder / "executed.ipynb"
        try:
            execute(TEMPLATE, executed, {"folder": name}, progress=progress and watched(), folder=folder)
        except NotebookFailed as error:
            kept = path.with_suffix(".failed.ipynb")
            shutil.copyfile(executed, kept)
            raise NotebookFailed(str(error).replace(str(executed), str(kept))) from error
        page = page_html(executed, f"{result.name} on {result.recording.name}")
    path.write_text(page, "utf-8")
    return path


def page_html(executed: Path, title: str) -> str:
    """The outputs of an executed notebook as one page with everything inside."""
    from bokeh.resources import Resources
    from nbconvert import HTMLExporter

    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_filename(str(executed))
    scripts = Resources(mode="inline", components=["bokeh"]).render()
    # it would be fetched for formulas in labels, of which there are none: the page names no address at all
    scripts = re.sub(r"https://cdn\.jsdelivr\.net/npm/mathjax[^\"']*", "", scripts)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>{scripts}'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main></body></html>'
