"""A message as JSON: keys sorted, floats of nine significant digits, whole numbers in columns of counts, null for unknown.

How each field is made plain is worked out once from its type; what is plain already is not looked at again. The columns of
a message are written last, the new ones together as one array. Source: messages-sketch (encoding).
"""

import dataclasses
import math
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import Enum
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import orjson

DIGITS = 9
ROWS_KEPT = 4096  # most rows of a beat (verdicts, minutes) are those of the beat before
LISTS_KEPT = 64  # and often all of them are
FEW_ROWS = 32  # fewer are rounded one by one: most are known from the beat before
_WHOLE = 2.0**53  # below it a float64 holds every whole number
_POWERS = np.array([float(f"1e{k}") for k in range(23)])  # each exact
_SMALLEST = 13  # below 1e-13 a number has fewer digits
_STEPS = np.array([float(f"1e{k}") for k in range(-_SMALLEST, 16)])
_BEFORE = (
    np.arange(len(_STEPS) + 1) - _SMALLEST
)  # digits before the point, by place among the steps
_SCALE = _POWERS[np.clip(DIGITS - _BEFORE, 0, 22)]
_UNIT = _POWERS[np.clip(_BEFORE - DIGITS, 0, 22)]

Columns = npt.NDArray[np.float64]
"""Columns of one length: shape (columns, n), NaN where unknown."""
Way = Callable[[Any], Any]
"""Makes a value plain; ``None`` in its place: it is plain."""


def dumps(found: Mapping[str, Any]) -> bytes:
    """Return what :func:`plain` gave as JSON with sorted keys."""
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def plain(message: object) -> dict[str, Any]:
    """Return a message as a dict of what JSON knows, rounded; each column is a piece of JSON already."""
    record = _record(cast(Hashable, type(message)))
    found = record.plain(message)
    if record.has_columns:
        sheets: Sheets = {kind: [] for kind in _WRITERS}
        record.gather(found, sheets)
        for kind, write in _WRITERS.items():
            arrays = [place[name] for place, names in sheets[kind] for name in names]
            texts = iter(write(arrays))
            for place, names in sheets[kind]:
                place.update(zip(names, texts, strict=False))  # each takes as many as it has names
    return found


def getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads these attributes of a record, in order."""
    if len(names) > 1:
        return cast(Callable[[Any], tuple[Any, ...]], attrgetter(*names))
    return lambda record: tuple(getattr(record, name) for name in names)


@lru_cache(maxsize=ROWS_KEPT)
def round9(value: float) -> float | None:
    """Return ``value`` rounded to nine significant digits, never −0; ``None`` for NaN and infinity."""
    return float(f"{value:.9g}") + 0.0 if math.isfinite(value) else None


def round9_array(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``values`` of any shape rounded to nine significant digits, NaN where not finite.

    A power of ten is exact to 1e22, so digits / power is the nearest double to the decimal, as parsing would give.
    """
    place = _STEPS.searchsorted(np.abs(values), side="right")
    scale, unit = _SCALE[place], _UNIT[place]
    rounded: npt.NDArray[np.float64] = np.rint(values * scale / unit) / scale * unit
    rounded[~np.isfinite(values)] = np.nan
    return rounded


def floats_json(columns: Columns) -> list[bytes]:
    """Return each column as JSON, floats of nine significant digits, null for NaN."""
    return _rows(round9_array(columns) + 0.0)


def counts_json(columns: Columns) -> list[bytes]:
    """Return each column of whole numbers as JSON, null for NaN."""
    whole = np.rint(columns)
    if (np.abs(whole) < _WHOLE).all():
        return _rows(whole.astype(np.int64))  # written in a third of the time
    return [row.replace(b".0", b"") for row in _rows(whole + 0.0)]


def _rows(columns: Columns | npt.NDArray[np.int64]) -> list[bytes]:
    text = orjson.dumps(
        columns, option=orjson.OPT_SERIALIZE_NUMPY
    )  # NaN is null there; + 0.0 made −0 plain
    return [b"[" + row + b"]" for row in text[2:-2].split(b"],[")]


class _Remembered:
    """Writes columns, and remembers what it wrote: most columns of a beat are those of the beat before."""

    def __init__(self, write: Callable[[Columns], list[bytes]]) -> None:
        self._write = write
        self._known: dict[bytes, orjson.Fragment] = {}

    def __call__(self, columns: list[npt.NDArray[np.float64]]) -> list[orjson.Fragment]:
        if len(self._known) > ROWS_KEPT:
            self._known.clear()
        known, keys = self._known, [column.tobytes() for column in columns]
        new = {key: column for key, column in zip(keys, columns, strict=True) if key not in known}
        for size in {len(key) for key in new}:
            alike = [key for key in new if len(key) == size]
            texts = self._write(np.array([new[key] for key in alike]))
            known.update(zip(alike, map(orjson.Fragment, texts), strict=True))
        return [known[key] for key in keys]


_WRITERS = {"float": _Remembered(floats_json), "count": _Remembered(counts_json)}
Sheets = dict[str, list[tuple[dict[str, Any], list[str]]]]
"""Of each kind of column, the records that have some and the columns' names."""


