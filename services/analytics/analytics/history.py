"""The chain over the last half hour: whole-chain samples, and the faces of it that analyses ask for."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Self

import numpy as np
from typing_extensions import TypedDict, override

from oimon.core.chain import FloatArray
from oimon.core.compare import SLACK
from oimon.core.oi import MIN_WINDOW_S

KEEP_S = 1860.0  # half an hour and a minute, plus one older sample as anchor
QUIET_S = 15.0  # a sample is due after this long even where nothing changed
SPACING_S = 1.0  # at most one sample a second, however fast the beats are
MAX_POINTS = int(KEEP_S / SPACING_S) + 2


class Point(TypedDict):
    """One sample of one instrument: epoch seconds, rupees, quantity; None is unknown."""

    ts: float
    ltp: float | None
    oi: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
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

    ``oi`` and ``mark`` are of the last sample at or before the window's start, ``first_*`` of each instrument's oldest.
    """

    oi: FloatArray
    mark: FloatArray
    first_oi: FloatArray
    first_mark: FloatArray
    first_age_s: FloatArray
    level: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Oldest:
    """The oldest that is known of every instrument and since when, in epoch seconds; shape (instruments,)."""

    oi: FloatArray
    mark: FloatArray
    at_s: FloatArray


class RollingTicks(Mapping[str, "deque[Point]"]):
    """Samples of the whole chain, oldest first, at most ``MAX_POINTS``; by symbol, that instrument's points.

    Args:
        symbols: name of each instrument.

    Source: analytics specification, 0 (evaluation grid) and 1.3; requirement R131.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = symbols
        self._rows = _places(symbols)
        self._times: list[float] = []
        self._samples: list[Sample] = []
        self._unseen = np.full(len(symbols) + 1, np.nan)
        self._oldest = Oldest(self._unseen, self._unseen, self._unseen)

    @classmethod
    def of(cls, symbols: Sequence[str], samples: Sequence[Sample], oldest: Oldest) -> Self:
        """Return the history that holds these samples, oldest first.

        Raises:
            ValueError: a column has another length than the instruments need.
        """
        history, width = cls(symbols), len(symbols) + 1
        columns = [oldest.oi, oldest.mark, oldest.at_s]
        columns += [column for one in samples for column in (one.oi, one.mark, one.ltp)]
        wrong = {column.shape for column in columns} - {(width,)}
        if wrong:
            raise ValueError(
                f"columns of {len(symbols)} instruments have {width} places, found {wrong}"
            )
        history._times = [sample.at_s for sample in samples]
        history._samples, history._oldest = list(samples), oldest
        return history

    @property
    def samples(self) -> Sequence[Sample]:
        """All samples, oldest first."""
        return self._samples

    @property
    def oldest(self) -> Oldest:
        """The oldest that is known of every instrument, even where its sample was dropped long ago."""
        return self._oldest

    @override
    def __getitem__(self, symbol: str) -> "deque[Point]":
        """Return one instrument's points, oldest first."""
        row = self._rows[symbol]
        return deque((_point(sample, row) for sample in self._samples), maxlen=MAX_POINTS)

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
        if not self._times:
            return True
        since_s = now_s - self._times[-1]
        if since_s >= QUIET_S:
            return True
        # as bytes, so that what is unknown is the same as before
        return since_s >= SPACING_S and oi.tobytes() != self._samples[-1].oi.tobytes()

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
        self._times.append(sample.at_s)
        self._samples.append(sample)
        stale = bisect_right(self._times, sample.at_s - KEEP_S) - 1
        if stale > 0:
            del self._times[:stale], self._samples[:stale]

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
        before = self._samples[first - 1].oi if first else self._unseen
        # All samples are new ones: what was made from the old, or packed of them, is made again.
        samples = [replace(sample) for sample in self._samples]
        for place in range(first, end):
            oi = samples[place].oi.copy()
            for row, points in known.items():
                at = bisect_right(points, self._times[place], key=itemgetter(0)) - 1
                if at >= 0 and (np.isnan(oi[row]) or oi[row] == before[row]):
                    oi[row] = points[at][1]
            samples[place] = replace(samples[place], oi=oi)
        self._samples = samples

    def at_window(self, now_s: float, window_s: float) -> Then:
        """Return what was known when a window that ends now began."""
        base, oldest = self.base(now_s, window_s), self._oldest
        level = base
        if base is None and self._samples and self.span_s(now_s) >= MIN_WINDOW_S:
            level = self._samples[0]
        return Then(
            oi=base.oi if base else self._unseen,
            mark=base.mark if base else self._unseen,
            first_oi=oldest.oi,
            first_mark=oldest.mark,
            first_age_s=now_s - oldest.at_s,
            level=level.level if level else None,
        )

    def anchors(self, now_s: float, windows_s: Iterable[float]) -> tuple[object, ...]:
        """Return what changes over these windows count from: of two equal answers, from the same values."""
        is_old = now_s - self._oldest.at_s >= MIN_WINDOW_S - SLACK
        bases = (self.base(now_s, window_s) for window_s in windows_s)
        return (self._oldest, is_old.tobytes(), *bases)

    def base(self, now_s: float, window_s: float) -> Sample | None:
        """Return the last sample at or before the start of a window that ends now."""
        index = bisect_right(self._times, now_s - window_s) - 1
        return self._samples[index] if index >= 0 else None

    def widen(self, symbols: Sequence[str]) -> None:
        """Take in instruments that were added at the end; nothing is known of their past."""
        added = len(symbols) + 1 - len(self._unseen)
        self.symbols = symbols
        self._rows = _places(symbols)
        self._unseen = np.full(len(symbols) + 1, np.nan)
        oldest = self._oldest
        self._oldest = Oldest(
            _wider(oldest.oi, added), _wider(oldest.mark, added), _wider(oldest.at_s, added)
        )
        self._samples = [
            Sample(
                at_s=sample.at_s,
                oi=_wider(sample.oi, added),
                mark=_wider(sample.mark, added),
                ltp=_wider(sample.ltp, added),
                level=sample.level,
            )
            for sample in self._samples
        ]


def _places(symbols: Sequence[str]) -> dict[str, int]:
    return {symbol: row for row, symbol in enumerate(symbols)}


def _wider(column: FloatArray, added: int) -> FloatArray:
    """Return the column with unknown instruments before its last place, which stands for "no such leg"."""
    return np.concatenate((column[:-1], np.full(added + 1, np.nan)))


def _point(sample: Sample, row: int) -> Point:
    ltp, oi = sample.ltp.item(row), sample.oi.item(row)
    return Point(
        ts=sample.at_s,
        ltp=None if np.isnan(ltp) else ltp,
        oi=None if np.isnan(oi) else int(oi),
    )
