"""The assets of one account at Binance: free and locked, and which of them fees come from.

Lives here: balances over the shared books, commissions in the asset received, in the quote asset or in BNB. Not here:
the books (testbed/books.py), what an order must look like (tickets.py).
"""

from typing import Any, Final

from workbench.errors import UnknownName
from workbench.model.orders import BUY
from workbench.model.reports import Filled
from workbench.model.scale import SCALE, notional_e8, to_e8
from workbench.testbed.binance.refusals import rejected
from workbench.testbed.binance.words import text8
from workbench.testbed.exchange import Exchange
from workbench.testbed.listing import LEVELS
from workbench.testbed.orders import Ticket, VenueOrder

__all__ = ["FEE_ASSETS", "Balances"]

FEE_ASSETS: Final = ("received", "quote", "BNB")
_BNB: Final = "BNB"
_BNB_START_E8: Final = 100 * SCALE
_BNB_DISCOUNT: Final = 0.25


class Balances:
    """Balances over an exchange. `fee_asset` is a word of `FEE_ASSETS`; without BNB left fees come from what is
    received.

    Raises:
        UnknownName: no such word.
    """

    def __init__(self, exchange: Exchange, fee_rate: float, fee_asset: str) -> None:
        if fee_asset not in FEE_ASSETS:
            raise UnknownName("binance option fee-asset", fee_asset, FEE_ASSETS)
        self.exchange, self.fee_asset = exchange, fee_asset
        boards = exchange.market.boards.values()
        self.quote = next(iter(boards)).listing.instrument.currency
        self.iids = {board.listing.asset: board.listing.iid for board in boards}
        self.rate_e8 = to_e8(fee_rate)
        self.bnb_e8 = _BNB_START_E8 if fee_asset == _BNB and _BNB not in self.iids else 0
        exchange.fee_in = self._fee

    @property
    def assets(self) -> list[str]:
        """Every asset there can be something of."""
        own = [self.quote, *self.iids]
        return own if _BNB in own or self.fee_asset != _BNB else [*own, _BNB]

    def total_e8(self, asset: str) -> int:
        """What there is of an asset."""
        if asset == self.quote:
            return self.exchange.cash_e8
        iid = self.iids.get(asset)
        return self.exchange.position_e8(iid) if iid is not None else self.bnb_e8

    def locked_e8(self, asset: str) -> int:
        """What open orders hold back of it."""
        holdings = self.exchange.holdings
        if asset == self.quote:
            return holdings.held_cash_e8
        iid = self.iids.get(asset)
        return holdings.held_sells_e8.get(iid, 0) if iid is not None else 0

    def free_e8(self, asset: str) -> int:
        """What can be ordered with."""
        return self.total_e8(asset) - self.locked_e8(asset)

    def row(self, asset: str, names: tuple[str, str, str] = ("asset", "free", "locked")) -> dict[str, Any]:
        """One asset as it is shown; locked never exceeds what there is."""
        locked = min(self.locked_e8(asset), max(0, self.total_e8(asset)))
        values = (asset, text8(self.total_e8(asset) - locked), text8(locked))
        return dict(zip(names, values, strict=True))

    def transfer(self, asset: str, amount: float) -> None:
        """Something comes into the account, or leaves it.

        Raises:
            UnknownName: no such asset.
        """
        if asset == self.quote:
            self.exchange.match.cash_e8 += to_e8(amount)
        elif asset in self.assets:
            self._take(asset, -to_e8(amount))
        else:
            raise UnknownName("asset", asset, self.assets)

    def check(self, ticket: Ticket, px_e8: int) -> None:
        """Whether the account can carry an order at `px_e8`.

        Raises:
            Refusal: it cannot.
        """
        if ticket.side == BUY:
            short = notional_e8(px_e8, ticket.qty_e8) > self.free_e8(self.quote)
        else:
            short = ticket.qty_e8 > self.free_e8(ticket.listing.asset)
        if short:
            raise rejected("Account has insufficient balance for requested action.")

    # -- fees --------------------------------------------------------------------------------------------------------

    def _fee(self, order: VenueOrder, fill: Filled) -> tuple[int, str]:
        """Take the fee where it belongs; the matching core has taken it from cash."""
        fee_e8 = fill.fee_e8
        if not fee_e8 or self.fee_asset == "quote":
            return fee_e8, ""
        if self.fee_asset == _BNB:
            wanted_e8 = round(fee_e8 * (1 - _BNB_DISCOUNT) / self.bnb_px())
            if wanted_e8 <= self.free_e8(_BNB):
                self._give_back(fee_e8)
                self._take(_BNB, wanted_e8)
                return wanted_e8, _BNB
        if order.side != BUY:
            return fee_e8, ""
        asset = order.listing.asset
        taken_e8 = notional_e8(fill.qty_e8, self.rate_e8)
        self._give_back(fee_e8)
        self._take(asset, taken_e8)
        return taken_e8, asset

    def _give_back(self, fee_e8: int) -> None:
        match = self.exchange.match
        match.cash_e8 += fee_e8
        match.fees_e8 -= fee_e8

    def _take(self, asset: str, amount_e8: int) -> None:
        iid = self.iids.get(asset)
        if iid is None:
            self.bnb_e8 -= amount_e8
        else:
            positions = self.exchange.match.positions
            positions[iid] = positions.get(iid, 0) - amount_e8

    def bnb_px(self) -> float:
        """What a BNB is worth in the quote asset."""
        iid = self.iids.get(_BNB)
        return self.exchange.market.boards[iid].last if iid is not None else LEVELS[_BNB][1]
