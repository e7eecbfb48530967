"""How well a direction was read, by the truth: the acceptance table (pure). Source: analytics specification, 13.5."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from ingest.simulator.dice import dice
from ingest.simulator.regimes import REGIMES, SHOCK_CODE, Codes, starts
from oimon.core.chain import BoolArray, FloatArray
from oimon.terms import Direction

Labels: TypeAlias = npt.NDArray[np.int8]
"""+1 BULLISH, −1 BEARISH, 0 NEUTRAL."""

LABELS = (Direction.BULLISH, Direction.BEARISH, Direction.NEUTRAL)
SIGNS = (1, -1, 0)
"""Of the labels."""
SKIP_S, SETTLES_S = 1_800, 900
"""Not scored: the day's first seconds, and those of each regime."""
AHEAD_S = 300
SURE, UNSURE = 0.55, 0.30
DRAWS = 1_000
"""Of days, for a standard error."""
_TRUTH = np.array([regime.truth for regime in REGIMES], np.int8)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Readings:
    """What the analyses of one day said, in order of time; each of shape (analyses,)."""

    at_s: npt.NDArray[np.int64]  # since the open
    label: Labels
    score: FloatArray  # NaN where there was none
    confidence: FloatArray
    level: FloatArray  # X in rupees, NaN where unknown


class Delay(NamedTuple):
    """How long a regime took to be read: from its start until its label stood, 0 where that stood already."""

    before: int  # truth of the regime before
    truth: int
    seconds: float | None  # None: not read while it lasted


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """How one day was read."""

    seed: int
    confusion: list[list[int]]  # analyses; rows: truth, columns: label, both in the order of LABELS
    delays: list[Delay]
    changes: int
    hours: float
    sure: tuple[
        int, int
    ]  # of high confidence: analyses, and those right about the sign 5 minutes on
    unsure: tuple[int, int]


def marks(seed: int, codes: Codes, read: Readings) -> Marks:
    """Return how one day was read.

    Args:
        seed: of the day.
        codes: regime of each second, shape (seconds,).
        read: what the analyses said.
    """
    at = np.minimum(read.at_s, len(codes) - 1)
    begun = starts(codes)
    since = at - begun[np.searchsorted(begun, at, side="right") - 1]
    counts = (at >= SKIP_S) & (codes[at] != SHOCK_CODE)
    truth = _TRUTH[codes[at]]
    scored = counts & (since >= SETTLES_S)
    confusion = [
        [int(np.sum(scored & (truth == was) & (read.label == said))) for said in SIGNS]
        for was in SIGNS
    ]
    sure, unsure = (
        _signs(read, counts & each) for each in (read.confidence >= SURE, read.confidence < UNSURE)
    )
    return Marks(
        seed=seed,
        confusion=confusion,
        delays=_delays(codes, begun, read),
        changes=int(np.count_nonzero(np.diff(read.label))),
        hours=float(at[-1] - at[0]) / 3600 if len(at) else 0.0,
        sure=sure,
        unsure=unsure,
    )


def _delays(codes: Codes, begun: npt.NDArray[np.intp], read: Readings) -> list[Delay]:
    truth = _TRUTH[codes[begun]]
    found: list[Delay] = []
    for place in range(1, len(begun)):
        if begun[place] < SKIP_S or codes[begun[place]] == SHOCK_CODE:
            continue
        end = begun[place + 1] if place + 1 < len(begun) else len(codes)
        inside = (read.at_s >= begun[place]) & (read.at_s < end)
        said = read.at_s[inside & (read.label == truth[place])]
        seconds = float(said[0] - begun[place]) if len(said) else None
        found.append(Delay(int(truth[place - 1]), int(truth[place]), seconds))
    return found


def _signs(read: Readings, chosen: BoolArray) -> tuple[int, int]:
    """Return of how many chosen analyses the sign of the score can be compared with what came, and how often it was right."""
    later = np.searchsorted(read.at_s, read.at_s + AHEAD_S)
    has_later = later < len(read.at_s)
    move = read.level[np.minimum(later, len(later) - 1)] - read.level
    use = chosen & has_later & (np.nan_to_num(read.score) != 0) & (np.nan_to_num(move) != 0)
    return int(use.sum()), int(np.sum(use & (np.sign(read.score) == np.sign(move))))


# --- over many seeds -----------------------------------------------------------------------------------------------

Measure: TypeAlias = Callable[[Sequence[Marks]], float | None]
"""A figure of some days; ``None`` where there was nothing to measure."""


class Grade(StrEnum):
    """What so many days say of a figure beside the one that is wanted."""

    REACHED = "reached"
    OPEN = "within its error"
    """It lacks no more than its standard error: days like these do not tell it from the one that is wanted (decision 0017)."""
    MISSED = "MISSED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the acceptance table."""

    what: str
    value: float | None  # None: there was nothing to measure
    error: float | None  # standard error of the value, as far as the days differ; None: unknown
    required: float  # of the specification
    wanted: float  # of this project: as good as the specification's prototype
    prototype: str
    at_least: bool  # else at most
    unit: str = ""

    @property
    def grade(self) -> Grade:
        """What the days say of it beside the figure of this project."""
        if self.value is None:
            return Grade.MISSED
        lacks = self.wanted - self.value if self.at_least else self.value - self.wanted
        if lacks <= 0:
            return Grade.REACHED
        return Grade.OPEN if self.error is not None and lacks <= self.error else Grade.MISSED


