"""Several accounts behind the contract of one: each order goes to one of them, and stays there.

    Submit         -> candidates(order): the account that holds what it closes, else the first that is well
    Cancel, Amend  -> the account the order went to

Lives here: which account gets an order, adding their books up. Not here: which one an order went to (homes.py), the
routes themselves (orchestrator/routes.py), a venue, deciding. Failover is for new orders only, and only before they are
handed over: an order that was handed over is never moved, and one that makes a position smaller goes where the position
is, well or not.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from time import time_ns
from typing import Final

from msgspec.structs import replace

from workbench.brokers.contract import Broker, BrokerAccount, BrokerOrder, Sink, capabilities_of
from workbench.brokers.homes import Homes
from workbench.errors import BadValue, Unreachable, WorkbenchError
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.orders import TERMINAL
from workbench.model.reports import AmendRefused, CancelRefused, Filled, Report, Unsent

__all__ = ["Router", "health_of"]

type Candidates = Callable[[Submit], Sequence[str]]

_UNFIT: Final = frozenset({"down", "unauthorised", "closed"})


def health_of(broker: Broker) -> tuple[str, str]:
    """How a venue is and why: "healthy" for one that does not tell (the built-in exchange)."""
    health = getattr(getattr(broker, "pool", None), "health", None)
    return ("healthy", "") if health is None else (health.state, health.reason)


class Router:
    """A broker over the `accounts` by name. `candidates(order)` names accounts for an order, the best first; `traded`
    tells by account which instruments its orders may be in.

    Raises:
        BadValue: no account at all.
    """

    def __init__(
        self,
        accounts: Mapping[str, Broker],
        candidates: Candidates,
        traded: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        if not accounts:
            raise BadValue("brokers", {}, "name at least one account under [brokers]")
        self.accounts = dict(accounts)
        self.capabilities = frozenset.intersection(*map(capabilities_of, self.accounts.values()))
        self._on_called: Callable[[int, int], None] | None = None
        self.moved: Counter[str] = Counter()  # by account: orders that another one was named first for
        self.told: dict[
            str, tuple[int, BrokerAccount]
        ] = {}  # by account: wall ns, and what it last said it holds
        self._candidates, self._traded = candidates, dict(traded or {})
        self._sink: Sink | None = None
        self._homes = Homes()
        self._held: dict[tuple[str, int], int] = {}
        self._fills: Counter[str] = Counter()  # by account: executions told
        self._shown: dict[str, tuple[int, dict[int, int]]] = {}  # by account: those then, what it held then
        self._seeking: dict[
            int, set[str]
        ] = {}  # by order: the accounts that have not said yet that they lack it

    @property
    def on_called(self) -> Callable[[int, int], None] | None:
        """Who is told when an account's limiter lets an order pass; see `VenueBroker`."""
        return self._on_called

    @on_called.setter
    def on_called(self, told: Callable[[int, int], None] | None) -> None:
        self._on_called = told
        for broker in self.accounts.values():
            if hasattr(broker, "on_called"):
                broker.on_called = told

    @property
    def name(self) -> str:
        return "+".join(self.accounts)

    def account_of(self, order_id: int) -> str:
        """The account an order went to; "" when it went nowhere."""
        return self._homes.of(order_id)

    async def connect(self, sink: Sink) -> None:
        """Open all accounts. When one cannot be opened none stays open, and its error is raised."""
        self._sink = sink
        opened = await asyncio.gather(
            *(broker.connect(self._listener(name)) for name, broker in self.accounts.items()),
            return_exceptions=True,
        )
        failed = [answer for answer in opened if isinstance(answer, BaseException)]
        if failed:
            await self.close()
            raise failed[0]
        try:
            parts = await self.each()
        except BaseException:
            await self.close()
            raise
        for name, part in parts.items():  # later changes are told by fills
            self._held.update({(name, iid): qty_e8 for iid, qty_e8 in part.positions.items()})

    def submit(self, order: Submit) -> None:
        """Hand an order to one account. Raises Unreachable before `connect`."""
        name = self._choose(order)
        self.accounts[name].submit(order)
        self._homes.went(order, name)

    def cancel(self, order: Cancel) -> None:
        """Ask the order's account to cancel."""
        home = self._homes.of(order.order_id)
        if home:
            self.accounts[home].cancel(order)
        else:
            text = "no account holds this order: ask for it first"
            self._later(CancelRefused(order.ts_ns, order.order_id, "UNKNOWN_ORDER", text))

    def amend(self, order: Amend) -> None:
        """Ask the order's account for a change."""
        home = self._homes.of(order.order_id)
        if home:
            self.accounts[home].amend(order)
        else:
            text = "no account holds this order: ask for it first"
            self._later(AmendRefused(order.ts_ns, order.order_id, "UNKNOWN_ORDER", text))

    async def account(self) -> BrokerAccount:
        """All accounts added up."""
        return _sum((await self.each()).values())

    async def heard(self) -> BrokerAccount:
        """The accounts that answer, added up with what the others told last (`unheard`): one that is away does not keep
        the others from being looked at. Raises what the first one raised when none answers."""
        parts, errors = await self._ask()
        if not parts:
            raise errors[0]
        silent = [name for name in self.accounts if name not in parts]
        last = {name: self.told[name][1] for name in silent if name in self.told}
        unheard = {iid for name in silent for iid in self._traded.get(name, ())}
        unheard |= {iid for part in last.values() for iid in part.positions}
        together = _sum([*parts.values(), *last.values()])
        return replace(together, whole=not silent, unheard=frozenset(unheard))

    async def each(self) -> dict[str, BrokerAccount]:
        """Each account by itself."""
        parts, errors = await self._ask()
        if errors:
            raise errors[0]
        return parts

    async def _ask(self) -> tuple[dict[str, BrokerAccount], list[WorkbenchError]]:
        """The accounts that answer, and what the others raised."""
        answers = await asyncio.gather(
            *(broker.account() for broker in self.accounts.values()), return_exceptions=True
        )
        parts: dict[str, BrokerAccount] = {}
        errors: list[WorkbenchError] = []
        for name, answer in zip(self.accounts, answers, strict=True):
            if isinstance(answer, BrokerAccount):
                parts[name] = answer
                self.told[name] = time_ns(), answer
                self._learn(name, dict(answer.positions))
            elif isinstance(answer, WorkbenchError):
                errors.append(answer)
            else:
                raise answer
        return parts, errors

    def _learn(self, name: str, positions: dict[int, int]) -> None:
        """What an account holds, shown twice with no execution told in between: it is so, whoever traded. (Orders of
        earlier sessions fill too, and people trade by hand.) Once could be on its way to us."""
        shown = self._fills[name], positions
        if self._shown.get(name) == shown:
            known = {iid for account, iid in self._held if account == name}
            for iid in known | positions.keys():
                self._held[name, iid] = positions.get(iid, 0)
        self._shown[name] = shown

    async def order(self, client_id: str) -> BrokerOrder | None:
        """What any account knows of an order; who knows it is its home from then on. Raises what an account raised only
        when none of the others knows the order."""
        names = self._where(client_id)
        found = await asyncio.gather(
            *(self.accounts[name].order(client_id) for name in names), return_exceptions=True
        )
        for name, known in zip(names, found, strict=True):
            if isinstance(known, BrokerOrder):
                self._homes.found(known.order_id, name, known.qty_e8, known.filled_e8)
                if known.state in TERMINAL:
                    self._homes.over(known.order_id)
                return known
        for failed in found:
            if isinstance(failed, BaseException):
                raise failed
        return None

    async def took_hold(self, amend: Amend) -> bool:
        """Whether an amendment of an earlier connection holds, as far as the order's account can tell; it is reported
        then."""
        broker = self.accounts.get(self._homes.of(amend.order_id))
        ask = getattr(broker, "took_hold", None)
        return ask is not None and bool(await ask(amend))

    def find_out(self, client_id: str, qty_e8: int) -> bool:
        """Have every account that can go on looking for an order; it is absent when all of them say so."""
        looking = {
            name
            for name in self._where(client_id)
            if (find_out := getattr(self.accounts[name], "find_out", None)) and find_out(client_id, qty_e8)
        }
        if looking:
            self._seeking[_number_of(client_id)] = looking
        return bool(looking)

    async def close(self) -> None:
        """Close all accounts; harmless when repeated."""
        await asyncio.gather(*(broker.close() for broker in self.accounts.values()))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _where(self, client_id: str) -> list[str]:
        """The accounts an order may be at."""
        home = self._homes.of(_number_of(client_id))
        return [home] if home else list(self.accounts)

    def _choose(self, order: Submit) -> str:
        homes = self._homes  # what was handed over is never moved, and a bracket lives at one venue
        home = homes.of(order.order_id) or homes.of(order.parent_id) or homes.of_group(order.group)
        if home:
            return home
        names = [name for name in self._candidates(order) if name in self.accounts] or list(self.accounts)
        closes = [name for name in names if self._held.get((name, order.iid), 0) * order.side < 0]
        if closes:
            return max(closes, key=lambda name: abs(self._held[name, order.iid]))
        well = [name for name in names if health_of(self.accounts[name])[0] not in _UNFIT]
        chosen = (well or names)[0]
        if chosen != names[0]:
            self.moved[chosen] += 1
        return chosen

    def _listener(self, name: str) -> Sink:
        def listen(report: Report) -> None:
            if report.order_id in self._seeking and not self._sought(name, report):
                return
            if type(report) is Unsent and self._homes.of(report.order_id) not in ("", name):
                return  # it was looked for here as well, and another account has it
            if type(report) is Filled:
                self._fills[name] += 1
            moved = self._homes.heard(report)
            if moved is not None:
                iid, qty_e8 = moved
                self._held[name, iid] = self._held.get((name, iid), 0) + qty_e8
            sink = self._sink
            if sink is not None:
                sink(report)

        return listen

    def _sought(self, name: str, report: Report) -> bool:
        """Whether a report about an order that several accounts look for goes on: one that found it always, one that
        lacks it only when it is the last."""
        if type(report) is not Unsent:
            self._seeking.pop(report.order_id)
            self._homes.found(report.order_id, name)
            return True
        left = self._seeking[report.order_id]
        left.discard(name)
        if not left:
            self._seeking.pop(report.order_id)
        return not left

    def _later(self, report: Report) -> None:
        if self._sink is None:
            raise Unreachable("the accounts are not connected: call connect() first; nothing was sent")
        asyncio.get_running_loop().call_soon(self._sink, report)


def _number_of(client_id: str) -> int:
    """The order's number in a client id; 0 when there is none."""
    tail = client_id.rpartition("-")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else 0


def _sum(parts: Iterable[BrokerAccount]) -> BrokerAccount:
    cash_e8, positions, open_orders = 0, dict[int, int](), list[int]()
    for part in parts:
        cash_e8 += part.cash_e8
        open_orders += part.open_orders
        for iid, qty_e8 in part.positions.items():
            positions[iid] = positions.get(iid, 0) + qty_e8
    return BrokerAccount(cash_e8, positions, tuple(sorted(open_orders)))
