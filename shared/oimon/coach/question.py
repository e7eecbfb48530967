"""A question to a model, its answer, and what may be heard of it."""

import re
from dataclasses import dataclass, replace

from oimon.core.answer import Checked, Decision, levels_outside, validate_coach
from oimon.messages import ChainAnalysis, Transcript
from oimon.terms import Direction, OptionKind

X_MOVED, PCR_MOVED = 0.0002, 0.01  # of X; of the ratio
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
UNCHANGED_S = 15.0
"""How long an answer serves while nothing that the model would see has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a question is about, as far as a change of it asks for a new one. Source: specification, 11.1."""

    run: str
    x: float | None
    pcr: float | None
    direction: Direction
    support: float | None
    resistance: float | None
    position_us: int | None
    """When the position was opened; ``None`` when flat."""

    def is_like(self, other: "Seen") -> bool:
        """Say whether a model would see the same, within the tolerances."""
        return (
            replace(self, x=other.x, pcr=other.pcr) == other
            and _is_near(self.x, other.x, X_MOVED * (other.x or 0.0))
            and _is_near(self.pcr, other.pcr, PCR_MOVED)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question about one analysis. Prices and levels in rupees."""

    partition: str
    entry_id: str
    """Of the analysis."""
    ts_us: int
    prompt: str
    held: OptionKind | None
    x: float | None
    strikes: tuple[float, float]
    """Lowest and highest strike of the chain."""
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question: a decision, or why there is none."""

    question: Question
    transcript: Transcript
    decision: Decision | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the desk has of one underlying.

    ``answer`` is the newest with a decision, ``age_s`` the wall time since its analysis; ``failure`` the newest without
    one, if it is newer; ``off`` why no question can be asked now.
    """

    answer: Answer | None = None
    age_s: float = 0.0
    failure: Answer | None = None
    off: str | None = None

    @property
    def newest(self) -> Answer | None:
        """What came last, whether it can be used or not."""
        return self.failure or self.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """An answer that may decide, or ``None`` and why there is none."""

    answer: Answer | None
    why: str | None


def check(raw: str, question: Question) -> Checked:
    """Return what a model's text comes to as an answer to the question.

    An invalidation that is too far away, or no number, is left out; one that the chain does not reach makes the answer unusable.
    Source: specification 11.4; bus contract 12 (numbers outside the chain).
    """
    checked = validate_coach(raw, question.held, question.x)
    if checked.decision is None:
        return checked
    x, (low, high) = question.x, question.strikes
    is_lost = checked.level is not None and not low <= checked.level <= high
    if x is not None:
        # open interest in lots can be as large as a level; a number that was told is not made up
        named = levels_outside(checked.decision.reasons, x, low, high)
        is_lost = is_lost or not _told(question.prompt).issuperset(named)
    if is_lost:
        return Checked(decision=None, error="outside_chain")
    return checked


def usable(heard: Heard, seen: Seen, limit_s: float) -> Usable:
    """Return the answer that may decide now.

    Args:
        heard: what the desk has.
        seen: what a model would see now.
        limit_s: how old an answer's analysis may be once something has changed, in seconds of waiting.

    Source: bus contract, 12; specification, 11.1.
    """
    answer = heard.answer
    if answer is None or answer.question.seen.run != seen.run:
        return Usable(answer=None, why=_why_none(heard, "waiting"))
    if answer.question.seen.position_us != seen.position_us:
        return Usable(answer=None, why=_why_none(heard, "position_changed"))
    limit = max(limit_s, UNCHANGED_S) if seen.is_like(answer.question.seen) else limit_s
    if heard.age_s > limit:
        return Usable(answer=None, why=_why_none(heard, "late"))
    return Usable(answer=answer, why=None)


def seen_of(analysis: ChainAnalysis, position_us: int | None) -> Seen:
    """Return what a model would see of an analysis."""
    return Seen(
        run=analysis.run,
        x=analysis.x,
        pcr=analysis.pcr,
        direction=analysis.direction,
        support=analysis.support[0][0] if analysis.support else None,
        resistance=analysis.resistance[0][0] if analysis.resistance else None,
        position_us=position_us,
    )


def strike_range(analysis: ChainAnalysis) -> tuple[float, float]:
    """Return the lowest and the highest strike of the headline chain; of an empty one, a range that holds nothing."""
    strikes = analysis.chain.strike
    return (float(strikes[0]), float(strikes[-1])) if len(strikes) else (0.0, 0.0)


def _told(prompt: str) -> set[float]:
    return {float(number) for number in _NUMBER.findall(prompt)}


def _why_none(heard: Heard, otherwise: str) -> str:
    if heard.off is not None:
        return heard.off
    if heard.failure is not None and heard.failure.transcript.error is not None:
        return heard.failure.transcript.error
    return otherwise


def _is_near(value: float | None, other: float | None, within: float) -> bool:
    if value is None or other is None:
        return value is other
    return abs(value - other) < within or value == other
