"""Marks and last prices of many instruments over half an hour: each piece of it that is over is packed."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np

from analytics.packing import (
    LTP_STEPS,
    MARK_STEPS,
    Row,
    pack,
    row_of,
    unpack,
    unpack_marks,
    values_of,
)
from oimon.core.chain import FloatArray

MOST_WAITING = 20
"""Rows that wait to be packed: until then they are ten times as large, and more of them together pack little better."""


class _Piece(NamedTuple):
    """Number of its first row, and the rows packed."""

    start: int
    data: bytes


class Prices:
    """Rows of one width, oldest first; the oldest may be dropped.

    Args:
        width: of each row.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._first = 0  # number of the oldest row that counts
        self._pieces: list[_Piece] = []
        self._start = 0  # number of the first row that is not packed
        self._marks: list[Row] = []
        self._ltps: list[Row] = []
        self._read: tuple[int, Row] = (-1, np.empty(0))  # start of a piece, and its marks

    @classmethod
    def of(cls, width: int, pieces: Sequence[bytes], skipped: int) -> Self:
        """Return the rows of :meth:`pieces`, of which the first ``skipped`` do not count; the last piece may go on.

        Raises:
            ValueError: a piece is damaged, or of another width.
        """
        prices = cls(width)
        for data in pieces:
            prices._close()
            marks, ltps = unpack(data, width)
            prices._marks, prices._ltps = list(marks), list(ltps)
        if not 0 <= skipped <= prices._start + len(prices._marks):
            raise ValueError(f"{skipped} rows cannot be left out")
        prices._first = skipped
        return prices

    def __len__(self) -> int:
        """Return how many rows count."""
        return self._start + len(self._marks) - self._first

    @property
    def skipped(self) -> int:
        """How many rows of the first piece do not count any more."""
        return self._first - (self._pieces[0].start if self._pieces else self._start)

    def pieces(self) -> list[bytes]:
        """Return everything packed, piece by piece."""
        newest = [pack(self._marks, self._ltps)] if self._marks else []
        return [piece.data for piece in self._pieces] + newest

    def append(self, mark: FloatArray, ltp: FloatArray, *, is_new_minute: bool) -> None:
        """Add a row; with a new minute, or where enough wait, what was before it is packed."""
        if is_new_minute or len(self._marks) >= MOST_WAITING:
            self._close()
        self._marks.append(row_of(mark, MARK_STEPS))
        self._ltps.append(row_of(ltp, LTP_STEPS))

    def drop(self, count: int) -> None:
        """Drop so many of the oldest rows."""
        self._first += count
        ends = [piece.start for piece in self._pieces[1:]] + [self._start]
        del self._pieces[: bisect_right(ends, self._first)]

    def mark(self, place: int) -> FloatArray:
        """Return the marks of a row by its place from the oldest."""
        number = self._first + place
        if number >= self._start:
            return values_of(self._marks[number - self._start], MARK_STEPS)
        piece = self._pieces[bisect_right(self._pieces, number, key=lambda piece: piece.start) - 1]
        if self._read[0] != piece.start:
            self._read = piece.start, unpack_marks(piece.data, self._width)
        return values_of(self._read[1][number - piece.start], MARK_STEPS)

    def ltps(self) -> Iterator[FloatArray]:
        """Give the last prices of each row."""
        rows = [row for _, ltps in self._unpacked() for row in ltps]
        for row in rows[self.skipped :]:
            yield values_of(row, LTP_STEPS)

    def wider(self, width: int) -> "Prices":
        """Return the same rows of another width, unknown where there was nothing."""
        added = np.full(width - self._width, np.nan)
        pieces = []
        for both in self._unpacked():
            parts = (
                [row_of(np.concatenate((values_of(row, steps), added)), steps) for row in rows]
                for rows, steps in zip(both, (MARK_STEPS, LTP_STEPS), strict=True)
            )
            pieces.append(pack(*parts))
        return Prices.of(width, pieces, self.skipped)

    def _unpacked(self) -> Iterator[tuple[Iterable[Row], Iterable[Row]]]:
        """Give marks and last prices, a piece at a time."""
        for piece in self._pieces:
            yield unpack(piece.data, self._width)
        if self._marks:
            yield self._marks, self._ltps

    def _close(self) -> None:
        if self._marks:
            self._pieces.append(_Piece(self._start, pack(self._marks, self._ltps)))
            self._start += len(self._marks)
            self._marks, self._ltps = [], []
