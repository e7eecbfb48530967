"""Open interest of many instruments over time, as what changed: a row now and then differs in few places from the one before."""

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np

from oimon.core.chain import FloatArray, IndexArray

_PLACE, _VALUE = np.dtype("<u4"), np.dtype("<f8")


class Changes:
    """Rows of one width, numbered from 0, oldest first; the oldest may be dropped.

    Args:
        width: of each row.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._first = 0  # number of the oldest row
        self._oldest: FloatArray | None = None
        self._newest: FloatArray | None = None
        self._changes: list[bytes] = []  # places and values, of every row but the oldest
        self._known: dict[object, tuple[int, FloatArray]] = {}

    @classmethod
    def of(cls, width: int, oldest: FloatArray, changes: Sequence[bytes]) -> Self:
        """Return the rows that begin with ``oldest`` and change so.

        Raises:
            ValueError: the oldest has another width, or something changes beyond it.
        """
        rows = cls(width)
        if oldest.shape != (width,):
            raise ValueError(f"a row has {width} places, found {oldest.shape}")
        rows._oldest, rows._newest, rows._changes = oldest, oldest, list(changes)
        for change in rows._changes:
            rows._newest = _changed(rows._newest, change)
        return rows

    def __len__(self) -> int:
        """Return how many rows there are."""
        return 0 if self._oldest is None else 1 + len(self._changes)

    def rows(self) -> Iterator[FloatArray]:
        """Give all rows."""
        for place in range(len(self)):
            yield self.at(place, "rows")

    @property
    def oldest(self) -> FloatArray | None:
        """The oldest row, None where there is none: to be read only, like every row."""
        return self._oldest

    @property
    def newest(self) -> FloatArray | None:
        """The newest row, None where there is none."""
        return self._newest

    @property
    def changes(self) -> Sequence[bytes]:
        """How each later row differs from the one before, as bytes."""
        return self._changes

    def append(self, row: FloatArray) -> None:
        """Add a row; it is kept as it is, so it must not change any more."""
        if self._newest is None:
            self._oldest = row
        else:
            self._changes.append(_change(self._newest, row))
        self._newest = row

    def drop(self, count: int) -> None:
        """Drop so many of the oldest rows; one is left at least."""
        if count and self._oldest is not None:
            self._oldest = self._moved(self._oldest, 0, count)
            del self._changes[:count]
            self._first += count

    def at(self, place: int, asked_by: object) -> FloatArray:
        """Return a row by its place from the oldest; who asks again and again goes on from where it was."""
        number, row = self._known.get(asked_by, (-1, None))
        start = number - self._first
        if row is None or not 0 <= start <= place:
            start, row = 0, self._oldest
        if row is None:
            raise IndexError("there are no rows")
        row = self._moved(row, start, place)
        self._known[asked_by] = (self._first + place, row)
        return row

    def _moved(self, row: FloatArray, start: int, end: int) -> FloatArray:
        """Return the row at ``end``, given the one at ``start``."""
        for change in self._changes[start:end]:
            if change:
                row = _changed(row, change)
        return row


def _places(before: FloatArray, after: FloatArray) -> IndexArray:
    """Return where two rows differ, in any bit: what is unknown stays so."""
    found: IndexArray = (before.view(np.uint64) != after.view(np.uint64)).nonzero()[0]
    return found


def _change(before: FloatArray, after: FloatArray) -> bytes:
    where = _places(before, after)
    return where.astype(_PLACE).tobytes() + after[where].tobytes()


def _changed(row: FloatArray, change: bytes) -> FloatArray:
    count, rest = divmod(len(change), _PLACE.itemsize + _VALUE.itemsize)
    where = np.frombuffer(change, _PLACE, count)
    if rest or (where >= len(row)).any():
        raise ValueError(f"a row of {len(row)} places cannot change so: {change[:40]!r}")
    row = row.copy()
    row[where] = np.frombuffer(change, _VALUE, count, count * _PLACE.itemsize)
    return row
