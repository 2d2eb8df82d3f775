"""Frames between snapshots: a client that applies them always holds what the snapshot says."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.api.topics import APPEND, TOPICS, TopicFeed, text_frame
from workbench.errors import UnknownName
from workbench.model.snapshot import FillRow, OrderRow, Snapshot

WINDOW = 5


def unframe(frame: bytes) -> dict[str, Any]:
    """The JSON inside one server text frame, its length field checked."""
    assert frame[0] == 0x81
    size, start = frame[1], 2
    if size == 126:
        size, start = int.from_bytes(frame[2:4]), 4
    elif size == 127:
        size, start = int.from_bytes(frame[2:10]), 10
    assert len(frame) == start + size
    told: dict[str, Any] = json.loads(frame[start:])
    return told


def order(order_id: int, state: str) -> OrderRow:
    return OrderRow(
        order_id, "", "", 1, "S", "SPY", "buy", "market", "day", 1, 0, 0, state, 0, 0, 0, 0, 0, "", ""
    )


def fill(number: int) -> FillRow:
    return FillRow(f"x{number // 3}", number, 1, "SPY", "buy", 1.0, 300.0, 0.0, 0)


class Partial:
    """A snapshot of which only the asked topic matters."""

    def __init__(self, **rows: Any) -> None:
        self.__dict__.update(rows)


def advance(feed: TopicFeed, **rows: Any) -> dict[str, Any] | None:
    frame = feed.advance(Partial(**rows))  # type: ignore[arg-type]  # a stand-in with the one field that is read
    return unframe(frame) if frame is not None else None


def nobody(order_id: int) -> OrderRow:
    raise UnknownName("order", order_id, [])


@given(st.lists(st.integers(0, 8), min_size=1, max_size=30))
def test_appended_rows_arrive_once_and_in_order_whatever_the_window(steps: list[int]) -> None:
    everything: list[FillRow] = []
    feed = TopicFeed("fills", nobody)
    held: list[int] = []
    seq = 0
    for step in steps:
        everything += [fill(len(everything) + n) for n in range(step)]
        told = advance(feed, fills=everything[-WINDOW:])
        if told is not None:
            seq += 1
            assert told["seq"] == seq
            rows = [row["order_id"] for row in told["rows"]]
            held = rows if told["kind"] == "snapshot" else held + rows
        # what the client holds ends with the window, without holes or repeats inside it
        window = [row.order_id for row in everything[-WINDOW:]]
        assert held[len(held) - len(window) :] == window
        assert len(set(held)) == len(held)
        assert feed.seq == seq


@given(
    st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["working", "filled", "cancelled"])), max_size=60)
)
@settings(max_examples=60)
def test_upserted_orders_end_in_the_state_the_desk_says(changes: list[tuple[int, str]]) -> None:
    table: dict[int, OrderRow] = {}
    feed = TopicFeed("orders", lambda order_id: table[order_id])
    held: dict[int, str] = {}
    for order_id, state in changes:
        if order_id in table and table[order_id].state != "working":
            continue
        table[order_id] = order(order_id, state)
        ended = [row for row in table.values() if row.state != "working"][-2:]
        window = [row for row in table.values() if row.state == "working"] + ended
        told = advance(feed, orders=window)
        if told is not None:
            if told["kind"] == "snapshot":
                held = {}
            held |= {row["order_id"]: row["state"] for row in told["rows"]}
        for row in window:
            assert held[row.order_id] == row.state
        # nothing that has ended is still shown as working, even when it left the window at once
        assert all(table[key].state == held[key] for key in held)


def test_nothing_is_said_when_nothing_changed() -> None:
    for topic in APPEND:
        feed = TopicFeed(topic, nobody)
        rows: list[Any] = [[1, 2.0]] if topic == "equity" else [fill(1)]
        first = advance(feed, **{topic: rows})
        assert first is not None
        assert first["kind"] == "snapshot"
        assert advance(feed, **{topic: list(rows)}) is None
        assert feed.seq == 1
        assert unframe(feed.snapshot_frame())["seq"] == 1


def test_repeated_equal_rows_are_not_lost() -> None:
    feed = TopicFeed("refusals", nobody)
    same = fill(1)
    advance(feed, refusals=[same])
    told = advance(feed, refusals=[same, same, same])
    assert told is not None
    assert len(told["rows"]) == 2


def test_equity_tells_the_new_points_and_a_changed_last_one() -> None:
    feed = TopicFeed("equity", nobody)
    advance(feed, equity=[(1, 10.0), (2, 11.0)])
    told = advance(feed, equity=[(1, 10.0), (2, 11.5), (3, 12.0)])
    assert told is not None
    assert told["rows"] == [[2, 11.5], [3, 12.0]]
    # thinned by the desk: nothing new to tell
    assert advance(feed, equity=[(1, 10.0), (3, 12.0)]) is None


def test_frames_of_every_length_are_well_formed() -> None:
    for size in (0, 1, 125, 126, 65535, 65536, 200_000):
        payload = b'"' + b"x" * (size - 2) + b'"' if size >= 2 else b"1" * size
        frame = text_frame(payload)
        assert frame.endswith(payload)
        if size:
            assert unframe(frame) is not None


def test_topics_are_fields_of_the_snapshot() -> None:
    assert set(TOPICS) <= set(Snapshot.__struct_fields__)
    assert len(set(TOPICS)) == len(TOPICS) == 13
    assert msgspec.structs.fields(Snapshot)[0].name == "seq"
