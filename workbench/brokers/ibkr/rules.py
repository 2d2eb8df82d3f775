"""What the venue takes and what not, checked before anything is sent: contracts, grids, times in force, brackets.

Lives here: the rules that need no account (its means are judged by the venue). Not here: contracts (contracts.py).
"""

import logging
from collections.abc import Sequence
from typing import Final

from workbench.brokers.ibkr.contracts import Contract, Contracts
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
from workbench.model.scale import SCALE, from_e8

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

type Complaint = tuple[str, str] | None


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
            known = self.instruments.get(order.iid)
            name = f"'{known.symbol}'" if known is not None else f"number {order.iid}"
            return "UNKNOWN_SYMBOL", f"instrument {name} has no contract at ibkr"
        return (
            self._quantity(order.qty_e8, order.iid)
            or self._prices(order, contract)
            or self._words(order, contract)
        )

    def _quantity(self, qty_e8: int, iid: int) -> Complaint:
        if qty_e8 <= 0:
            return "QTY", f"qty {from_e8(qty_e8):g} is not above 0"
        for step_e8 in (self.instruments[iid].lot_e8, SCALE):
            if qty_e8 % step_e8:
                return "GRID", f"qty {from_e8(qty_e8):g} is no multiple of {from_e8(step_e8):g}"
        return None

    def _prices(self, order: Submit, contract: Contract) -> Complaint:
        kind = order.kind
        if kind in (LIMIT, STOP_LIMIT) and (said := _px("limit_price", order.limit_px_e8, kind, contract)):
            return said
        if kind in (STOP, STOP_LIMIT) and (said := _px("stop_price", order.stop_px_e8, kind, contract)):
            return said
        if kind == TRAILING and (order.trail_e8 <= 0) == (order.trail_rate_e8 <= 0):
            return "TRAIL", "a trailing order needs either a distance or a rate above 0"
        return None

    def _words(self, order: Submit, contract: Contract) -> Complaint:
        kind, tif = order.kind, order.tif
        words = f"{TYPE_NAMES[kind]} order {TIF_NAMES[tif]}"
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
        said = self._quantity(wanted.qty_e8, order.iid)
        if said is None and order.kind in (LIMIT, STOP_LIMIT):
            said = _px("limit_price", wanted.limit_px_e8, order.kind, contract)
        if said is None and order.kind in (STOP, STOP_LIMIT):
            said = _px("stop_price", wanted.stop_px_e8, order.kind, contract)
        return said

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


def _px(field: str, px_e8: int, kind: int, contract: Contract) -> Complaint:
    if px_e8 <= 0:
        return "PRICE", f"a {TYPE_NAMES[kind]} order needs a {field} above 0"
    step_e8 = contract.step_e8(px_e8)
    if px_e8 % step_e8:
        return "GRID", f"{field} {from_e8(px_e8):g} is no multiple of {from_e8(step_e8):g}"
    return None
