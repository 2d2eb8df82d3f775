"""Snapshots as data frames: same columns with and without rows, figures unchanged."""

import msgspec
import pandas as pd
import pytest

from tests.api.fake_snapshot import account_row
from workbench.model.snapshot import AlertRow, Snapshot, VenueAccountRow, VenueStreamRow
from workbench.ui.dashboard import frames

ALL = [getattr(frames, name) for name in frames.__all__]


@pytest.mark.parametrize("frame", ALL, ids=frames.__all__)
def test_columns_and_types_do_not_depend_on_rows(frame: object, snapshot: Snapshot, empty: Snapshot) -> None:
    assert callable(frame)
    full, none = frame(snapshot), frame(empty)
    assert list(full.columns) == list(none.columns)
    assert list(full.dtypes) == list(none.dtypes)


def test_orders_are_told_newest_first_with_their_states(snapshot: Snapshot) -> None:
    told = frames.orders(snapshot)
    assert told["Order"].tolist() == [row.order_id for row in reversed(snapshot.orders)]
    assert set(told["State"]) == {row.state for row in snapshot.orders}


def test_the_accounts_positions_come_before_the_strategies(snapshot: Snapshot) -> None:
    held = frames.positions(snapshot)["Held by"].tolist()
    assert held[: held.count("account")] == ["account"] * held.count("account")


def test_latency_says_which_stage_is_over_its_budget(snapshot: Snapshot) -> None:
    told = frames.latency(snapshot)
    over = told[(told["p99 µs"] > told["Budget µs"]) & (told["Measured"] > 0)]
    assert (over["Verdict"] == "▲ over").all()
    assert (told.drop(over.index)["Verdict"] != "▲ over").all()


def test_figures_are_not_rounded(snapshot: Snapshot) -> None:
    told = frames.fills(snapshot)
    paid = pd.Series([row.quantity * row.px for row in reversed(snapshot.fills)], dtype="float64")
    pd.testing.assert_series_equal(told["Value"], paid, check_names=False)


def venues(snapshot: Snapshot, *accounts: VenueAccountRow) -> Snapshot:
    """The desk as if its market were these accounts at venues."""
    return msgspec.structs.replace(snapshot, accounts=list(accounts))


def test_orders_and_fills_name_their_account_once_there_are_several(snapshot: Snapshot) -> None:
    one, two = account_row("alpaca"), account_row("binance", venue="binance")
    for frame in (frames.orders, frames.fills):
        assert "Account" not in frame(venues(snapshot, one)).columns
    filled = msgspec.structs.replace(snapshot.fills[-1], account="binance")
    several = msgspec.structs.replace(venues(snapshot, one, two), fills=[*snapshot.fills[:-1], filled])
    assert frames.fills(several)["Account"].iloc[0] == "binance"
    assert set(frames.orders(several)["Account"]) == {""}


def test_what_a_venue_has_not_told_is_not_a_number(snapshot: Snapshot) -> None:
    well = account_row("alpaca")
    away = account_row(
        "late", state="down", reason="stream 'iex' is closed", books_ns=0, cash=0.0, headroom={}
    )
    told = frames.accounts(venues(snapshot, well, away)).set_index("Account")
    told_of = told[["Cash", "Equity", "Positions"]].to_numpy()
    assert told_of[0].tolist() == [90_000.0, 100_250.5, 2.0]
    assert pd.isna(told_of[1]).all()
    assert told["Allowance left"].tolist() == [82.0, 100.0]  # the allowance of which the least is left
    assert told.loc["late", "Why"] == "stream 'iex' is closed"
    assert list(told.columns)[1:3] == ["State", "Why"]  # in sight however narrow the table is
    assert told["Trip p50 / p99"].tolist() == ["1.9 ms / 8 ms", "1.9 ms / 8 ms"]


def test_every_stream_of_every_account_has_a_line(snapshot: Snapshot) -> None:
    broken = VenueStreamRow("iex", "data", "waiting", "the venue closed it", 0.0, 4, 1)
    told = frames.streams(venues(snapshot, account_row("a"), account_row("b", streams=[broken])))
    assert told[["Account", "Stream", "State"]].to_numpy().tolist() == [
        ["a", "trade_updates", "live"], ["a", "iex", "live"], ["b", "iex", "waiting"],
    ]  # fmt: skip
    assert told.iloc[2][["Age", "Reconnects", "Gaps", "Why"]].tolist() == ["–", 4, 1, "the venue closed it"]


def test_alerts_about_venues_are_told_apart(snapshot: Snapshot) -> None:
    codes = ("VENUE", "LAG", "DIFFERENCE")
    alerts = [AlertRow(10**18 + n, "warning", code, "what") for n, code in enumerate(codes)]
    told = frames.venue_alerts(msgspec.structs.replace(snapshot, alerts=alerts))
    assert told["Code"].tolist() == ["DIFFERENCE", "VENUE"]
