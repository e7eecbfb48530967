"""What the engine asks of a log: a few reads, and writes that the log itself checks.

Redis keeps the log for services, plain lists keep it for tests and offline replay. Source: bus contract, sections 4 and 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from oimon.bus import Entry, Pulse, Use
from oimon.bus.turn import Turn
from oimon.messages import ANALYSIS, TICKS, Message
from oimon.terms import MarketState

LEASE_TTL_MS = 3000
SENDER = "telegram"
"""The role, and its only partition, that sends what waits in the outbox."""
SENDER_TTL_MS = 13_000
"""Its lease: it outlives a call to the other side, which may take ten seconds."""
MEMBER_TTL_MS = 1500
"""A replica that has not been heard of for so long is no member any more; well before its leases end."""
TWO_DAYS_MS = 2 * 24 * 3600 * 1000
BELT = 200_000
"""No stream is ever longer."""
ANALYSES_KEPT = 7200
"""Of an underlying, two hours of them, where nobody says another number: so many while there are one or two underlyings …"""
ANALYSES_TOGETHER = 14_400
"""… and of more underlyings so many together: an analysis has 31 KB, and the server 1 GB, which ticks need too."""
PARKED_KEPT = 10_000
"""Parked entries kept of each role and partition."""
ANSWERS = "analytics"
"""The role whose reading paces beats where each batch is one."""
HELD_BACK_US = 1_000_000
"""Such a beat waits no longer than this, whether or not the one before is answered."""
QUIET_S = 60
"""From beat to beat while the market is closed and nothing comes."""
PURSES_KEPT_S = 40 * 24 * 3600
"""What was used of a purse on a day is kept as long."""
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
    analyses: int | None = None
    """Of each partition; ``None``: as many as there is room for."""

    def of(self, stream: str, partitions: int = 1) -> Kept:
        """Return how long the stream's entries are kept, of so many partitions."""
        if stream == TICKS:
            return Kept(ms=self.ticks_s * 1000)
        if stream == ANALYSIS:
            room = min(ANALYSES_KEPT, ANALYSES_TOGETHER // max(partitions, 1))
            return Kept(entries=room if self.analyses is None else self.analyses)
        return Kept()


@dataclass(frozen=True)
class Lease:
    """Ownership of one (role, partition): its owner and epoch are the fencing token."""

    role: str
    partition: str
    epoch: str
    cursor: str
    in_n: int


def least_us(pulse: Pulse) -> int:
    """Return how long after the beat before the server's clock may bring the next: a minute while the market is closed and nothing comes.

    Where packets come all the same, as in a session that the calendar does not know, nothing is held back. Source: bus contract, section 7.
    """
    is_silent = pulse.age_ms is None or pulse.age_ms > QUIET_S * 1000
    return QUIET_S * 1_000_000 if pulse.market is MarketState.CLOSED and is_silent else 0


def ttl_ms(role: str) -> int:
    """Return how long a lease of the role lasts; a call outside that it covers is shorter. Source: bus contract, section 4."""
    return SENDER_TTL_MS if role == SENDER else LEASE_TTL_MS


def stamp(entry_id: str) -> tuple[int, int]:
    """Return an entry's id as numbers, which order as ids do."""
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)


class Taken(StrEnum):
    """How an ownership was come by."""

    HELD = "held"  # it was mine already
    RENEWED = (
        "renewed"  # it was mine, had run out, and nobody took it since: the epoch is a new one
    )
    FREE = "free"  # nobody's: never owned, or given back
    EXPIRED = "expired"  # its owner let the lease run out: it died, hung or was cut off


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Ownership as it was just taken or extended."""

    lease: Lease
    taken: Taken
    stuck: int = 0
    """Takeovers in a row of dead owners that had got no further than this cursor: 1 and more mean that an entry kills."""
    is_rolled_back: bool = False
    """The cursor was beyond the end of the input: the log lost its end, so the cursor was set to its beginning."""
    run: str = ""
    """Of a producer: the run of its last beat."""
    beat_us: int = 0
    """Of a producer: the time of its last beat."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the log says of an ownership, for those who only look."""

    owner: str
    epoch: str
    cursor: str
    in_n: int
    overdue_ms: int
    """How long the lease has been over, or nobody's; negative while it is valid. Never owned: a very long time."""


@dataclass(frozen=True)
class Draft:
    """An entry before it has a place in the log."""

    id: str
    """Empty: the log gives one."""
    kind: str
    data: bytes
    message: Message | None = None
    """What decoding will give, where readers are in this process."""


@dataclass(frozen=True, kw_only=True)
class Parked:
    """An entry set aside by a role (or a group) that cannot use it."""

    id: str
    """Its own on the list: a group is given several streams, whose entries may share an id."""
    role: str
    why: str
    at_ms: int
    tries: int
    entry: Entry


