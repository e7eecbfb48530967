"""Rows run, each in worlds of its own, and what came of them."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.busyness import Busyness
from tests.chaos.case import CannotRun, Case, Row
from tests.chaos.findings import Findings
from tests.chaos.server import clear
from tests.chaos.without import check
from tests.chaos.world import REFUSALS, World

_FEW = 5
_FEW_MINUTES = 0.5


@dataclass(kw_only=True)
class Outcome:
    """What came of a row."""

    row: Row
    faults: int = 0
    findings: Findings = field(default_factory=Findings)
    refused: int = 0
    recoveries: list[float] = field(default_factory=list)
    silences: list[float] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0
    busyness: Busyness = field(default_factory=Busyness)

    @property
    def is_passed(self) -> bool:
        return not self.complaints


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How rows are run."""

    folder: Path
    seed: int
    is_quick: bool
    minutes: float
    say: Callable[[str], None]

    async def run(self, row: Row, removed: Sequence[str] = ()) -> Outcome:
        """Run a row in a world of its own, a world for each of its seeds."""
        if removed:
            check(removed)
        outcome = Outcome(row=row)
        started = time.monotonic()
        for offset in range(1 if self.is_quick or removed else row.seeds):
            try:
                async with outcome.busyness.watched():
                    await self._run_once(row, self.seed + offset, removed, outcome)
            except CannotRun as reason:
                outcome.skipped = str(reason)
        outcome.seconds = time.monotonic() - started
        outcome.complaints = [*_complaints(row, outcome), *outcome.complaints]
        return outcome

    async def _run_once(
        self, row: Row, seed: int, removed: Sequence[str], outcome: Outcome
    ) -> None:
        folder = self.folder / f"row-{row.number}-{seed}{'-without' if removed else ''}"
        folder.mkdir(parents=True)
        wanted = row.quick if self.is_quick else row.faults
        minutes = self.minutes
        if removed:  # a few are enough to see it fail
            wanted, minutes = min(wanted, _FEW), min(minutes, _FEW_MINUTES)

        def progress(count: int) -> None:
            self.say(f"row {row.number} ({row.name}), seed {seed}: fault {count} of {wanted}")

        async with World(folder, seed=seed, removed=removed) as world:
            case = Case(world=world, wanted=wanted, progress=progress, minutes=minutes)
            with case.noted():
                await row.inject(case)
            if not await world.server.answers():
                await world.server.start()
            findings = Findings()
            with case.noted():
                findings = await world.measure()
            case.expect(findings.analyses, "the log has no analysis")
            outcome.refused += await world.count(*REFUSALS)
        outcome.faults += case.faults
        outcome.findings += findings
        outcome.recoveries += case.recoveries
        outcome.silences += case.silences
        outcome.complaints += case.complaints
        if removed or (not case.complaints and not findings.faults):
            clear(folder)


def _complaints(row: Row, outcome: Outcome) -> list[str]:
    found = [f"{count} {name.replace('_', ' ')}" for name, count in outcome.findings.faults.items()]
    for what, seconds, most in (
        ("recovery took", outcome.recoveries, row.recovery_s),
        ("an answer was late by", outcome.silences, row.silence_s),
    ):
        allowed = (most or math.inf) * outcome.busyness.factor
        if max(seconds, default=0.0) > allowed:
            found.append(f"{what} {max(seconds):.2f} s, at most {allowed:.2f} s are allowed")
    return found
