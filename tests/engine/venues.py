"""Orders, bars and reports in few words, for the tests of the venue."""

from typing import Any

from workbench.engine.match import Match
from workbench.model import Accepted, Amended, Bar, CashMoved, Filled, Report, Submit, to_e8
from workbench.model.orders import BUY, GTC, MARKET

T = 1_608_042_600_000_000_000  # 2020-12-15 14:30 UTC
MINUTE = 60_000_000_000
DAY_NS = 86_400_000_000_000
LEVEL = Bar(T, 0, 100, 100, 100, 100, 1)


def order(n: int = 1, side: int = BUY, kind: int = MARKET, tif: int = GTC, **more: Any) -> Submit:
    """Prices and quantities as floats; `units` 10, `ts` the close of the first bar."""
    return Submit(
        more.get("ts", T),
        n,
        1,
        1,
        more.get("iid", 0),
        side,
        kind,
        tif,
        to_e8(more.get("units", 10)),
        to_e8(more.get("limit", 0)),
        to_e8(more.get("stop", 0)),
        "",
        to_e8(more.get("trail", 0)),
        to_e8(more.get("rate", 0)),
        more.get("parent", 0),
        more.get("group", 0),
    )


def bar(minute: int, o: float, h: float, low: float, c: float, volume: float = 1) -> Bar:
    return Bar(T + minute * MINUTE, 0, o, h, low, c, volume)


def told(reports: list[Report]) -> list[str]:
    """Reports in a few words: fills with quantity and price, cash with its amount, the rest by name."""
    words = []
    for r in reports:
        if isinstance(r, Filled):
            words.append(f"{r.order_id} {r.qty_e8 / 1e8:g} at {r.px_e8 / 1e8:g}")
        elif isinstance(r, Amended):
            words.append(f"{r.order_id} amended {r.qty_e8 / 1e8:g}")
        elif isinstance(r, CashMoved):
            words.append(f"cash {r.amount_e8 / 1e8:g}")
        else:
            words.append(f"{r.order_id} {type(r).__name__.lower()}")
    return words


def opened(*orders: Submit, **how: Any) -> Match:
    """A venue that has seen a level bar at 100, and then these orders."""
    venue = Match(**how)
    venue.on_market(LEVEL)
    for submit in orders:
        assert isinstance(venue.submit(submit)[0], Accepted)
    return venue
