"""What the engine asks of a log: a few reads, and writes that the log itself checks.

Redis keeps the log for services, plain lists keep it for tests and offline replay. Source: bus contract, sections 4 and 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from oimon.bus import Entry, Pulse
from oimon.messages import ANALYSIS, TICKS

LEASE_TTL_MS = 3000
TWO_DAYS_MS = 2 * 24 * 3600 * 1000
BELT = 200_000
"""No stream is ever longer."""
NEVER = "0-0"
"""The cursor of one who has read nothing."""


@dataclass(frozen=True)
class Kept:
    """How long a stream's entries are kept."""

    ms: int = TWO_DAYS_MS
    entries: int = BELT


@dataclass(frozen=True)
class Retention:
    """What is kept of each stream (bus contract, section 2)."""

    ticks_s: int = 2700
    analyses: int = 7200

    def of(self, stream: str) -> Kept:
        """Return how long the stream's entries are kept."""
        if stream == TICKS:
            return Kept(ms=self.ticks_s * 1000)
        if stream == ANALYSIS:
            return Kept(entries=self.analyses)
        return Kept()


@dataclass(frozen=True)
class Lease:
    """Ownership of one (role, partition): its owner and epoch are the fencing token."""

    role: str
    partition: str
    epoch: str
    cursor: str
    in_n: int


@dataclass(frozen=True)
class Draft:
    """An entry before it has a place in the log."""

    id: str
    kind: str
    data: bytes


class Log(Protocol):
    """A log that checks its writers.

    Every method raises ``BusDown`` when the log cannot be reached or cannot write now; writes raise ``LostOwnership`` when
    somebody else owns the partition, or log and memory disagree.
    """

    async def acquire(self, role: str, partition: str) -> Lease | None:
        """Take or extend the ownership; ``None`` while another has it."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give the ownership back."""
        ...

    async def publish(
        self,
        lease: Lease,
        stream: str,
        pseq: int,
        drafts: Sequence[tuple[str, bytes]],
        pulse: Pulse,
    ) -> bool:
        """Append messages (kind, data) and the beat that is due; return whether there was one. A known pseq adds nothing."""
        ...

    async def commit(
        self, lease: Lease, reads: str, writes: str, last: Entry, drafts: Sequence[Draft]
    ) -> tuple[Lease, int]:
        """Append outputs and move the cursor to ``last``; return the lease with it, and how many repeats were refused."""
        ...

    async def read(
        self, stream: str, partition: str, after: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries after an id; wait for the first when there is none."""
        ...

    async def read_any(
        self, after: Mapping[str, str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries of several streams of one partition, each after its id."""
        ...

    async def newest(self, stream: str, partition: str, before: str | None = None) -> Entry | None:
        """Return the newest entry, or the newest with an id below ``before``."""
        ...

    async def entry(self, stream: str, partition: str, entry_id: str) -> Entry | None:
        """Return the entry with that id, while it is kept."""
        ...

    async def group_read(
        self, group: str, streams: Sequence[str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries that no member of the group was given, and those that a dead member left."""
        ...

    async def group_done(self, group: str, entries: Sequence[Entry]) -> None:
        """Say that the entries' effects are safe."""
        ...

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        ...

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        ...

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep a replica's status for ten seconds."""
        ...

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
