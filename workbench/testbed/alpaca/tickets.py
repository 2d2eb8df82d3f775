"""An order as a client of Alpaca writes it, checked for form and turned into a ticket.

Lives here: what an order must look like whatever the account holds. Not here: the account's means (rules.py), what
becomes of the order (orders.py).
"""

from typing import Any, Final

from workbench.model.orders import (
    BUY,
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
    TRAILING,
)
from workbench.model.scale import SCALE
from workbench.testbed.alpaca.refusals import Refusal, malformed, refused_value
from workbench.testbed.alpaca.words import KINDS, SIDES, TIFS, number
from workbench.testbed.exchange import Exchange
from workbench.testbed.listing import Listing
from workbench.testbed.market import Board
from workbench.testbed.orders import Ticket

__all__ = ["Legs", "board_of", "check_px", "intent_of", "legs_of", "ticket_of"]

_LONGEST_ID: Final = 128
_CLASSES: Final = ("", "simple", "bracket", "oco", "oto", "mleg")
_INTENTS: Final = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")

type Legs = tuple[Ticket | None, Ticket | None]
"""(take profit, stop loss)"""


def board_of(exchange: Exchange, symbol: object) -> Board | None:
    """The board of a symbol, with or without a pair's slash; None when it is not listed."""
    if not isinstance(symbol, str):
        return None
    for board in exchange.market.boards.values():
        if board.listing.symbol == symbol or board.listing.symbol.replace("/", "") == symbol:
            return board
    return None


def ticket_of(said: dict[str, Any], exchange: Exchange) -> Ticket:
    """The ticket of an order's body.

    Raises:
        Refusal: as Alpaca words it.
    """
    symbol = said.get("symbol")
    if not symbol:
        raise malformed("symbol is required")
    board = board_of(exchange, symbol)
    if board is None:
        raise refused_value(f'asset "{symbol}" not found')
    listing = board.listing
    side = _word(said.get("side"), SIDES, "side")
    kind = _word(said.get("type") or said.get("order_type"), KINDS, "order type")
    tif = _word(said.get("time_in_force"), TIFS, "time_in_force")
    order_class = said.get("order_class") or ""
    if order_class not in _CLASSES:
        raise malformed(f"invalid order_class: {order_class}")
    if order_class == "mleg":
        raise refused_value("mleg orders are only supported for options")
    qty_e8, value_e8 = _amount(said, board, side)
    if order_class == "oco" and kind == LIMIT and said.get("limit_price") is None:  # it is take_profit's
        said = {**said, "limit_price": _exit(said, "take_profit").get("limit_price")}
    limit_e8, stop_e8 = _prices(said, listing, kind)
    trail_e8, rate_e8 = _trail(said, kind)
    if listing.always_open:
        _crypto_rules(kind, tif, order_class)
    else:
        _stock_rules(listing, kind, tif, order_class, qty_e8, value_e8)
    extended = bool(said.get("extended_hours", False))
    if extended and (kind != LIMIT or tif != DAY):
        raise refused_value("extended hours order must be DAY limit orders")
    intent = said.get("position_intent")
    if intent is not None and intent not in _INTENTS:
        raise malformed("invalid position_intent")
    if kind == STOP and not listing.always_open:
        _stop_side(side, stop_e8, board)
    if intent is None:
        intent = intent_of(side, closing=order_class == "oco" or side * exchange.position_e8(listing.iid) < 0)
    extra = {
        "order_class": "" if order_class == "simple" else order_class,
        "extended_hours": extended,
        "position_intent": intent,
    }
    client_id = said.get("client_order_id")
    return Ticket(
        listing,
        side,
        qty_e8,
        kind,
        tif,
        limit_e8,
        stop_e8,
        trail_e8,
        rate_e8,
        _client_id(client_id, exchange),
        value_e8,
        extra,
    )


def intent_of(side: int, *, closing: bool) -> str:
    """Alpaca's word for what an order does to the position.

    >>> intent_of(BUY, closing=False), intent_of(-BUY, closing=True)
    ('buy_to_open', 'sell_to_close')
    """
    return f"{'buy' if side == BUY else 'sell'}_to_{'close' if closing else 'open'}"


