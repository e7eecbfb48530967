"""The market's direction: eight components weighed into one score."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from oimon.core.compare import clamp, reaches
from oimon.terms import Direction, Quality

FULL_SCORE = 0.60  # |S| of full strength
QUALITY_FACTOR = {Quality.OK: 1.0, Quality.DEGRADED: 0.7, Quality.BAD: 0.0}
LEAST_AGAINST = 0.005  # of the score; what a table shows as 0.00 contradicts nothing
_SIGNS = {Direction.BULLISH: 1.0, Direction.BEARISH: -1.0}


class Component(StrEnum):
    """A part of the direction score."""

    __hash__ = (
        str.__hash__
    )  # an enum's own is a Python function, and these are looked up all the time

    NET_BUILDUP = "net_buildup"
    PCR_SLOPE = "pcr_slope"
    COI_BALANCE = "coi_balance"
    FUTURES = "futures"
    PCR_LEVEL = "pcr_level"
    SR_POSITION = "sr_position"
    MAX_PAIN = "max_pain"
    IV_SKEW = "iv_skew"


WEIGHTS = {
    Component.NET_BUILDUP: 0.25,
    Component.PCR_SLOPE: 0.15,
    Component.COI_BALANCE: 0.15,
    Component.FUTURES: 0.15,
    Component.PCR_LEVEL: 0.10,
    Component.SR_POSITION: 0.10,
    Component.MAX_PAIN: 0.05,
    Component.IV_SKEW: 0.05,
}


class Status(StrEnum):
    """Whether a component counts: missing lowers coverage, n/a leaves the weight base."""

    OK = "ok"
    MISSING = "missing"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Part:
    """Score of one component in [−1, 1], None unless its status is ok."""

    score: float | None
    status: Status

    @classmethod
    def of(cls, score: float | None) -> "Part":
        """Return a part that counts where there is a score, and is missing otherwise."""
        return _MISSING if score is None else cls(score, Status.OK)


NOT_APPLICABLE = Part(None, Status.NOT_APPLICABLE)
_MISSING = Part(None, Status.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionScore:
    """Score in [−1, 1], agreement and coverage in [0, 1], and each component's share of the score.

    ``contributions`` sum to the score; the largest stands first.
    """

    score: float
    agreement: float
    coverage: float
    contributions: tuple[tuple[Component, float], ...]


def direction_score(parts: Mapping[Component, Part]) -> DirectionScore:
    """Return the weighed score of all components; one that is not given is missing.

    Source: analytics specification, 6.1.
    """
    weighed, weight, base = {}, 0.0, 0.0
    for name, part in parts.items():
        if part.score is not None:
            weighed[name] = WEIGHTS[name] * part.score
            weight += WEIGHTS[name]
    for name, share in WEIGHTS.items():
        if parts.get(name, _MISSING).status is not Status.NOT_APPLICABLE:
            base += share
    if not weight:
        return DirectionScore(score=0.0, agreement=0.0, coverage=0.0, contributions=())
    total, size = sum(weighed.values()), sum(map(abs, weighed.values()))
    shares = ((name, value / weight) for name, value in weighed.items())
    return DirectionScore(
        score=total / weight,
        agreement=abs(total) / size if size >= 1e-9 else 0.0,
        coverage=weight / base,
        contributions=tuple(sorted(shares, key=lambda share: (-abs(share[1]), share[0]))),
    )


def confidence_factor(
    smoothed: float, agreement: float, coverage: float, quality: Quality
) -> float:
    """Return the strength of directional evidence in [0, 1]; it is not a probability.

    Args:
        smoothed: S̄ of the direction filter.
        agreement: of the components.
        coverage: of the components.
        quality: of the chain.

    Source: analytics specification, 6.1.
    """
    strength = clamp(abs(smoothed) / FULL_SCORE, 0.0, 1.0)
    return strength * (0.5 + 0.5 * agreement) * coverage * QUALITY_FACTOR[quality]


def against(scored: DirectionScore, label: Direction) -> list[tuple[Component, float]]:
    """Return the contributions that contradict the label, or of NEUTRAL the score's sign, strongest first.

    The label lasts while the score has already turned. Left out is what is shown as 0.00.
    Source: analytics specification, 14; requirement B09.
    """
    sign = _SIGNS.get(label, scored.score)
    return [
        share
        for share in scored.contributions
        if share[1] * sign < 0 and reaches(abs(share[1]), LEAST_AGAINST)
    ]