def balanced_accuracy(confusion: Sequence[Sequence[int]]) -> float | None:
    """Return the mean over the labels that were true of how often each was said; ``None`` when nothing was scored."""
    found = [row[place] / sum(row) for place, row in enumerate(confusion) if sum(row)]
    return sum(found) / len(found) if found else None


def together(all_marks: Sequence[Marks]) -> list[list[int]]:
    """Return the confusion matrix of all days."""
    total = np.sum([each.confusion for each in all_marks], axis=0)
    return [[int(count) for count in row] for row in total]


def figures(all_marks: Sequence[Marks]) -> list[Figure]:
    """Return the acceptance table of some days, one at least."""

    def told(of: Measure) -> _Told:
        return {"value": of(all_marks), "error": standard_error(all_marks, of)}

    # fmt: off
    return [
        Figure(**told(_accuracy), what="balanced accuracy, mean", required=0.75, wanted=0.83, prototype="0.83", at_least=True),
        Figure(**told(_low_accuracy), what="its 10th percentile", required=0.62, wanted=0.71, prototype="0.71", at_least=True),
        Figure(**told(_opposite), what="opposite direction", required=6, wanted=3, prototype="1-3", at_least=False, unit="%"),
        Figure(**told(_detection), what="detection, median", required=450, wanted=312, prototype="312", at_least=False, unit="s"),
        Figure(**told(_changes), what="label changes an hour", required=4.5, wanted=3.5, prototype="3.1", at_least=False),
        Figure(**told(_signs_apart), what="sure − unsure, 5 min on", required=8, wanted=8, prototype="16", at_least=True,
               unit="pp"),
    ]
    # fmt: on


class _Told(TypedDict):
    """What the days say of a figure."""

    value: float | None
    error: float | None


def standard_error(all_marks: Sequence[Marks], of: Measure) -> float | None:
    """Return how far a figure of so many days is from that of all days there could be: one standard deviation.

    By drawing as many of the days again and again, each time with the same dice; ``None`` of a single day.

    Args:
        all_marks: the days.
        of: the figure.

    Source: Efron, Bootstrap methods, Annals of Statistics 7 (1979).
    """
    count = len(all_marks)
    if count < 2:
        return None
    drawn = dice(0, "days").integers(0, count, (DRAWS, count))
    found = [of([all_marks[day] for day in days]) for days in drawn.tolist()]
    known = [value for value in found if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def _accuracy(all_marks: Sequence[Marks]) -> float | None:
    found = _accuracies(all_marks)
    return float(np.mean(found)) if found else None


def _low_accuracy(all_marks: Sequence[Marks]) -> float | None:
    found = _accuracies(all_marks)
    return float(np.percentile(found, 10)) if found else None


def _accuracies(all_marks: Sequence[Marks]) -> list[float]:
    found = (balanced_accuracy(each.confusion) for each in all_marks)
    return [accuracy for accuracy in found if accuracy is not None]


def _opposite(all_marks: Sequence[Marks]) -> float | None:
    up, down, _ = together(all_marks)
    directed = sum(up) + sum(down)
    return 100 * (up[1] + down[0]) / directed if directed else None


def _detection(all_marks: Sequence[Marks]) -> float | None:
    return median_s([delay for each in all_marks for delay in each.delays if delay.truth])


def _changes(all_marks: Sequence[Marks]) -> float | None:
    hours = sum(each.hours for each in all_marks)
    return sum(each.changes for each in all_marks) / hours if hours else None


def _signs_apart(all_marks: Sequence[Marks]) -> float | None:
    sure = _share([each.sure for each in all_marks])
    unsure = _share([each.unsure for each in all_marks])
    return None if sure is None or unsure is None else 100 * (sure - unsure)


@dataclass(frozen=True, slots=True)
class Turn:
    """How the regimes that began in one way were read."""

    count: int
    unread: int  # whose label never stood while they lasted
    median_s: float | None  # of the others


def by_turn(all_marks: Sequence[Marks]) -> dict[str, Turn]:
    """Return, of each way in which a regime can begin, how those that did were read."""
    delays = [delay for each in all_marks for delay in each.delays]
    ways = {
        "a direction begins": [d for d in delays if d.truth and not d.before],
        "a direction reverses": [d for d in delays if d.truth and d.before == -d.truth],
        "a direction goes on": [d for d in delays if d.truth and d.before == d.truth],
        "a direction ends": [d for d in delays if not d.truth],
    }
    return {
        way: Turn(len(found), sum(d.seconds is None for d in found), median_s(found))
        for way, found in ways.items()
    }


def median_s(delays: Sequence[Delay]) -> float | None:
    """Return the median of those that ended; ``None`` without any."""
    found = [each.seconds for each in delays if each.seconds is not None]
    return statistics.median(found) if found else None


def _share(pairs: Sequence[tuple[int, int]]) -> float | None:
    count, right = (sum(each) for each in zip(*pairs, strict=True))
    return right / count if count else None
