"""What the gateway asks before it takes an order: one question after another, each to be answered with its own id.

Lives here: which questions an order raises, their texts, and those still open. Not here: the routes (orders.py).

An id works once. A question that is not answered within five minutes is forgotten, and the order with it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from workbench.model.orders import BUY, STOP, STOP_LIMIT, TRAILING
from workbench.model.scale import SCALE, notional_e8
from workbench.testbed.call import Answer
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.quirks import Quirks
from workbench.testbed.ibkr.refusals import Refusal, declined
from workbench.testbed.ibkr.session import Session
from workbench.testbed.ibkr.tickets import priced
from workbench.testbed.ibkr.words import grouped, px_text, qty_text
from workbench.testbed.orders import Ticket

__all__ = ["Question", "Questions"]

_AWAY: Final = 0.03
_MOST_QTY_E8: Final = 500 * SCALE
_MOST_VALUE_E8: Final = 100_000 * SCALE
_OPEN_NS: Final = 300_000_000_000
_SURE: Final = "\nAre you sure you want to submit this order?"

_TEXTS: Final = {
    "o163": 'The following order "{order}" price exceeds \nthe Percentage constraint of 3%.' + _SURE,
    "o354": "You are submitting an order without market data. We strongly recommend against this as it may result in "
    "erroneous and unexpected trades." + _SURE,
    "o382": 'The following value of order "{order}" exceeds the Tick Size Limit of 100.' + _SURE,
    "o383": 'The following order "{order}" size exceeds the Size Limit of 500.' + _SURE,
    "o403": "This order will most likely trigger and fill immediately." + _SURE,
    "o451": 'The following order "{order}" value estimate of {value} {currency} exceeds \n'
    "the Total Value Limit of 100,000 {currency}." + _SURE,
    "o10138": "The following order size modification exceeds the size modification limit." + _SURE,
    "o10151": "A Market Order is an instruction to trade your order at any available price in the market."
    + _SURE,
    "o10152": "A Stop Order - i.e. a Stop (Market) Order - is an instruction to buy or sell at the market price once "
    'your trigger ("stop") price is reached.' + _SURE,
    "o10153": "<h4>Confirm Mandatory Cap Price</h4>To avoid trading at a price that is not consistent with a fair and "
    "orderly market, IB may set a cap (for a buy order) or sell order).",
    "o10164": "Traders are responsible for understanding cash quantity details, which are provided on a best efforts "
    "basis only.",
    "o10223": "<h4>Cash Quantity Order Confirmation</h4>Orders that express size using a monetary value (cash "
    "quantity) are provided on a non-guaranteed basis.",
    "o10331": "You are about to submit a stop order. Please be aware of the various stop order types available and the "
    "risks associated with each one." + _SURE,
    "p6": "This order will be distributed over multiple accounts. We strongly suggest you familiarize yourself with "
    "our allocation facilities before submitting orders.",
    "p12": "If your order is not immediately executable, our systems may, depending on market conditions, reject your "
    "order if its limit price is more than the allowed amount away from the reference price at that time.",
    "funds": "{funds}" + _SURE,
}

type Question = tuple[str, str]
"""(its kind, its text)"""


class _Open:
    """An order that waits for an answer."""

    __slots__ = ("carry", "rest", "since_ns")

    def __init__(self, rest: list[Question], carry: Callable[[], Answer], since_ns: int) -> None:
        self.rest, self.carry, self.since_ns = rest, carry, since_ns


class Questions:
    """The questions of one gateway."""

    def __init__(self, exchange: Exchange, session: Session, quirks: Quirks) -> None:
        self.exchange, self.session, self._quirks = exchange, session, quirks
        self._open: dict[str, _Open] = {}

    def raised(self, tickets: Sequence[Ticket], funds: str = "") -> list[Question]:
        """What orders that go in together are asked about; `funds` is a complaint that is made a question."""
        found: dict[str, str] = {}
        for ticket in tickets:
            for kind in self._kinds(ticket):
                if kind not in self.session.suppressed:
                    found.setdefault(kind, self._text(kind, ticket))
        if funds:
            found["funds"] = _TEXTS["funds"].format(funds=funds)
        return list(found.items())

    def _kinds(self, ticket: Ticket) -> list[str]:
        board = self.exchange.market.boards[ticket.listing.iid]
        px_e8, market_e8 = priced(ticket, board), round(board.last * SCALE)
        kinds = []
        if ticket.limit_px_e8 and abs(ticket.limit_px_e8 - market_e8) > _AWAY * market_e8:
            kinds.append("o163")
        if ticket.qty_e8 > _MOST_QTY_E8:
            kinds.append("o383")
        if notional_e8(px_e8, ticket.qty_e8) > _MOST_VALUE_E8:
            kinds.append("o451")
        if ticket.kind in (STOP, STOP_LIMIT):
            buys = ticket.side == BUY
            if market_e8 >= ticket.stop_px_e8 if buys else market_e8 <= ticket.stop_px_e8:
                kinds.append("o403")
        if ticket.kind in (STOP, STOP_LIMIT, TRAILING) and not ticket.extra["parentId"]:
            kinds.append("o10331")
        if ticket.value_e8:
            kinds += ["o10164", "o10223"]
        more = self._quirks.hit("question")
        if more is not None:
            kinds += [kind for kind in (more.text or "o354").replace(",", " ").split() if kind not in kinds]
        return kinds

    def _text(self, kind: str, ticket: Ticket) -> str:
        board = self.exchange.market.boards[ticket.listing.iid]
        side = "BUY" if ticket.side == BUY else "SELL"
        order = f"{side} {qty_text(ticket.qty_e8)} {ticket.listing.symbol} SMART"
        if ticket.limit_px_e8:
            order += f" @ {px_text(ticket.limit_px_e8)}"
        value = grouped(notional_e8(priced(ticket, board), ticket.qty_e8), 2)
        text = _TEXTS.get(kind, f"Please confirm {kind}." + _SURE)
        return text.format(order=order, value=value, currency=ticket.listing.instrument.currency)

    def ask(self, questions: Sequence[Question], carry: Callable[[], Answer]) -> Answer:
        """Ask the first of the questions; `carry` does what was asked for once all are answered with yes."""
        if not questions:
            return carry()
        (kind, text), *rest = questions
        now_ns = self.exchange.clock.now_ns()
        for reply_id in [i for i, one in self._open.items() if now_ns - one.since_ns > _OPEN_NS]:
            del self._open[reply_id]
        reply_id = self.exchange.new_id()
        self._open[reply_id] = _Open(rest, carry, now_ns)
        question: dict[str, Any] = {
            "id": reply_id,
            "message": [text],
            "isSuppressed": False,
            "messageIds": [kind],
            "messageOptions": ["Yes", "No"],
        }
        return Answer([question])

    def answered(self, reply_id: str, confirmed: bool) -> Answer:
        """One answer.

        Raises:
            Refusal: no such question is open, or the answer is no.
        """
        waiting = self._open.pop(reply_id, None)
        if waiting is None or self.exchange.clock.now_ns() - waiting.since_ns > _OPEN_NS:
            raise Refusal(f"reply id not found: '{reply_id}'")
        if not confirmed:
            raise declined()
        return self.ask(waiting.rest, waiting.carry)

    def forget(self) -> None:
        """The session is over, and every open question with it."""
        self._open.clear()
