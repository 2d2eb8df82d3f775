"""What a target of 1 means: a quantity, or a share of the account that is decided when a target changes.

    quantity     `quantity` units
    percent      `quantity` percent of the account's equity at the last price
    notional     `quantity` of the account's currency at the last price
    volatility   a holding that moves by `quantity` percent of equity in a year, by the instrument's volatility now
    kelly        `quantity` percent of the full Kelly fraction of the strategy's own closed trades
    risk         a holding that loses `quantity` percent of equity at a stop of so many average true ranges

Lives here: the names, their parameters, and the formulas as pure functions. What they are measured by is in `gauges`;
that a strategy has one in `sizers`. All shares are cut down to the lot.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from workbench.errors import BadValue, UnknownName
from workbench.model.scale import SCALE

__all__ = [
    "KELLY",
    "NOTIONAL",
    "PARAMETERS",
    "PERCENT",
    "RISK",
    "SIZINGS",
    "UNITS",
    "VOLATILITY",
    "Sizing",
    "bars_a_year",
    "full_qty_e8",
    "kelly_share",
    "known_sizing",
    "risk_share",
    "share_qty_e8",
    "volatility_share",
]

UNITS: Final = "quantity"
PERCENT: Final = "percent"
NOTIONAL: Final = "notional"
VOLATILITY: Final = "volatility"
KELLY: Final = "kelly"
RISK: Final = "risk"
SIZINGS: Final = (UNITS, PERCENT, NOTIONAL, VOLATILITY, KELLY, RISK)


class Setting(NamedTuple):
    """One parameter of a sizing: its default, and the range it must lie in."""

    default: float
    least: float
    most: float
    whole: bool = False


_REBALANCE: Final = {"rebalance": Setting(0.0, 0.0, 100.0)}
_CAP: Final = {"most": Setting(100.0, 1e-6, 10_000.0)}
PARAMETERS: Final[dict[str, dict[str, Setting]]] = {
    UNITS: {},
    PERCENT: _REBALANCE,
    NOTIONAL: _REBALANCE,
    VOLATILITY: {
        "decay": Setting(0.94, 1e-6, 1.0 - 1e-9),
        "settle": Setting(20.0, 1.0, 1e6, True),
        "bars_a_year": Setting(0.0, 0.0, 1e10),
        **_CAP,
        **_REBALANCE,
    },
    KELLY: {
        "trades": Setting(20.0, 2.0, 1e6, True),
        "start": Setting(10.0, 0.0, 10_000.0),
        "least": Setting(1.0, 0.0, 10_000.0),
        **_CAP,
        **_REBALANCE,
    },
    RISK: {"atr": Setting(14.0, 1.0, 1e5, True), "stop": Setting(2.0, 1e-6, 1e6), **_CAP, **_REBALANCE},
}
"""The parameters of each sizing. `rebalance`: size anew on a bar when what is held is off by more than this fraction
(0: only when the target changes); `most`: percent of equity at most; `decay` and `settle`: weight of the past and
returns until the volatility counts; `bars_a_year` 0: from the calendar and the length of a bar; `trades`: closed trades
until the Kelly fraction counts, `start` percent of equity until then, `least` percent at least, so that it goes on
learning; `atr`: bars of the average true range, `stop`: the stop's distance in those."""


class Sizing:
    """A sizing with its parameters; what is left out has its default.

    Raises:
        UnknownName: no such sizing or parameter, with the nearest right name. BadValue: a parameter out of its range.

    >>> Sizing("risk", stop=3).parameters["stop"]
    3.0
    >>> Sizing("risk", stop=3)
    Sizing('risk', stop=3)
    """

    __slots__ = ("name", "parameters")

    def __init__(self, name: str, **parameters: float) -> None:
        self.name = known_sizing(name)
        known = PARAMETERS[name]
        for given in parameters:
            if given not in known:
                raise UnknownName(f"parameter of sizing '{name}'", given, known or ("none",))
        self.parameters: dict[str, float] = {
            key: _checked(name, key, setting, parameters.get(key, setting.default))
            for key, setting in known.items()
        }

    @classmethod
    def of(cls, sizing: "str | Sizing", parameters: Mapping[str, float] | None = None) -> "Sizing":
        """From a name and parameters, or itself. Raises as the class does."""
        return sizing if isinstance(sizing, Sizing) else cls(sizing, **(parameters or {}))

    @property
    def pairs(self) -> tuple[tuple[str, float], ...]:
        """Name and value of every parameter, as a command carries them."""
        return tuple(self.parameters.items())

    @property
    def watches_bars(self) -> bool:
        """Whether it must see every bar: it measures something, or re-sizes on them."""
        return self.name in (VOLATILITY, RISK) or self.parameters.get("rebalance", 0.0) > 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sizing) and (self.name, self.pairs) == (other.name, other.pairs)

    def __hash__(self) -> int:
        return hash((self.name, self.pairs))

    def __repr__(self) -> str:
        given = "".join(
            f", {key}={value:g}"
            for key, value in self.parameters.items()
            if value != PARAMETERS[self.name][key].default
        )
        return f"Sizing({self.name!r}{given})"


