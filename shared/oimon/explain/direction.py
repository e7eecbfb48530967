"""Why the market is called BULLISH, BEARISH or NEUTRAL: rule, inputs, thresholds, contributions, contrary evidence (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

from oimon.core.compare import SLACK, reaches
from oimon.core.direction import FULL_SCORE, QUALITY_FACTOR, WEIGHTS, Component, Status
from oimon.core.direction_filter import (
    CONFIRM_S,
    DWELL_S,
    ENTER,
    LEAVE,
    MIN_AGREEMENT,
    MIN_COVERAGE,
    TAU_S,
)
from oimon.explain.ages import DataState, ages, as_of, states
from oimon.explain.anchors import anchor_sentences
from oimon.explain.words import share, span
from oimon.messages import ChainAnalysis, Contribution, ExpiryAnalysis
from oimon.terms import Direction, Mode, Quality

RULE = (
    f"Rule: eight components from -1 to +1 are weighed. The score, smoothed over {TAU_S:.0f} s, starts a direction at ±{ENTER:.2f} "
    f"and keeps it beyond ±{LEAVE:.2f}; a start needs agreement {MIN_AGREEMENT:.2f}, coverage {MIN_COVERAGE:.2f}, and data that are not "
    f"bad; a change lasts {CONFIRM_S:.0f} s before it counts, and each label {DWELL_S:.0f} s."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionReading:
    """The direction with its arithmetic; ``smoothed`` is None where the service that made it did not tell it."""

    underlying: str
    expiry: str
    ts_us: int
    mode: Mode
    direction: Direction
    confidence_factor: float
    score: float | None
    smoothed: float | None
    agreement: float | None
    coverage: float | None
    is_conflict: bool
    contributions: list[Contribution]
    against: list[Contribution]
    not_counted: dict[str, str]
    states: dict[DataState, str]
    sentences: list[str]


def is_conflict(expiry: ExpiryAnalysis) -> bool:
    """Say whether the evidence contradicts itself: an agreement that cannot start a direction, with evidence on both sides.

    Source: analytics specification, 6.2 (agreement); requirement B09.
    """
    shares = [part for _, part, _ in expiry.contributions if part]
    has_both = bool(shares) and min(shares) < 0 < max(shares)
    return (
        expiry.agreement is not None and has_both and not reaches(expiry.agreement, MIN_AGREEMENT)
    )


def supporting(expiry: ExpiryAnalysis) -> list[Contribution]:
    """Return what speaks for the label, or of NEUTRAL for the score's own sign, the strongest first."""
    sign = {Direction.BULLISH: 1.0, Direction.BEARISH: -1.0}.get(
        expiry.direction, expiry.score or 0.0
    )
    return [told for told in expiry.contributions if told[1] * sign > 0 or not sign]


def read_direction(analysis: ChainAnalysis, expiry: ExpiryAnalysis) -> DirectionReading:
    """Return why the market has its direction.

    Args:
        analysis: of one underlying.
        expiry: whose chain: the analysis itself, or one of its ``more``.

    Source: analytics specification, 6.
    """
    conflict = is_conflict(expiry)
    not_counted = {
        name: part.status
        for name, part in expiry.components.items()
        if part.status != Status.OK.value
    }
    return DirectionReading(
        underlying=analysis.underlying,
        expiry=expiry.expiry,
        ts_us=analysis.ts_us,
        mode=analysis.mode,
        direction=expiry.direction,
        confidence_factor=expiry.confidence_factor,
        score=expiry.score,
        smoothed=None if expiry.label is None else expiry.label.smoothed,
        agreement=expiry.agreement,
        coverage=expiry.coverage,
        is_conflict=conflict,
        contributions=expiry.contributions,
        against=expiry.against,
        not_counted=not_counted,
        states=states(analysis, expiry),
        sentences=[
            (
                f"{analysis.underlying} {expiry.expiry}: {expiry.direction}, confidence "
                f"{expiry.confidence_factor:.2f} (strength of the evidence, not a probability)."
            ),
            *as_of(analysis, expiry),
            RULE,
            *_inputs(expiry),
            *([_conflict(expiry)] if conflict else []),
            *_contributions(expiry),
            *([f"Not counted: {_list(not_counted)}."] if not_counted else []),
            _against(expiry),
            *_changes(analysis, expiry),
            _signal(expiry),
            *anchor_sentences(expiry),
            *ages(analysis, expiry),
        ],
    )


