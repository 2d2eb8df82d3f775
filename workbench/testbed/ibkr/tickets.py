"""An order as a client writes it, checked for form and turned into a ticket.

Lives here: what an order must look like whatever the account holds. Not here: means (money.py), questions
(questions.py), what becomes of it (orders.py).
"""

from typing import Any, Final

from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    STOP,
    STOP_LIMIT,
    TRAILING,
)
from workbench.model.scale import SCALE
from workbench.testbed.ibkr.contracts import Contracts, increment_e8
from workbench.testbed.ibkr.refusals import Refusal
from workbench.testbed.ibkr.words import KINDS, SIDES, TIFS, number, plain, qty_text
from workbench.testbed.market import Board
from workbench.testbed.orders import Ticket, VenueOrder

__all__ = ["Tickets"]

_LONGEST_ID: Final = 64
_VARIATION: Final = "The price does not conform to the minimum price variation for this contract."


class Tickets:
    """Reads orders for one account's contracts."""

    def __init__(self, contracts: Contracts, account: str) -> None:
        self._contracts, self._account = contracts, account

    def read(self, said: object, was: VenueOrder | None = None) -> Ticket:
        """A ticket; `was` is the order it is to change (what is left out stays as it was there).

        Raises:
            Refusal: in the gateway's words.
        """
        if not isinstance(said, dict):
            raise Refusal("Bad Request: an order must be an object", 400)
        if was is not None:
            said = {**_as_said(was), **said}
        account = said.get("acctId")
        if account not in (None, "", self._account):
            raise Refusal(f"Account {account} is not available", 400)
        board = self._contracts.board(said.get("conidex") or said.get("conid"))
        side = SIDES.get(str(said.get("side")).upper())
        if side is None:
            raise Refusal(f"Bad Request: side {said.get('side')} is not valid", 400)
        word = str(said.get("orderType")).upper()
        if word == "STP_LIMIT":
            word = "STOP_LIMIT"
        if word not in KINDS:
            raise Refusal(f"Bad Request: orderType {said.get('orderType')} is not valid", 400)
        kind, tif = KINDS[word], self._tif(said, word)
        qty_e8, value_e8 = self._quantity(said, board, side)
        limit_e8, stop_e8 = self._prices(said, board, kind, word)
        trail_e8, rate_e8 = self._trail(said) if kind == TRAILING else (0, 0)
        client_id = plain(said.get("cOID"))
        if len(client_id) > _LONGEST_ID:
            raise Refusal(f"Bad Request: cOID is longer than {_LONGEST_ID} characters", 400)
        extra = {
            "word": word,
            "parentId": plain(said.get("parentId")),
            "outsideRTH": bool(said.get("outsideRTH", False)),
            "single_group": bool(said.get("isSingleGroup", False)),
            "referrer": plain(said.get("referrer")),
        }
        return Ticket(
            board.listing,
            side,
            qty_e8,
            kind,
            tif,
            limit_e8,
            stop_e8,
            trail_e8,
            rate_e8,
            client_id,
            value_e8,
            extra,
        )

    def _tif(self, said: dict[str, Any], word: str) -> int:
        tif = TIFS.get(str(said.get("tif") or "DAY").upper())
        if tif is None:
            raise Refusal(f"Bad Request: tif {said.get('tif')} is not valid", 400)
        if word in ("MOC", "LOC"):
            return CLS
        kind = KINDS[word]
        if tif == OPG and kind not in (MARKET, LIMIT):
            raise Refusal(f"Time in force OPG is not valid for order type {word}")
        if tif == IOC and kind not in (MARKET, LIMIT):
            raise Refusal(f"Time in force IOC is not valid for order type {word}")
        return tif

    def _quantity(self, said: dict[str, Any], board: Board, side: int) -> tuple[int, int]:
        """(quantity, amount of money it was given by) in 1e-8."""
        cash, lot = said.get("cashQty"), board.listing.instrument.lot_e8
        if cash is not None:
            value_e8 = number(cash)
            if value_e8 is None or value_e8 <= 0:
                raise Refusal(f"Bad Request: cashQty {cash} is not valid", 400)
            px = board.quote.ask if side == BUY else board.quote.bid
            qty_e8 = board.listing.instrument.floor_qty(int(value_e8 / px))
            if not qty_e8:
                raise Refusal(f"The cash quantity {cash} is less than one share costs")
            return qty_e8, value_e8
        given = said.get("quantity")
        qty_e8 = number(given) or 0
        if qty_e8 <= 0:
            raise Refusal(f"Order size {given} is invalid: it must be above 0", 400)
        if qty_e8 % lot:
            raise Refusal(
                f"The size, {qty_text(qty_e8)}, does not conform to the minimum variation of {qty_text(lot)} "
                "for this contract."
            )
        return qty_e8, 0

    def _prices(self, said: dict[str, Any], board: Board, kind: int, word: str) -> tuple[int, int]:
        """(limit, stop): `price` is the limit, for a stop order the stop; `auxPrice` the stop of a stop-limit order."""
        price, aux = said.get("price"), said.get("auxPrice")
        if word == "MIDPRICE":
            quote = board.quote
            mid_e8 = board.listing.instrument.round_px(round((quote.bid + quote.ask) / 2 * SCALE))
            if price is None:
                return mid_e8, 0
            cap_e8, buys = _px("price", price), str(said.get("side")).upper() == "BUY"
            return (min(mid_e8, cap_e8) if buys else max(mid_e8, cap_e8)), 0
        if kind == LIMIT:
            return _px("price", price), 0
        if kind == STOP:
            return 0, _px("price", price if price is not None else aux)
        if kind == STOP_LIMIT:
            return _px("price", price), _px("auxPrice", aux)
        return 0, 0

    def _trail(self, said: dict[str, Any]) -> tuple[int, int]:
        """(distance, rate) in 1e-8; the rate is given in percent."""
        how, given = said.get("trailingType"), number(said.get("trailingAmt"))
        if how not in ("amt", "%") or given is None or given <= 0:
            raise Refusal("Bad Request: trailingType must be amt or %, and trailingAmt above 0", 400)
        if how == "%" and given >= 100 * SCALE:
            raise Refusal("Bad Request: trailingAmt must be below 100 percent", 400)
        return (given, 0) if how == "amt" else (0, given // 100)


def _px(field: str, given: object) -> int:
    px_e8 = number(given)
    if px_e8 is None or px_e8 <= 0:
        raise Refusal(f"Bad Request: {field} {given} is not valid for this order type", 400)
    if px_e8 % increment_e8(px_e8):
        raise Refusal(_VARIATION)
    return px_e8


def _as_said(was: VenueOrder) -> dict[str, Any]:
    """An order as a client would have written it, for a change that names only some of it."""
    ticket = was.ticket
    said: dict[str, Any] = {
        "conidex": None,
        "conid": was.extra["conid"],
        "side": "BUY" if ticket.side == BUY else "SELL",
        "orderType": ticket.extra["word"],
        "tif": {DAY: "DAY", GTC: "GTC", IOC: "IOC", OPG: "OPG"}.get(ticket.tif, "DAY"),
        "quantity": was.qty_e8 / SCALE,
        "cOID": ticket.client_id,
    }
    if was.kind == LIMIT:
        said["price"] = was.limit_px_e8 / SCALE
    elif was.kind == STOP:
        said["price"] = was.stop_px_e8 / SCALE
    elif was.kind == STOP_LIMIT:
        said["price"], said["auxPrice"] = was.limit_px_e8 / SCALE, was.stop_px_e8 / SCALE
    elif was.kind == TRAILING:
        said["trailingType"] = "amt" if ticket.trail_e8 else "%"
        said["trailingAmt"] = (ticket.trail_e8 or 100 * ticket.trail_rate_e8) / SCALE
    return said


def same_terms(was: VenueOrder, ticket: Ticket) -> bool:
    """Whether a change leaves what cannot be changed as it was: contract, side, type, time in force."""
    old = was.ticket
    return (
        ticket.listing is old.listing
        and ticket.side == old.side
        and ticket.kind == old.kind
        and ticket.tif == old.tif
        and (ticket.trail_e8, ticket.trail_rate_e8) == (old.trail_e8, old.trail_rate_e8)
    )


def priced(ticket: Ticket, board: Board) -> int:
    """The price an order is judged by: its own, else the market's."""
    quote = board.quote
    market = quote.ask if ticket.side == BUY else quote.bid
    return ticket.limit_px_e8 or ticket.stop_px_e8 or round(market * SCALE)
