"""The dashboard's two sets of colours, and its style sheet (`dashboard.css`) with one of them; both match the live
view's."""

from functools import cache
from pathlib import Path

__all__ = ["DARK", "LIGHT", "body_style", "style_sheet"]

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
LIGHT = {
    "bg": "#f3f5f8",
    "card": "#ffffff",
    "line": "#e1e6ee",
    "text": "#111827",
    "muted": "#5b6678",
    "accent": "#1f5fd6",
    "up": "#00785a",
    "down": "#b93a06",
    "good": "#e6f5ef",
    "bad": "#ffece6",
    "warn": "#fff6e0",
    "warntext": "#8a5800",
    "chip": "#eef1f6",
}
DARK = {
    "bg": "#0b0f15",
    "card": "#161d27",
    "line": "#2a3545",
    "text": "#e8ecf2",
    "muted": "#98a5b8",
    "accent": "#7aaeff",
    "up": "#3ccf9f",
    "down": "#ff9466",
    "good": "#10312a",
    "bad": "#3a1d12",
    "warn": "#33290f",
    "warntext": "#ffca6b",
    "chip": "#232e3d",
}


def _variables(dark: bool) -> str:
    colours = "".join(f"--wb-{name}: {value}; " for name, value in (DARK if dark else LIGHT).items())
    return f"--wb-font: {FONT}; {colours}"


def body_style(dark: bool) -> str:
    """The page around everything."""
    rules = "background: var(--wb-bg) !important; margin: 0; padding: 0; font-family: var(--wb-font)"
    return f":root {{ {_variables(dark)} }} html, body {{ {rules} }}"


@cache
def style_sheet(dark: bool) -> str:
    """What every component gets."""
    rules = Path(__file__).with_name("dashboard.css").read_text("utf-8")
    return f":host {{ {_variables(dark)} }}\n{rules}"
