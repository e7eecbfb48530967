"""The chain over the last half hour: whole-chain samples, and the faces of it that analyses ask for."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Self

import numpy as np
from typing_extensions import TypedDict, override

from analytics.changes import Changes
from analytics.prices import Prices
from oimon.core.chain import FloatArray
from oimon.core.compare import SLACK
from oimon.core.oi import MIN_WINDOW_S

KEEP_S = 1860.0  # half an hour and a minute, plus one older sample as anchor
QUIET_S = 15.0  # a sample is due after this long even where nothing changed
SPACING_S = 1.0  # at most one sample a second, however fast the beats are
PIECE_S = 60.0  # of prices, packed together, or of as many as wait at most
MAX_POINTS = int(KEEP_S / SPACING_S) + 2


class Point(TypedDict):
    """One sample of one instrument: epoch seconds, rupees, quantity; None is unknown."""

    ts: float
    ltp: float | None
    oi: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """What was known of every instrument at one beat; columns of shape (instruments,), NaN where unknown."""

    at_s: float
    oi: FloatArray
    mark: FloatArray
    ltp: FloatArray
    level: float | None  # reference level X, in rupees


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Then:
    """What was known when a window began; columns of shape (instruments,), NaN where unknown.

    ``oi`` and ``mark`` are of the last sample at or before the window's start, ``first_*`` of each instrument's oldest. ``mark`` is
    unpacked when it is asked for.
    """

    oi: FloatArray
    marks: Callable[[], FloatArray]
    first_oi: FloatArray
    first_mark: FloatArray
    first_age_s: FloatArray
    level: float | None

    @property
    def mark(self) -> FloatArray:
        """The marks."""
        return self.marks()


@dataclass(frozen=True, slots=True, eq=False)
class Oldest:
    """The oldest that is known of every instrument and since when, in epoch seconds; shape (instruments,)."""

    oi: FloatArray
    mark: FloatArray
    at_s: FloatArray


@dataclass(frozen=True, kw_only=True)
class Kept:
    """All that a history holds; of each sample its instant, its level, and how its open interest differs from the one before."""

    symbols: list[str]
    oldest: Oldest
    times: list[float]
    levels: list[float | None]
    oi: FloatArray | None  # of the first sample; None where there is none
    changes: list[bytes]
    pieces: list[bytes]  # of prices
    skipped: int  # rows in the first piece that are of no sample any more


class RollingTicks(Mapping[str, "deque[Point]"]):
    """Samples of the whole chain, oldest first, at most ``MAX_POINTS``; by symbol, that instrument's points.

    Held as what changed, and prices packed: an exchange has 100,000 instruments, and some 1,800 samples of each.

    Args:
        symbols: name of each instrument.

    Source: analytics specification, 0 (evaluation grid) and 1.3; requirement R131.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = symbols
        self._rows = _places(symbols)
        self._times: list[float] = []
        self._levels: list[float | None] = []
        width = len(symbols) + 1
        self._interest, self._prices = Changes(width), Prices(width)
        self._unseen = np.full(width, np.nan)
        self._oldest = Oldest(self._unseen, self._unseen, self._unseen)
        self._fills = 0  # how often the past has changed

    @classmethod
    def of(cls, kept: Kept) -> Self:
        """Return the history that holds this.

        Raises:
            ValueError: its parts are not of the same instruments and samples, or damaged.
        """
        history, width, count = cls(kept.symbols), len(kept.symbols) + 1, len(kept.times)
        shapes = {column.shape for column in (kept.oldest.oi, kept.oldest.mark, kept.oldest.at_s)}
        if shapes != {(width,)}:
            raise ValueError(
                f"columns of {width - 1} instruments have {width} places, found {shapes}"
            )
        history._times, history._levels, history._oldest = kept.times, kept.levels, kept.oldest
        if kept.oi is not None:
            history._interest = Changes.of(width, kept.oi, kept.changes)
        history._prices = Prices.of(width, kept.pieces, kept.skipped)
        parts = [len(kept.levels), len(history._prices), len(history._interest)]
        if parts != [count] * len(parts):
            raise ValueError(
                f"a history of {count} samples has that many levels, prices and open interest, found {parts}"
            )
        return history

    def kept(self) -> Kept:
        """Return all that it holds, to be read only."""
        return Kept(
            symbols=list(self.symbols),
            oldest=self._oldest,
            times=self._times,
            levels=self._levels,
            oi=self._interest.oldest,
            changes=list(self._interest.changes),
            pieces=self._prices.pieces(),
            skipped=self._prices.skipped,
        )

    @property
    def oldest(self) -> Oldest:
        """The oldest that is known of every instrument, even where its sample was dropped long ago."""
        return self._oldest

    @override
    def __getitem__(self, symbol: str) -> "deque[Point]":
        """Return one instrument's points, oldest first."""
        row = self._rows[symbol]
        rows = zip(self._times, self._interest.rows(), self._prices.ltps(), strict=True)
        points = (_point(at_s, oi.item(row), ltp.item(row)) for at_s, oi, ltp in rows)
        return deque(points, maxlen=MAX_POINTS)

    @override
    def __iter__(self) -> Iterator[str]:
        """Go through the symbols."""
        return iter(self._rows)

    @override
    def __len__(self) -> int:
        """Return how many instruments there are."""
        return len(self._rows)

    def span_s(self, now_s: float) -> float:
        """Return how far back the samples reach, in seconds."""
        return now_s - self._times[0] if self._times else 0.0

    def is_due(self, now_s: float, oi: FloatArray) -> bool:
        """Say whether a sample is due: open interest changed, or 15 s have passed."""
        newest = self._interest.newest
        if newest is None:
            return True
        since_s = now_s - self._times[-1]
        if since_s >= QUIET_S:
            return True
        # as bytes, so that what is unknown is the same as before
        return since_s >= SPACING_S and oi.tobytes() != newest.tobytes()

    def append(self, sample: Sample) -> None:
        """Add a sample, and drop what is older than any window asks for."""
        oldest = self._oldest
        is_first = np.isnan(oldest.oi) & ~np.isnan(sample.oi)
        if is_first.any():
            self._oldest = Oldest(
                np.where(is_first, sample.oi, oldest.oi),
                np.where(is_first, sample.mark, oldest.mark),
                np.where(is_first, sample.at_s, oldest.at_s),
            )
        minute = sample.at_s // PIECE_S
        is_new_minute = not self._times or self._times[-1] // PIECE_S != minute
        self._times.append(sample.at_s)
        self._levels.append(sample.level)
        self._interest.append(sample.oi)
        self._prices.append(sample.mark, sample.ltp, is_new_minute=is_new_minute)
        stale = bisect_right(self._times, sample.at_s - KEEP_S) - 1
        if stale > 0:
            del self._times[:stale], self._levels[:stale]
            self._interest.drop(stale)
            self._prices.drop(stale)

    def fill(
        self, known: Mapping[int, Sequence[tuple[float, float]]], from_s: float, to_s: float
    ) -> None:
        """Put open interest of the past into the samples of a gap, where they hold what was known before it and nothing newer.

        Args:
            known: by row, instants in epoch seconds and open interest in quantity, oldest first.
            from_s: when the gap began.
            to_s: and ended; the samples after it know by themselves.
        """
        first, end = bisect_right(self._times, from_s), bisect_right(self._times, to_s)
        rows = list(self._interest.rows())
        # of a long gap all samples before are dropped: the oldest holds what was known, but of what was first seen in the gap
        held = rows[max(first - 1, 0)] if rows else self._unseen
        before = np.where(self._oldest.at_s <= from_s, held, np.nan)
        for place in range(first, end):
            oi = rows[place].copy()
            for row, points in known.items():
                at = bisect_right(points, self._times[place], key=itemgetter(0)) - 1
                if at >= 0 and (np.isnan(oi[row]) or oi[row] == before[row]):
                    oi[row] = points[at][1]
            rows[place] = oi
        self._interest = Changes(len(self._unseen))
        for oi in rows:
            self._interest.append(oi)
        self._fills += 1

    def at_window(self, now_s: float, window_s: float) -> Then:
        """Return what was known when a window that ends now began."""
        base, oldest = self._base(now_s, window_s), self._oldest
        return Then(
            oi=self._unseen if base is None else self._interest.at(base, window_s),
            marks=lambda: self._unseen if base is None else self._prices.mark(base),
            first_oi=oldest.oi,
            first_mark=oldest.mark,
            first_age_s=now_s - oldest.at_s,
            level=self.level_at(now_s, window_s),
        )

    def level_at(self, now_s: float, window_s: float) -> float | None:
        """Return the reference level when a window that ends now began, of a young history the oldest that is known."""
        base = self._base(now_s, window_s)
        if base is not None:
            levels = map(self._levels.__getitem__, range(base, -1, -1))
            known = next((level for level in levels if level is not None), None)
            if known is not None:
                return known
        seen = zip(self._times, self._levels, strict=True)
        at_s, oldest = next(((at_s, level) for at_s, level in seen if level is not None), (now_s, None))  # fmt: skip
        return oldest if now_s - at_s >= MIN_WINDOW_S - SLACK else None

    def anchors(self, now_s: float, windows_s: Iterable[float]) -> tuple[object, ...]:
        """Return what changes over these windows count from: of two equal answers, from the same values."""
        is_old = now_s - self._oldest.at_s >= MIN_WINDOW_S - SLACK
        bases = (self.base_s(now_s, window_s) for window_s in windows_s)
        return (self._oldest, self._fills, is_old.tobytes(), *bases)

    def base_s(self, now_s: float, window_s: float) -> float | None:
        """Return when the last sample at or before the start of a window that ends now was taken."""
        base = self._base(now_s, window_s)
        return None if base is None else self._times[base]

    def _base(self, now_s: float, window_s: float) -> int | None:
        index = bisect_right(self._times, now_s - window_s) - 1
        return index if index >= 0 else None

    def widen(self, symbols: Sequence[str]) -> None:
        """Take in instruments that were added at the end; nothing is known of their past."""
        width = len(symbols) + 1
        added = width - len(self._unseen)
        self.symbols = symbols
        self._rows = _places(symbols)
        self._unseen = np.full(width, np.nan)
        oldest = self._oldest
        self._oldest = Oldest(
            _wider(oldest.oi, added), _wider(oldest.mark, added), _wider(oldest.at_s, added)
        )
        first, changes = self._interest.oldest, self._interest.changes
        self._interest = Changes(width)
        if first is not None:  # the last place, of no instrument, never changes
            self._interest = Changes.of(width, _wider(first, added), changes)
        self._prices = self._prices.wider(width)


def _places(symbols: Sequence[str]) -> dict[str, int]:
    return {symbol: row for row, symbol in enumerate(symbols)}


def _wider(column: FloatArray, added: int) -> FloatArray:
    """Return the column with unknown instruments before its last place, which stands for "no such leg"."""
    return np.concatenate((column[:-1], np.full(added + 1, np.nan)))


def _point(at_s: float, oi: float, ltp: float) -> Point:
    return Point(ts=at_s, ltp=None if np.isnan(ltp) else ltp, oi=None if np.isnan(oi) else int(oi))
