"""Text and HTML of a snapshot: complete, escaped, and without anything that could run."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from workbench.model.snapshot import AccountRow, AlertRow, Snapshot
from workbench.ui import static
from workbench.ui.static import account_html, alerts_html
from workbench.ui.waterfall import waterfall_html

HOSTILE = '<img src=x onerror="alert(1)">'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.update(name for name, _ in attributes)


def tags(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    return parser


def test_a_desk_as_html_has_its_figures_and_no_script(snapshot: Snapshot) -> None:
    html = static.snapshot_html(snapshot)
    found = tags(html)
    assert found.seen & {"script", "style", "iframe", "link", "img", "a"} == set()
    assert found.attributes <= {"style"}
    assert static.money(snapshot.account.equity) in html
    assert all(f"{row.name} #{row.strategy_id}" in html for row in snapshot.strategies)
    assert all(stage.stage in html for stage in snapshot.latency if stage.n)
    assert "Static picture of" in html


def test_a_desk_as_text_says_the_same(snapshot: Snapshot) -> None:
    text = static.snapshot_text(snapshot)
    assert static.money(snapshot.account.equity) in text
    assert f"of {len(snapshot.strategies)} running" in text


def test_a_live_desk_is_at_its_venues_and_has_no_share_played(snapshot: Snapshot) -> None:
    session = msgspec.structs.replace(snapshot.session, market="live", data="alpaca+ibkr")
    told = static.snapshot_text(msgspec.structs.replace(snapshot, session=session))
    assert re.search(r"market time .* UTC, at alpaca\+ibkr$", told, re.MULTILINE)
    assert re.search(r"market time .* UTC, \d+% of SPY$", static.snapshot_text(snapshot), re.MULTILINE)


def test_hostile_words_stay_words(snapshot: Snapshot) -> None:
    replace = msgspec.structs.replace
    bad = replace(
        snapshot,
        session=replace(snapshot.session, name=HOSTILE, data=HOSTILE),
        positions=[replace(row, symbol=HOSTILE) for row in snapshot.positions],
        orders=[replace(row, symbol=HOSTILE, strategy=HOSTILE) for row in snapshot.orders],
        strategies=[
            replace(row, name=HOSTILE, reason=HOSTILE, symbols=[HOSTILE]) for row in snapshot.strategies
        ],
    )
    html = static.snapshot_html(bad) + static.fills_html([replace(row, symbol=HOSTILE) for row in bad.fills])
    assert "img" not in tags(html).seen
    assert "&lt;img" in html


def test_before_the_first_bar_everything_says_so(empty: Snapshot) -> None:
    html = static.snapshot_html(empty)
    assert "no strategy is placed" in html
    assert "no order yet" in html
    assert "flat" in static.snapshot_text(empty)


def test_orders_and_fills_come_newest_first(snapshot: Snapshot) -> None:
    shown = [
        int(number) for number in re.findall(r"<tr><td[^>]*>(\d+)</td>", static.orders_html(snapshot.orders))
    ]
    assert shown == [row.order_id for row in reversed(snapshot.orders)][:20]
    assert len(re.findall("<tr>", static.fills_html(snapshot.fills, last=1))) == 2


@pytest.mark.parametrize("over", [False, True])
def test_a_waterfall_marks_what_went_over(over: bool, snapshot: Snapshot) -> None:
    from workbench.model.snapshot import TraceRow

    budget = 5.0 if over else 500.0
    trace = TraceRow(
        7, "wb-1-7", ["feed", "wire"], [0.0, 20.0], [20.0, 60.0], [0.0, budget], 80.0, [("gc", 10.0, 5.0)]
    )
    html = waterfall_html(trace)
    assert html.count("<rect") == 3  # two stages and a pause
    assert ("▲" in html) is over
    assert "gc: 5 µs" in html
    assert tags(html).seen & {"script", "image", "foreignobject"} == set()


def test_a_waterfall_without_any_time_is_still_drawn() -> None:
    from workbench.model.snapshot import TraceRow

    assert "<svg" in waterfall_html(TraceRow(1, "wb-1-1", ["feed"], [0.0], [0.0], [0.0], 0.0))


def test_the_account_and_alerts_are_tables() -> None:
    account = AccountRow("SIM-1", "USD", 1e6, 999_000.0, 1_000_019.5, 19.5, 0.0, 1.25, 1_020.0, -1_020.0)
    shown = account_html(account)
    for words in ("SIM-1", "USD", "999,000.00", "1,000,019.50", "+19.50", "1.25", "−1,020.00"):
        assert f">{words}</td>" in shown
    alerts = [AlertRow(10**18 + n * 10**9, "critical", "BUDGET", f"<b>word {n}</b>") for n in range(3)]
    told = alerts_html(alerts, last=2)
    assert told.index("word 2") < told.index("word 1")
    assert "word 0" not in told
    assert "<b>" not in told
    assert 'white-space:normal">&lt;b&gt;word 2' in told
