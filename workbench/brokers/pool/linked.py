"""Orders that go to a venue together: a bracket's exits behind their entry, the orders of a pair.

Lives here: sorting what one turn of the loop brought. Not here: what a venue makes of it (its broker.py).
"""

from collections.abc import Iterator, Sequence

from workbench.model.effects import Submit

__all__ = ["linked"]


def linked(orders: Sequence[Submit]) -> Iterator[list[Submit]]:
    """Brackets and pairs as one batch each, every other order alone; their order stays.

    >>> def order(n, parent=0, group=0):
    ...     return Submit(0, n, 7, 1, 0, 1, 0, 0, 1, 0, 0, parent_id=parent, group=group)
    >>> some = [order(1), order(2), order(3, parent=2, group=2), order(4, parent=2, group=2), order(5, group=9)]
    >>> [[one.order_id for one in batch] for batch in linked(some)]
    [[1], [2, 3, 4], [5]]
    """
    batch: list[Submit] = []
    for order in orders:
        if batch and _belongs(order, batch[0]):
            batch.append(order)
            continue
        if batch:
            yield batch
        batch = [order]
    if batch:
        yield batch


def _belongs(order: Submit, head: Submit) -> bool:
    if order.parent_id == head.order_id:
        return True
    return bool(order.group) and not order.parent_id and not head.parent_id and order.group == head.group
