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
from oimon.sheet import COUNT, FLOAT, Form, Sheet, form

_Told = tuple[Form, npt.NDArray[np.float64]]
_WIDEST = 25  # bytes that one value may take, with its comma
_BEYOND = 64  # and that may be written beyond the end
_FLOATS, _COUNTS = (form([kind], heads=["", ""]) for kind in (FLOAT, COUNT))


def json_of(message: object) -> bytes | None:
    """Return a message as JSON; None where it has no columns, there is no machine code, or it cannot be done so."""
    loops, columns = fast.loops, _columns(cast(Hashable, type(message)))
    if loops is None or not columns.is_any:
        return None
    found: list[_Told] = []
    columns.gather(message, found)
    try:
        text = _ENCODER.encode(message)
    except AttributeError:  # of a value that is no column
        return None
    return _whole(loops, text, found)


def _whole(loops: ModuleType, text: bytes, found: list[_Told]) -> bytes | None:
    """Return the text with its sheets in their places."""
    room = sum(_WIDEST * (told.size + len(how.kinds)) + len(how.heads) for how, told in found)
    sheets, ends, at = np.empty(room + _BEYOND, np.uint8), [], 0
    for how, told in found:
        names = how.words, how.sizes, how.starts
        at = loops.write_sheet(
            told, how.is_rows, how.kinds, how.heads, how.head_ends, *names, sheets, at
        )
        if at < 0:
            return None
        ends.append(at)
    out = np.empty(2 * len(text) + at + _BEYOND, np.uint8)
    given = np.frombuffer(text + bytes(8), np.uint8)
    end = loops.write_message(given, sheets, np.array(ends, np.intp), out)
    return None if end < 0 else out[:end].tobytes()


class _Columns:
    """Where the columns of records of one class are, in the order in which JSON has them."""

    is_any: bool

    def __init__(self, cls: Any) -> None:
        hints = get_type_hints(cls, include_extras=True)
        self._parts: list[tuple[Callable[[Any], Any], Form | _Columns | None]] = []
        for name in sorted(field.name for field in dataclasses.fields(cls)):
            hint = hints[name]
            told = getattr(hint, "__metadata__", ())
            inner = get_args(hint)[0] if get_origin(hint) is list else hint
            if told:
                self._parts.append((attrgetter(name), _COUNTS if "count" in told else _FLOATS))
            elif dataclasses.is_dataclass(inner):
                inside = _columns(cast(Hashable, inner))
                if inside.is_any:
                    self._parts.append((attrgetter(name), inside))
            elif get_origin(inner) is tuple:
                self._parts.append((attrgetter(name), None))
        self.is_any = any(part is not None for _, part in self._parts)

    def gather(self, record: object, found: list[_Told]) -> None:
        """Add the sheets of a record and of those in it, each column that is in none by itself."""
        for value_of, part in self._parts:
            value = value_of(record)
            if isinstance(value, Sheet):
                found.append((value.written, value.columns))
            elif isinstance(part, Form):
                found.append((part, value[np.newaxis]))
            elif part is not None:
                for one in value if isinstance(value, list) else (value,):
                    part.gather(one, found)


@cache
def _columns(cls: Hashable) -> _Columns:
    return _Columns(cls)


_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=attrgetter("dtype.str"))
"""Asks of a column what its numbers are, which is the mark that stands for it: a hook in Python would take a third of the time."""
