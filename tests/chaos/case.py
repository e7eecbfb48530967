"""A row of the fault matrix, one run of it, and what came of it."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from oimon.messages import ANALYSIS
from tests.chaos.processes import Process
from tests.chaos.replica import Replica
from tests.chaos.waiting import DidNot, until
from tests.chaos.world import World
from tests.chaos.written import Written

_BACKLOG_MS = 10_000
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
    silences: list[float] = field(default_factory=list)
    """Seconds that the latest answer after a fault was late."""
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

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note as a complaint what did not come or could not be reached; what was written until then is judged all the same."""
        try:
            yield
        except (DidNot, OSError, RedisError) as error:
            self.complaints.append(str(error))

    async def mark(self, victim: Replica, partitions: Sequence[str]) -> Mark:
        """Note a fault that is about to hit a replica."""
        return Mark(at=await self.world.now_ms(), victim=victim.name, partitions=partitions)

    async def taken_over(self, mark: Mark, stream: str = ANALYSIS) -> None:
        """Wait until everything that a fault held up is answered by another; take down how long that was.

        The recovery is the time from the fault to the last first answer, the silence how late the latest answer was.
        """
        answers = [await self._answers(mark, stream, each) for each in mark.partitions]
        self.recoveries.append(max(min(e.at for e in each) - mark.at for each in answers) / 1000)
        self.silences.append(max(e.at - _came(e) for each in answers for e in each) / 1000)

    async def _answers(self, mark: Mark, stream: str, partition: str) -> Sequence[Written]:
        """Wait until another than the victim has written after the fault; return what it has."""

        async def is_answered() -> bool:
            newest = await self.world.newest(stream, partition)
            return newest is not None and newest.at > mark.at and newest.by != mark.victim

        what = f"take {partition} over from {mark.victim}"
        await until(is_answered, what, within_s=TAKEOVER_S)
        since = str(
            mark.at - _BACKLOG_MS
        )  # an answer bears the id of its beat, which may be older than the fault
        entries = await self.world.written(stream, partition, since)
        return [each for each in entries if each.at > mark.at and each.by != mark.victim]

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
    """No recovery may take longer, on a machine that nobody else uses."""
    silence_s: float | None = None
    """No answer may come later, on a machine that nobody else uses."""
    seeds: int = 1
    """Worlds that it takes place in, one after the other."""

    @property
    def protections(self) -> Sequence[str]:
        return self.protection.split(",")


def _came(answer: Written) -> int:
    """Return when what is answered was written (server ms): an answer bears its id."""
    return int(answer.entry.id.partition("-")[0])
