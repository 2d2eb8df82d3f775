"""Reconciliation that never sleeps: a live desk's books are compared with its brokers' every few seconds.

    equal                        -> nothing
    different, twice, in quiet   -> an alert, and the symbol is frozen: nothing there that could enlarge a position
    an order unknown for 60 s    -> the same: what it may have done is not known
    equal and known again, twice -> thawed (only what was frozen here)

"In quiet": between the two looks nothing of that symbol was traded or under way, so that a report still on its way is
no difference. Books are never mended here. Lives here: when to look and what follows. Not here: the comparison
(truth.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from time import monotonic, time_ns
from typing import Final

from workbench.brokers.contract import BrokerAccount
from workbench.engine import Engine
from workbench.errors import WorkbenchError
from workbench.model.orders import UNKNOWN
from workbench.model.snapshot import DifferenceRow
from workbench.orchestrator.truth import Difference, differences

__all__ = ["BY", "TruthWatch"]

BY: Final = "reconciliation"
_CASH: Final = "cash"
_POSITION: Final = "position "
UNKNOWN_S: Final = 60.0


class TruthWatch:
    """`account` asks the broker; `freeze(symbol, reason)` and `thaw(symbol)` act; `tell(what, text)` alerts."""

    def __init__(
        self,
        engine: Engine,
        account: Callable[[], Awaitable[BrokerAccount]],
        freeze: Callable[[str, str], Awaitable[object]],
        thaw: Callable[[str], Awaitable[object]],
        tell: Callable[[str, str], object],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._unknown_s: dict[int, float] = {}  # by order: since when its outcome is not known
        self._engine, self._account = engine, account
        self._freeze, self._thaw, self._tell = freeze, thaw, tell
        self._seen: dict[str, tuple[Difference, int]] = {}  # by figure: what was seen, and the trades by then
        self._frozen: dict[str, int] = {}  # by symbol: looks since it agreed again
        self.looks = 0
        self.last: list[Difference] = []
        self._standing: dict[str, int] = {}  # by figure that had its consequences: since when (wall ns)

    async def run(self, every_s: float, stopped: Callable[[], bool]) -> None:
        """Look now and then, until cancelled; a desk that has `stopped()` for good is not looked at."""
        while True:
            await asyncio.sleep(every_s)
            if not stopped():
                await self.look()

    @property
    def standing(self) -> list[DifferenceRow]:
        """What differed in the last look and had its consequences."""
        return [
            DifferenceRow(_symbol(one.what), one.ours, one.theirs, self._standing[one.what])
            for one in self.last
            if one.what in self._standing
        ]

    async def look(self) -> list[Difference]:
        """Compare once; what differed before as well, and is quiet, has its consequences. A broker that does not answer
        is no difference: its own health tells. Of several accounts those that answer are compared, and what differed
        in the others stands until they answer."""
        try:
            account = await self._account()
        except WorkbenchError:
            return self.last
        self.looks += 1
        unheard = {f"{_POSITION}{self._engine.book.symbol(iid)}" for iid in account.unheard}
        if not account.whole:
            unheard.add(_CASH)
        judged = [one for one in differences(self._engine, account) if one.what not in unheard]
        self.last = found = [*judged, *(one for one in self.last if one.what in unheard)]
        differing = {difference.what for difference in found}
        self._standing = {what: since for what, since in self._standing.items() if what in differing}
        seen, self._seen = self._seen, {}
        for difference in judged:
            what, mark = difference.what, self._mark(difference.what)
            self._seen[what] = (difference, mark)
            if seen.get(what) == (difference, mark) and not self._under_way(what):
                await self._consequences(difference)
        await self._thaw_what_agrees(differing | unheard | await self._unknown_orders())
        return found

    async def _unknown_orders(self) -> set[str]:
        """Freeze where an order has been unknown for too long; the figures it makes doubtful."""
        now_s, engine = self._clock(), self._engine
        unknown = [order for order in engine.orders.active.values() if order.state == UNKNOWN]
        self._unknown_s = {o.order_id: self._unknown_s.get(o.order_id, now_s) for o in unknown}
        doubtful = set()
        for order in unknown:
            if now_s - self._unknown_s[order.order_id] >= UNKNOWN_S:
                symbol = engine.book.symbol(order.iid)
                doubtful.add(f"{_POSITION}{symbol}")
                text = f"order {order.order_id} has been unknown for {UNKNOWN_S:.0f} s ({order.reason})"
                self._tell(f"order {order.order_id}", f"{text}: {symbol} is frozen until the broker tells")
                await self._freeze_here(symbol, text)
        return doubtful

    async def _consequences(self, difference: Difference) -> None:
        what = difference.what
        self._standing.setdefault(what, time_ns())
        text = f"{what}: the desk says {difference.ours:.10g}, the broker {difference.theirs:.10g}"
        if what == _CASH:
            self._tell(what, f"{text}: compare fees and transfers, nothing is mended by itself")
            return
        symbol = _symbol(what)
        self._tell(what, f"{text}: {symbol} is frozen until they agree or a person thaws it")
        await self._freeze_here(symbol, text)

    async def _freeze_here(self, symbol: str, text: str) -> None:
        if symbol not in self._frozen and self._iid(symbol) not in self._engine.risk.frozen:
            self._frozen[symbol] = 0
            await self._freeze(symbol, text)

    async def _thaw_what_agrees(self, differing: Collection[str]) -> None:
        for symbol in list(self._frozen):
            agrees = f"{_POSITION}{symbol}" not in differing
            self._frozen[symbol] = self._frozen[symbol] + 1 if agrees else 0
            if self._frozen[symbol] == 2:
                del self._frozen[symbol]
                if self._engine.book.iid_of.get(symbol, -1) in self._engine.risk.frozen:
                    await self._thaw(symbol)

    def _iid(self, what: str) -> int:
        return self._engine.book.iid_of.get(_symbol(what), -1)

    def _mark(self, what: str) -> int:
        """A number that moves with every trade that could explain the figure."""
        ledger = self._engine.ledger
        if what == _CASH:
            return ledger.fills + len(ledger.moves)
        total = ledger.totals.get(self._iid(what))
        return total.fills if total is not None else 0

    def _under_way(self, what: str) -> bool:
        active, iid = self._engine.orders.active.values(), self._iid(what)
        return any(what == _CASH or order.iid == iid for order in active)


def _symbol(what: str) -> str:
    return "" if what == _CASH else what.removeprefix(_POSITION)