class _Record:
    """How records of one class are made plain."""

    def __init__(self, cls: Any) -> None:
        hints = get_type_hints(cls, include_extras=True)
        self._names = sorted(field.name for field in dataclasses.fields(cls))  # as JSON wants them
        self._values = getter(self._names)
        self._sheets = {kind: _columns(hints, kind) for kind in _WRITERS}
        self._steps: list[tuple[str, Way]] = []
        self._inside: list[tuple[str, _Record]] = []
        columns = {name for names in self._sheets.values() for name in names}
        for name in self._names:
            way = None if name in columns else _way(hints[name])
            if way is not None:
                self._steps.append((name, way))
            inner = _inner(hints[name])
            if inner is not None and inner.has_columns:
                self._inside.append((name, inner))
        self.has_columns: bool = bool(columns or self._inside)

    def plain(self, record: Any) -> dict[str, Any]:
        """Return a record as a dict, its columns still arrays."""
        found = dict(zip(self._names, self._values(record), strict=True))
        for name, way in self._steps:
            value = found[name]
            if value is not None:
                found[name] = way(value)
        return found

    def gather(self, found: dict[str, Any], sheets: Sheets) -> None:
        """Add the places of all columns of a record that was made plain, and of the records in it."""
        for kind, names in self._sheets.items():
            if names:
                sheets[kind].append((found, names))
        for name, inner in self._inside:
            value = found[name]
            for one in value if isinstance(value, list) else [value]:
                inner.gather(one, sheets)


@cache
def _record(cls: Hashable) -> _Record:
    return _Record(cls)


def _columns(hints: Mapping[str, Any], kind: str) -> list[str]:
    return [name for name, hint in hints.items() if kind in getattr(hint, "__metadata__", ())]


def _inner(hint: Any) -> _Record | None:
    """Return how the records of a field are made plain that is one or a list of them."""
    if get_origin(hint) is list:
        hint = get_args(hint)[0]
    return _record(cast(Hashable, hint)) if dataclasses.is_dataclass(hint) else None


def _way(hint: Any) -> Way | None:  # noqa: PLR0911 - one return a kind of type
    """Return how a value of this type is made plain, ``None`` where it is."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is float:
        return round9
    if dataclasses.is_dataclass(hint):
        return _record(cast(Hashable, hint)).plain
    if origin in {Union, types.UnionType}:
        ways = [way for way in map(_way, parts) if way is not None]
        return ways[0] if ways else None  # no field is of two types that need work
    if origin is list or (origin is tuple and parts[-1] is Ellipsis):
        is_of_rows = get_origin(parts[0]) is tuple
        return _table(get_args(parts[0])) if is_of_rows else _each(_way(parts[0]))
    if origin is tuple:
        return _fixed([_way(part) for part in parts])
    if origin is Mapping or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _values(_way(parts[1]))
    if isinstance(hint, type) and issubclass(hint, str | int | Enum | types.NoneType):
        return None
    raise TypeError(f"a message has no field of type {hint}")


def _each(way: Way | None) -> Way | None:
    if way is None:
        return None
    return lambda values: [None if value is None else way(value) for value in values]


def _table(parts: Sequence[Any]) -> Way | None:
    """Return what makes rows of one kind plain, whose values are floats or plain already: many rows go column by column."""
    row = _fixed([_way(part) for part in parts])
    if row is None:
        return None
    floats = [float in (part, *get_args(part)) for part in parts]
    known: dict[int, tuple[Sequence[Any], tuple[Any, ...], list[Any]]] = {}

    def table(values: Sequence[tuple[Any, ...]]) -> list[Any]:
        if len(values) < FEW_ROWS:
            return [row(value) for value in values]
        rows = tuple(values)
        same, told_of, told = known.get(id(values), ((), (), []))
        if same is values and told_of == rows:  # the very rows: they are not looked at again
            return told
        columns = zip(*rows, strict=True)
        told = list(
            zip(
                *(
                    _rounded(column) if is_float else column
                    for column, is_float in zip(columns, floats, strict=True)
                ),
                strict=True,
            )
        )
        if len(known) >= LISTS_KEPT:
            known.pop(next(iter(known)))
        known[id(values)] = (values, rows, told)
        return told

    return table


@lru_cache(maxsize=LISTS_KEPT)
def _rounded(column: tuple[float | None, ...]) -> list[float | None]:
    """Return what :func:`round9` gives of each; ``None`` stays."""
    rounded = round9_array(np.array(column, np.float64)) + 0.0
    told: list[float | None] = rounded.tolist()
    return [None if value != value else value for value in told]  # noqa: PLR0124 - only NaN is unlike itself


def _fixed(ways: list[Way | None]) -> Way | None:
    if not any(ways):
        return None

    @lru_cache(maxsize=ROWS_KEPT)
    def row(values: tuple[Any, ...]) -> list[Any]:
        return [
            value if way is None or value is None else way(value)
            for value, way in zip(values, ways, strict=True)
        ]

    return row


def _values(way: Way | None) -> Way:
    """Return what makes a mapping plain, its keys in the order that they have in JSON."""
    if way is None:
        return lambda values: {key: values[key] for key in sorted(values)}
    return lambda values: {
        key: None if values[key] is None else way(values[key]) for key in sorted(values)
    }
