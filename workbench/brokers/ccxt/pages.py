"""Lists of an exchange read to their end, page after page.

Lives here: where the next page begins. Not here: asking for one (client.py), what its rows mean (parse.py).
"""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import VenueDown

if TYPE_CHECKING:
    from workbench.brokers.ccxt.client import CcxtClient, Row

__all__ = ["every_page"]

_USUAL: Final = 100  # rows asked for where ccxt does not know how many one page may have
_MOST_PAGES: Final = 100


async def every_page(
    client: "CcxtClient", method: str, call: Any, symbol: str, since_ms: int, lane: int
) -> "list[Row]":
    """What `call` (ccxt's `method`) lists since a time, page after page, oldest first.

    Some exchanges begin with the oldest, some with the newest: so the pages after the first go forward, then, when
    they bring nothing new, backward.

    Raises:
        VenueDown: it does not end. A part of it would prove nothing about what is not in it.
    """
    feature = client.exchange.feature_value_by_type("spot", None, method, "limit")
    limit = int(feature) if feature else _USUAL
    found: dict[str, Row] = {}
    since, until, backward = since_ms, 0, False
    for _ in range(_MOST_PAGES):
        params = {"until": until} if until else {}
        rows: list[Row] = await client.ask("look", partial(call, symbol, since, limit, params), lane=lane)
        new = {key: row for row in rows if (key := _number_of(row)) not in found}
        found |= new
        stamps = [int(row["timestamp"]) for row in found.values() if row.get("timestamp")]
        more = len(rows) >= limit and bool(new)
        if more and not backward and max(stamps, default=0) > since:
            since = max(stamps)
        elif (more or not backward) and len(found) >= limit and min(stamps, default=0) > since_ms:
            since, until, backward = since_ms, min(stamps), True
        else:
            return sorted(found.values(), key=lambda row: row.get("timestamp") or 0)
    raise VenueDown(client.name, f"{method} of {symbol} does not end after {_MOST_PAGES} pages", "ask again")


def _number_of(row: "Row") -> str:
    """What tells two rows of a list apart: some exchanges give executions no number."""
    return str(row.get("id") or [row.get(name) for name in ("order", "timestamp", "price", "amount")])