def _word(given: object, known: dict[str, int], name: str) -> int:
    if not given:
        raise malformed(f"{name} is required")
    value = known.get(given) if isinstance(given, str) else None
    if value is None:
        raise malformed(f"invalid {name}") if name == "order type" else refused_value(f"invalid {name}")
    return value


def _client_id(given: object, exchange: Exchange) -> str:
    if given is None or given == "":
        return exchange.new_id()
    if not isinstance(given, str):
        raise malformed("client_order_id must be a string")
    if len(given) > _LONGEST_ID:
        raise malformed("client_order_id must be no more than 128 characters")
    return given


def _amount(said: dict[str, Any], board: Board, side: int) -> tuple[int, int]:
    """(quantity, amount of money) in 1e-8; the second is 0 when the order is by quantity."""
    qty, notional = said.get("qty"), said.get("notional")
    if qty is not None and notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if qty is None and notional is None:
        raise malformed("qty or notional is required")
    units = number(qty if qty is not None else notional)
    name = "qty" if qty is not None else "notional"
    if units is None:
        raise malformed(f"invalid {name}")
    if units <= 0:
        raise malformed(f"{name} must be > 0")
    listing = board.listing
    if qty is not None:
        if listing.always_open and units % listing.instrument.lot_e8:
            raise refused_value(f"qty increment is {listing.instrument.lot_e8 / SCALE:g}")
        return units, 0
    if not listing.fractional:
        raise Refusal(403, 40310000, f'asset "{listing.symbol}" is not fractionable')
    px = board.quote.ask if side == BUY else board.quote.bid
    return listing.instrument.floor_qty(int(units / px)) or listing.instrument.lot_e8, units


def _prices(said: dict[str, Any], listing: Listing, kind: int) -> tuple[int, int]:
    limit, stop = said.get("limit_price"), said.get("stop_price")
    if kind == MARKET and (limit is not None or stop is not None):
        raise malformed("market orders require no stop or limit price")
    if kind in (LIMIT, STOP_LIMIT) and limit is None:
        raise malformed(f"{'limit' if kind == LIMIT else 'stop limit'} orders require limit price")
    if kind in (STOP, STOP_LIMIT) and stop is None:
        raise malformed(f"{'stop' if kind == STOP else 'stop limit'} orders require stop price")
    if kind == LIMIT and stop is not None:
        raise malformed("limit orders require no stop price")
    if kind == STOP and limit is not None:
        raise malformed("stop orders require no limit price")
    return (
        check_px("limit_price", limit, listing) if limit is not None else 0,
        check_px("stop_price", stop, listing) if stop is not None else 0,
    )


def check_px(field: str, given: object, listing: Listing) -> int:
    """A price in 1e-8.

    Raises:
        Refusal: it is not above 0, or finer than the venue takes it.
    """
    units = number(given)
    if units is None:
        raise malformed(f"invalid {field}")
    if units <= 0:
        raise malformed(f"{field.rpartition('.')[2].replace('_', ' ')} must be > 0")
    if listing.always_open:
        step = listing.instrument.tick_e8
    else:
        step = SCALE // 100 if units >= SCALE else SCALE // 10_000
    if units % step:
        text = f"invalid {field} {given}. sub-penny increment does not fulfill minimum pricing criteria"
        raise refused_value(text)
    return units


