"""Where an owner has brought its partition: the lease, the cursor that the log knows, and how far the state is ahead of it.

Source: bus contract, sections 4, 8 and 9.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Generic, TypeVar

from oimon import metrics
from oimon.bus import Entry, Role
from oimon.bus.log import LEASE_TTL_MS, Draft, Lease, Log, Taken, stamp
from oimon.bus.restore import Snapshots
from oimon.errors import LostOwnership

S = TypeVar("S")
logger = logging.getLogger(__name__)

MOVE_S = LEASE_TTL_MS / 3000
"""Entries without an answer move the cursor this often, and extend the lease by that."""
MINE = (Taken.HELD, Taken.RENEWED)
"""Nobody else has had it since."""


class RolledBack(LostOwnership):
    """The log is an older one than what was worked here."""


class Cursor(Generic[S]):
    """The cursor of one (role, partition), moved by its owner.

    Every method that writes raises ``LostOwnership`` when memory cannot be trusted any more, and ``BusDown`` when the log is
    away, so that nobody knows what of the write has happened.

    Args:
        log: where the cursor is kept.
        role: whose it is.
        lease: the ownership as it was granted.
    """

    def __init__(self, log: Log, role: Role[S], lease: Lease) -> None:
        self.lease = lease
        """The ownership, with the cursor as the log knows it."""
        self._log = log
        self._role = role
        self._ahead: Entry | None = None  # the last one taken in, while the cursor stands before it
        self._moved_s = float("-inf")
        self._has_answered = False
        self._snapshots = Snapshots(role, asyncio.get_running_loop().time())

    @property
    def position(self) -> tuple[str, int]:
        """Id and number of the last entry that the state holds."""
        last = self._ahead
        return (self.lease.cursor, self.lease.in_n) if last is None else (last.id, last.n)

    async def move(
        self,
        last: Entry,
        drafts: Sequence[Draft],
        state: S,
        *,
        at_once: bool,
        is_whole: bool = True,
    ) -> None:
        """Note that the state holds ``last``; what nobody answers is taken in again by a successor, which changes nothing.

        Args:
            last: the last entry that was taken in.
            drafts: what is answered.
            state: what the role made of all entries up to ``last``.
            at_once: write it even where nothing is answered.
            is_whole: whether the state is that; one that a later entry has half changed is not kept.
        """
        is_due = asyncio.get_running_loop().time() - self._moved_s >= MOVE_S
        if drafts or is_due or at_once:
            await self._commit(last, drafts, state, is_whole=is_whole)
        else:
            self._ahead = last

    async def catch_up(self, state: S) -> bool:
        """Bring the cursor to where the state stands; return whether it was behind."""
        last = self._ahead
        if last is not None:
            await self._commit(last, (), state)
        return last is not None

    async def _commit(
        self, last: Entry, drafts: Sequence[Draft], state: S, *, is_whole: bool = True
    ) -> None:
        role, now_s = self._role, asyncio.get_running_loop().time()
        snapshot = None
        if is_whole:
            snapshot = self._snapshots.due(last.id, last.n, state, len(drafts), now_s)
        if role.to is not None:
            # in another slot of a cluster; what is repeated after a crash has its name
            for draft in drafts:
                await self._log.enqueue(role.to, role.writes, draft.id, draft.kind, draft.data)
            drafts = ()
        with metrics.COMMIT_SECONDS.time():
            self.lease, refused = await self._log.commit(
                self.lease, role.reads, role.writes, last, drafts, snapshot
            )
        self._ahead, self._moved_s = None, asyncio.get_running_loop().time()
        self._has_answered = True
        if refused:
            metrics.DUPLICATES.inc(refused)

    async def park(self, entry: Entry, why: str, tries: int) -> None:
        """Set an entry aside and move past it."""
        self.lease = await self._log.park(self.lease, entry, why, tries)
        self._ahead = None

    async def give_back(self, state: S) -> None:
        """Catch up and give the partition back, with the state as it stands."""
        await self.catch_up(state)
        await self._log.release(self.lease, self._snapshots.last(self.lease, state))

    async def renew(self) -> None:
        """Extend the lease; also one that had run out and that nobody took, since the state is still that of the cursor.

        Raises:
            LostOwnership: another has had the partition since.
            RolledBack: the log is older than what was worked here.
        """
        role, mine = self._role, self.lease
        grant = await self._log.acquire(role.name, mine.partition, role.reads)
        if grant is None:
            raise LostOwnership(f"{role.name} of {mine.partition} went to another replica")
        cursors = f"its cursor is {grant.lease.cursor}, mine {mine.cursor}"
        if grant.is_rolled_back or stamp(grant.lease.cursor) < stamp(mine.cursor):
            raise RolledBack(f"the log was rolled back: {cursors}")
        if grant.taken not in MINE or grant.lease.cursor != mine.cursor:
            raise LostOwnership(f"another had {role.name} of {mine.partition} since: {cursors}")
        self.lease = grant.lease
        if grant.lease.epoch != mine.epoch:
            epoch = metrics.OWNER_EPOCH.labels(role.name, mine.partition)
            epoch.set(int(grant.lease.epoch))

    def check_numbers(self, first: Entry) -> str | None:
        """Compare an entry's number with the last one's: more than the next is a loss, not more is an older log.

        Returns:
            what was lost, in plain words, if something was.

        Raises:
            RolledBack: the log is an older one than what was worked here.
        """
        _, known = self.position
        if not known or first.n == known + 1:
            return None
        if first.n <= known:
            if self._has_answered:
                raise RolledBack(f"the log was rolled back: entry {first.n} after {known}")
            return None  # just restored: what the record says is of before
        if self._role.newest_only:
            return None
        missing = first.n - known - 1
        metrics.HOLES.inc(missing)
        logger.error("hole in the log", extra={"entries": missing, "stream": first.stream})
        return f"{missing} entries of {first.stream}:{first.partition} were trimmed before they were read"
