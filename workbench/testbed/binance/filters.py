"""Binance's filters: what each symbol takes, as exchangeInfo tells it, and the checks with their exact texts.

Lives here: figures and checks of one order against them. Not here: whether the account can pay (balances.py), the
form of an order (tickets.py).
"""

from math import log10
from typing import Any, Final

import msgspec

from workbench.model.orders import BUY
from workbench.model.scale import SCALE, notional_e8, to_e8
from workbench.testbed.binance.refusals import Refusal, filter_failure
from workbench.testbed.binance.words import text8
from workbench.testbed.listing import LEVELS

__all__ = ["Filters", "filters_of"]

_GRIDS: Final = {
    "BTC": (0.01, 0.00001, 9_000.0, 4_000.0),
    "ETH": (0.01, 0.0001, 90_000.0, 60_000.0),
    "BNB": (0.01, 0.001, 900_000.0, 3_000.0),
    "SOL": (0.01, 0.001, 90_000.0, 20_000.0),
    "LTC": (0.01, 0.001, 900_000.0, 20_000.0),
    "ADA": (0.0001, 0.1, 9_000_000.0, 1_000_000.0),
    "XRP": (0.0001, 0.1, 9_000_000.0, 1_000_000.0),
    "DOGE": (0.00001, 1.0, 9_000_000.0, 5_000_000.0),
}
"""Tick, step, most in one order, most in one market order, by base asset."""
_BIPS: Final = 10_000


class Filters(msgspec.Struct, frozen=True):
    """The filters of one symbol, in 1e-8 units."""

    tick_e8: int
    step_e8: int
    most_qty_e8: int
    most_market_e8: int
    least_value_e8: int = 5 * SCALE
    most_value_e8: int = 300_000_000 * SCALE
    most_px_e8: int = 1_000_000 * SCALE
    up: int = 5
    down_e8: int = SCALE // 5
    most_orders: int = 200
    most_algo: int = 5
    most_lists: int = 20
    most_amends: int = 10
    iceberg_parts: int = 10
    trail: tuple[int, int] = (10, 2_000)
    most_position_e8: int = 0  # 0: no such filter
    avg_minutes: int = 5

    def shown(self) -> list[dict[str, Any]]:
        """As exchangeInfo tells them."""
        low, high = self.trail
        found: list[dict[str, Any]] = [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text8(self.tick_e8),
                "maxPrice": text8(self.most_px_e8),
                "tickSize": text8(self.tick_e8),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": text8(self.step_e8),
                "maxQty": text8(self.most_qty_e8),
                "stepSize": text8(self.step_e8),
            },
            {"filterType": "ICEBERG_PARTS", "limit": self.iceberg_parts},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": text8(0),
                "maxQty": text8(self.most_market_e8),
                "stepSize": text8(0),
            },
            {
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": low,
                "maxTrailingAboveDelta": high,
                "minTrailingBelowDelta": low,
                "maxTrailingBelowDelta": high,
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(self.up),
                "bidMultiplierDown": f"{self.down_e8 / SCALE:g}",
                "askMultiplierUp": str(self.up),
                "askMultiplierDown": f"{self.down_e8 / SCALE:g}",
                "avgPriceMins": self.avg_minutes,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": text8(self.least_value_e8),
                "applyMinToMarket": True,
                "maxNotional": text8(self.most_value_e8),
                "applyMaxToMarket": False,
                "avgPriceMins": self.avg_minutes,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": self.most_orders},
            {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": self.most_lists},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": self.most_algo},
            {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": self.most_amends},
        ]
        if self.most_position_e8:
            found.append({"filterType": "MAX_POSITION", "maxPosition": text8(self.most_position_e8)})
        return found

    def check_price(self, px_e8: int) -> None:
        """PRICE_FILTER, of prices and stop prices."""
        if not self.tick_e8 <= px_e8 <= self.most_px_e8 or px_e8 % self.tick_e8:
            raise filter_failure("PRICE_FILTER")

    def check_percent(self, side: int, px_e8: int, average_e8: int) -> None:
        """PERCENT_PRICE_BY_SIDE: not too far from the average of the last minutes."""
        low, high = notional_e8(average_e8, self.down_e8), average_e8 * self.up
        if not low <= px_e8 <= high:
            raise filter_failure("PERCENT_PRICE_BY_SIDE")

    def check_quantity(self, qty_e8: int, *, market: bool) -> None:
        """LOT_SIZE, and MARKET_LOT_SIZE for market orders."""
        if not self.step_e8 <= qty_e8 <= self.most_qty_e8 or qty_e8 % self.step_e8:
            raise filter_failure("LOT_SIZE")
        if market and qty_e8 > self.most_market_e8:
            raise filter_failure("MARKET_LOT_SIZE")

    def check_value(self, value_e8: int, *, market: bool) -> None:
        """NOTIONAL."""
        if value_e8 < self.least_value_e8 or (not market and value_e8 > self.most_value_e8):
            raise filter_failure("NOTIONAL")

    def check_iceberg(self, qty_e8: int, iceberg_e8: int) -> None:
        """ICEBERG_PARTS, and LOT_SIZE of the visible part."""
        if iceberg_e8 % self.step_e8 or iceberg_e8 < self.step_e8:
            raise filter_failure("LOT_SIZE")
        if -(-qty_e8 // iceberg_e8) > self.iceberg_parts:
            raise filter_failure("ICEBERG_PARTS")

    def check_trail(self, delta: int) -> None:
        """TRAILING_DELTA, in hundredths of a percent."""
        low, high = self.trail
        if not low <= delta <= high:
            raise filter_failure("TRAILING_DELTA")

    def check_position(self, side: int, qty_e8: int, held_e8: int, bought_e8: int) -> None:
        """MAX_POSITION: what is held and what open orders would buy."""
        if self.most_position_e8 and side == BUY and held_e8 + bought_e8 + qty_e8 > self.most_position_e8:
            raise Refusal(-2010, "Filter failure: MAX_POSITION")


def filters_of(base: str) -> Filters:
    """The filters of a pair by its base asset; sensible ones by its price level when it is not well known.

    >>> filters_of("BTC").step_e8, filters_of("NEWCOIN").tick_e8
    (1000, 1000000)
    """
    grid = _GRIDS.get(base)
    if grid is None:
        px = LEVELS.get(base, ("", 100.0))[1]
        digits = int(log10(px)) if px >= 1 else -1
        grid = (10.0 ** (digits - 4), 10.0 ** -(digits + 1), 9_000_000.0, 100_000.0)
    tick, step, most, market = (to_e8(round(value, 8)) for value in grid)
    return Filters(tick, step, most, market)
