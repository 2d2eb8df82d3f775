"""Counting against time: exact sliding windows over market or wall time. No rule and no limit lives here."""

from collections import deque

__all__ = ["Window"]


class Window:
    """The instants of the last things allowed, to tell whether one more keeps within `most` in any `span_ns`.

    >>> w = Window(2, 1_000)
    >>> [w.room(t) and w.take(t) for t in (0, 10, 20, 1_000, 1_005)]
    [True, True, False, True, False]
    """

    __slots__ = ("free_ns", "most", "span_ns", "taken")

    def __init__(self, most: int, span_ns: int) -> None:
        self.taken: deque[int] = deque(maxlen=most)
        self.most = most
        self.span_ns = span_ns
        self.free_ns = 0  # from this instant on there is room

    def room(self, now_ns: int) -> bool:
        """Whether one more at `now_ns` keeps within the limit. `now_ns` must never go back."""
        return now_ns >= self.free_ns

    def take(self, now_ns: int) -> bool:
        """Count one at `now_ns` (the oldest falls out); always True."""
        taken = self.taken
        taken.append(now_ns)
        if len(taken) == self.most:
            self.free_ns = taken[0] + self.span_ns
        return True

    def count(self, now_ns: int) -> int:
        """How many lie inside the window that ends at `now_ns`."""
        return sum(1 for ns in self.taken if now_ns - ns < self.span_ns)

    def resized(self, most: int, span_ns: int) -> "Window":
        """The same history under another limit."""
        window = Window(most, span_ns)
        for taken_ns in self.taken:
            window.take(taken_ns)
        return window
