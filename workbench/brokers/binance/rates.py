"""What a fee in another asset was worth: the close of the minute before the execution, the same whenever it is asked.

Lives here: prices of assets in the quote asset, remembered by the minute. Not here: how a fee is booked (parse.py).
"""

import logging
from typing import Final

from workbench.brokers.binance.client import BinanceClient
from workbench.brokers.binance.words import VENUE, e8
from workbench.brokers.pool import decode
from workbench.errors import VenueRefused
from workbench.model.scale import notional_e8

__all__ = ["Rates"]

logger = logging.getLogger(__name__)

_MINUTE_NS: Final = 60_000_000_000
_KEPT: Final = 1_000


class Rates:
    """Prices in `quote` by asset and minute. An asset nobody trades against it is worth nothing here."""

    def __init__(self, client: BinanceClient, quote: str) -> None:
        self._client, self._quote = client, quote
        self._known: dict[tuple[str, int], int] = {}

    def known_e8(self, asset: str, ts_ns: int) -> int | None:
        """The price at an execution's time; None when it has to be asked for."""
        return self._known.get((asset, ts_ns // _MINUTE_NS))

    async def px_e8(self, asset: str, ts_ns: int) -> int:
        """The same, asked for when it is not known.

        Raises:
            VenueDown, Unreachable, RateLimited: no answer; asked again it is the same.
        """
        key = asset, ts_ns // _MINUTE_NS
        known = self._known.get(key)
        if known is not None:
            return known
        start_ms = (key[1] - 1) * _MINUTE_NS // 1_000_000
        params = [
            ("symbol", f"{asset}{self._quote}"),
            ("interval", "1m"),
            ("startTime", str(start_ms)),
            ("limit", "1"),
        ]
        try:
            body = await self._client.market("klines", params)
            rows = decode(VENUE, body, list[list[str | int]], what="candles", deepest=0)
            found = e8(rows[0][4], "close") if rows else 0
        except VenueRefused as error:
            logger.warning("binance: fees in %s cannot be valued in %s (%s)", asset, self._quote, error)
            found = 0
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = found
        return found

    async def worth_e8(self, asset: str, amount_e8: int, ts_ns: int) -> int:
        """What an amount was worth in the quote asset."""
        return notional_e8(await self.px_e8(asset, ts_ns), amount_e8)