class Log(Protocol):
    """A log that checks its writers.

    Every method raises ``BusDown`` when the log cannot be reached or cannot write now; writes raise ``LostOwnership`` when
    somebody else owns the partition, or log and memory disagree.
    """

    is_in_process: bool
    """Whether readers are in this process: then drafts bring along what decoding will give."""
    turn: Turn
    """What all who answer entries of this log in this process share, so that between two answers its other work goes on."""

    async def acquire(self, role: str, partition: str, reads: str | None = None) -> Grant | None:
        """Take or extend the ownership; ``None`` while another has it. ``reads``: the input that the cursor is of."""
        ...

    async def release(self, lease: Lease, snapshot: bytes | None = None) -> None:
        """Give the ownership back, with the state as it stands at its cursor."""
        ...

    async def records(self, role: str, partitions: Sequence[str]) -> Mapping[str, Record]:
        """Return what the log says of the ownership of each of these partitions, in one round trip (a node)."""
        ...

    async def members(self, role: str, *, leave: bool = False) -> Sequence[str]:
        """Say that this replica lives, or that it leaves; return the live replicas of the role, sorted."""
        ...

    async def publish(
        self,
        lease: Lease,
        stream: str,
        pseq: int,
        drafts: Sequence[tuple[str, bytes]],
        pulse: Pulse,
    ) -> int:
        """Append messages (kind, data) and the beat that is due; return its time in us, 0 without one.

        A known pseq adds nothing, and is answered as it was.
        """
        ...

    async def commit(
        self,
        lease: Lease,
        reads: str,
        writes: str,
        last: Entry,
        drafts: Sequence[Draft],
        snapshot: bytes | None = None,
    ) -> tuple[Lease, int]:
        """Append outputs and move the cursor to ``last``; return the lease with it, and how many repeats were refused."""
        ...

    async def attempt(self, lease: Lease, entry_id: str) -> int:
        """Count a try at an entry that may have killed an owner; return how many owners have tried, with this one."""
        ...

    async def park(self, lease: Lease, entry: Entry, why: str, tries: int = 1) -> Lease:
        """Set an entry of the input aside and move the cursor past it, in one step."""
        ...

    async def snapshot(self, role: str, partition: str) -> bytes | None:
        """Return the newest snapshot of the role's state."""
        ...

    async def enqueue(self, partition: str, stream: str, name: str, kind: str, data: bytes) -> bool:
        """Append a message unless one of that name was; return whether it was new."""
        ...

    async def mark(self, lease: Lease, name: str, what: str) -> str:
        """Note what becomes of a message that leaves the house, and extend the lease; return what was noted before, or nothing."""
        ...

    async def marks(self, partition: str) -> Mapping[str, str]:
        """Return what was noted of each message of two days: its id to what became of it."""
        ...

    async def spend(
        self, purse: str, day: str, who: str, use: Use, limit: Use | None = None
    ) -> tuple[bool, Use]:
        """Take from what ``who`` may use of a purse on a day, unless the limit is reached; return whether it was, and the day's use.

        Without a limit it is a correction, which may be negative.
        """
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

    async def older(
        self, stream: str, partition: str, before: str | None, count: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries with ids below one, or of all, the newest first."""
        ...

    async def entry(self, stream: str, partition: str, entry_id: str) -> Entry | None:
        """Return the entry with that id, while it is kept."""
        ...

    async def group_read(
        self, group: str, streams: Sequence[str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries that no member of the group was given; wait for the first when there is none."""
        ...

    async def group_done(self, group: str, entries: Sequence[Entry]) -> None:
        """Say that the entries' effects are safe."""
        ...

    async def group_claim(
        self, group: str, streams: Sequence[str], partition: str, count: int
    ) -> Sequence[tuple[Entry, int]]:
        """Take over what a dead member was given and left for 30 s; each with how often it was handed out before."""
        ...

    async def group_uncount(self, group: str, entries: Sequence[Entry]) -> None:
        """Say that whoever dies with these, pending here, did not die of them: they count as never handed out."""
        ...

    async def group_park(self, group: str, entry: Entry, why: str, tries: int = 1) -> None:
        """Set an entry aside and say that the group is done with it, in one step."""
        ...

    async def parked(self, role: str, partition: str) -> Sequence[Parked]:
        """Return what a role or a group has set aside, oldest first."""
        ...

    async def unpark(self, parked: Parked) -> None:
        """Take a parked entry off the list, if it is still there."""
        ...

    async def redeliver(self, group: str, entry: Entry) -> bool:
        """Make an entry pending in a group once more; return whether the log still keeps it."""
        ...

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        ...

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        ...

    async def now_ms(self) -> int:
        """Return the time of the server, by which ids are made and what is old is dropped, in ms since the epoch."""
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
