"""A message with columns as JSON, at once by machine code: the bytes that ``oimon.plain`` gives, which says what they are.

msgspec writes the message as it is, with a mark where a column belongs; one pass over that text rounds its floats and puts the columns
in. Where that pass cannot do it to the last digit, or there is a value that msgspec does not know, nothing is said, and ``plain`` does it.
"""

import dataclasses
from collections.abc import Callable, Hashable
from functools import cache
from operator import attrgetter
from types import ModuleType
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import numpy.typing as npt

from oimon.core import fast
from oimon.plain import getter

_Column = npt.NDArray[np.float64]


def json_of(message: object) -> bytes | None:
    """Return a message as JSON; None where it has no columns, there is no machine code, or it cannot be done so."""
    loops, columns = fast.loops, _columns(cast(Hashable, type(message)))
    if loops is None or not columns.is_any:
        return None
    arrays: list[_Column] = []
    kinds: list[bool] = []
    columns.gather(message, arrays, kinds)
    try:
        text = _ENCODER.encode(message)
    except AttributeError:  # of a value that is no column
        return None
    return _whole(loops, text, arrays, kinds)


def _whole(
    loops: ModuleType, text: bytes, arrays: list[_Column], kinds: list[bool]
) -> bytes | None:
    values, sizes = np.concatenate(arrays), np.fromiter(map(len, arrays), np.intp, len(arrays))
    written: bytes | None = loops.write_message(
        np.frombuffer(text + bytes(8), np.uint8), values, sizes, np.array(kinds)
    )
    return written


class _Columns:
    """Where the columns of records of one class are, in the order in which JSON has them."""

    is_any: bool

    def __init__(self, cls: Any) -> None:
        hints = get_type_hints(cls, include_extras=True)
        self._parts: list[tuple[Callable[[Any], Any], list[bool] | _Columns]] = []
        run: list[str] = []
        kinds: list[bool] = []
        for name in sorted(field.name for field in dataclasses.fields(cls)):
            hint = hints[name]
            told = getattr(hint, "__metadata__", ())
            if told:
                run.append(name)
                kinds.append("count" in told)
                continue
            inner = get_args(hint)[0] if get_origin(hint) is list else hint
            inside = _columns(cast(Hashable, inner)) if dataclasses.is_dataclass(inner) else None
            if inside is not None and inside.is_any:
                self._add(run, kinds)
                run, kinds = [], []
                self._parts.append((attrgetter(name), inside))
        self._add(run, kinds)
        self.is_any = bool(self._parts)

    def _add(self, run: list[str], kinds: list[bool]) -> None:
        if run:
            self._parts.append((getter(run), kinds))

    def gather(self, record: object, arrays: list[_Column], kinds: list[bool]) -> None:
        """Add the columns of a record and of those in it, and whether each is of whole numbers."""
        for values, part in self._parts:
            if isinstance(part, list):
                arrays += values(record)
                kinds += part
                continue
            inside = values(record)
            for one in inside if isinstance(inside, list) else (inside,):
                part.gather(one, arrays, kinds)


@cache
def _columns(cls: Hashable) -> _Columns:
    return _Columns(cls)


_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=attrgetter("dtype.str"))
"""Asks of a column what its numbers are, which is the mark that stands for it: a hook in Python would take a third of the time."""
