"""Named places where a test may kill the process, or let the disk refuse. They cost one comparison when off.

    FAILPOINT=send.pre:kill@3           the third passage of send.pre kills the process (SIGKILL)
    FAILPOINT=journal.pre_sync:eio@10   the tenth sync fails as a dying disk does
    FAILPOINT=count                     only count the passages

Several are separated by commas. Code passes a point by calling what `point(stage)` gave it. Every stage of
the pipeline is listed here, so that a test can go through them all and find the ones nobody passes.
"""

import errno
import os
import signal
from collections.abc import Callable
from typing import Final

from workbench.errors import BadValue, UnknownName

__all__ = ["ACTIONS", "STAGES", "arm", "counts", "disarm", "point"]

STAGES: Final = (
    "intent.pre_journal",
    "journal.pre_sync",
    "journal.post_sync",
    "send.pre",
    "send.post",
    "ack.pre_journal",
    "ack.post_journal",
    "fill.pre_journal",
    "fill.pre_notify",
    "recover.fold",
    "recover.done",
    "kill.after_first_cancel",
)
ACTIONS: Final = ("kill", "eio")

_plan: dict[str, tuple[str, int]] | None = None
_counts: dict[str, int] = {}


def point(stage: str) -> Callable[[], None]:
    """What to call when `stage` is passed.

    Raises:
        UnknownName: no such stage is listed.
    """
    if stage not in STAGES:
        raise UnknownName("failpoint", stage, STAGES)

    def passed() -> None:
        if _plan is not None:
            _count(stage)

    return passed


def arm(text: str) -> None:
    """Take the plan from `text` (see the module's docstring); counts start anew.

    Raises:
        UnknownName, BadValue: a stage, an action or a number nobody knows.

    >>> arm("count"); point("send.pre")(); counts()["send.pre"]
    1
    >>> disarm()
    """
    global _plan
    plan: dict[str, tuple[str, int]] = {}
    for part in text.split(","):
        if part.strip() == "count":
            continue
        stage, _, rest = part.strip().partition(":")
        action, _, number = rest.partition("@")
        if stage not in STAGES:
            raise UnknownName("failpoint", stage, STAGES)
        if action not in ACTIONS:
            raise UnknownName("failpoint action", action, ACTIONS)
        if not number.isdecimal() or int(number) < 1:
            raise BadValue("FAILPOINT", part, "write <stage>:<action>@<passage>, the passage from 1")
        plan[stage] = (action, int(number))
    _counts.clear()
    _plan = plan


def disarm() -> None:
    """Nothing fails and nothing is counted."""
    global _plan
    _plan = None
    _counts.clear()


def counts() -> dict[str, int]:
    """Passages by stage since the plan was taken."""
    return {stage: _counts.get(stage, 0) for stage in STAGES}


def _count(stage: str) -> None:
    assert _plan is not None
    passed = _counts[stage] = _counts.get(stage, 0) + 1
    action, number = _plan.get(stage, ("", 0))
    if passed != number:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "eio":
        raise OSError(errno.EIO, "Input/output error (failpoint)")


if os.environ.get("FAILPOINT"):
    arm(os.environ["FAILPOINT"])
