"""Windows by blocks: what a moving sum, extreme or regression shares. Nothing is ever subtracted, so nothing drifts.

A ring of `length` places holds the block that is filling. When it is full it is folded: each place is overwritten
with the figure (sum, greatest, ...) from there to the block's end, and the next block begins to overwrite it from the
front. At any time the window is what is left of the folded block, found at the place to be written next, and the new
block, of which a running figure is kept:

    buf[at] = value; total += value; at += 1
    if at == length: at = 0; total = 0.0; fold_sum(buf, 0, length)
    window = total + buf[at]

One addition a bar and one a bar for folding, whatever the length. For extremes this is the algorithm of van Herk
(1992) and Gil and Werman (1993).
"""

from typing import Any

__all__ = ["fold_max", "fold_squares", "fold_sum", "move_mean"]


def fold_sum(buf: Any, base: Any, length: Any) -> None:
    """Overwrite each of `length` places from `base` with the sum from there to the end."""
    total = 0.0
    for k in range(base + length - 1, base - 1, -1):
        total += buf[k]
        buf[k] = total


def fold_max(buf: Any, base: Any, length: Any) -> None:
    """Overwrite each of `length` places from `base` with the greatest from there to the end."""
    top = buf[base + length - 1]
    for k in range(base + length - 2, base - 1, -1):
        held = buf[k]
        top = held if held > top else top
        buf[k] = top


def fold_squares(buf: Any, length: Any, about: Any) -> None:
    """Overwrite the first `length` places with sums to the end of distances from `about`, the next of their squares."""
    one = 0.0
    two = 0.0
    for k in range(length - 1, -1, -1):
        apart = buf[k] - about
        one += apart
        two += apart * apart
        buf[k] = one
        buf[length + k] = two


def move_mean(buf: Any, base: Any, length: Any, at: Any, full: Any, total: Any, value: Any) -> Any:
    """Let `value` enter a ring of its own: the new `at`, `full`, `total`, and the mean (NaN until the ring is full)."""
    buf[base + at] = value
    at += 1
    total += value
    if at == length:
        at = 0
        full = True
        total = 0.0
        fold_sum(buf, base, length)
    return at, full, total, (total + buf[base + at]) / length if full else float("nan")
