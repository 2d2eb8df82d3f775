"""What holds for every test: the quick ones first, loopback only, and nothing left out silently.

Fixtures of one room live in that room's own conftest.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tools.system_packages import NEEDS, in_ci

pytest_plugins = ["pytester"]

# Laws are tried with the same examples in every run, and none fails because a machine is slow. Others are looked for
# with `--hypothesis-profile=search`; what that finds becomes an example or a test of its own.
settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", settings.get_profile("fixed"), derandomize=False)
settings.load_profile("fixed")

# The order of a run: what fails cheaply fails first. Whole flows, then a browser, come last.
LAST_FOLDERS = ("tests/flows/", "tests/e2e/")
LAST_MARKERS = ("slow", "flow", "e2e")


def lateness(item: pytest.Item) -> int:
    """Where in the run a test belongs: 0 for the many, higher for flows, slow ones and the browser."""
    by_folder = [rank for rank, folder in enumerate(LAST_FOLDERS, 2) if item.nodeid.startswith(folder)]
    by_marker = [rank for rank, name in enumerate(LAST_MARKERS, 1) if item.get_closest_marker(name)]
    return max(by_folder + by_marker, default=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lateness)  # a stable sort: inside one rank the order stays as collected


def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in NEEDS:
        if item.get_closest_marker(need.marker) and need.path() is None:
            reason = f"{need.programs[0]} is not installed (Debian package {need.packages[0]})"
            if in_ci(os.environ):
                pytest.fail(f"in CI nothing may be left out: {reason}", pytrace=False)
            pytest.skip(reason)


def _path_of(marker: str) -> str:
    path = next(need for need in NEEDS if need.marker == marker).path()
    if path is None:
        pytest.fail(f"a test that uses the {marker} fixture needs @pytest.mark.{marker}", pytrace=False)
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path, for tests marked `chromium`."""
    return _path_of("chromium")


@pytest.fixture(scope="session")
def promtool() -> str:
    """promtool's path, for tests marked `promtool`."""
    return _path_of("promtool")


class _Loopback:
    """Refuses every connection of this process that would leave the machine; armed while tests run.

    uvloop and child processes connect below Python and are not seen here: the browser test watches its own.
    """

    armed = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "socket.connect" or not self.armed:
            return
        address = args[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise AssertionError(f"a test connects to {address[0]}:{address[1]}; tests stay on loopback")


_loopback = _Loopback()
sys.addaudithook(_loopback)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """No test reaches beyond this machine."""
    _loopback.armed = True
    yield
    _loopback.armed = False
