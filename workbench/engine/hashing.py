"""Hashes that make a replay provable: of the effects as they come, and of the whole state.

Stamps are left out; nothing depends on the order of a hash table of strings, so PYTHONHASHSEED changes nothing.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from workbench.model.effects import Effect
from workbench.model.orders import Order

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["EffectsHash", "effects_hash", "state_digest"]

_encode = msgspec.msgpack.Encoder().encode
_ORDER_FIELDS = tuple(name for name in Order.__struct_fields__ if name != "stamps")


class EffectsHash:
    """A running hash over effects; how they were grouped into events does not matter.

    >>> from workbench.model.effects import Cancel
    >>> running = EffectsHash()
    >>> running.update([Cancel(0, 1)])
    >>> running.update([Cancel(0, 2)])
    >>> running.hexdigest() == effects_hash([Cancel(0, 1), Cancel(0, 2)])
    True
    """

    __slots__ = ("_hash", "count")

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self.count = 0

    def update(self, effects: Iterable[Effect]) -> None:
        """Take in the effects of one event."""
        for effect in effects:
            self._hash.update(_encode(effect))
            self.count += 1

    def hexdigest(self) -> str:
        """The hash so far, 32 hexadecimal digits."""
        return self._hash.hexdigest()


def effects_hash(effects: Iterable[Effect]) -> str:
    """The hash of a whole list of effects."""
    running = EffectsHash()
    running.update(effects)
    return running.hexdigest()


def state_digest(engine: "Engine") -> str:
    """The hash of an engine's deterministic state."""
    digest = blake2b(digest_size=16)
    ledger, risk, orders, host, book = engine.ledger, engine.risk, engine.orders, engine.host, engine.book
    head = (
        engine.now_ns,
        engine.epoch,
        engine.events,
        (ledger.account, str(ledger.cash_e8), str(ledger.start_cash_e8), str(ledger.fees_e8), ledger.fills),
        (
            str(ledger.moved_e8),
            str(ledger.brought_e8),
            blake2b("\n".join(ledger.moves).encode(), digest_size=16).hexdigest(),
        ),
        (
            risk.killed,
            risk.kill_reason,
            sorted(risk.frozen.items()),
            str(risk.day_equity_e8),
            msgspec.to_builtins(risk.limits),
        ),
        (
            orders.next_id,
            len(orders.active),
            blake2b("\n".join(orders.executions).encode(), digest_size=16).hexdigest(),
            sorted(orders.by_key.items()),
            [msgspec.structs.astuple(amend) for _, amend in sorted(orders.amending.items())],
            sorted(engine.flattening.items()),
        ),
        (sorted(orders.oddities.items()), sorted(engine.oddities.items()), sorted(book.dropped.items())),
        [(i.iid, i.symbol, i.venue, i.currency, i.tick_e8, i.lot_e8) for i in book.instruments],
        (book.last_px, book.last_ts),
        [
            str(total)
            for total in (engine.exposure.value_e16, engine.exposure.gross_e16, engine.exposure.buys_e16)
        ],
    )
    digest.update(_encode(head))
    by_instrument = {(-1, iid): total for iid, total in ledger.totals.items()}
    for books in (ledger.positions, by_instrument):
        for key, p in sorted(books.items()):
            digest.update(
                _encode(
                    (
                        key,
                        str(p.qty_e8),
                        str(p.cost_e8),
                        str(p.realized_e8),
                        str(p.fees_e8),
                        p.fills,
                        str(p.given_e8),
                    )
                )
            )
    for order in orders.by_id.values():  # in order of id
        digest.update(_encode([getattr(order, name) for name in _ORDER_FIELDS]))
    if engine.sized is not None:
        for iid, here in sorted(engine.sized.gauges.items()):
            digest.update(_encode([iid, *((key, gauge.told) for key, gauge in sorted(here.items()))]))
    for (sid, iid), seat in sorted(host.seats.items()):
        digest.update(_encode((sid, iid, seat.target, seat.held_e8, seat.working_e8, seat.full_e8)))
    for sid, placed in sorted(host.strategies.items()):
        sizing = (placed.sizing, placed.sizing_parameters, placed.sizer.told if placed.sizer else ())
        counts = (placed.orders, placed.fills, placed.refusals, host.bars_seen(placed))
        digest.update(
            _encode(
                (
                    sid,
                    placed.name,
                    placed.code_hash,
                    placed.parameters,
                    placed.state,
                    placed.reason,
                    counts,
                    sizing,
                )
            )
        )
    return digest.hexdigest()
