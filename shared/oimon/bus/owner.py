"""Owning partitions of one role: acquire, restore, answer, give back. Source: bus contract, sections 4, 5 and 8."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from oimon import codec, metrics
from oimon.bus import Entry, Held, Output, Role
from oimon.bus.log import NEVER, Draft, Lease, Log
from oimon.bus.patience import BATCH, BLOCK_MS, WATCH_S, Patience
from oimon.errors import BusDown, LostOwnership, PoisonMessage

S = TypeVar("S")
logger = logging.getLogger(__name__)

POLL_S = 0.25  # how often a lease that another holds is asked for
MAX_LAG = 300  # entries: five seconds of beats at 60 times


@dataclass
class _Seat(Generic[S]):
    """One (role, partition) as this replica works it."""

    role: Role[S]
    partition: str
    lease: Lease
    state: S
    lag: int = 0
    restored: bool = False
    last_error: str | None = None
    consulted: str = NEVER

    def __post_init__(self) -> None:
        self.lag_gauge = metrics.LAG.labels(self.role.name, self.partition)


class Owner:
    """Owns partitions, answers their entries, and knows what it holds."""

    def __init__(self, log: Log, patience: Patience) -> None:
        self._log = log
        self._patience = patience
        self._seats: dict[tuple[str, str], _Seat[Any]] = {}

    async def own(self, role: Role[Any]) -> None:
        """Own the role's partitions and answer their entries until stopped."""
        async with asyncio.TaskGroup() as tasks:
            known: set[str] = set()
            while not self._patience.is_over:
                for partition in await self._patience.partitions(self._log):
                    if partition not in known:
                        known.add(partition)
                        tasks.create_task(
                            self._hold(role, partition), name=f"{role.name} {partition}"
                        )
                await self._patience.sleep(WATCH_S)

    async def _hold(self, role: Role[S], partition: str) -> None:
        """Acquire, restore, work; and again, whenever memory cannot be trusted any more."""
        attempt = 0
        while not self._patience.is_over:
            try:
                lease = await self._log.acquire(role.name, partition)
                self._patience.answered()
                attempt = 0
                if lease is None:
                    await self._patience.sleep(POLL_S)
                    continue
                await self._work(role, partition, lease)
            except BusDown as error:
                await self._patience.wait_out(error, attempt)
                attempt += 1
            except LostOwnership as error:
                metrics.DIVERGED.inc()
                logger.warning(
                    "ownership lost",
                    extra={"role": role.name, "partition": partition, "error": str(error)},
                )
            finally:
                self._seats.pop((role.name, partition), None)
                metrics.OWNED.labels(role.name).set(
                    sum(1 for name, _ in self._seats if name == role.name)
                )

    async def _work(self, role: Role[S], partition: str, lease: Lease) -> None:
        seat = _Seat(role=role, partition=partition, lease=lease, state=role.start(partition))
        self._seats[role.name, partition] = seat
        metrics.OWNED.labels(role.name).set(sum(1 for name, _ in self._seats if name == role.name))
        entries = await self._read(seat)
        if entries:  # not before: who finds a new run there needs nothing of the old one
            await self._restore(seat, entries[0])
        seat.restored = True
        while entries and not self._patience.is_over:
            await self._answer(seat, entries)
            entries = await self._read(seat)
        await self._log.release(seat.lease)

    async def _read(self, seat: _Seat[S]) -> Sequence[Entry]:
        """Return what is new, once there is something; nothing when stopped.

        Raises:
            LostOwnership: the partition went to another replica.
        """
        role, partition = seat.role, seat.partition
        while not self._patience.is_over:
            entries = await self._log.read(
                role.reads, partition, seat.lease.cursor, BATCH, BLOCK_MS
            )
            if entries:
                return entries
            seat.lag, seat.restored = 0, True
            await self._renew(seat)
        return ()

    async def _renew(self, seat: _Seat[S]) -> None:
        renewed = await self._log.acquire(seat.role.name, seat.partition)
        if renewed is None or renewed.epoch != seat.lease.epoch:
            raise LostOwnership(f"{seat.role.name} of {seat.partition} went to another replica")

    async def _restore(self, seat: _Seat[S], first: Entry) -> None:
        """Bring the state to where the cursor stands; ``first`` is the first unread entry."""
        role, partition = seat.role, seat.partition
        if seat.lease.cursor == NEVER:
            return
        seat.restored = False
        last = await self._log.newest(role.writes, partition)
        if role.begins is not None and role.begins(first, last):
            return
        if role.resume is None:
            await self._replay(seat)
        elif last is not None:
            answered = await self._log.entry(role.reads, partition, last.id)
            seat.state = role.resume(partition, last, answered)

    async def _replay(self, seat: _Seat[S]) -> None:
        """Work the kept input up to the cursor again, output off."""
        role, partition, cursor = seat.role, seat.partition, _stamp(seat.lease.cursor)
        after = NEVER
        while not self._patience.is_over:
            entries = await self._log.read(role.reads, partition, after, BATCH, 0)
            for entry in entries:
                if _stamp(entry.id) > cursor:
                    return
                self._handle(seat, entry)
                after = entry.id
            if not entries or _stamp(after) == cursor:
                return
            await self._renew(seat)  # a long restore must keep its lease
            await asyncio.sleep(0)  # and the loop turning

    async def _answer(self, seat: _Seat[S], entries: Sequence[Entry]) -> None:
        role = seat.role
        last = entries[-1]
        if role.newest_only and len(entries) > 1:
            metrics.ADVICE_SKIPPED.labels(role.name).inc(len(entries) - 1)
            entries = entries[-1:]
        self._count_hole(seat, entries[0], skipped=role.newest_only)
        drafts = []
        for entry in entries:
            if role.consults is not None:
                await self._consult(seat, role.consults, entry)
            drafts += self._drafts(seat, entry, self._handle(seat, entry))
        with metrics.COMMIT_SECONDS.time():
            seat.lease, refused = await self._log.commit(
                seat.lease, role.reads, role.writes, last, drafts
            )
        if refused:
            metrics.DUPLICATES.inc(refused)
        await self._measure_lag(seat, last, full=len(entries) == BATCH)

    def _drafts(self, seat: _Seat[S], entry: Entry, outputs: Sequence[Output]) -> list[Draft]:
        """Return the outputs encoded; one that is too large for an entry is left out, and told."""
        drafts = []
        for output in outputs:
            try:
                data = codec.encode(output.message)
            except ValueError as error:
                metrics.PARKED.labels("oversized").inc()
                seat.last_error = f"no answer to {entry.key}: {error}"
                logger.exception("answer left out", extra={"entry": entry.key})
            else:
                drafts.append(Draft(output.id or entry.id, codec.kind_of(output.message), data))
        return drafts

    async def _consult(self, seat: _Seat[S], stream: str, entry: Entry) -> None:
        newest = await self._log.newest(stream, seat.partition, entry.id)
        if newest is not None and newest.id != seat.consulted:
            seat.consulted = newest.id
            self._handle(seat, newest)

    def _handle(self, seat: _Seat[S], entry: Entry) -> Sequence[Output]:
        try:
            entry.message  # noqa: B018 - decoded here, so that what cannot be decoded never reaches a handler
        except PoisonMessage as error:
            metrics.PARKED.labels("undecodable").inc()
            seat.last_error = f"{entry.key} was passed over: {error}"
            logger.exception("entry passed over", extra={"entry": entry.key})
            return ()
        seat.state, outputs = seat.role.handle(seat.state, entry)
        return outputs

    def _count_hole(self, seat: _Seat[S], first: Entry, *, skipped: bool) -> None:
        missing = first.n - seat.lease.in_n - 1
        if missing > 0 and seat.lease.in_n and not skipped:
            metrics.HOLES.inc(missing)
            seat.last_error = f"{missing} entries of {first.stream}:{first.partition} were trimmed before they were read"
            logger.error("hole in the log", extra={"entries": missing, "stream": first.stream})

    async def _measure_lag(self, seat: _Seat[S], last: Entry, *, full: bool) -> None:
        newest = await self._log.newest(last.stream, last.partition) if full else last
        seat.lag = max(0, newest.n - last.n) if newest is not None else 0
        seat.lag_gauge.set(seat.lag)

    def held(self) -> list[Held]:
        """Return what is owned."""
        return [
            Held(
                role=seat.role.name,
                partition=seat.partition,
                epoch=int(seat.lease.epoch),
                cursor=seat.lease.cursor,
                lag=seat.lag,
                restored=seat.restored,
                last_error=seat.last_error,
            )
            for seat in self._seats.values()
        ]

    def problems(self) -> list[str]:
        """Return which partitions are not worked as they should be, and why."""
        found = []
        for seat in self._seats.values():
            name = f"{seat.role.name} of {seat.partition}"
            if not seat.restored:
                found.append(f"{name} is being restored from the log")
            elif seat.lag > MAX_LAG:
                found.append(f"{name} is {seat.lag} entries behind")
        return found


def _stamp(entry_id: str) -> tuple[int, int]:
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)
