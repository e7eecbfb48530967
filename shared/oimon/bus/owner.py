"""Owning partitions of one role: look who is there, take one's share, hand back the rest. Source: bus contract, section 4."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from oimon import metrics
from oimon.bus import Held, Role
from oimon.bus.assignment import share_out
from oimon.bus.cursor import RolledBack
from oimon.bus.log import LEASE_TTL_MS, Grant, Log, Record, stamp
from oimon.bus.patience import Patience
from oimon.bus.seat import Seat, StateDropped
from oimon.errors import BusDown, LostOwnership

logger = logging.getLogger(__name__)

LOOK_S = 0.2
"""How often the members are looked up; so long may a hand-over go unnoticed."""
POLL_S = 0.1
"""How often a lease that another still holds is asked for, by the one who should have it."""
RECORDS_S = 1.0
ORPHANED_S = 2 * LEASE_TTL_MS / 1000
"""A partition that nobody has had for so long may be taken by anyone."""
RESCUED_S = 10 * LEASE_TTL_MS / 1000
"""So long it stays with who took it, whatever the map says."""
LEAVE_S = 1.0
"""So long a stop waits until the members are told; of a log that hangs nobody takes over anyway."""


class Owner:
    """Owns this replica's share of the partitions of roles, and knows what it holds."""

    def __init__(self, log: Log, patience: Patience, me: str) -> None:
        self._log = log
        self._patience = patience
        self._shares: list[_Share] = []
        self._me = me

    async def own(self, role: Role[Any]) -> None:
        """Own a share of the role's partitions and answer their entries until stopped."""
        share = _Share(self._log, self._patience, self._me, role)
        self._shares.append(share)
        try:
            await share.hold()
        finally:
            self._shares.remove(share)  # nothing is wanted any more, so nothing is missing

    async def leave(self) -> None:
        """Let successors know, and have every partition handed back after the batch in hand."""
        await asyncio.gather(*(share.leave() for share in self._shares))

    def held(self) -> list[Held]:
        """Return what is owned."""
        return [seat.held() for share in self._shares for seat in share.seats.values()]

    def problems(self) -> list[str]:
        """Return which partitions are not worked as they should be, and why."""
        return [problem for share in self._shares for problem in share.problems()]


