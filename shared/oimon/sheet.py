"""Columns of a record, or of rows, in one array: what is written at once, and made into the record or the rows when somebody asks.

Of an analysis hardly anybody asks before it is text: to make a thousand names, numbers and rows of a chain first is a sixth of an
answer's time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt
from typing_extensions import override

T = TypeVar("T")
FLOAT, COUNT, NAME = 0, 1, 2
"""Kinds of columns: floats of nine digits, whole numbers, places in a list of names; the lists follow one another: NAME, NAME + 1…"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """How a sheet is written: as rows, or as columns with the text before each and after the last.

    ``kinds`` of shape (columns,); ``heads`` the text before each column and after the last, end to end, ``head_ends`` where each of
    these ends, shape (columns + 1,); ``words`` names as JSON, 24 bytes each, ``sizes`` how many of these bytes it has,
    ``starts`` the first name of each list.
    """

    is_rows: bool
    kinds: npt.NDArray[np.int8]
    heads: npt.NDArray[np.uint8]
    head_ends: npt.NDArray[np.intp]
    words: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]


def form(
    kinds: Sequence[int],
    *,
    heads: Sequence[str] = (),
    names: Sequence[Sequence[str | None]] = ((),),
) -> Form:
    """Return a form; without heads, of rows.

    Args:
        kinds: of each column.
        heads: JSON before each column and after the last.
        names: lists of names, ASCII, for the kinds from ``NAME`` on; None is null.
    """
    texts = ["null" if name is None else f'"{name}"' for each in names for name in each]
    words = np.zeros((max(1, len(texts)), 24), np.uint8)
    for row, text in zip(words, texts, strict=False):
        row[: len(text)] = np.frombuffer(text.encode("ascii"), np.uint8)
    told = heads or [""] * (len(kinds) + 1)
    return Form(
        is_rows=not heads,
        kinds=np.array(kinds, np.int8),
        heads=np.frombuffer("".join(told).encode("ascii"), np.uint8),
        head_ends=np.cumsum([len(head) for head in told]).astype(np.intp),
        words=words.ravel(),
        sizes=np.array([len(text) for text in texts] or [0], np.intp),
        starts=np.cumsum([0, *(len(each) for each in names)]).astype(np.intp),
    )


class Sheet(Generic[T]):
    """A record still as its columns, shape (columns, n), NaN where unknown; it has the record's attributes.

    Args:
        written: how it is written.
        columns: in the order in which they are written.
        make: makes the record.
    """

    __slots__ = ("_made", "_make", "columns", "written")
    dtype = np.dtype(np.float64)
    """What a column answers too when it is asked what it is of."""

    def __init__(
        self, written: Form, columns: npt.NDArray[np.float64], make: Callable[[], T]
    ) -> None:
        self.written = written
        self.columns = columns
        self._make = make
        self._made: T | None = None

    def made(self) -> T:
        """Return the record."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the record."""
        return getattr(self.made(), name)


class Rows(Sheet[Sequence[T]], Sequence[T]):
    """Rows still as their columns."""

    __slots__ = ()

    @override
    def __len__(self) -> int:
        count: int = self.columns.shape[1]
        return count

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    @override
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        return self.made()[place]

    @override
    def __iter__(self) -> Iterator[T]:
        return iter(self.made())

    @override
    def __eq__(self, other: object) -> bool:
        return list(self) == other

    __hash__ = None  # type: ignore[assignment]  # like a list's
