"""One seed through the real handlers on the in-memory bus, and how its truth was read."""

from dataclasses import dataclass, field

import msgspec
import numpy as np

from ingest.replay import Replay
from ingest.simulator.day import Plan, SimulatedDay, markets
from ingest.simulator.scoring import Marks, Readings, marks
from oimon import offline
from oimon.bus import Entry
from oimon.messages import ANALYSIS
from oimon.service import Recorded
from oimon.terms import Direction

_SIGN = {Direction.BULLISH: 1, Direction.BEARISH: -1, Direction.NEUTRAL: 0}


class _Said(msgspec.Struct):
    """What of an analysis is scored."""

    ts_us: int
    direction: Direction
    confidence_factor: float
    score: float | None
    x: float | None


@dataclass
class _Notes:
    """Takes analyses down, one after the other."""

    said: list[_Said] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        if entry.stream == ANALYSIS:
            self.said.append(msgspec.json.decode(entry.data, type=_Said))


def trial(plan: Plan) -> Marks:
    """Return how the analyses read the first market of a plan; they are made on beats as far apart as its ticks.

    Analytics is found as every service is, and sees nothing but ticks and beats: the truth is laid beside its answers afterwards.
    """
    day = SimulatedDay(plan, markets(plan)[0])
    beat_us = plan.every_s * 1_000_000
    played = Recorded(
        underlying=day.header.underlying,
        first_us=day.last.first_us,
        last_us=day.last.last_us,
        steps=lambda at_a_time: Replay(day, "trial", beat_us=beat_us).steps(at_a_time),
    )
    notes = _Notes()
    offline.run(played, speed=None, take=[notes.take], services=["analytics"])
    played_s = (day.last.last_us - day.last.first_us) // 1_000_000 + 1
    codes = day.tape.path.regime[:played_s]
    return marks(plan.seed, codes, _readings(notes.said, day.last.first_us))


def _readings(said: list[_Said], opens_us: int) -> Readings:
    return Readings(
        at_s=np.array([(each.ts_us - opens_us) // 1_000_000 for each in said], np.int64),
        label=np.array([_SIGN[each.direction] for each in said], np.int8),
        score=np.array([each.score for each in said], np.float64),
        confidence=np.array([each.confidence_factor for each in said], np.float64),
        level=np.array([each.x for each in said], np.float64),
    )
