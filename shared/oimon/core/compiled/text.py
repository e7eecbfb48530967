"""A message's JSON made whole by machine code: its floats rounded, its columns put in; ``oimon.plain`` says what the text is.

Eight digits are made in one word, a byte each, and written at once: what a shorter number does not need is written over by what follows.
What it cannot do to the last digit it leaves to ``plain``, and says so.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from oimon.core.chain import FloatArray, IndexArray, IntArray
from oimon.core.compiled.machine import high_zeros, inlined, low_zeros, machine, store, word

Text = npt.NDArray[np.uint8]
Word = Any
"""A whole number of 64 bits; numba has no types that others know."""
_COLUMN = int.from_bytes(b'"<f8"', "little")  # stands in the text where a column has its place
_MARK = np.uint64(2**40 - 1)
FAILED = -1
_COUNT, _NAME = 1, 2  # kinds of columns, as ``sheet`` has them; what is less is a float
_LARGE, _WHOLE = 1e16, 2.0**53
_DIGITS, _SMALLEST = 9, 13  # digits told; below 1e-13 a number has fewer
_STEPS = np.array([float(f"1e{k}") for k in range(-_SMALLEST, 17)])
_POWERS = np.array([float(f"1e{k}") for k in range(23)])
_ZERO, _NINE, _POINT, _MINUS, _COMMA, _OPEN, _CLOSE, _E = (ord(each) for each in "09.-,[]e")
_QUOTE, _ESCAPE = ord('"'), ord("\\")
_MOST_READ = 18  # digits that a whole number of 64 bits surely holds
_NEAR = 1e-6  # of a digit: so near the middle between two, the text does not tell which is nearer
_SPLIT = 134_217_729.0  # 2^27 + 1
_NULL, _ZEROS, _BEHIND = (
    np.uint64(int.from_bytes(each, "little"))
    for each in (b"null\0\0\0\0", b"00000000", b"0.000000")
)
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _ESCAPES = np.uint64(_QUOTE) * _ONES, np.uint64(_ESCAPE) * _ONES
_HALF, _TEN_4, _BYTE = np.uint64(100_000_000), np.uint64(10_000), np.uint64(8)
_SEVENS, _FIFTEENS = np.uint64(0x0000007F0000007F), np.uint64(0x000F000F000F000F)


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _digits(whole: Word) -> Word:
    """Return the eight digits of a number below 10^8, a byte each, the first lowest: halves, quarters, then each by itself."""
    high = whole // _TEN_4
    pairs = high | ((whole - high * _TEN_4) << np.uint64(32))
    high = ((pairs * np.uint64(10_486)) >> np.uint64(20)) & _SEVENS
    fours = high | ((pairs - high * np.uint64(100)) << np.uint64(16))
    high = ((fours * np.uint64(103)) >> np.uint64(10)) & _FIFTEENS
    found: Word = high | ((fours - high * np.uint64(10)) << _BYTE)
    return found


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _short(out: Text, at: int, whole: Word) -> Word:
    """Write a number below 10^8."""
    digits = _digits(whole)
    unused = min(low_zeros(digits) >> np.uint64(3), np.uint64(7))
    store(out, at, (digits | _ZEROS) >> (unused * _BYTE))
    return at + 8 - np.int64(unused)


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _count(out: Text, at: int, whole: Word) -> Word:
    """Write a number below 10^16."""
    high = whole // _HALF
    if high == np.uint64(0):
        return _short(out, at, whole)
    at = _short(out, at, high)
    store(out, at, _digits(whole - high * _HALF) | _ZEROS)
    return at + 8


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _before_point(size: float) -> Word:
    """Return how many digits a number above 0 has before its point, −3 of 0.0001; no less than −13."""
    exponent = (np.float64(size).view(np.int64) >> 52) - 1023
    place: Word = min(max(((exponent * 1233) >> 12) + _SMALLEST, 0), len(_STEPS) - 2)
    place += size >= _STEPS[place + 1]
    return place - _SMALLEST + (size >= _STEPS[place])


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _emit(out: Text, at: Word, is_below: bool, rounded: Word, before: Word) -> Word:
    """Write a number of at most nine digits (10^9 is none more), of which ``before`` would stand before the point, at most 16."""
    if rounded == np.uint64(0):
        store(out, at, _BEHIND)
        return at + 3
    if is_below:
        out[at] = _MINUS
        at += 1
    while rounded < _HALF:
        rounded *= np.uint64(10)
    first = rounded // _HALF
    rest = _digits(rounded - first * _HALF)
    if first > np.uint64(9):
        first, before = np.uint64(1), before + 1
    if before > 16:
        return FAILED
    told = 9 - np.int64(high_zeros(rest) >> np.uint64(3))
    rest |= _ZEROS
    out[at] = np.uint8(first) + np.uint8(_ZERO)
    if before > 0:
        store(out, at + 1, rest)
        store(out, at + 9, _ZEROS)
        if told <= before:
            out[at + before], out[at + before + 1] = _POINT, _ZERO
            return at + before + 2
        store(out, at + 1 + before, rest >> (np.uint64(before - 1) * _BYTE))
        out[at + before] = _POINT
        return at + told + 1
    if before > -5:
        store(out, at, _BEHIND)
        at += 2 - before
        out[at] = np.uint8(first) + np.uint8(_ZERO)
        store(out, at + 1, rest)
        return at + told
    at += 1
    if told > 1:
        out[at] = _POINT
        store(out, at + 1, rest)
        at += told
    out[at], out[at + 1] = _E, _MINUS
    return _short(out, at + 2, np.uint64(1 - before))


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _float(out: Text, at: int, value: float) -> Word:
    """Write a number whose size is below 1e16, rounded as ``plain.round9_array`` does."""
    size = abs(value)
    before = _before_point(size)
    if before <= _DIGITS:
        rounded = np.uint64(np.rint(size * _POWERS[min(_DIGITS - before, 22)]))
    else:
        rounded = np.uint64(np.rint(size / _POWERS[before - _DIGITS]))
    if before <= -_SMALLEST:
        least = _HALF
        while np.uint64(0) < rounded < least:
            least //= np.uint64(10)
            before -= 1
    return _emit(out, at, value < 0.0, rounded, before)


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _value(
    value: float, kind: int, first: Word, words: Text, sizes: IndexArray, out: Text, at: Word
) -> Word:
    """Write one value, null for what is not finite; ``first`` is the first name of its kind. ``FAILED``: it is too large for it."""
    if kind >= _NAME:
        row = first + np.int64(value)
        for k in range(0, 24, 8):
            store(out, at + k, word(words, 24 * row + k))
        return at + sizes[row]
    if not math.isfinite(value):
        store(out, at, _NULL)
        return at + 4
    if kind != _COUNT:
        return _float(out, at, value) if abs(value) < _LARGE else FAILED
    whole = np.rint(value)
    if abs(whole) >= _WHOLE:
        return FAILED
    if whole < 0.0:
        out[at] = _MINUS
        at += 1
    return _count(out, at, np.uint64(abs(whole)))


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _column(
    values: FloatArray, kind: int, first: Word, words: Text, sizes: IndexArray, out: Text, at: Word
) -> Word:
    """Write a column as a JSON array; other arguments as of :func:`_value`."""
    out[at] = _OPEN
    at += 1
    for value in values:
        at = _value(value, kind, first, words, sizes, out, at)
        if at < 0:
            return FAILED
        out[at] = _COMMA
        at += 1
    at -= len(values) > 0
    out[at] = _CLOSE
    return at + 1


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _rows(
    columns: FloatArray,
    kinds: IntArray,
    words: Text,
    sizes: IndexArray,
    starts: IndexArray,
    out: Text,
    at: Word,
) -> Word:
    """Write columns as a JSON array of rows."""
    out[at] = _OPEN
    at += 1
    for i in range(columns.shape[1]):
        out[at] = _OPEN
        at += 1
        for column in range(len(kinds)):
            kind = kinds[column]
            first = starts[max(kind - _NAME, 0)]
            at = _value(columns[column, i], kind, first, words, sizes, out, at)
            if at < 0:
                return FAILED
            out[at] = _COMMA
            at += 1
        out[at - 1], out[at] = _CLOSE, _COMMA
        at += 1
    at -= columns.shape[1] > 0
    out[at] = _CLOSE
    return at + 1


@machine  # type: ignore[untyped-decorator]  # numba has no types
def write_sheet(  # noqa: PLR0913, PLR0917 - machine code takes no keywords
    columns: FloatArray,
    is_rows: bool,
    kinds: IntArray,
    heads: Text,
    head_ends: IndexArray,
    words: Text,
    sizes: IndexArray,
    starts: IndexArray,
    out: Text,
    at: Word,
) -> Word:
    """Write columns, shape (columns, n), at a place of ``out``; return where they end, below 0 if they cannot be said to the last digit.

    The other arguments are those of a ``sheet.Form``. ``out`` has room for 25 bytes a value and a column, and the heads, and 64.
    """
    if is_rows:
        return _rows(columns, kinds, words, sizes, starts, out, at)
    head = 0
    for column in range(len(kinds)):
        for i in range(head, head_ends[column]):
            out[at] = heads[i]
            at += 1
        head, kind = head_ends[column], kinds[column]
        first = starts[max(kind - _NAME, 0)]
        at = _column(columns[column], kind, first, words, sizes, out, at)
        if at < 0:
            return FAILED
    for i in range(head, head_ends[len(kinds)]):
        out[at] = heads[i]
        at += 1
    return at


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _side(tenth: Word, power: int) -> Word:
    """Say on which side of a middle a number lies that is told as ``tenth`` / 10^power: 1 above, −1 below, 0 just there."""
    scale, whole = _POWERS[power], np.float64(tenth)
    value = whole / scale  # the number itself: both are exact
    high = value * scale
    a, b = value * _SPLIT, scale * _SPLIT
    a, b = a - (a - value), b - (b - scale)
    low = ((a * b - high) + a * (scale - b) + (value - a) * b) + (value - a) * (scale - b)
    apart = (high - whole) + low
    return (apart > 0.0) - (apart < 0.0)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _read(text: Text, place: int) -> tuple[int, Word, Word, int, int, bool]:
    """Read a number without its sign.

    Returns:
        Where it ends; its first nine digits from the first that is not 0; those after them; how many there are in all, from that one;
        what power of ten they are to be divided by; and whether it may be told as it stands. Of one that is told otherwise
        (10^16 and more) the first is ``FAILED``.
    """
    nine = rest = np.uint64(0)
    count: Word = 0
    power: Word = 0
    exponent: Word = 0
    is_whole = True
    while _ZERO <= text[place] <= _NINE or text[place] == _POINT:
        if text[place] == _POINT:
            is_whole = False
        else:
            digit = np.uint64(text[place]) - np.uint64(_ZERO)
            count += (count > 0) | (digit > np.uint64(0))
            power += not is_whole
            if count <= _DIGITS:
                nine = nine * np.uint64(10) + digit
            elif count <= _MOST_READ:
                rest = rest * np.uint64(10) + digit
        place += 1
    if text[place] != _E:
        return place, nine, rest, count, power, is_whole | (0 < count <= _DIGITS)
    if text[place + 1] != _MINUS:
        return FAILED, nine, rest, count, power, False
    place += 2
    while _ZERO <= text[place] <= _NINE:
        exponent = exponent * 10 + np.int64(text[place]) - _ZERO
        place += 1
    return place, nine, rest, count, power + exponent, False


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _number(text: Text, place: int, depth: int, out: Text, at: int) -> tuple[int, int]:
    """Take one number of the text over, a float rounded as ``plain.round9`` does; return where both go on."""
    start, is_below = place, text[place] == _MINUS
    place, nine, rest, count, power, is_told = _read(text, place + is_below)
    if is_told:
        for i in range(start, place):
            out[at] = text[i]
            at += 1
        return place, at
    before = count - power
    if place < 0 or before > 16 or count > _MOST_READ:
        return FAILED, FAILED
    if count > _DIGITS:
        share = np.float64(rest) / _POWERS[count - _DIGITS]
        side = 1 if share > 0.5 else -1
        if abs(share - 0.5) < _NEAR:
            # many rows are rounded as columns are, which does not go by the very bits
            if count > _DIGITS + 1 or depth > 1 or not 0 < power <= 22:
                return FAILED, FAILED
            side = _side(nine * np.uint64(10) + rest, power)
        nine += np.uint64(side > 0 or (side == 0 and nine % np.uint64(2) > np.uint64(0)))
    return place, _emit(out, at, is_below, nine, before)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _words(text: Text, place: Word, out: Text, at: Word) -> tuple[int, int]:
    """Take a string over, eight letters at a time until one of them is its end or an escape; return where both go on."""
    out[at] = _QUOTE
    place, at = place + 1, at + 1
    while True:
        letters = word(text, place)
        store(out, at, letters)
        ends, escapes = letters ^ _QUOTES, letters ^ _ESCAPES  # a byte of 0 where there is one
        found = ((ends - _ONES) & ~ends | (escapes - _ONES) & ~escapes) & _HIGHS
        if found == np.uint64(0):
            place, at = place + 8, at + 8
            continue
        before = np.int64(low_zeros(found) >> np.uint64(3))
        place, at = place + before + 1, at + before + 1
        if text[place - 1] == _QUOTE:
            return place, at
        out[at] = text[place]  # what an escape is about
        place, at = place + 1, at + 1


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _copied(given: Text, start: Word, end: Word, out: Text, at: Word) -> Word:
    """Copy text, eight letters at a time and so up to seven more; return where it ends."""
    for k in range(start, end, 8):
        store(out, at + k - start, word(given, k))
    return at + end - start


@machine  # type: ignore[untyped-decorator]  # numba has no types
def write_message(text: Text, sheets: Text, ends: IndexArray, out: Text) -> Word:
    """Write a message's JSON with its floats rounded and its sheets in their places.

    Args:
        text: the message as JSON, ``"<f8"`` for each sheet, and eight bytes more.
        sheets: their texts end to end, and ``BEYOND``.
        ends: where each ends, in the order in which they have their places.
        out: is written to: twice the text, the sheets, and ``BEYOND``.

    Returns:
        Its length, below 0 if it cannot be said to the last digit.
    """
    place: Word = 0
    at: Word = 0
    start, sheet, depth = 0, 0, 0
    while place < len(text) - 8:
        letter = text[place]
        if letter == _QUOTE and word(text, place) & _MARK == np.uint64(_COLUMN):
            if sheet == len(ends):
                return FAILED
            at = _copied(sheets, start, ends[sheet], out, at)
            start, sheet, place = ends[sheet], sheet + 1, place + 5
        elif letter == _QUOTE:
            place, at = _words(text, place, out, at)
        elif letter == _MINUS or _ZERO <= letter <= _NINE:
            place, at = _number(text, place, depth, out, at)
        else:
            depth += (letter == _OPEN) - (letter == _CLOSE)
            out[at] = letter
            place, at = place + 1, at + 1
        if at < 0:
            return FAILED
    return at if sheet == len(ends) else FAILED  # else a word looked like a mark