def _checked(name: str, key: str, setting: Setting, value: Any) -> float:
    if not isinstance(value, (int, float)) or not setting.least <= value <= setting.most:
        advice = f"give a number from {setting.least:g} to {setting.most:g}"
        raise BadValue(f"{name}.{key}", value, advice)
    if setting.whole and value != int(value):
        raise BadValue(f"{name}.{key}", value, "give a whole number")
    return float(value)


def known_sizing(name: str) -> str:
    """`name` itself, when it is a sizing.

    Raises:
        UnknownName: it is not.
    """
    if name in SIZINGS:
        return name
    raise UnknownName("sizing", name, SIZINGS)


def full_qty_e8(sizing: str, quantity_e8: int, equity_e8: int, mark_e8: int) -> int:
    """The quantity that a target of 1 means now, for the sizings that need no measure; 0 when there is no price or no
    equity to size by.

    >>> from workbench.model import to_e8
    >>> full_qty_e8("percent", to_e8(10), to_e8(1_000_000), to_e8(400)) == to_e8(250)
    True
    >>> full_qty_e8("notional", to_e8(10_000), to_e8(1_000_000), to_e8(400)) == to_e8(25)
    True
    """
    if sizing == UNITS:
        return quantity_e8
    if mark_e8 <= 0 or equity_e8 <= 0:
        return 0
    if sizing == NOTIONAL:
        return quantity_e8 * SCALE // mark_e8
    return equity_e8 * quantity_e8 // (100 * mark_e8)


def share_qty_e8(share: float, equity_e8: int, mark_e8: int) -> int:
    """The quantity worth `share` of the equity at the mark.

    >>> share_qty_e8(0.25, 1_000_000 * 10**8, 400 * 10**8) // 10**8
    625
    """
    if mark_e8 <= 0 or equity_e8 <= 0 or not share > 0:
        return 0
    return int(equity_e8 * share / mark_e8 * SCALE)


def volatility_share(target: float, yearly: float, most: float) -> float:
    """The share of equity that moves by `target` a year when the instrument moves by `yearly` (all fractions).

    Volatility targeting as in R. Carver, Systematic Trading (2015), without its forecast scaling.

    >>> volatility_share(0.10, 0.20, 1.0), volatility_share(0.10, 0.05, 1.0)
    (0.5, 1.0)
    """
    return min(most, target / yearly) if yearly > 0 else most


def kelly_share(fraction: float, mean: float, variance: float, least: float, most: float) -> float:
    """`fraction` of the growth-optimal share `mean / variance` of a trade's returns, between `least` and `most`.

    Formula: E. O. Thorp, "The Kelly Criterion in Blackjack, Sports Betting, and the Stock Market" (2006), section 7.1,
    its continuous approximation with a riskless rate of 0.

    >>> kelly_share(0.5, 0.01, 0.04, 0.01, 1.0), kelly_share(0.5, -0.01, 0.04, 0.01, 1.0)
    (0.125, 0.01)
    """
    if variance > 0:
        return min(most, max(least, fraction * mean / variance))
    return most if mean > 0 else least


def risk_share(risk: float, distance: float, px: float, most: float) -> float:
    """The share of equity whose loss at a stop `distance` away is `risk` of the equity.

    Fixed fractional risk with the stop in average true ranges: the unit of the Turtle rules (C. Faith, The Original
    Turtle Trading Rules, 2003), which is a stop of one range.

    >>> risk_share(0.01, 4.0, 400.0, 10.0)
    1.0
    """
    return min(most, risk * px / distance) if distance > 0 else most


def bars_a_year(calendar: str, bar_ns: int) -> float:
    """Bars in a year of trading, from the length of one: every day and hour for a market that never closes, else 252
    sessions of 6.5 hours (bars longer than that count as one a session).

    >>> bars_a_year("XNYS", 60 * 10**9), bars_a_year("XNYS", 86_400 * 10**9), bars_a_year("24/7", 60 * 10**9)
    (98280.0, 252.0, 525600.0)
    """
    length_s = bar_ns / 1e9
    if length_s <= 0:
        return 1.0
    if calendar == "24/7":
        return 365 * 86_400 / length_s
    return max(252.0, 252 * 23_400 / length_s) if length_s <= 86_400 else 252 * 86_400 / length_s


def sizing_of(name: str, pairs: Iterable[tuple[str, float]]) -> Sizing:
    """The sizing that a command names. Raises as `Sizing` does."""
    return Sizing(name, **dict(pairs))
