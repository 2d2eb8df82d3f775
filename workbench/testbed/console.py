"""The fault console of an emulated venue: `/_testbed/...` on its own port, with its own token.

Lives here: setting faults, moving the market, editing the books, telling what the books say. Not here: what faults do
(faults.py, wire.py, stream.py), the venue's own API (its folder).

    GET    /_testbed/state                  books: cash, positions, orders, executions, what is set
    GET    /_testbed/faults                 faults with how often each was met and struck; POST adds, DELETE clears
    DELETE /_testbed/faults/{id}
    POST   /_testbed/move                   {symbol, px}        the market jumps there
    POST   /_testbed/print                  {symbol, px, size}  a trade between others
    POST   /_testbed/step                   {steps}             the market moves on by hand
    POST   /_testbed/position               {symbol, qty}       as if somebody had edited the books
    POST   /_testbed/cash                   {amount}
    POST   /_testbed/order                  {symbol, side, qty, limit}   by hand: an order no client of ours sent
    POST   /_testbed/split                  {symbol, numerator, denominator}
    POST   /_testbed/halt                   {symbol, halted}
    POST   /_testbed/hours                  {open: true, false or null}
    POST   /_testbed/clock                  {advance_s}
    POST   /_testbed/streams                {close: code} or {cut: true}
    POST   /_testbed/limits                 {lifted: true or false}

A venue may add calls of its own (`console_calls`). The token goes into the header `Authorization: Bearer TOKEN`.
"""

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp.web_request import BaseRequest

from workbench.errors import BadInput, BadValue, UnknownName, WorkbenchError
from workbench.model.orders import BUY, GTC, LIMIT, MARKET, SELL
from workbench.model.scale import SCALE, from_e8, to_e8
from workbench.testbed.call import Answer
from workbench.testbed.faults import fault_from
from workbench.testbed.market import Board, Halted, check_px
from workbench.testbed.orders import Ticket

if TYPE_CHECKING:
    from workbench.testbed.server import Server

__all__ = ["CONSOLE", "Console"]

CONSOLE: Final = "/_testbed"
_MOST_STEPS: Final = 1_000_000


