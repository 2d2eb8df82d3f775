"""What the venue takes and what not, checked before anything is sent: contracts, grids, times in force, brackets.

Lives here: the rules that need no account (its means are judged by the venue). Not here: contracts (contracts.py).
"""

import logging
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from workbench.brokers.ibkr.contracts import Contract, Contracts
from workbench.brokers.pool.order_checks import (
    Complaint,
    prices_complaint,
    quantity_complaint,
    unlisted,
)
from workbench.errors import VenueRefused
from workbench.model.effects import Amend, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
    CLS,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    STOP,
    STOP_LIMIT,
    TIF_NAMES,
    TRAILING,
    TYPE_NAMES,
)
from workbench.model.scale import SCALE

__all__ = ["Rules"]

logger = logging.getLogger(__name__)

_MOST_ID: Final = 64
_THEIRS: Final = {
    MARKET: "market",
    LIMIT: "limit",
    STOP: "stop",
    STOP_LIMIT: "stop_limit",
    TRAILING: "trailing_stop",
}


class Rules:
    """The instruments of one account, and what may be ordered of them."""

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self.instruments = {instrument.iid: instrument for instrument in instruments}
        self.contracts: dict[int, Contract] = {}
        self._iids: dict[int, int] = {}

    async def learn(self, contracts: Contracts) -> None:
        """Find each instrument's contract. One that has none stays unknown, and orders in it are rejected."""
        for instrument in self.instruments.values():
            try:
                found = await contracts.find(instrument.symbol)
            except VenueRefused as error:
                logger.warning("ibkr: orders in '%s' will be rejected (%s)", instrument.symbol, error)
                continue
            self.contracts[instrument.iid] = found
            self._iids[found.conid] = instrument.iid

    def iid_of(self, conid: int) -> int | None:
        """Our number of a contract; None when it is not one of ours."""
        return self._iids.get(conid)

    def complaint(self, order: Submit) -> Complaint:
        """Why an order would be refused, as code and text; None when there is no reason."""
        contract = self.contracts.get(order.iid)
        if contract is None:
            return unlisted(self.instruments, order.iid, "has no contract at ibkr")
        return (
            quantity_complaint(order.qty_e8, self._lots(order.iid))
            or prices_complaint(order, lambda px_e8: (contract.step_e8(px_e8),))
            or self._words(order, contract)
        )

    def _lots(self, iid: int) -> tuple[int, int]:
        return self.instruments[iid].lot_e8, SCALE

    def _words(self, order: Submit, contract: Contract) -> Complaint:
        kind, tif = order.kind, order.tif
        words = f"{TYPE_NAMES[kind]} order {TIF_NAMES[tif]}"
        if kind == TRAILING and (order.trail_e8 <= 0) == (order.trail_rate_e8 <= 0):
            return "TRAIL", "a trailing order needs either a distance or a rate above 0"
        if kind not in _THEIRS or (contract.order_types and _THEIRS[kind] not in contract.order_types):
            return "TYPE", f"{contract.symbol} takes no {TYPE_NAMES[kind]} orders at ibkr"
        if tif not in (DAY, GTC, IOC, OPG, CLS) or tif == FOK:
            return "TIF", f"ibkr takes no {words} over this interface"
        if tif in (OPG, CLS, IOC) and kind not in (MARKET, LIMIT):
            return "TIF", f"ibkr takes market and limit orders {TIF_NAMES[tif]}, not a {words}"
        if len(order.client_id) > _MOST_ID:
            return "CLIENT_ID", f"client id {order.client_id} is longer than {_MOST_ID} characters"
        return None

    def amendment(self, order: Submit, wanted: Amend) -> Complaint:
        """Why a change would be refused."""
        contract = self.contracts[order.iid]
        changed = replace(order, limit_px_e8=wanted.limit_px_e8, stop_px_e8=wanted.stop_px_e8)
        return quantity_complaint(wanted.qty_e8, self._lots(order.iid)) or prices_complaint(
            changed, lambda px_e8: (contract.step_e8(px_e8),)
        )

    def together(self, orders: Sequence[Submit]) -> Complaint:
        """Why orders cannot go as a bracket or a pair."""
        head, others = orders[0], orders[1:]
        if not others or any(order.iid != head.iid for order in others):
            return "TOGETHER", "a bracket is an entry with its exits, a pair two orders of one instrument"
        if any(order.tif not in (DAY, GTC) for order in orders):
            return "TOGETHER", "orders that belong together are day or gtc"
        if others[0].parent_id:
            if any(order.parent_id != head.order_id or order.side == head.side for order in others):
                return "TOGETHER", "a bracket's exits are on the other side of its entry"
            if len(others) > 2:
                return "TOGETHER", "a bracket has one or two exits"
        elif any(order.parent_id for order in orders):
            return "TOGETHER", "an exit goes together with its entry"
        return None