class _Share:
    """The partitions of one role that this replica should have, and those that it has."""

    def __init__(self, log: Log, patience: Patience, me: str, role: Role[Any]) -> None:
        self._log = log
        self._patience = patience
        self._me = me
        self._role = role
        self._view = View(log, me, role.name)
        self._wanted: set[str] = set()
        self._holding: set[str] = set()
        self._known: dict[str, str] = {}  # cursor of each partition when this replica last had it
        self.seats: dict[str, Seat[Any]] = {}

    async def hold(self) -> None:
        """Take what is wanted and give back what is not, until stopped."""
        attempt = 0
        async with asyncio.TaskGroup() as tasks:
            while not self._patience.is_over:
                try:
                    self._wanted = await self._view.wanted()
                    self._patience.answered()
                    attempt = 0
                except BusDown as error:
                    await self._patience.wait_out(error, attempt)
                    attempt += 1
                    continue
                for partition in sorted(self._wanted - self._holding):
                    self._holding.add(partition)
                    tasks.create_task(self._keep(partition), name=f"{self._role.name} {partition}")
                for partition, seat in self.seats.items():
                    if partition not in self._wanted:
                        seat.leave()
                await self._patience.sleep(LOOK_S)

    async def leave(self) -> None:
        """Leave the members, so that successors look, and hand back; also when nobody can be told."""
        self._wanted = set()
        with contextlib.suppress(BusDown, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._view.leave()
        for seat in self.seats.values():
            seat.leave()

    async def _keep(self, partition: str) -> None:
        """Acquire, restore, work; and again, whenever memory cannot be trusted any more."""
        role, attempt = self._role, 0
        try:
            while partition in self._wanted and not self._patience.is_over:
                try:
                    grant = await self._log.acquire(role.name, partition, role.reads)
                    self._patience.answered()
                    attempt = 0
                    if grant is None:
                        await self._patience.sleep(POLL_S)
                    elif partition in self._wanted:
                        await self._work(partition, grant)
                    else:  # nobody would tell its seat to leave
                        await self._log.release(grant.lease)
                except BusDown as error:
                    await self._patience.wait_out(error, attempt)
                    attempt += 1
                except StateDropped:
                    continue
                except LostOwnership as error:
                    count_loss(error)
                    if isinstance(error, RolledBack):
                        self._known.pop(partition, None)  # counted: nothing to compare with
                    logger.warning(
                        "ownership lost",
                        extra={"role": role.name, "partition": partition, "error": str(error)},
                    )
        finally:
            self._holding.discard(partition)

    async def _work(self, partition: str, grant: Grant) -> None:
        self._compare(partition, grant)
        seat = self.seats[partition] = Seat(self._log, self._role, grant)
        name = self._role.name
        metrics.OWNED.labels(name).set(len(self.seats))
        metrics.OWNER_EPOCH.labels(name, partition).set(int(grant.lease.epoch))
        try:
            await seat.work()
        finally:
            self._known[partition] = seat.cursor
            del self.seats[partition]
            metrics.OWNED.labels(name).set(len(self.seats))
            for gauge in (metrics.OWNER_EPOCH, metrics.LAG):
                with contextlib.suppress(KeyError):
                    gauge.remove(name, partition)

    def _compare(self, partition: str, grant: Grant) -> None:
        """Count it when the log stands before where this replica had brought it: it lost its end."""
        known = self._known.pop(partition, None)
        is_behind = known is not None and stamp(grant.lease.cursor) < stamp(known)
        if is_behind or grant.is_rolled_back:
            metrics.ROLLBACKS.inc()
            logger.error(
                "the log was rolled back",
                extra={
                    "role": self._role.name,
                    "partition": partition,
                    "cursor": grant.lease.cursor,
                },
            )

    def problems(self) -> list[str]:
        """Return which partitions are not worked as they should be, and why."""
        missing = sorted(self._wanted - self.seats.keys())
        waiting = [f"{self._role.name} of {name} is not taken over yet" for name in missing]
        return waiting + [found for seat in self.seats.values() if (found := seat.problem())]


class View:
    """What one replica sees of a role, its members and who holds what, and its share by that.

    Args:
        log: where it looks.
        me: the replica.
        role: the role's name.
        partitions: what there is to own; ``None``: what is declared.
    """

    def __init__(
        self, log: Log, me: str, role: str, partitions: Sequence[str] | None = None
    ) -> None:
        self._log = log
        self._me = me
        self._role = role
        self._fixed = partitions
        self._partitions: Sequence[str] = partitions or ()
        self._members: Sequence[str] = ()
        self._records: Mapping[str, Record] = {}
        self._mine: set[str] = set()
        self._looked_s = float("-inf")
        self._orphaned: dict[str, float] = {}  # since when nobody has had it
        self._rescued: dict[str, float] = {}  # until when it stays here
        self._has_left = False

    async def wanted(self) -> set[str]:
        """Say that this replica lives, look who else does, and return the partitions that it should own."""
        wanted = set[str]() if self._has_left else await self._look()
        return set() if self._has_left else wanted  # it may have left while it looked

    async def _look(self) -> set[str]:
        now_s = asyncio.get_running_loop().time()
        try:
            members = await self._log.members(self._role)
        except BusDown:
            self._orphaned.clear()  # meanwhile nobody can take what nobody has
            raise
        if members != self._members or now_s - self._looked_s >= RECORDS_S:
            if self._fixed is None:
                self._partitions = await self._log.partitions()
            is_alone = list(members) == [self._me]
            self._records = (
                {} if is_alone else await self._log.records(self._role, self._partitions)
            )
            self._members, self._looked_s = members, now_s
            holders = {name: record.owner for name, record in self._records.items()}
            owners = share_out(members, self._partitions, holders)
            self._mine = {name for name, member in owners.items() if member == self._me}
        return self._mine | self._rescue(now_s)

    def _rescue(self, now_s: float) -> set[str]:
        """Return what is not this replica's but had nobody for too long, and what it took for that reason."""
        for partition, record in self._records.items():
            if record.overdue_ms < 0:
                self._orphaned.pop(partition, None)
                if record.owner != self._me:
                    self._rescued.pop(
                        partition, None
                    )  # another was quicker, and will not give it back
                continue
            since_s = self._orphaned.setdefault(partition, now_s)
            if now_s - since_s > ORPHANED_S and partition not in self._mine:
                self._rescued[partition] = now_s + RESCUED_S
        return {partition for partition, until_s in self._rescued.items() if now_s < until_s}

    async def leave(self) -> None:
        """Be no member any more, if it ever was."""
        self._has_left = True
        if self._members:
            await self._log.members(self._role, leave=True)


def count_loss(error: Exception) -> None:
    """Count a loss of ownership as what it was."""
    if isinstance(error, RolledBack):
        metrics.ROLLBACKS.inc()
    elif str(error).startswith("DIVERGED"):
        metrics.DIVERGED.inc()
    else:
        metrics.FENCED.inc()
