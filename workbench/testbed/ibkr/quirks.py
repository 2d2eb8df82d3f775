"""What the real gateway is known to do now and then, as faults: points `quirk:NAME`, kind `quirk`.

Lives here: their names, and asking whether one strikes. Not here: what each does (where it matters).
"""

from typing import Final

from workbench.testbed.faults import Fault, Faults

__all__ = ["QUIRKS", "Quirks"]

QUIRKS: Final[dict[str, str]] = {
    "sor_refused": "live order updates are refused: unable to subscribe",
    "sor_bare": "rows of live order updates hold the account, the contract and the order's number alone",
    "cold_orders": "the first call for live orders answers with none, and says that it is no snapshot",
    "cold_trades": "the first call for trades answers with none",
    "cached_positions": "pages of positions stay as they were until they are invalidated",
    "question": "orders are asked about what `text` lists (o354 p12), besides the usual",
    "funds_question": "what the account cannot carry is asked about first, and is inactive afterwards",
    "funds_inactive": "what the account cannot carry is taken in, and is inactive a moment later",
    "duplicate_400": "a client id used again is refused with status 400 instead of 200",
    "bare_legs": "exits of a bracket lose their client ids: the answer, lists and streams name their parent",
    "competing": "another session of the user takes the brokerage session, for as long as the fault is there",
    "link": "the back end cannot be reached, for as long as the fault is there; `code` 1101 (or 0): market data has to "
    "be asked for again afterwards, 1102: it goes on",
    "relogin": "the session goes on under another number: sockets of the old one keep their heartbeat and die",
    "id_rollback": "order numbers begin again where they began at the start",
    "bulletin": "every socket is told `text`",
}
"""Every quirk and what it does."""


class Quirks:
    """The quirks that are set."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def hit(self, name: str) -> Fault | None:
        """The fault that strikes at a quirk now, if any."""
        if not self._faults.any:
            return None
        return self._faults.order(f"quirk:{name}", "quirk")


def quirk_of(fault: Fault) -> str:
    """The quirk a fault names outright; "" when it is another fault or a pattern.

    >>> quirk_of(Fault(what="quirk", where="quirk:link"))
    'link'
    """
    name = fault.where.removeprefix("quirk:")
    return name if fault.what == "quirk" and name in QUIRKS else ""
