"""A state brought to where a partition's cursor stands, and kept now and then so that this is short.

Source: bus contract, section 8.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

from oimon import metrics
from oimon.bus import Entry, Role
from oimon.bus.log import NEVER, Lease, Log, stamp
from oimon.bus.patience import BATCH
from oimon.bus.snapshot import Snapshot, pack, unpack
from oimon.errors import PoisonMessage

S = TypeVar("S")
logger = logging.getLogger(__name__)

SNAPSHOT_BEATS = 60
SNAPSHOT_S = 59.0
"""After so long one answer is enough: where beats come once a minute, ticks are gone before sixty of them."""


class Restoring(Generic[S]):
    """A partition's state on its way to where the cursor stands."""

    def __init__(self, log: Log, role: Role[S], lease: Lease, state: S) -> None:
        """Begin with the state that the role starts with."""
        self.state = state
        self.refused: str | None = None
        """Why a snapshot, the last output or an entry was not used, if so."""
        self._log = log
        self._role = role
        self._lease = lease

    async def run(self, first: Entry | None, goes_on: Callable[[], Awaitable[bool]]) -> None:
        """Bring the state to the cursor.

        Args:
            first: the first unread entry, if there is one.
            goes_on: called between batches; it keeps the lease and says whether there should be more.

        Raises:
            LostOwnership: another has the partition now.
            BusDown: the log is away.
        """
        role, partition = self._role, self._lease.partition
        if self._lease.cursor == NEVER:
            return
        if role.compares:
            await self._look_back()
            return
        last = await self._log.newest(role.writes, partition)
        if first is not None and role.begins is not None and _begins(role.begins, first, last):
            return
        if role.resume is None:
            await self._replay(goes_on)
        elif last is not None:
            answered = await self._log.entry(role.reads, partition, last.id)
            try:
                self.state = role.resume(partition, last, answered)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - another version's, or a bug: no better next time
                self._refuse(f"{last.key} was not gone on from", error)

    async def _look_back(self) -> None:
        """Make the state from the entry at the cursor, or the newest before it; without one, from nothing."""
        ms, seq = stamp(self._lease.cursor)
        reads, partition = self._role.reads, self._lease.partition
        entry = await self._log.newest(reads, partition, f"{ms}-{seq + 1}")
        if entry is not None and not self._work_again(entry):
            self.state = self._role.start(partition)

    async def _replay(self, goes_on: Callable[[], Awaitable[bool]]) -> None:
        """Work the input up to the cursor again, output off, from the newest snapshot on."""
        role, partition = self._role, self._lease.partition
        parked = {each.entry.id for each in await self._log.parked(role.name, partition)}
        while (failed := await self._work_up(parked, goes_on)) is not None:
            parked.add(failed)
            self.state = role.start(partition)  # what it left half changed is made anew

    async def _work_up(
        self, passed_over: Collection[str], goes_on: Callable[[], Awaitable[bool]]
    ) -> str | None:
        """Work up to the cursor without some entries; return the id of the one that the role failed on, if it did."""
        role, partition, cursor = self._role, self._lease.partition, stamp(self._lease.cursor)
        after = await self._thaw()
        while stamp(after) < cursor:
            entries = await self._log.read(role.reads, partition, after, BATCH, 0)
            for entry in entries:
                if stamp(entry.id) > cursor:
                    return None
                if entry.id not in passed_over and not self._work_again(entry):
                    return entry.id
                after = entry.id
            if not entries or not await goes_on():
                return None
            await asyncio.sleep(0)  # others of this loop have their turn
        return None

    def _work_again(self, entry: Entry) -> bool:
        """Take an entry in; return whether the state is whole."""
        try:
            if self._role.replay is not None:
                self.state = self._role.replay(self.state, entry)
            else:
                self.state, _ = self._role.handle(self.state, entry)
        except PoisonMessage as error:  # parked long ago, and taken off that list since
            logger.warning("entry passed over", extra={"entry": entry.key, "error": str(error)})
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - as when it is new, but nobody can park it any more
            self._refuse(f"{entry.key} was passed over", error)
            return False
        return True

    def _refuse(self, what: str, error: Exception) -> None:
        self.refused = f"{what}: {type(error).__name__}: {error}"
        logger.error(
            "not restored as it was",
            extra={"role": self._role.name, "what": what},
            exc_info=error,
        )

    async def _thaw(self) -> str:
        """Set the state from the newest snapshot, if there is one that fits; return the cursor it stands at."""
        role, lease = self._role, self._lease
        data = (
            None if role.keeping is None else await self._log.snapshot(role.name, lease.partition)
        )
        if role.keeping is None or data is None:
            return NEVER
        try:
            kept = unpack(role.keeping.schema, data, at_most=lease.cursor)
            self.state = role.keeping.thaw(lease.partition, kept.state)
        except ValueError as error:
            metrics.SNAPSHOTS.labels("refused").inc()
            self.refused = f"a snapshot of {role.name} of {lease.partition} was not used: {error}"
            logger.warning("snapshot not used", extra={"role": role.name, "error": str(error)})
            return NEVER
        metrics.SNAPSHOTS.labels("used").inc()
        return kept.cursor


def _begins(
    begins: Callable[[Entry, Entry | None], bool], first: Entry, last: Entry | None
) -> bool:
    """Ask the role; what cannot be decoded begins nothing."""
    try:
        return begins(first, last)
    except PoisonMessage:
        return False


class Snapshots(Generic[S]):
    """When the state of one partition is kept: after each minute of beats, and when it is given back."""

    def __init__(self, role: Role[S], now_s: float) -> None:
        self._keeping = role.keeping
        self._answers = 0  # since the last one
        self._kept_s = now_s

    def due(self, cursor: str, n: int, state: S, answers: int, now_s: float) -> bytes | None:
        """Return the state after ``answers`` more when another minute of beats has been answered.

        Args:
            cursor: of the state.
            n: number of the entry there.
            state: what is kept.
            answers: how many were made since this was asked last.
            now_s: time of the loop.
        """
        self._answers += answers
        is_old = self._answers > 0 and now_s - self._kept_s >= SNAPSHOT_S
        if self._answers < SNAPSHOT_BEATS and not is_old:
            return None
        self._kept_s = now_s
        return self._packed(cursor, n, state)

    def last(self, lease: Lease, state: S) -> bytes | None:
        """Return the state at the cursor, when the newest snapshot is not of just that."""
        return self._packed(lease.cursor, lease.in_n, state) if self._answers else None

    def _packed(self, cursor: str, n: int, state: S) -> bytes | None:
        if self._keeping is None:
            return None
        self._answers = 0
        metrics.SNAPSHOTS.labels("written").inc()
        kept = Snapshot(cursor=cursor, n=n, state=self._keeping.freeze(state))
        return pack(self._keeping.schema, kept)
