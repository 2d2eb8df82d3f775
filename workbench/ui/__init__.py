"""What people look at: the live view, its widget, the JupyterLab panel with its relay, the dashboard, and how
values of the workbench show themselves in a notebook.

Views read snapshots and the stream; commands go out through the API. Deleting this room changes no trade.
Importing it loads nothing; each file brings its own library when it is used.
"""

import hashlib
from pathlib import Path

__all__ = ["LIVE_SCRIPT", "desk_key"]

LIVE_SCRIPT = Path(__file__).with_name("live") / "live.js"


def desk_key(home: Path, name: str) -> str:
    """The same short word for the same desk in every page, so that views share one connection. Tells no path.

    >>> desk_key(Path("/a"), "default") == desk_key(Path("/a"), "default") != desk_key(Path("/b"), "default")
    True
    """
    return hashlib.blake2b(f"{home.resolve()}\0{name}".encode(), digest_size=6).hexdigest()
