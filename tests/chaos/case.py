"""A row of the fault matrix, one run of it, and what came of it."""

import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from redis.exceptions import RedisError

from oimon.messages import ANALYSIS
from tests.chaos.audit import Findings
from tests.chaos.processes import Process
from tests.chaos.server import clear
from tests.chaos.waiting import DidNot, until
from tests.chaos.without import check
from tests.chaos.world import REFUSALS, Replica, World

_FEW = 5
_FEW_MINUTES = 0.5
TAKEOVER_S = 30.0
"""Whoever is not succeeded within this time never will be."""


class CannotRun(Exception):  # noqa: N818 - it is a reason, no mistake
    """This machine lacks what a row needs; the text says what."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A fault: when it came (server ms), whom it hit, and whose answers it held up."""

    at: int
    victim: str
    partitions: Sequence[str]


@dataclass(kw_only=True)
class Case:
    """One run of a row: where it takes place, and what it has seen."""

    world: World
    wanted: int
    """Faults to inject."""
    progress: Callable[[int], None]
    minutes: float = 1.0
    """How long a row that goes by time may take."""
    faults: int = 0
    recoveries: list[float] = field(default_factory=list)
    """Seconds from a fault to its end."""
    complaints: list[str] = field(default_factory=list)

    def each_fault(self) -> Iterator[int]:
        """Give 0, 1, 2… as often as faults are wanted."""
        for number in range(self.wanted):
            self.fault()
            yield number

    def fault(self, count: int = 1) -> None:
        """Count faults."""
        self.faults += count
        self.progress(self.faults)

    def expect(self, is_so: object, otherwise: str) -> None:
        """Note a complaint unless something is so."""
        if not is_so:
            self.complaints.append(otherwise)

    async def mark(self, victim: Replica, partitions: Sequence[str]) -> Mark:
        """Note a fault that is about to hit a replica."""
        return Mark(at=await self.world.now_ms(), victim=victim.name, partitions=partitions)

    async def taken_over(self, mark: Mark, stream: str = ANALYSIS) -> None:
        """Wait until everything that a fault held up is answered by another; take down how long that was."""
        firsts = []
        for partition in mark.partitions:

            async def first(partition: str = partition) -> int | None:
                since = str(mark.at - 1000 * int(TAKEOVER_S))  # an answer bears the id of its beat
                entries = await self.world.written(stream, partition, since)
                later = (
                    each.at for each in entries if each.at > mark.at and each.by != mark.victim
                )
                return next(later, None)

            what = f"take {partition} over from {mark.victim}"
            firsts.append(await until(first, what, within_s=TAKEOVER_S))
        self.recoveries.append((max(firsts) - mark.at) / 1000)

    @contextlib.asynccontextmanager
    async def fed(self, **how: object) -> AsyncIterator[Process]:
        """Feed while the block runs; then stop and wait until all is answered."""
        feeder = self.world.feed(**how)
        await self.world.feeding(feeder)
        try:
            yield feeder
        finally:
            await self.world.end_feed()
        await self.world.settled()

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Take down how long the block takes, as a recovery."""
        started = time.monotonic()
        yield
        self.recoveries.append(time.monotonic() - started)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the matrix: what is done, how often, and what must hold besides a clean log."""

    number: int
    name: str
    inject: Callable[[Case], Awaitable[None]]
    faults: int
    quick: int
    """Faults of a quick run; 0: not among the quick rows."""
    protection: str
    """What is removed, names joined by commas, to see the row fail."""
    recovery_s: float | None = None
    """No recovery may take longer."""
    seeds: int = 1
    """Worlds that it takes place in, one after the other."""

    @property
    def protections(self) -> Sequence[str]:
        return self.protection.split(",")


@dataclass(kw_only=True)
class Outcome:
    """What came of a row."""

    row: Row
    faults: int = 0
    findings: Findings = field(default_factory=Findings)
    refused: int = 0
    recoveries: list[float] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0

    @property
    def is_passed(self) -> bool:
        return not self.complaints

    @property
    def p50_s(self) -> float | None:
        return statistics.median(self.recoveries) if self.recoveries else None

    @property
    def max_s(self) -> float | None:
        return max(self.recoveries, default=None)


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
        check(removed)
        outcome = Outcome(row=row)
        started = time.monotonic()
        for offset in range(1 if self.is_quick or removed else row.seeds):
            try:
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
            wanted, minutes = min(row.faults, _FEW), min(minutes, _FEW_MINUTES)

        def progress(count: int) -> None:
            self.say(f"row {row.number} ({row.name}), seed {seed}: fault {count} of {wanted}")

        async with World(folder, seed=seed, removed=removed) as world:
            case = Case(world=world, wanted=wanted, progress=progress, minutes=minutes)
            try:
                await row.inject(case)
            except (DidNot, OSError, RedisError) as error:
                case.complaints.append(
                    str(error)
                )  # what was written until then is judged all the same
            if not await world.server.answers():
                await world.server.start()
            findings = await world.measure()
            outcome.refused += await world.count(*REFUSALS)
        outcome.faults += case.faults
        outcome.findings += findings
        outcome.recoveries += case.recoveries
        outcome.complaints += case.complaints
        if not case.complaints and not findings.faults:
            clear(folder)


def _complaints(row: Row, outcome: Outcome) -> list[str]:
    found = [f"{count} {name.replace('_', ' ')}" for name, count in outcome.findings.faults.items()]
    slowest = outcome.max_s
    if row.recovery_s is not None and slowest is not None and slowest > row.recovery_s:
        found.append(f"recovery took {slowest:.2f} s, at most {row.recovery_s:g} s are allowed")
    return found
