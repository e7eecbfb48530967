"""What a server would hold, as plain lists; several logs (replicas) may share one."""

import asyncio
import bisect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from oimon import codec
from oimon.bus import Entry, Use
from oimon.bus.log import NEVER, Draft, Kept, Parked, stamp
from oimon.clock import Clock, SystemClock
from oimon.messages import Message


@dataclass
class Stream:
    """One stream of one partition."""

    entries: list[Entry] = field(default_factory=list)
    order: list[tuple[int, int]] = field(default_factory=list)  # ids as numbers, for bisection
    last: tuple[int, int] = (0, 0)

    def after(self, entry_id: tuple[int, int], count: int) -> list[Entry]:
        """Return up to ``count`` entries after an id."""
        start = bisect.bisect_right(self.order, entry_id)
        return self.entries[start : start + count]

    def newest(self, before: str | None = None) -> Entry | None:
        """Return the newest entry, or the newest below an id."""
        return next(iter(self.older(before, 1)), None)

    def older(self, before: str | None, count: int) -> list[Entry]:
        """Return up to ``count`` entries below an id, or of all, the newest first."""
        end = len(self.order) if before is None else bisect.bisect_left(self.order, stamp(before))
        return self.entries[max(0, end - count) : end][::-1]

    def find(self, entry_id: str) -> Entry | None:
        """Return the entry with that id."""
        wanted = stamp(entry_id)
        place = bisect.bisect_left(self.order, wanted)
        is_there = place < len(self.order) and self.order[place] == wanted
        return self.entries[place] if is_there else None

    def append(self, entry: Entry) -> None:
        """Append an entry; the caller has seen to its id."""
        self.last = stamp(entry.id)
        self.entries.append(entry)
        self.order.append(self.last)

    def trim(self, kept: Kept, now_ms: int) -> None:
        """Drop what is too old or too much; approximately, as the server does."""
        count = len(self.entries)
        least = max(100, count // 10)
        if count <= least:
            return
        oldest = (now_ms - kept.ms, 0)
        if self.order[least] < oldest or count - kept.entries > least:
            over = max(bisect.bisect_left(self.order, oldest), count - kept.entries)
            del self.entries[:over], self.order[:over]


@dataclass
class Own:
    """The ownership record of one (role, partition). Source: bus contract, section 2."""

    owner: str = ""
    epoch: int = 0
    until_ms: int = 0
    cursor: str = NEVER
    in_n: int = 0
    out_n: int = 0
    pseq: int = 0
    pbeat: int = 0
    run: str = ""
    beat_us: int = 0
    beat_n: int = 0
    stuck: int = 0
    stuck_at: str = ""
    trying: str = ""
    tries: int = 0
    tried_by: str = ""


@dataclass
class Group:
    """How far a group has been given a stream, and what is not done yet: to whom, since when, how often."""

    last: tuple[int, int] = (0, 0)
    pending: dict[str, tuple[str, int, int]] = field(default_factory=dict)


class MemoryStore:
    """What the replicas share.

    Args:
        clock: the server's clock.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.streams: dict[tuple[str, str], Stream] = {}
        self.owns: dict[tuple[str, str], Own] = {}
        self.snapshots: dict[tuple[str, str], bytes] = {}
        self.groups: dict[tuple[str, str, str], Group] = {}
        self.parked: dict[tuple[str, str], dict[str, Parked]] = {}
        self.enqueued: set[tuple[str, str, str]] = set()
        self.marks: dict[str, dict[str, str]] = {}
        self.purses: dict[tuple[str, str, str], Use] = {}
        self.members: dict[str, dict[str, int]] = {}
        self.partitions: set[str] = set()
        self.status: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
        self.sleepers: dict[asyncio.Future[None], Collection[str]] = {}
        """Readers that have read everything, each with the streams it waits for."""

    def now_ms(self) -> int:
        """Return the store's own clock: the server's, for its readers."""
        return self.clock.now_us() // 1000

    def stream(self, name: str, partition: str) -> Stream:
        """Return the stream, made when it is new."""
        found = self.streams.get((name, partition))
        if found is None:
            found = self.streams[name, partition] = Stream()
        return found

    def own(self, role: str, partition: str) -> Own:
        """Return the ownership record, made when it is new."""
        found = self.owns.get((role, partition))
        if found is None:
            found = self.owns[role, partition] = Own()
        return found

    def append(
        self, name: str, partition: str, own: Own, draft: Draft, message: Message | None = None
    ) -> bool:
        """Append a draft with the next number; an empty id is given one. Return ``False`` when its id is not new."""
        stream = self.stream(name, partition)
        if draft.id:
            placed = stamp(draft.id)
            if placed <= stream.last:
                return False
        else:
            now = (self.now_ms(), 0)
            placed = now if now > stream.last else (stream.last[0], stream.last[1] + 1)
        own.out_n += 1
        entry_id = f"{placed[0]}-{placed[1]}"
        entry = Entry(
            stream=name,
            partition=partition,
            id=entry_id,
            kind=draft.kind,
            version=codec.SCHEMA,
            data=draft.data,
            n=own.out_n,
            at_ms=self.now_ms(),
        )
        if message is not None:
            entry.__dict__["message"] = (
                message  # what decoding would give, so that nobody need do it
            )
        stream.append(entry)
        return True

    def park(self, role: str, entry: Entry, why: str, tries: int) -> None:
        """Keep what a role (or a group) sets aside, once."""
        parked = Parked(
            id=f"{entry.stream}/{entry.id}",
            role=role,
            why=why,
            at_ms=self.now_ms(),
            tries=tries,
            entry=entry,
        )
        self.parked.setdefault((role, entry.partition), {}).setdefault(parked.id, parked)

    def wake(self, stream: str) -> None:
        """Let the sleeping readers of a stream look again."""
        for sleeper in [one for one, streams in self.sleepers.items() if stream in streams]:
            del self.sleepers[sleeper]
            _wake(sleeper)

    async def sleep(self, streams: Collection[str], block_ms: int) -> None:
        """Sleep until one of the streams has grown, or for as long as a reader may be kept."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self.sleepers[sleeper] = streams
        alarm = loop.call_later(block_ms / 1000, _wake, sleeper)
        try:
            await sleeper
        finally:
            alarm.cancel()
            self.sleepers.pop(sleeper, None)


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():
        sleeper.set_result(None)
