"""Faults: which there are, when they strike, files of them; the documents list every one."""

from pathlib import Path

import pytest

from tests.project.test_docs import rows
from workbench.errors import BadInput, BadValue, UnknownName
from workbench.testbed.faults import WHAT, Fault, Faults, fault_from, read_faults

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "emulators.md").read_text("utf-8")


def strikes(fault: Fault, times: int, seed: int = 1, point: str = "rest:POST /v2/orders") -> list[bool]:
    faults = Faults(seed=seed)
    faults.add(fault)
    return [bool(faults.hit(point)) for _ in range(times)]


def test_the_page_lists_every_fault_as_the_code_has_it() -> None:
    listed = {name: tuple(cells) for name, cells in rows(PAGE, "fault").items()}
    assert listed == {name: (scopes.replace(" ", ", "), does) for name, (scopes, does) in WHAT.items()}


def test_when_a_fault_strikes() -> None:
    assert strikes(Fault(what="drop"), 2) == [True, True]
    assert strikes(Fault(what="drop", after=2, count=1), 4) == [False, False, True, False]
    assert strikes(Fault(what="drop", every=3), 6) == [False, False, True, False, False, True]


def test_chance_is_seeded() -> None:
    fault = Fault(what="drop", probability=0.5)
    first = strikes(fault, 200)
    assert strikes(fault, 200) == first != strikes(fault, 200, seed=2)
    assert 60 < sum(first) < 140


@pytest.mark.parametrize(
    ("where", "point", "hit"),
    [
        ("rest:POST /v2/orders", "rest:POST /v2/orders", True),
        ("rest:POST *", "rest:POST /v2/orders", True),
        ("rest:GET *", "rest:POST /v2/orders", False),
        ("*", "stream:trade_updates:fill", True),
        ("stream:*:fill", "stream:trade_updates:fill", True),
        ("stream:*:fill", "stream:trade_updates:new", False),
    ],
)
def test_where_a_fault_strikes(where: str, point: str, hit: bool) -> None:
    assert bool(strikes(Fault(what="drop", where=where), 1, point=point)[0]) == hit


def test_a_fault_for_messages_leaves_requests_alone() -> None:
    assert strikes(Fault(what="duplicate"), 1) == [False]
    assert strikes(Fault(what="duplicate"), 1, point="stream:trade_updates:fill") == [True]


def test_a_fault_ends_by_itself() -> None:
    now = [0.0]
    faults = Faults(now_s=lambda: now[0])
    faults.later = lambda seconds, then: None  # type: ignore[method-assign]
    faults.add(Fault(what="drop", for_s=5))
    assert faults.hit("rest:GET /")
    now[0] = 5.0
    assert not faults.hit("rest:GET /")


def test_counts_and_removal() -> None:
    faults = Faults()
    number = faults.add(Fault(what="drop", where="rest:*", count=1))
    faults.hit("rest:GET /a")
    faults.hit("rest:GET /a")
    faults.hit("order:accept")
    assert [(f["id"], f["met"], f["struck"]) for f in faults.listed()] == [(number, 1, 1)]
    faults.remove(number)
    assert not faults.any
    with pytest.raises(UnknownName, match="fault number '1'"):
        faults.remove(number)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"what": "delya"}, UnknownName, "did you mean 'delay'"),
        ({"what": "delay", "secnds": 1}, UnknownName, "did you mean 'seconds'"),
        ({"what": "delay", "probability": 2}, BadValue, "probability = 2"),
        ({"what": "status"}, BadValue, "HTTP status"),
        ({"what": "delay", "seconds": "long"}, BadInput, "seconds"),
        ({}, BadInput, "what"),
        (["delay"], BadInput, "delay"),
    ],
)
def test_impossible_faults(given: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        fault_from(given)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[fault]]\nwhat = "delay"\nseconds = 0.5\n[[fault]]\nwhat = "drop"\n')
    (tmp_path / "b.json").write_text('[{"what": "delay", "seconds": 0.5}, {"what": "drop"}]')
    assert [f.what for f in read_faults(tmp_path / "a.toml")] == ["delay", "drop"]
    assert read_faults(tmp_path / "a.toml") == read_faults(tmp_path / "b.json")
    (tmp_path / "c.toml").write_text("fault = 1\n")
    (tmp_path / "d.json").write_text("{")
    for name, text in (("c.toml", "fault"), ("d.json", "neither"), ("none.toml", "cannot be read")):
        with pytest.raises(BadInput, match=text):
            read_faults(tmp_path / name)
