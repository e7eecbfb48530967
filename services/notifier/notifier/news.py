"""What is worth telling a person far away (pure): a coach's call that changed, a direction that changed.

The first word of a run is where the comparison starts, so a restart tells nothing twice.
"""

import hashlib
from dataclasses import dataclass

from notifier import render
from oimon.messages import Advice, ChainAnalysis
from oimon.terms import Action, Mode


@dataclass(frozen=True, kw_only=True)
class News:
    """A text that is worth sending, with what its row needs."""

    key: str  # of the entry that it tells
    family: str  # a waiting state of one family gives way to a newer one
    is_decision: bool  # decisions are never given up for newer ones
    is_loud: bool
    ts_us: int
    underlying: str
    mode: Mode
    run: str
    text: str


def is_news(advice: Advice, told: Advice | None) -> bool:
    """Say whether a coach's call differs from the one before in the same run."""
    if told is None or told.run != advice.run:
        return False
    return (told.action, told.side) != (advice.action, advice.side)


def is_turn(analysis: ChainAnalysis, told: ChainAnalysis | None) -> bool:
    """Say whether the direction differs from the one before in the same run."""
    if told is None or told.run != analysis.run:
        return False
    return told.direction is not analysis.direction


def is_loud(advice: Advice) -> bool:
    """Say whether a call should ring: one that opens or closes a position; what follows from it is silent."""
    return advice.action in (Action.ENTER, Action.EXIT)


def tag_of(key: str) -> str:
    """Return a text's short name: the same whenever the same entry is told. Source: bus contract, section 12."""
    return hashlib.sha256(key.encode()).hexdigest()[:4]


def decision(
    key: str, advice: Advice, told: Advice | None, analysis: ChainAnalysis | None
) -> News | None:
    """Return the news that an advice brings, if any.

    Args:
        key: the message id of the advice.
        advice: what the coach says now.
        told: what it said before; ``None`` when this is its first word.
        analysis: the newest one, for the age of the data.
    """
    if told is None or not is_news(advice, told):
        return None
    return News(
        key=key,
        family=f"{advice.underlying} {advice.coach}",
        is_decision=True,
        is_loud=is_loud(advice),
        ts_us=advice.ts_us,
        underlying=advice.underlying,
        mode=advice.mode,
        run=advice.run,
        text=render.decision(advice, told, analysis, tag_of(key)),
    )


def turn(key: str, analysis: ChainAnalysis, told: ChainAnalysis | None) -> News | None:
    """Return the news that an analysis brings, if any: its direction is another one.

    Args:
        key: the message id of the analysis.
        analysis: the newest one.
        told: the one before; ``None`` when this is the first.
    """
    if told is None or not is_turn(analysis, told):
        return None
    return News(
        key=key,
        family=f"{analysis.underlying} direction",
        is_decision=False,
        is_loud=False,
        ts_us=analysis.ts_us,
        underlying=analysis.underlying,
        mode=analysis.mode,
        run=analysis.run,
        text=render.turn(analysis, told.direction, tag_of(key)),
    )
