"""The memory of a program's rows: slots and rings in two arrays, saved and restored as bytes."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, BadValue
from workbench.kernels.indicator import Indicator
from workbench.kernels.layout import Layout
from workbench.kernels.start import ring_length, sample_states
from workbench.strategy.base import Strategy

__all__ = ["RowMemory"]


class RowMemory:
    """Rows of one layout. `slots` and `rings` are replaced by longer copies when they fill up: hold them never.

    `at[row]` is where a row's slots start; `n` counts rows, released ones included.
    """

    __slots__ = (
        "_free",
        "_rings_free",
        "_rings_used",
        "at",
        "layout",
        "n",
        "name",
        "rings",
        "slots",
        "stride",
    )

    def __init__(self, layout: Layout) -> None:
        self.name = layout.owner
        self.layout = layout
        self.stride = layout.stride
        self.n = 0
        self.at: list[int] = []  # also turns a row that does not exist into an IndexError
        self.slots: NDArray[np.int64] = np.zeros(16 * self.stride, np.int64)
        self.rings: NDArray[np.float64] = np.zeros(1024)
        self._free: dict[int, None] = {}
        self._rings_used = 0
        self._rings_free: dict[int, list[int]] = {}

    @property
    def used(self) -> int:
        """Rows in use."""
        return self.n - len(self._free)

    def take(self) -> int:
        """A row number: a released one, or a new one."""
        if self._free:
            return self._free.popitem()[0]
        row = self.n
        self.n += 1
        self.at.append(row * self.stride)
        if self.n * self.stride > self.slots.size:
            grown = np.zeros(self.n * 2 * self.stride, np.int64)
            grown[: self.slots.size] = self.slots
            self.slots = grown
        return row

    def fill(self, row: int, strategy: Strategy, indicators: dict[str, Indicator]) -> None:
        """Write parameters and first states into a row; what it held before is gone, unless this raises."""
        at = self.at[row]
        starts = sample_states(self.name, indicators)
        lengths = {
            part.name: ring_length(self.name, indicators[part.name])
            for part in self.layout.parts
            if part.ring_at >= 0
        }
        for part in self.layout.parts:  # nothing can fail from here on
            if part.ring_at >= 0:
                start, length = int(self.slots[at + part.ring_at]), int(self.slots[at + part.ring_at + 1])
                if length:
                    self._rings_free.setdefault(length, []).append(start)
        self.slots[at : at + self.stride] = 0
        self.layout.params.write(self.slots, at, _numbers(strategy.parameters))
        for part in self.layout.parts:
            part.params.write(self.slots, at, _numbers(indicators[part.name].parameters))
            part.state.write(self.slots, at, starts[part.name])
            if part.ring_at >= 0:
                self.slots[at + part.ring_at] = self._ring_start(lengths[part.name])
                self.slots[at + part.ring_at + 1] = lengths[part.name]

    def release(self, row: int) -> None:
        """Let a row's number be given out again. Its memory stays as it is until then."""
        if row in self._free:
            raise BadValue("row", row, f"{self.name} has released it already")
        self._free[row] = None

    def checked(self, row: int) -> int:
        """`row`, when it exists; BadValue otherwise."""
        if not 0 <= row < self.n:
            raise BadValue("row", row, f"{self.name} has rows 0 to {self.n - 1}")
        return row

    def saved(self, row: int) -> bytes:
        """The row as bytes, wherever its rings lie."""
        slots = self.slots[self.at[row] : self.at[row] + self.stride].copy()
        rings = []
        for part in self.layout.parts:
            if part.ring_at >= 0:
                start, length = slots[part.ring_at], slots[part.ring_at + 1]
                rings.append(self.rings[start : start + length].astype("<f8").tobytes())
                slots[part.ring_at] = 0
        return msgspec.msgpack.encode((self.layout.key, slots.astype("<i8").tobytes(), rings))

    def restored(self, row: int, data: bytes) -> None:
        """Put back what `saved` gave.

        Raises:
            BadInput: saved by other code, or with other parameters.
        """
        anew = "let it warm up anew"
        try:
            key, raw, rings = msgspec.msgpack.decode(data, type=tuple[str, bytes, list[bytes]])
        except msgspec.DecodeError as error:
            raise BadInput(f"the saved state of {self.name} cannot be read: {anew}") from error
        if key != self.layout.key or len(raw) != 8 * self.stride:
            raise BadInput(f"the saved state belongs to another version of {self.name}: {anew}")
        saved = np.frombuffer(raw, "<i8")
        here = self.slots[self.at[row] : self.at[row] + self.stride]
        parts = self.layout.parts
        fixed = [
            range(r.at, r.at + len(r.kinds)) for r in (self.layout.params, *(part.params for part in parts))
        ]
        with_ring = [part.ring_at for part in parts if part.ring_at >= 0]
        same = all(saved[k] == here[k] for span in fixed for k in span)
        if not same or any(saved[k + 1] != here[k + 1] for k in with_ring):
            raise BadInput(f"the state of {self.name} was saved with other parameters: {anew}")
        starts = [int(here[k]) for k in with_ring]
        if [len(ring) for ring in rings] != [8 * int(saved[k + 1]) for k in with_ring]:
            raise BadInput(f"the saved state of {self.name} is incomplete: {anew}")
        here[:] = saved
        for k, start, ring in zip(with_ring, starts, rings, strict=True):
            here[k] = start
            self.rings[start : start + len(ring) // 8] = np.frombuffer(ring, "<f8")

    def _ring_start(self, length: int) -> int:
        free = self._rings_free.get(length)
        if free:
            start = free.pop()
            self.rings[start : start + length] = 0.0
            return start
        start = self._rings_used
        self._rings_used += length
        if self._rings_used > self.rings.size:
            grown = np.zeros(self._rings_used * 2)
            grown[: self.rings.size] = self.rings
            self.rings = grown
        return start


def _numbers(parameters: dict[str, Any]) -> list[Any]:
    return [value for value in parameters.values() if not isinstance(value, str)]
