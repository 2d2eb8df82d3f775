import sqlite3
from pathlib import Path

import pytest

from tests.journal.cross_engine import CrossEngine, bar, feed
from workbench.errors import JournalDamaged, JournalError
from workbench.journal import Journal, recover
from workbench.model import Accepted, Sent, StartSession, Unsent


def test_a_fresh_engine_ends_where_the_old_one_stood(filled: Path) -> None:
    engine = CrossEngine()
    found = recover(filled, engine)
    assert (engine.bars, engine.orders, engine.held_e8, engine.open, engine.epoch) == (30, 6, 5, False, 1)
    assert (found.last_seq, found.epoch, found.events) == (43, 1, 33)
    assert found.unsent == (2, 3, 4, 5, 6)  # order 1 was filled, whatever was noted before
    again = CrossEngine()
    assert recover(filled, again).unsent == found.unsent
    assert vars(again) == vars(engine)


def test_only_orders_without_any_word_are_unsent(path: Path) -> None:
    engine = CrossEngine(every=1)
    with Journal.open(path) as journal:
        feed(journal, engine, [StartSession(1, 1, "", "", ""), *map(bar, range(1, 6))])
        feed(journal, engine, [Sent(9, 1), Accepted(9, 3, "v"), Unsent(9, 4, "asked")])
    assert recover(path, CrossEngine(every=1)).unsent == (2, 5)


def test_it_works_while_the_writer_holds_the_journal(filled: Path) -> None:
    with Journal.open(filled) as journal:
        engine = CrossEngine()
        found = recover(filled, engine)
        assert found.last_seq == journal.last_seq
        assert journal.epoch == found.epoch + 1
        feed(journal, engine, [StartSession(1, journal.epoch, "", "", ""), bar(31), bar(32), bar(33)])
    assert recover(filled, CrossEngine()).epoch == 2


def test_an_engine_that_answers_otherwise_is_named_with_the_event(filled: Path) -> None:
    with pytest.raises(JournalError, match=r"event seq 4: .*down.*where .*up.* recorded; run .*\(1\.0\)"):
        recover(filled, CrossEngine(why="down"))
    with pytest.raises(JournalError, match=r"event seq 4: this engine answers \[\] where"):
        recover(filled, CrossEngine(every=4))


def test_an_empty_journal(path: Path) -> None:
    Journal.open(path).close()
    found = recover(path, CrossEngine())
    assert (found.last_seq, found.epoch, found.events, found.unsent) == (0, 0, 0, ())


def test_damage_stops_it(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute("UPDATE frames SET ts_ns = 0 WHERE first_seq = 20")
    connection.commit()
    connection.close()
    with pytest.raises(JournalDamaged, match="seq 20"):
        recover(filled, CrossEngine())
