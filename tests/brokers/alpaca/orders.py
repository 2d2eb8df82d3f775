"""Orders in so many words. Test apparatus only."""

from typing import Any

from workbench.model.effects import Submit
from workbench.model.orders import BUY, DAY, GTC, LIMIT, MARKET, SELL, STOP
from workbench.model.scale import to_e8


def submit(side: int = BUY, kind: int = MARKET, tif: int = DAY, qty: float = 10, **more: Any) -> Submit:
    limit, stop = to_e8(more.pop("limit", 0)), to_e8(more.pop("stop", 0))
    number = more.pop("number", 5)
    return Submit(1, number, 7, 1, more.pop("iid", 0), side, kind, tif, to_e8(qty), limit, stop, **more)


def exits(qty: float = 10, tif: int = GTC, parent: int = 5, **more: Any) -> list[Submit]:
    loss = {"kind": STOP, "stop": 340.0, **more.pop("loss", {})}
    return [
        submit(SELL, LIMIT, tif, qty, limit=380.0, number=6, parent_id=parent, group=6),
        submit(SELL, tif=tif, qty=qty, number=7, parent_id=parent, group=6, **loss),
    ]
