"""JupyterLab with the workbench panel: what to start, with which settings, and when it is ready.

The extension (`extensions/workbench-live`) is two hand-written files; `config/` switches the relay on and the
news pop-up off. The server's token is in a private file of the desk's folder, never on a command line.
"""

import atexit
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from workbench.api.address import desk_folder
from workbench.config import home_folder

__all__ = ["LabLaunch", "announce", "lab_command", "lab_environment", "lab_launch"]

HERE = Path(__file__).parent
READY_VARIABLE = "WORKBENCH_LAB_READY"
# kernels may talk over sockets in the runtime folder instead of TCP ports when the path leaves room for names
IPC_PATH_MAX = 50


class LabLaunch(msgspec.Struct, frozen=True):
    """How to start one JupyterLab: `argv` with `env` on top of ours; `ready_file` appears when it answers.
    `url` carries the login token, so it is for the person at the terminal alone."""

    argv: list[str]
    env: dict[str, str]
    ready_file: Path
    url: str

    def __repr__(self) -> str:
        return f"<LabLaunch {' '.join(self.argv)}>"


def lab_command(config: Path) -> list[str]:
    """The command line; everything else is in the config file."""
    return [sys.executable, "-m", "jupyterlab", "--no-browser", f"--config={config}"]


def lab_environment(home: Path, ready_file: Path | None = None) -> dict[str, str]:
    """Environment of the Jupyter server and its kernels: our settings first, and the same home for all."""
    earlier = os.environ.get("JUPYTER_CONFIG_PATH")
    paths = [str(HERE / "config"), *([earlier] if earlier else [])]
    env = {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths), "WORKBENCH_HOME": str(home)}
    return env | ({READY_VARIABLE: str(ready_file)} if ready_file is not None else {})


def lab_settings(port: int, token: str, root: Path) -> dict[str, Any]:
    """The Jupyter server's settings: loopback, one fixed port, token login, our panel."""
    from jupyter_core.paths import jupyter_runtime_dir

    settings: dict[str, Any] = {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": port,
            "port_retries": 0,
            "root_dir": str(root.resolve()),
            "open_browser": False,
            "allow_root": os.geteuid() == 0,
        },
        "IdentityProvider": {"token": token},
        "LabApp": {"extra_labextensions_path": [str(HERE / "extensions")], "extension_manager": "readonly"},
    }
    if len(jupyter_runtime_dir()) <= IPC_PATH_MAX:
        settings["KernelManager"] = {"transport": "ipc"}
    return settings


def lab_launch(
    name: str = "default", root: Path | None = None, port: int = 0, notebook: str = ""
) -> LabLaunch:
    """Prepare a JupyterLab for the desk `name` with its files in `root` (default: here). Port 0 takes a free one.

    Raises:
        Refused: the port is taken, or the desk's folder cannot be written.
    """
    from workbench.api.server import free_socket

    home = home_folder()
    folder = desk_folder(name, home)
    port = _kept_port(free_socket("127.0.0.1", port, "--port"))
    token = secrets.token_urlsafe(24)
    config = folder / "lab-config.json"
    _write_private(
        config, msgspec.json.format(msgspec.json.encode(lab_settings(port, token, root or Path.cwd())))
    )
    ready_file = folder / "lab.json"
    path = f"lab/tree/{quote(notebook)}" if notebook else "lab"
    url = f"http://127.0.0.1:{port}/{path}?token={token}"
    return LabLaunch(lab_command(config), lab_environment(home, ready_file), ready_file, url)


def _kept_port(bound: socket.socket) -> int:
    """The port of `bound`, kept for a child that binds it later.

    On Linux a socket that is bound and does not listen keeps its port from everybody who asks for a free one, and from
    Jupyter it does not: both allow the address to be used again. It is held while this process lives, for a child that
    is started anew as well. Elsewhere it would be in Jupyter's way, so there the port is only free at this moment.
    """
    port = int(bound.getsockname()[1])
    if sys.platform == "linux":
        atexit.register(bound.close)
    else:
        bound.close()
    return port


def announce(app: Any) -> None:
    """Called in the Jupyter server once it answers: writes the file a supervisor waits for."""
    ready = os.environ.get(READY_VARIABLE)
    if ready:
        body = {"url": f"http://127.0.0.1:{app.port}{app.base_url}", "pid": os.getpid()}
        _write_private(Path(ready), msgspec.json.encode(body))


def _write_private(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}.tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(data)
    temporary.replace(path)
