"""Order routes that change something: submit, reply, preview, modify, cancel, suppress.

Lives here: from a request to the exchange and back. Not here: form (tickets.py), means (money.py), questions
(questions.py), looking orders up (lists.py).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from workbench.model.orders import STOP, STOP_LIMIT, TRAILING
from workbench.model.scale import notional_e8
from workbench.testbed.call import Answer, Call, Reply, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.asked import json_object, json_value
from workbench.testbed.ibkr.money import complaint, money_of
from workbench.testbed.ibkr.numbers import Numbers
from workbench.testbed.ibkr.questions import Questions
from workbench.testbed.ibkr.quirks import Quirks
from workbench.testbed.ibkr.refusals import Refusal, accounts_first
from workbench.testbed.ibkr.session import Session
from workbench.testbed.ibkr.tickets import Tickets, priced, same_terms
from workbench.testbed.ibkr.words import grouped, qty_text, status_of
from workbench.testbed.orders import OrderEvent, Ticket, VenueOrder
from workbench.testbed.venue import EmulatorSettings

__all__ = ["Orders"]

_ID_LIFE_NS: Final = 86_400_000_000_000
_MOST_SUPPRESSED: Final = 51
_ONE: Final = "/iserver/account/{account}/order"
"""Where older clients send one order by itself."""
_INACTIVE_S: Final = 0.02

type Member = Ticket | Refusal


class Orders:
    """The routes that place and change orders of one account."""

    def __init__(
        self,
        exchange: Exchange,
        session: Session,
        account: Account,
        tickets: Tickets,
        questions: Questions,
        numbers: Numbers,
        quirks: Quirks,
        settings: EmulatorSettings,
    ) -> None:
        self.exchange, self.session = exchange, session
        self._fee_rate, self._fee_per_unit = settings.fee_rate, settings.fee_per_unit
        self._account, self._tickets, self._questions = account, tickets, questions
        self._numbers, self._quirks = numbers, quirks
        exchange.sinks.append(self._doomed)

    def routes(self) -> list[Route]:
        after = self._after_accounts
        return [
            Route("POST", "/iserver/account/{account}/orders", after(self.submit)),
            Route("POST", "/iserver/account/{account}/orders/whatif", after(self.preview)),
            Route("POST", _ONE, after(self.submit)),
            Route("POST", f"{_ONE}/whatif", after(self.preview)),
            Route("POST", "/iserver/account/{account}/order/{order_id}", after(self.modify)),
            Route("DELETE", "/iserver/account/{account}/order/{order_id}", after(self.cancel)),
            Route("POST", "/iserver/reply/{reply_id}", self.reply),
            Route("POST", "/iserver/questions/suppress", self.suppress),
            Route("POST", "/iserver/questions/suppress/reset", self.suppress_none),
        ]

    def _after_accounts(self, reply: Reply) -> Reply:
        session, account = self.session, self._account

        def guarded(call: Call) -> Any:
            if not session.accounts_asked:
                raise accounts_first()
            account.check(call.path["account"])
            return reply(call)

        return guarded

    # -- submit ------------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> Answer:
        """Take orders in: one, or a bracket, or a group. Two shapes of the body are understood; a third by itself at
        the address for one order, which older clients use."""
        given = _listed(call)
        if len(given) == 1:
            ticket = self._tickets.read(given[0])
            self._check_id(ticket)
            return self._asked([ticket])
        members: list[Member] = []
        for said in given:
            try:
                ticket = self._tickets.read(said)
                self._check_id(ticket)
                members.append(ticket)
            except Refusal as refusal:
                members.append(refusal)
        return self._asked(members)

    def _check_id(self, ticket: Ticket) -> None:
        known = self.exchange.by_client_id.get(ticket.client_id) if ticket.client_id else None
        if known is None or self.exchange.clock.now_ns() - known.created_ns > _ID_LIFE_NS:
            return
        status = 400 if self._quirks.hit("duplicate_400") else 200
        raise Refusal(
            f"Order couldn't be submitted: Local order ID={ticket.client_id} is already registered.", status
        )

    def _asked(self, members: Sequence[Member]) -> Answer:
        """Check the means, ask what there is to ask, and place."""
        tickets = [member for member in members if isinstance(member, Ticket)]
        funds = next((text for ticket in tickets if (text := self._funds(ticket))), "")
        doomed = ""
        if funds:
            if self._quirks.hit("funds_question"):
                doomed = funds
            elif self._quirks.hit("funds_inactive"):
                doomed, funds = funds, ""
            else:
                raise Refusal(funds)
        questions = self._questions.raised(tickets, funds)
        return self._questions.ask(questions, lambda: self._place(members, doomed))

    def _funds(self, ticket: Ticket) -> str:
        if ticket.extra["parentId"]:
            return ""  # an exit makes a position smaller
        board = self.exchange.market.boards[ticket.listing.iid]
        return complaint(self.exchange, ticket, priced(ticket, board))

    def _place(self, members: Sequence[Member], doomed: str) -> Answer:
        exchange, numbers = self.exchange, self._numbers
        placed: dict[str, VenueOrder] = {}
        exits = sum(isinstance(m, Ticket) and bool(m.extra["parentId"]) for m in members)
        group = exchange.new_group() if exits > 1 else 0
        single = any(isinstance(m, Ticket) and m.extra["single_group"] for m in members)
        if single and not exits:
            group = exchange.new_group()
        leads, bare = True, exits > 0 and self._quirks.hit("bare_legs") is not None
        rows: list[dict[str, Any]] = []
        for member in members:
            if isinstance(member, Refusal):
                rows.append(_failed(member.text))
                continue
            above = member.extra["parentId"]
            parent = placed.get(above) or self._parent(above) if above else None
            if above and parent is None:
                rows.append(
                    _failed(f"Order couldn't be submitted: Parent order ID={above} isn't recognized.")
                )
                continue
            mine = group if (above or single) else 0
            order = exchange.place(member, parent=parent, group=mine, leads=leads or not mine)
            leads = leads and not mine
            numbers.give(order)
            if doomed and parent is None:
                order.extra["doomed"] = doomed
            if member.client_id:
                placed[member.client_id] = order
            row = {
                "order_id": str(order.extra["ib_id"]),
                "order_status": "PreSubmitted" if _waits(order) else "Submitted",
                "encrypt_message": "1",
            }
            if parent is not None:
                row["parent_order_id"] = str(parent.extra["ib_id"])
                order.extra["bare"] = bare
            if member.client_id and len(members) > 1 and not order.extra.get("bare"):
                row["local_order_id"] = member.client_id
            rows.append(row)
        return Answer(rows[::-1] if bare else rows)

    def _parent(self, named: str) -> VenueOrder | None:
        """The parent of an order that comes later: by client id, or by the gateway's number."""
        found = self.exchange.by_client_id.get(named) or self._numbers.find(named)
        return found if found is not None and found.is_open else None

    def _doomed(self, event: OrderEvent) -> None:
        """What the account cannot carry is thrown out a moment after it was taken in."""
        order = event.order
        text = order.extra.get("doomed")
        if text and event.kind in ("new", "held"):
            self.exchange.faults.later(_INACTIVE_S, lambda: self.exchange.end(order, "rejected", text))

    def reply(self, call: Call) -> Answer:
        """An answer to a question: the next question, the orders, or a refusal."""
        said = json_object(call.body)
        if not isinstance(said.get("confirmed"), bool):
            raise Refusal("Bad Request: confirmed must be true or false", 400)
        return self._questions.answered(call.path["reply_id"], said["confirmed"])

    def preview(self, call: Call) -> Answer:
        """What orders would cost and bind, without placing them."""
        tickets = [self._tickets.read(said) for said in _listed(call)]
        ticket, money = tickets[0], money_of(self.exchange)
        board = self.exchange.market.boards[ticket.listing.iid]
        currency = ticket.listing.instrument.currency
        value = notional_e8(priced(ticket, board), ticket.qty_e8)
        margin = value // 2
        funds = self._funds(ticket)
        questions = self._questions.raised(tickets)
        fees = round(value * self._fee_rate + ticket.qty_e8 * self._fee_per_unit)

        def change(now: int, by: int) -> dict[str, str]:
            return {"current": grouped(now), "change": grouped(by), "after": grouped(now + by)}

        return Answer(
            {
                "amount": {
                    "amount": f"{grouped(value, 2)} {currency} ({qty_text(ticket.qty_e8)} Shares)",
                    "commission": f"{grouped(fees, 2)} {currency}",
                    "total": f"{grouped(value + fees, 2)} {currency}",
                },
                "equity": change(money.net, -fees),
                "initial": change(money.margin, margin),
                "maintenance": change(money.margin // 2, margin // 2),
                "position": {
                    "current": qty_text(self.exchange.position_e8(ticket.listing.iid)),
                    "change": qty_text(ticket.qty_e8 * ticket.side),
                    "after": qty_text(
                        self.exchange.position_e8(ticket.listing.iid) + ticket.qty_e8 * ticket.side
                    ),
                },
                "warn": questions[0][1] if questions else None,
                "error": funds or None,
            }
        )

    # -- change and cancel -------------------------------------------------------------------------------------------

    def modify(self, call: Call) -> Answer:
        """Change an order where it stands; the whole ticket is given, and it may be asked about."""
        order = self._open(call.path["order_id"])
        said = json_value(call.body)
        if isinstance(said, list) and len(said) == 1:
            said = said[0]
        ticket = self._tickets.read(said, order)
        if not same_terms(order, ticket):
            raise Refusal("Only quantity and prices of an order can be modified", 400)
        board = self.exchange.market.boards[ticket.listing.iid]
        if not ticket.extra["parentId"] and order.parent is None:
            funds = complaint(self.exchange, ticket, priced(ticket, board), order)
            if funds:
                raise Refusal(funds)
        questions = [q for q in self._questions.raised([ticket]) if q[0] != "o10331"]
        return self._questions.ask(questions, self._amending(order, ticket))

    def _amending(self, order: VenueOrder, ticket: Ticket) -> Callable[[], Answer]:
        def amend() -> Answer:
            changed = self.exchange.amend(
                order, qty_e8=ticket.qty_e8, limit_px_e8=ticket.limit_px_e8, stop_px_e8=ticket.stop_px_e8
            )
            if not changed:
                raise Refusal("Cannot modify a filled order", 400)
            row = {
                "order_id": str(order.extra["ib_id"]),
                "order_status": status_of(order),
                "encrypt_message": "1",
            }
            if order.client_id:
                row["local_order_id"] = order.client_id
            if order.parent is not None:
                row["parent_order_id"] = str(order.parent.extra["ib_id"])
            return Answer([row])

        return amend

    def cancel(self, call: Call) -> Answer:
        """Ask for a cancel; -1 for every open order of the account."""
        given = call.path["order_id"]
        said = {"msg": "Request was submitted", "account": self._account.account}
        if given == "-1":
            self.exchange.settle()
            for order in list(self.exchange.open.values()):
                self.exchange.cancel(order)
            return Answer({**said, "order_id": -1, "conid": -1})
        order = self._open(given)
        self.exchange.cancel(order)
        return Answer({**said, "order_id": order.extra["ib_id"], "conid": order.extra["conid"]})

    def _open(self, given: str) -> VenueOrder:
        self.exchange.settle()
        order = self._numbers.find(given)
        if order is not None and order.state == "rejected":
            raise Refusal("Order is inactive", 400)
        if order is None or not order.is_open:
            raise Refusal(f"OrderID {given} doesn't exist", 400)
        return order

    # -- suppression -------------------------------------------------------------------------------------------------

    def suppress(self, call: Call) -> Answer:
        """Questions of these kinds are not asked any more in this session."""
        given = json_object(call.body).get("messageIds")
        if not isinstance(given, list) or not given or len(given) > _MOST_SUPPRESSED:
            raise Refusal("Internal Server Error", 500)
        self.session.suppressed |= {str(kind) for kind in given}
        return Answer({"status": "submitted"})

    def suppress_none(self, call: Call) -> Answer:
        self.session.suppressed.clear()
        return Answer({"status": "submitted"})


def _listed(call: Call) -> list[object]:
    """The orders of a body: a bare array, or under `orders`; the body itself where one order is meant."""
    said = json_value(call.body)
    if isinstance(said, dict):
        if call.route.path.removesuffix("/whatif").endswith(_ONE) and "orders" not in said:
            return [said]
        said = said.get("orders")
    if not isinstance(said, list) or not said:
        raise Refusal("Bad Request: no orders", 400)
    return said


def _failed(text: str) -> dict[str, Any]:
    """The row of an order of several that was not taken in."""
    return {
        "order_id": "-1",
        "order_status": "Failed",
        "text": text,
        "warning_message": "Order rejected.",
    }


def _waits(order: VenueOrder) -> bool:
    return order.parent is not None or order.kind in (STOP, STOP_LIMIT, TRAILING)
