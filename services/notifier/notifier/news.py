"""What is worth telling a person far away (pure): a coach's call that changed, a direction that changed.

The first word of a run is where the comparison starts, so a new day tells nothing of the one before.
"""

import hashlib

from notifier import render
from oimon.messages import Advice, ChainAnalysis, Text
from oimon.terms import Action

DECISION, STATE = "decision", "state"
"""Kinds of texts: a state gives way to a newer one of its family, and is not sent again where it may be out; a decision is."""


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
) -> Text | None:
    """Return the text of the news that an advice brings, if any; addressed to nobody yet.

    Args:
        key: the message id of the advice.
        advice: what the coach says now.
        told: what it said before; ``None`` when this is its first word.
        analysis: the one that it answers, or the newest before, for the age of the data.
    """
    if told is None or not is_news(advice, told):
        return None
    tag = tag_of(key)
    return Text(
        family=f"{advice.underlying} {advice.coach}",
        kind=DECISION,
        recipient="",
        text=render.decision(advice, told, analysis, tag),
        loud=is_loud(advice),
        tag=tag,
        made_ts_us=advice.ts_us,
        of=key,
        underlying=advice.underlying,
        mode=advice.mode,
        run=advice.run,
    )


def turn(key: str, analysis: ChainAnalysis, told: ChainAnalysis | None) -> Text | None:
    """Return the text of the news that an analysis brings, if any: its direction is another one; addressed to nobody yet.

    Args:
        key: the message id of the analysis.
        analysis: the newest one.
        told: the one before; ``None`` when this is the first.
    """
    if told is None or not is_turn(analysis, told):
        return None
    tag = tag_of(key)
    return Text(
        family=f"{analysis.underlying} direction",
        kind=STATE,
        recipient="",
        text=render.turn(analysis, told.direction, tag),
        loud=False,
        tag=tag,
        made_ts_us=analysis.ts_us,
        of=key,
        underlying=analysis.underlying,
        mode=analysis.mode,
        run=analysis.run,
    )
