"""The terms of the account at the venue: what may be bought and sold short on which margin, and what borrowing costs.

Lives here: the terms alone. Not here: the checks and the accruals that follow from them (margin.py).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from workbench.errors import BadValue, UnknownName

__all__ = ["Terms"]

KINDS: Final = ("unchecked", "cash", "margin")
CALLS: Final = ("refuse", "cancel")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the venue lends, and at which price. Rates are fractions; those of a year are charged day by day.

    `account` is "unchecked" (everything is taken), "cash" (bought with cash that is there, never short) or "margin":
    then an order is taken as long as `initial` of all positions, open orders counted at their worst, is no more than
    the equity; at an equity below `maintenance` of what is held (`maintenance_short` of what is short) nothing that
    enlarges is taken, and with `margin_call="cancel"` orders that would are cancelled. `shorting` False, or an `iid` in
    `not_shortable`, forbids to sell what is not held. `borrow_rate` a year is charged on the value of shorts
    (`borrow_rates` by `iid` instead, where given), `debit_rate` a year on cash below 0.

    Raises:
        UnknownName: no such account or margin call. BadValue: a rate that is negative, or a margin above 1.
    """

    account: str = "unchecked"
    initial: float = 0.5
    maintenance: float = 0.25
    maintenance_short: float = 0.3
    margin_call: str = "refuse"
    shorting: bool = True
    not_shortable: Collection[int] = ()
    borrow_rate: float = 0.0
    borrow_rates: Mapping[int, float] = field(default_factory=dict)
    debit_rate: float = 0.0

    def __post_init__(self) -> None:
        for name, word, known in (("account", self.account, KINDS), ("margin_call", self.margin_call, CALLS)):
            if word not in known:
                raise UnknownName(name, word, known)
        for name in ("initial", "maintenance", "maintenance_short"):
            if not 0 < getattr(self, name) <= 1:
                raise BadValue(name, getattr(self, name), "give a fraction of the value above 0, up to 1")
        if max(self.maintenance, self.maintenance_short) > self.initial:
            raise BadValue(
                "maintenance", self.maintenance, f"give at most the initial margin {self.initial:g}"
            )
        for name, rate in (
            ("borrow_rate", self.borrow_rate),
            ("debit_rate", self.debit_rate),
            *((f"borrow_rates[{iid}]", rate) for iid, rate in self.borrow_rates.items()),
        ):
            if not 0 <= rate < 100:
                raise BadValue(name, rate, "give a yearly fraction of 0 or more, such as 0.03")

    @property
    def checks(self) -> bool:
        """Whether anything is ever refused."""
        return self.account != "unchecked" or not self.shorting or bool(self.not_shortable)

    @property
    def accrues(self) -> bool:
        """Whether a day can cost anything."""
        return self.borrow_rate > 0 or self.debit_rate > 0 or any(self.borrow_rates.values())

    @property
    def calls(self) -> bool:
        """Whether the venue acts by itself on an account that is short of equity."""
        return self.account == "margin" and self.margin_call == "cancel"

    def may_short(self, iid: int) -> bool:
        """Whether an instrument may be sold without being held."""
        return self.account != "cash" and self.shorting and iid not in self.not_shortable
