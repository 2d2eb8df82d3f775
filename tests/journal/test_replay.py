import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.journal.cross_engine import CrossEngine, bar, feed
from workbench.journal import Journal, replay
from workbench.journal.replay import same_effects
from workbench.model import Refusal, StartSession


def test_the_same_engine_gives_the_same_hash(filled: Path) -> None:
    report = replay(filled, CrossEngine)
    assert report.equal
    assert (report.events, report.effects, report.first_difference) == (33, 10, None)
    assert report.hash_recorded == report.hash_replayed != ""


def test_another_engine_is_shown_at_its_first_difference(filled: Path) -> None:
    report = replay(filled, lambda: CrossEngine(every=4))
    assert not report.equal
    assert report.hash_recorded != report.hash_replayed
    first = report.first_difference
    assert first is not None
    assert (first.seq, first.replayed) == (4, "[]")
    assert "Submit" in first.recorded
    assert "Bar" in first.event


def test_an_effect_too_many_is_a_difference(path: Path) -> None:
    with Journal.open(path) as journal:
        feed(journal, CrossEngine(every=9), [StartSession(1, 1, "", "", ""), *map(bar, range(1, 4))])
    report = replay(path, CrossEngine)
    assert (report.equal, report.effects) == (False, 0)


def test_an_int_in_a_floats_place_and_nan_are_no_difference(filled: Path) -> None:
    def refusal(number: float) -> list[Refusal]:
        return [Refusal(1, 1, 0, 1, 5, "SIZE", "", (("size", number),))]

    assert same_effects(refusal(5.0), refusal(5))
    assert same_effects(refusal(math.nan), refusal(math.nan))
    assert not same_effects(refusal(5.0), refusal(5.1))
    assert not same_effects(refusal(5.0), [])


def test_processes_with_other_hash_seeds_agree(
    filled: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    code = """
import sys, pathlib, msgspec
from tests.journal.cross_engine import CrossEngine
from workbench.journal import replay
print(msgspec.json.encode(replay(pathlib.Path(sys.argv[1]), CrossEngine)).decode())
"""
    answers = []
    for seed in ("1", "2"):
        out, err = child(code, str(filled), PYTHONHASHSEED=seed).communicate(timeout=60)
        assert err == ""
        answers.append(json.loads(out))
    assert answers[0] == answers[1]
    assert answers[0]["equal"] is True