def _inputs(expiry: ExpiryAnalysis) -> Iterator[str]:
    """Give the numbers that the rule is asked with, and the confidence as a product that a reader can check."""
    smoothed = None if expiry.label is None else expiry.label.smoothed
    agreement, coverage = expiry.agreement or 0.0, expiry.coverage or 0.0
    yield (
        f"Inputs: score {share(expiry.score, 3)}, smoothed {share(smoothed, 3)}, agreement "
        f"{agreement:.2f}, coverage {coverage:.2f}, quality {expiry.quality}."
    )
    if smoothed is not None:
        yield (
            f"Confidence: min(1, {abs(smoothed):.3f} / {FULL_SCORE:.2f}) × (0.5 + 0.5 × {agreement:.3f}) × "
            f"{coverage:.3f} × {QUALITY_FACTOR[expiry.quality]:.1f} = {expiry.confidence_factor:.3f}."
        )


def _conflict(expiry: ExpiryAnalysis) -> str:
    return (
        f"CONFLICT: agreement {expiry.agreement or 0.0:.2f} is below {MIN_AGREEMENT:.2f}; the evidence contradicts "
        "itself, which can keep a direction but not start one."
    )


def _contributions(expiry: ExpiryAnalysis) -> list[str]:
    """Return a line a component that counts: weight, share of the score, and what it was read from."""
    base = sum(WEIGHTS[Component(name)] for name, _, _ in expiry.contributions)
    if not expiry.contributions:
        return ["Contributions: none; no component has a score."]
    lines = [
        f"  weight {WEIGHTS[Component(name)]:.2f} of {base:.2f}: {text}"
        for name, _, text in expiry.contributions
    ]
    return [f"Contributions, which sum to the score {share(expiry.score, 3)}:", *lines]


def _against(expiry: ExpiryAnalysis) -> str:
    if not expiry.against:
        return "Against it: nothing that counts."
    return "Against it: " + "; ".join(text for _, _, text in expiry.against) + "."


def _changes(analysis: ChainAnalysis, expiry: ExpiryAnalysis) -> Iterator[str]:
    """Give what would change the label, and what holds it."""
    label = expiry.label
    if label is None:
        return
    since_s = (analysis.ts_us - label.since_us) / 1e6
    yield f"It has stood for {span(since_s)}; {_would(expiry.direction, label.smoothed)}."
    if label.wanted is not None and label.wanted_since_us is not None:
        waited_s = (analysis.ts_us - label.wanted_since_us) / 1e6
        needed_s = max(
            CONFIRM_S, DWELL_S - (since_s - waited_s)
        )  # a young label has to stand first
        yield f"{label.wanted} is wanted since {span(waited_s)}; it counts after {needed_s:.0f} s."
    if expiry.quality is Quality.BAD:
        yield "Bad data hold it NEUTRAL."
    elif not reaches(expiry.coverage or 0.0, MIN_COVERAGE):
        yield f"Coverage below {MIN_COVERAGE:.2f} holds it NEUTRAL: too few components have a score."
    if expiry.contributions and expiry.score is not None:
        name, part, _ = expiry.contributions[0]
        yield f"Without its largest part, {name}, the score would be {expiry.score - part:+.3f}."


def _would(label: Direction, smoothed: float) -> str:
    """Return how far the smoothed score is from what would change the label; what it has reached already has no distance."""
    if label is Direction.NEUTRAL:
        up, down = ENTER - smoothed, ENTER + smoothed
        if up <= SLACK:
            return f"the smoothed score is enough for BULLISH, BEARISH needs {-down:+.3f} of it"
        if down <= SLACK:
            return f"the smoothed score is enough for BEARISH, BULLISH needs {up:+.3f} of it"
        return f"BULLISH needs {up:+.3f} of smoothed score, BEARISH {-down:+.3f}"
    sign = 1.0 if label is Direction.BULLISH else -1.0
    left, far = sign * smoothed - LEAVE, sign * smoothed + ENTER
    if far <= SLACK:
        return "the smoothed score is enough for the opposite"
    if left <= SLACK:
        return f"the smoothed score is not enough to keep it, the opposite comes when it loses {far:.3f}"
    return (
        f"NEUTRAL comes when the smoothed score loses {left:.3f}, the opposite when it loses "
        f"{far:.3f}"
    )


def _signal(expiry: ExpiryAnalysis) -> str:
    signal = expiry.signal
    if not signal.vetoes:
        return f"Signal: {signal.signal}."
    held = ", ".join(signal.vetoes).replace("_", " ")
    if signal.raw == signal.signal:  # no entry was asked for, so none is held back
        return f"Signal: {signal.signal}; an entry would be vetoed by {held}."
    return f"Signal: {signal.signal}; it would be {signal.raw}, held back by {held}."


def _list(named: dict[str, str]) -> str:
    return ", ".join(f"{name} ({status})" for name, status in named.items())
