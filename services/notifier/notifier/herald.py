"""Puts in the outbox what is news of what the coaches and the analyses say: three roles, of each partition one replica tells.

A text's name is that of the entry it tells and of who is told, so whatever is told again after a crash is told once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from notifier import news
from oimon.bus import Entry, Output, Role
from oimon.bus.log import SENDER
from oimon.calendar import day_of
from oimon.clock import Clock
from oimon.messages import (
    ADVICE_MINIMAL,
    ADVICE_RICH,
    ANALYSIS,
    OUTBOX,
    Advice,
    ChainAnalysis,
    Text,
)

MINIMAL, RICH, DIRECTION = "notify-minimal", "notify-rich", "notify-direction"


@dataclass(frozen=True)
class Said:
    """What the next entry is compared with."""

    advice: Advice | None = None
    analysis: ChainAnalysis | None = None


def roles(chat_ids: Sequence[int], clock: Clock) -> Sequence[Role[Said]]:
    """Return the duties of deciding what is news: of each coach, and of the direction.

    Args:
        chat_ids: who is told.
        clock: says which day it is. What was said on another day in India is not told, only compared with: who sets a token up
            today is told nothing of yesterday.
    """

    def addressed(entry: Entry, text: Text | None) -> Sequence[Output]:
        if text is None or day_of(1000 * entry.at_ms) != day_of(clock.now_us()):
            return ()
        return [
            Output(OUTBOX, replace(text, recipient=str(chat_id)), id=f"{entry.key}/{chat_id}")
            for chat_id in chat_ids
        ]

    def coach(said: Said, entry: Entry) -> tuple[Said, Sequence[Output]]:
        match entry.message:
            case Advice() as advice:
                text = news.decision(entry.key, advice, said.advice, said.analysis)
                return replace(said, advice=advice), addressed(entry, text)
            case ChainAnalysis() as analysis:
                return replace(said, analysis=analysis), ()
        return said, ()

    def direction(said: Said, entry: Entry) -> tuple[Said, Sequence[Output]]:
        analysis = entry.message
        if not isinstance(analysis, ChainAnalysis):
            return said, ()
        text = news.turn(entry.key, analysis, said.analysis)
        return Said(analysis=analysis), addressed(entry, text)

    of_coach = Role(
        name=MINIMAL,
        reads=ADVICE_MINIMAL,
        writes=OUTBOX,
        to=SENDER,
        compares=True,
        consults=ANALYSIS,
        consults_answered=True,
        start=lambda _partition: Said(),
        handle=coach,
    )
    of_direction = Role(
        name=DIRECTION,
        reads=ANALYSIS,
        writes=OUTBOX,
        to=SENDER,
        compares=True,
        newest_only=True,
        start=lambda _partition: Said(),
        handle=direction,
    )
    return of_coach, replace(of_coach, name=RICH, reads=ADVICE_RICH), of_direction