def _trail(said: dict[str, Any], kind: int) -> tuple[int, int]:
    price, percent = number(said.get("trail_price")), number(said.get("trail_percent"))
    if kind != TRAILING:
        return 0, 0
    if (price is None) == (percent is None):
        raise malformed("trailing stop orders must specify one of trail_price or trail_percent")
    if (price if price is not None else percent or 0) <= 0:
        raise malformed("trail must be > 0")
    if percent is not None and percent >= 100 * SCALE:
        raise malformed("trail_percent must be < 100")
    return (price, 0) if price is not None else (0, (percent or 0) // 100)


def _crypto_rules(kind: int, tif: int, order_class: str) -> None:
    if kind not in (MARKET, LIMIT, STOP_LIMIT):
        raise malformed("invalid order type for crypto order")
    if tif not in (GTC, IOC):
        raise refused_value("invalid crypto time_in_force")
    if order_class not in ("", "simple"):
        raise refused_value("crypto orders not allowed for advanced order_class: " + order_class)


def _stock_rules(listing: Listing, kind: int, tif: int, order_class: str, qty_e8: int, value_e8: int) -> None:
    if value_e8 or qty_e8 % SCALE:
        if not listing.fractional:
            raise Refusal(403, 40310000, f'asset "{listing.symbol}" is not fractionable')
        if tif != DAY:
            raise refused_value("fractional orders must be DAY orders")
        if kind == TRAILING:
            raise refused_value("fractional orders must be market, limit, stop, or stop_limit orders")
        if order_class not in ("", "simple"):
            raise refused_value("fractional orders must be simple orders")
    if tif in (OPG, CLS) and kind not in (MARKET, LIMIT):
        raise refused_value(f"{'opg' if tif == OPG else 'cls'} orders must be market or limit orders")
    if kind == TRAILING and tif not in (DAY, GTC):
        raise refused_value("trailing stop orders must be DAY or GTC orders")
    if order_class in ("bracket", "oco", "oto") and tif not in (DAY, GTC):
        raise refused_value(f"{order_class} orders must be DAY or GTC orders")
    if kind in (STOP, STOP_LIMIT) and tif in (IOC, FOK):
        raise refused_value("stop orders must not be IOC or FOK orders")


def _stop_side(side: int, stop_e8: int, board: Board) -> None:
    """A stop that the market has passed already is refused, with the market's price."""
    market = board.last
    if side == BUY and stop_e8 <= round(market * SCALE):
        raise refused_value("stop price must be greater than current price", market_price=f"{market:.2f}")
    if side != BUY and stop_e8 >= round(market * SCALE):
        raise refused_value("stop price must be less than current price", market_price=f"{market:.2f}")


def legs_of(said: dict[str, Any], entry: Ticket, exchange: Exchange) -> Legs:
    """The exits of a bracket, a pair (OCO) or an entry with one exit (OTO).

    Raises:
        Refusal: one that is needed is missing, or they stand the wrong way round.
    """
    order_class = entry.extra["order_class"]
    if not order_class:
        return None, None
    profit, loss = (_exit(said, name) for name in ("take_profit", "stop_loss"))
    listing = entry.listing
    if order_class in ("bracket", "oco") and not (profit and loss):
        raise refused_value(f"{order_class} orders require take_profit and stop_loss")
    if order_class == "oto" and bool(profit) == bool(loss):
        raise refused_value("oto orders require take_profit or stop_loss")
    if order_class == "oco" and entry.kind != LIMIT and not profit.get("limit_price"):
        raise refused_value("oco orders must be limit orders")
    side = entry.side if order_class == "oco" else -entry.side
    take = stop = None
    if profit:
        px_e8 = check_px("take_profit.limit_price", profit.get("limit_price"), listing)
        take = _leg(entry, exchange, side, LIMIT, px_e8, 0)
    if loss:
        stop_e8 = check_px("stop_loss.stop_price", loss.get("stop_price"), listing)
        limit = loss.get("limit_price")
        limit_e8 = check_px("stop_loss.limit_price", limit, listing) if limit is not None else 0
        stop = _leg(entry, exchange, side, STOP_LIMIT if limit_e8 else STOP, limit_e8, stop_e8)
    if take is not None and stop is not None:
        above = take.limit_px_e8 > stop.stop_px_e8
        if above != (side != BUY):
            where = "greater" if side != BUY else "less"
            raise refused_value(f"take_profit.limit_price must be {where} than stop_loss.stop_price")
    return take, stop


def _exit(said: dict[str, Any], name: str) -> dict[str, Any]:
    given = said.get(name)
    if given is not None and not isinstance(given, dict):
        raise malformed(f"{name} must be an object")
    return given or {}


def _leg(entry: Ticket, exchange: Exchange, side: int, kind: int, limit_e8: int, stop_e8: int) -> Ticket:
    return Ticket(
        entry.listing,
        side,
        entry.qty_e8,
        kind,
        entry.tif,
        limit_e8,
        stop_e8,
        client_id=exchange.new_id(),
        extra={
            "order_class": entry.extra["order_class"],
            "extended_hours": False,
            "position_intent": intent_of(side, closing=True),
        },
    )
