"""How Binance spells things: eight decimals, words in capitals, times in milli- or microseconds.

Lives here: spelling, both ways. Not here: rules about orders (tickets.py, filters.py), whole bodies (bodies.py).
"""

import re
from typing import Any, Final

from workbench.model.orders import BUY, FOK, GTC, IOC, SELL
from workbench.model.scale import SCALE

__all__ = [
    "ALGO",
    "ALWAYS_LIMIT",
    "INTERVALS",
    "QUOTES",
    "SIDES",
    "SIDE_WORDS",
    "TIFS",
    "TYPES",
    "amount",
    "px_text",
    "split_symbol",
    "text8",
]

SIDES: Final = {"BUY": BUY, "SELL": SELL}
SIDE_WORDS: Final = {BUY: "BUY", SELL: "SELL"}
TIFS: Final = {"GTC": GTC, "IOC": IOC, "FOK": FOK}
TYPES: Final = (
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
)  # fmt: skip
ALGO: Final = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
ALWAYS_LIMIT: Final = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
QUOTES: Final = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "EUR", "TRY", "BRL", "BNB", "BTC", "ETH", "USD")
"""Assets others are paid in, the longer names first."""
_MINUTE: Final = 60
INTERVALS: Final = {
    "1s": 1,
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": 60 * _MINUTE,
    "2h": 120 * _MINUTE,
    "4h": 240 * _MINUTE,
    "6h": 360 * _MINUTE,
    "8h": 480 * _MINUTE,
    "12h": 720 * _MINUTE,
    "1d": 1_440 * _MINUTE,
    "3d": 4_320 * _MINUTE,
    "1w": 10_080 * _MINUTE,
    "1M": 43_200 * _MINUTE,
}
"""Candle lengths in seconds; a month counts as 30 days."""
_AMOUNT: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")


def text8(units: int) -> str:
    """An amount of 1e-8 units with its eight decimals.

    >>> text8(12_345_000), text8(-50_000_000), text8(0)
    ('0.12345000', '-0.50000000', '0.00000000')
    """
    sign, size = ("-", -units) if units < 0 else ("", units)
    return f"{sign}{size // SCALE}.{size % SCALE:08d}"


def px_text(px: float) -> str:
    """A price or size kept as a float (the market's) as text.

    >>> px_text(60_000.1)
    '60000.10000000'
    """
    return text8(round(px * SCALE))


def amount(given: Any) -> tuple[int, bool] | None:
    """A number as it was sent: (1e-8 units, whether it is finer than that); None when it is no plain decimal.

    >>> amount("0.5"), amount("0.000000001"), amount(3), amount("1e5"), amount("-1")
    ((50000000, False), (0, True), (300000000, False), None, None)
    """
    text = given if isinstance(given, str) else _plain(given)
    if not _AMOUNT.fullmatch(text):
        return None
    whole, _, part = text.partition(".")
    return int(whole) * SCALE + int(part[:8].ljust(8, "0") or 0), bool(part[8:].strip("0"))


def _plain(given: Any) -> str:
    if isinstance(given, bool) or given is None:
        return ""
    return f"{given:.8f}" if isinstance(given, float) else str(given)


def split_symbol(symbol: str) -> tuple[str, str] | None:
    """(base, quote) of a symbol; None when its end is no asset others are paid in.

    >>> split_symbol("BTCUSDT"), split_symbol("AAPL")
    (('BTC', 'USDT'), None)
    """
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    return None
