import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from workbench.errors import BadValue, UnknownName
from workbench.journal import failpoints


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def test_off_means_no_count() -> None:
    failpoints.point("send.pre")()
    assert set(failpoints.counts().values()) == {0}


def test_it_fails_at_the_named_passage_only() -> None:
    failpoints.arm("send.pre:eio@2, send.post:eio@1")
    passed = failpoints.point("send.pre")
    passed()
    with pytest.raises(OSError, match="Input/output error"):
        passed()
    passed()
    assert failpoints.counts()["send.pre"] == 3
    with pytest.raises(OSError, match="failpoint"):
        failpoints.point("send.post")()


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("send.pr:kill@1", UnknownName, "did you mean 'send.pre'"),
        ("send.pre:kil@1", UnknownName, "did you mean 'kill'"),
        ("send.pre:kill", BadValue, "from 1"),
        ("send.pre:kill@0", BadValue, "from 1"),
    ],
)
def test_a_plan_with_a_slip_is_refused(text: str, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        failpoints.arm(text)


def test_an_unlisted_stage_cannot_be_built_in() -> None:
    with pytest.raises(UnknownName, match="failpoint"):
        failpoints.point("send.during")


def test_kill_is_sigkill(child: Callable[..., subprocess.Popen[str]]) -> None:
    code = "from workbench.journal.failpoints import point; p = point('send.pre'); p(); print('one', flush=True); p()"
    process = child(code, FAILPOINT="send.pre:kill@2")
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("one\n", -signal.SIGKILL)
