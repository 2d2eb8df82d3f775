"""What is answered when the gateway asks before it takes an order: a policy by the question's id.

Lives here: the policy and its defaults. Not here: asking and sending (broker.py).

    options = { answers = "o163=yes, o354=yes" }       # yes: go on; no: the order is refused

A question that is left open is no proof of anything: another answer has been seen to set its order free. So every
question is answered, and a no is a refusal only when the venue says that it discarded the order.
"""

from collections.abc import Sequence
from typing import Final

from workbench.errors import BadValue, UnknownName

__all__ = ["KNOWN", "Policy"]

KNOWN: Final[dict[str, tuple[bool, str]]] = {
    "o163": (False, "the limit is more than 3 % away from the market"),
    "o354": (False, "there is no market data for the contract"),
    "o382": (False, "the price is more ticks away than the account's presets allow"),
    "o383": (False, "the order is larger than the account's presets allow"),
    "o403": (False, "a stop will most likely trigger and fill at once"),
    "o451": (False, "the order is worth more than the account's presets allow"),
    "o2136": (False, "mixed allocation"),
    "o2137": (False, "an order on the other side is open"),
    "o2165": (False, "fractions are not traded outside regular hours"),
    "o10082": (False, "a bond that may be called"),
    "o10138": (False, "the change of size is larger than the account's presets allow"),
    "o10151": (True, "risks of market orders"),
    "o10152": (True, "risks of stop orders once they are active"),
    "o10153": (True, "the venue may cap the price"),
    "o10164": (False, "quantities given by an amount of money"),
    "o10223": (False, "orders given by an amount of money"),
    "o10288": (False, "risks of market orders in crypto"),
    "o10331": (True, "risks of stop orders"),
    "p6": (False, "the order is spread over several accounts"),
    "p12": (False, "the venue may reject or re-price what is too far away"),
}
"""Questions that are known: what is answered unless the settings say otherwise, and what each is about."""

_WORDS: Final = {"yes": True, "no": False}
_OTHERS: Final = "*"


class Policy:
    """Answers by id; `"*"` stands for every id that is not known (no, unless the settings say otherwise).

    >>> policy = Policy("o163=yes, *=no")
    >>> policy.answer(["o163"]), policy.answer(["o10331", "o354"]), policy.answer(["o9"]), policy.answer([])
    (True, False, False, False)
    """

    def __init__(self, said: str = "") -> None:
        self._answers = {kind: answer for kind, (answer, _) in KNOWN.items()}
        self._others = False
        for part in (piece.strip() for piece in said.split(",")):
            if not part:
                continue
            kind, equals, word = (piece.strip() for piece in part.partition("="))
            if not equals or word not in _WORDS:
                raise BadValue("ibkr answers", part, "write ID=yes or ID=no, with commas")
            if kind == _OTHERS:
                self._others = _WORDS[word]
            elif not _nameable(kind):
                raise UnknownName("ibkr question", kind, [*KNOWN, _OTHERS])
            else:
                self._answers[kind] = _WORDS[word]

    def answer(self, kinds: Sequence[str]) -> bool:
        """The answer to a question of these ids: yes only when it is yes to each. One without an id gets a no."""
        return bool(kinds) and all(self._answers.get(kind, self._others) for kind in kinds)

    def agreed(self) -> list[str]:
        """What is answered with yes."""
        return sorted(kind for kind, answer in self._answers.items() if answer)

    @staticmethod
    def words(kinds: Sequence[str]) -> str:
        """The setting that agrees to questions of these ids.

        >>> Policy.words(["o163", "o2137"]), Policy.words(["something-new"])
        ('o163=yes, o2137=yes', '*=yes')
        """
        return ", ".join(dict.fromkeys(f"{kind if _nameable(kind) else _OTHERS}=yes" for kind in kinds))

    @staticmethod
    def about(kinds: Sequence[str]) -> str:
        """What a question is about, in our words; "" when nobody knows."""
        return "; ".join(KNOWN[kind][1] for kind in kinds if kind in KNOWN)


def _nameable(kind: str) -> bool:
    """Whether an answer to a question of this id can be set by name."""
    return kind in KNOWN or (kind[:1] in ("o", "p") and kind[1:].isdigit())