class Console:
    """The console of one server; every call is also a method, for tests in the same process."""

    def __init__(self, server: "Server", token: str) -> None:
        self.server = server
        self.token = token
        self._does: dict[str, Callable[[dict[str, Any]], Any]] = {
            "move": lambda said: self.move(said["symbol"], said["px"]),
            "print": lambda said: self.print_at(said["symbol"], said["px"], said.get("size", 1.0)),
            "step": lambda said: self.step(said.get("steps", 1)),
            "position": lambda said: self.position(said["symbol"], said["qty"]),
            "cash": lambda said: self.cash(said["amount"]),
            "order": lambda said: self.order(
                said["symbol"], said["side"], said["qty"], said.get("limit", 0.0)
            ),
            "split": lambda said: self.split(said["symbol"], said["numerator"], said["denominator"]),
            "halt": lambda said: self.halt(said["symbol"], said.get("halted", True)),
            "hours": lambda said: self.hours(said["open"]),
            "clock": lambda said: self.advance(said["advance_s"]),
            "streams": lambda said: self.streams(said.get("close", 1012), said.get("cut", False)),
            "limits": lambda said: self.limits(said["lifted"]),
            **getattr(server.venue, "console_calls", dict)(),
        }

    async def reply(self, request: BaseRequest) -> Answer:
        """Answer a request under `/_testbed`."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return Answer(
                {"error": "the console's token is missing or wrong: send Authorization: Bearer TOKEN"}, 401
            )
        try:
            name = request.rel_url.path.removeprefix(CONSOLE).strip("/")
            return Answer(self._carry_out(request.method, name, await request.read()))
        except WorkbenchError as error:
            return Answer({"error": str(error)}, 422)

    def _carry_out(self, method: str, name: str, body: bytes) -> Any:
        if method == "GET" and name == "state":
            return self.state()
        if name.partition("/")[0] == "faults":
            return self._faults(method, name.partition("/")[2], body)
        if method != "POST" or name not in self._does:
            raise UnknownName(
                "console call", f"{method} {name}", [f"POST {n}" for n in self._does] + ["GET state"]
            )
        said = _object(body)
        try:
            done = self._does[name](said)
        except KeyError as error:
            raise BadInput(f"console call '{name}' needs the field {error}") from error
        except TypeError as error:
            raise BadInput(f"console call '{name}' was given a wrong type: {error}") from error
        return {"ok": True} if done is None else {"ok": True, "id": done}

    def _faults(self, method: str, number: str, body: bytes) -> Any:
        faults = self.server.faults
        if method == "POST":
            try:
                said = msgspec.json.decode(body)
            except msgspec.DecodeError as error:
                raise BadInput(f"the body is not JSON: {error}") from error
            return {"id": faults.add(fault_from(said))}
        if method == "DELETE":
            if number:
                faults.remove(int(number) if number.isdigit() else -1)
            else:
                faults.clear()
        return {"faults": faults.listed()}

    # -- the market ----------------------------------------------------------------------------------------------

    def move(self, symbol: str, px: float) -> None:
        """The market of a symbol jumps to `px`; what comes keeps its steps from there."""
        board = self._board(symbol)
        self.server.venue.exchange.move(board, board.listing.round_px(check_px("px", px)))

    def print_at(self, symbol: str, px: float, size: float) -> None:
        """A trade between others: it fills what it reaches, and leaves the market where it stands."""
        if not size > 0:
            raise BadValue("size", size, "give a size above 0")
        self.server.venue.exchange.print_at(self._board(symbol), check_px("px", px), size)

    def step(self, steps: int = 1) -> None:
        """Move the market on by hand."""
        if not 1 <= steps <= _MOST_STEPS:
            raise BadValue("steps", steps, f"give a number from 1 to {_MOST_STEPS:,}")
        for _ in range(steps):
            self.server.pace.step()

    def halt(self, symbol: str, halted: bool = True) -> None:
        """Halt trading in a symbol, or let it go on."""
        exchange, board = self.server.venue.exchange, self._board(symbol)
        board.halted = halted
        exchange.market.tell(board, Halted(exchange.clock.now_ns(), halted))
        if not halted:
            exchange.reopen(board)

    def hours(self, is_open: bool | None) -> None:
        """Open or close the market by hand; None: by its hours again."""
        exchange = self.server.venue.exchange
        exchange.hours.force(is_open)
        exchange.watch_hours()

    def advance(self, seconds: float) -> None:
        """Move the venue's clock on; the market catches up."""
        self.server.venue.exchange.clock.advance(seconds)

    # -- the books -----------------------------------------------------------------------------------------------

    def position(self, symbol: str, qty: float) -> None:
        """Set a position as if somebody had edited the books: no order, no fill, no event."""
        exchange, board = self.server.venue.exchange, self._board(symbol)
        exchange.match.positions[board.listing.iid] = to_e8(qty)
        exchange.holdings.edited(board.listing.iid, to_e8(qty), board.last)

    def cash(self, amount: float) -> None:
        """Add to the account's cash (or take from it)."""
        self.server.venue.exchange.move_cash(to_e8(amount))

    def order(self, symbol: str, side: str, qty: float, limit: float = 0.0) -> str:
        """Place an order by hand, as somebody at the venue's own website would; returns its id."""
        if side not in ("buy", "sell"):
            raise UnknownName("side", side, ("buy", "sell"))
        if not qty > 0:
            raise BadValue("qty", qty, "give a quantity above 0")
        exchange, board = self.server.venue.exchange, self._board(symbol)
        kind = LIMIT if limit else MARKET
        limit_e8 = to_e8(board.listing.round_px(limit)) if limit else 0
        ticket = Ticket(
            board.listing,
            BUY if side == "buy" else SELL,
            to_e8(qty),
            kind,
            GTC,
            limit_e8,
            client_id=exchange.new_id(),
        )
        order = exchange.place(ticket)
        exchange.settle()
        return order.venue_id

    def split(self, symbol: str, numerator: int, denominator: int) -> None:
        """`denominator` units become `numerator`: positions and prices follow, open orders in it are cancelled."""
        if numerator < 1 or denominator < 1:
            raise BadValue("numerator, denominator", (numerator, denominator), "give whole numbers from 1 up")
        self.server.venue.exchange.split(self._board(symbol), numerator, denominator)

    def streams(self, code: int = 1012, cut: bool = False) -> None:
        """Close every stream with a code, or cut the connections."""
        self.server.close_links(code, cut=cut)

    def limits(self, lifted: bool) -> None:
        """Lift the venue's rate limits, or put them back."""
        self.server.venue.lift_limits(lifted)

    def state(self) -> dict[str, Any]:
        """The venue's books: what a client's are compared with."""
        exchange = self.server.venue.exchange
        symbols = {iid: board.listing.symbol for iid, board in exchange.market.boards.items()}
        return {
            "venue": self.server.venue.name,
            "ts_ns": exchange.clock.now_ns(),
            "cash": from_e8(exchange.cash_e8),
            "fees": from_e8(exchange.match.fees_e8),
            "positions": {symbols[iid]: from_e8(q) for iid, q in exchange.match.positions.items() if q},
            "prices": {board.listing.symbol: board.last for board in exchange.market.boards.values()},
            "open_orders": [
                {"id": o.venue_id, "client_id": o.client_id, "state": o.state, "filled": from_e8(o.filled_e8)}
                for o in exchange.open.values()
            ],
            "orders": len(exchange.orders),
            "executions": len(exchange.executions),
            "filled": {
                symbols[iid]: sum(
                    e.qty_e8 * exchange.orders[e.order_id].side
                    for e in exchange.executions
                    if exchange.orders[e.order_id].listing.iid == iid
                )
                / SCALE
                for iid in symbols
            },
            "requests": self.server.requests,
            "streams": sorted(link.name for link in self.server.links),
            "faults": self.server.faults.listed(),
        }

    def _board(self, symbol: str) -> Board:
        return self.server.venue.exchange.market.board(symbol)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise BadInput(f"the body is not one JSON object: {error}") from error
