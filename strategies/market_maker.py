"""Quote both sides of the market, lean against what is held, and keep the orders where they belong."""

import math

from workbench.strategy import AmendRequest, CancelRequest, OrderRequest, Strategy


class MarketMaker(Strategy):
    """Bids and offers `size` units at `edge` from the middle, both moved by `lean` for each unit held, never beyond
    `most` units. Runs on quotes; prices are cents."""

    size: float = 100.0
    edge: float = 0.03
    lean: float = 0.0001
    most: float = 500.0

    def on_quote(self, ctx, quote):
        middle = 0.5 * (quote.bid + quote.ask) - self.lean * ctx.position
        wanted = {
            "buy": min(math.floor((middle - self.edge) * 100), round(quote.ask * 100) - 1) / 100,
            "sell": max(math.ceil((middle + self.edge) * 100), round(quote.bid * 100) + 1) / 100,
        }
        if ctx.position + self.size > self.most:
            del wanted["buy"]
        if ctx.position - self.size < -self.most:
            del wanted["sell"]
        working = {order.side for order in ctx.orders}
        unwanted = [CancelRequest(order.order_id) for order in ctx.orders if order.side not in wanted]
        moved = [
            AmendRequest(order.order_id, limit_px=wanted[order.side])
            for order in ctx.orders
            if wanted.get(order.side, order.limit_px) != order.limit_px
        ]
        missing = [
            OrderRequest(side, self.size, type="limit", limit_px=px)
            for side, px in wanted.items()
            if side not in working
        ]
        return [*unwanted, *moved, *missing]
