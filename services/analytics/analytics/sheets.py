"""A chain and its verdicts as the sheets that a message holds where machine code writes it (pure)."""

from collections.abc import Callable, Sequence
from typing import get_type_hints

import numpy as np

from analytics.cells import Cell
from analytics.situation import CLASS_NAMES, VERDICT_NAMES, ChainCells, Classes, marks_of
from oimon.core.chain import FloatArray
from oimon.core.mark import MARK_SOURCES
from oimon.messages import Chain, Legs, StrikeVerdict
from oimon.sheet import COUNT, FLOAT, NAME, Rows, Sheet, form

_LEGS = sorted(get_type_hints(Legs))
_SIDE = len(_LEGS)
_MADE = ("build_up", "delta", "mark_source")  # the others are cells
_BUILD_UP, _DELTA, _SOURCE = map(_LEGS.index, _MADE)
_PLACES = [place for place, name in enumerate(_LEGS) if name not in _MADE]
_CELLS = [getattr(Cell, _LEGS[place].upper()) for place in _PLACES]
_SOURCE_NAMES = tuple(source and source.value for source in MARK_SOURCES)


def _kind(name: str) -> int:
    """Return the kind of one of a leg's columns."""
    if name in ("build_up", "mark_source"):
        return NAME if name == "build_up" else NAME + 1
    hints = get_type_hints(Legs, include_extras=True)
    return COUNT if "count" in hints[name].__metadata__ else FLOAT


def _heads(before: str) -> list[str]:
    """Return the text before each column of a side, of which the first is opened so."""
    return [f'{"," if place else before}"{name}":' for place, name in enumerate(_LEGS)]


_KINDS = [_kind(name) for name in _LEGS]
_CHAIN = form(
    [*_KINDS, FLOAT, *_KINDS, FLOAT],
    heads=[*_heads('{"ce":{'), '},"iv":', *_heads(',"pe":{'), '},"strike":', "}"],
    names=(CLASS_NAMES, _SOURCE_NAMES),
)
_VERDICTS = form([FLOAT, NAME, NAME, NAME + 1, FLOAT], names=(CLASS_NAMES, VERDICT_NAMES))


def chain_sheet(
    rows: ChainCells,
    classes: Classes,
    delta: FloatArray,
    iv: FloatArray,
    make: Callable[[], Chain],
) -> Sheet[Chain]:
    """Return a chain as a sheet.

    Args:
        rows: the chain.
        classes: of its legs.
        delta: of each leg, shape (2, n).
        iv: of each strike, shape (n,).
        make: makes the message's own.
    """
    columns = np.empty((2 * _SIDE + 2, len(rows.strike)))
    sources = marks_of(rows).source
    for side in range(2):
        first = side * (_SIDE + 1)
        legs = columns[first : first + _SIDE]
        legs[_PLACES] = rows.cells[_CELLS, side]
        legs[_BUILD_UP], legs[_DELTA] = classes.told_codes[side], delta[side]
        legs[_SOURCE] = sources[side]
    columns[_SIDE], columns[-1] = iv, rows.strike
    return Sheet(_CHAIN, columns, make)


def verdict_sheet(classes: Classes) -> Sequence[StrikeVerdict]:
    """Return a verdict a strike as a sheet."""
    verdicts, calls_puts = classes.verdicts, classes.told_codes
    columns = np.empty((5, len(verdicts.code)))
    columns[0], columns[1:3] = classes.rows.strike, calls_puts
    columns[3], columns[4] = verdicts.code, verdicts.score
    return Rows(_VERDICTS, columns, lambda: classes.told)
