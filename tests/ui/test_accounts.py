"""Accounts at venues as text and HTML: complete, escaped, and nothing where there is none."""

import msgspec
import pytest

from tests.api.fake_snapshot import account_row
from tests.ui.test_static import HOSTILE, tags
from workbench.api.session_views import Accounts, one_line
from workbench.errors import UnknownName
from workbench.model.snapshot import DifferenceRow, Snapshot
from workbench.ui import static
from workbench.ui.accounts import account_line, account_text, accounts_html, least_headroom, light_of


@pytest.mark.parametrize(
    ("state", "light"),
    [("healthy", "good"), ("degraded", "warn"), ("stale", "warn"), ("connecting", "warn"), ("down", "bad"),
     ("unauthorised", "bad"), ("closed", "bad")],
)  # fmt: skip
def test_lights(state: str, light: str) -> None:
    assert light_of(account_row("one", state=state)) == light


def test_the_tightest_allowance_is_the_one_shown() -> None:
    assert least_headroom(account_row("one")) == ("trading", 0.82)
    assert least_headroom(account_row("one", headroom={})) == ("", 1.0)


def test_a_line_and_a_table_say_what_is_wrong() -> None:
    ill = account_row("one", state="down", reason="no answer", waiting=4, limited=2, errors={"VenueDown": 3})
    for text in (account_line(ill), one_line(ill)):
        assert "down" in text
        assert "no answer" in text
        assert "4 waiting" in text
        assert "3 errors" in text
        assert "trading 82% left" in text
    html = accounts_html([ill])
    assert "no answer" in html
    assert "100,250.50" in html
    assert "no answer" in " ".join(account_text(ill))
    assert "no answer" not in account_line(msgspec.structs.replace(ill, state="healthy"))


def test_books_nobody_told_are_not_zero() -> None:
    html = accounts_html([account_row("one", books_ns=0, cash=0.0, equity=0.0)])
    assert "0.00" not in html
    assert "–" in html


def test_frozen_and_differing_figures_stand_above_the_table() -> None:
    differs = [DifferenceRow("SPY", 0.0, 3.0, 1), DifferenceRow("", 100.0, 90.5, 1)]
    html = accounts_html([account_row("one")], {"SPY": "edited by hand"}, differs)
    assert html.index("SPY is frozen") < html.index("<table")
    assert "the broker <b>3</b>" in html
    assert "cash: the desk says <b>100</b>, the broker <b>90.5</b>" in html


def test_hostile_words_stay_words() -> None:
    bad = account_row(HOSTILE, state=HOSTILE, reason=HOSTILE, venue=HOSTILE, headroom={HOSTILE: 0.1})
    html = accounts_html([bad], {HOSTILE: HOSTILE}, [DifferenceRow(HOSTILE, 0.0, 1.0, 1)])
    found = tags(html)
    assert found.seen & {"img", "script", "style"} == set()
    assert found.attributes <= {"style"}


def test_a_desk_on_a_recording_shows_no_venue(snapshot: Snapshot) -> None:
    for text in (static.snapshot_html(snapshot), static.snapshot_text(snapshot)):
        assert "Headroom" not in text
        assert "venue" not in text
    live = msgspec.structs.replace(snapshot, accounts=[account_row("paper-1")])
    assert "paper-1" in static.snapshot_html(live)
    assert "paper-1" in static.snapshot_text(live)


def test_orders_and_fills_name_the_account_where_there_are_several(snapshot: Snapshot) -> None:
    assert "Account" not in static.orders_html(snapshot.orders) + static.fills_html(snapshot.fills)
    orders = [msgspec.structs.replace(snapshot.orders[0], account=name) for name in ("paper-1", "paper-2")]
    fills = [msgspec.structs.replace(snapshot.fills[0], account=name) for name in ("paper-1", "paper-2")]
    for html in (static.orders_html(orders), static.fills_html(fills)):
        assert "Account" in html
        assert "paper-2" in html
    assert "Account" not in static.orders_html(orders[:1])


def test_accounts_are_found_by_name() -> None:
    accounts = Accounts([account_row("paper"), account_row("live")])
    assert accounts["live"].account == "live"
    assert accounts[0].account == "paper"
    assert accounts._ipython_key_completions_() == ["paper", "live"]
    assert "healthy" in repr(accounts)
    with pytest.raises(UnknownName, match="did you mean 'paper'"):
        accounts["papr"]
    assert "the market is a recording" in repr(Accounts([]))
