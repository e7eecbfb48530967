"""The bus's loops over any log: own, restore, share, subscribe; outages are waited out here, nowhere else."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from oimon import codec, metrics
from oimon.bus import Entry, Held, Output, Pulse, Role, Sink
from oimon.bus.log import NEVER, Draft, Lease, Log
from oimon.errors import BusDown, LostOwnership, PoisonMessage, TransientError
from oimon.messages import TICKS, Message

S = TypeVar("S")
T = TypeVar("T")
logger = logging.getLogger(__name__)

BATCH = 64
BLOCK_MS = 1000
POLL_S = 0.25  # how often a lease that another holds is asked for
WATCH_S = 1.0  # how often the partitions are looked up
MAX_LAG = 300  # entries: five seconds of beats at 60 times
DRAIN_S = 6.0  # a stopping sink gets this long to take what is left
BACKOFF_S = (0.05, 2.0)


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


class Engine:
    """The bus over a log. See the ``Bus`` protocol for what each method promises."""

    def __init__(self, log: Log, me: str) -> None:
        self._log = log
        self._me = me
        self._seats: dict[tuple[str, str], _Seat[Any]] = {}
        self._producing: dict[str, tuple[Lease, int]] = {}
        self._away: str | None = "waiting for Redis"
        self._stopping = asyncio.Event()

    # --- producing -------------------------------------------------------------------------------------------------

    async def publish(self, partition: str, messages: Sequence[Message], pulse: Pulse) -> None:
        """Append messages to the partition's ticks, and the beat that is due."""
        drafts = [(codec.kind_of(message), codec.encode(message)) for message in messages]
        first = True
        while True:
            try:
                lease, pseq = await self._producer(partition)
                if first:  # a repeat bears the number of the attempt whose reply was lost
                    pseq += 1
                    self._producing[partition] = (lease, pseq)
                    first = False
                beat = await self._log.publish(lease, TICKS, pseq, drafts, pulse)
            except BusDown as error:
                await self._wait_out(error)
            except LostOwnership:
                metrics.FENCED.inc()
                self._producing.pop(partition, None)
                first = True
            else:
                self._away = None
                if beat:
                    metrics.BEATS.labels(partition).inc()
                return

    async def _producer(self, partition: str) -> tuple[Lease, int]:
        held = self._producing.get(partition)
        if held is not None:
            return held
        lease = await self._acquire("ingest", partition)
        self._producing[partition] = (lease, 0)
        return lease, 0

    async def _acquire(self, role: str, partition: str) -> Lease:
        while True:
            lease = await self._log.acquire(role, partition)
            self._away = None
            if lease is not None:
                return lease
            await asyncio.sleep(POLL_S)

    async def _wait_out(self, error: BusDown, attempt: int = 0) -> None:
        if self._away is None:
            logger.warning("the log is away", extra={"error": str(error)})
        self._away = str(error)
        low, high = BACKOFF_S
        await asyncio.sleep(random.uniform(low, min(high, low * 2**attempt + low)))  # noqa: S311 - jitter

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the call's result, however long the log is away."""
        attempt = 0
        while True:
            try:
                result = await call()
            except BusDown as error:
                await self._wait_out(error, attempt)
                attempt += 1
            else:
                self._away = None
                return result

    # --- owning ----------------------------------------------------------------------------------------------------

    async def own(self, role: Role[Any]) -> None:
        """Own the role's partitions and answer their entries until stopped."""
        async with asyncio.TaskGroup() as tasks:
            known: set[str] = set()
            while not self._stopping.is_set():
                for partition in await self._patiently(self._log.partitions):
                    if partition not in known:
                        known.add(partition)
                        tasks.create_task(
                            self._hold(role, partition), name=f"{role.name} {partition}"
                        )
                await self._sleep(WATCH_S)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or less when the bus is stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _hold(self, role: Role[S], partition: str) -> None:
        """Acquire, restore, work; and again, whenever memory cannot be trusted any more."""
        attempt = 0
        while not self._stopping.is_set():
            try:
                lease = await self._log.acquire(role.name, partition)
                self._away = None
                attempt = 0
                if lease is None:
                    await self._sleep(POLL_S)
                    continue
                await self._work(role, partition, lease)
            except BusDown as error:
                await self._wait_out(error, attempt)
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
        while entries and not self._stopping.is_set():
            await self._answer(seat, entries)
            entries = await self._read(seat)
        await self._log.release(seat.lease)

    async def _read(self, seat: _Seat[S]) -> Sequence[Entry]:
        """Return what is new, once there is something; nothing when stopped.

        Raises:
            LostOwnership: the partition went to another replica.
        """
        role, partition = seat.role, seat.partition
        while not self._stopping.is_set():
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
        while not self._stopping.is_set():
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
            drafts += [_draft(output, entry) for output in self._handle(seat, entry)]
        with metrics.COMMIT_SECONDS.time():
            seat.lease, refused = await self._log.commit(
                seat.lease, role.reads, role.writes, last, drafts
            )
        if refused:
            metrics.DUPLICATES.inc(refused)
        await self._measure_lag(seat, last, full=len(entries) == BATCH)

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

    # --- sharing ---------------------------------------------------------------------------------------------------

    async def share(self, group: str, streams: Sequence[str], sink: Sink) -> None:
        """Hand every entry to the sink, at least once; when stopped, until nothing is left."""
        async with asyncio.TaskGroup() as tasks:
            known: set[str] = set()
            while True:  # one look at least: also who is stopped at once drains
                for partition in await self._patiently(self._log.partitions):
                    if partition not in known:
                        known.add(partition)
                        tasks.create_task(
                            self._feed(group, streams, partition, sink), name=f"{group} {partition}"
                        )
                if self._stopping.is_set():
                    return
                await self._sleep(WATCH_S)

    async def _feed(self, group: str, streams: Sequence[str], partition: str, sink: Sink) -> None:
        last_chance: float | None = None
        clock = asyncio.get_running_loop().time
        while True:
            if self._stopping.is_set() and last_chance is None:
                last_chance = clock() + DRAIN_S
            try:
                block = 0 if last_chance is not None else BLOCK_MS
                entries = await self._log.group_read(group, streams, partition, BATCH, block)
                if not entries and last_chance is not None:
                    return
                if entries:
                    await self._deliver(group, entries, sink, last_chance)
                self._away = None
            except BusDown as error:
                await self._wait_out(error)
            except TransientError:
                return  # only when stopping: what the sink did not take stays with the group
            if last_chance is not None and clock() > last_chance:
                return

    async def _deliver(
        self, group: str, entries: Sequence[Entry], sink: Sink, last_chance: float | None
    ) -> None:
        attempt = 0
        while True:
            try:
                await sink(entries)
            except TransientError as error:
                logger.warning("sink is away", extra={"group": group, "error": str(error)})
                if last_chance is not None or self._stopping.is_set():
                    raise
                await self._sleep(min(BACKOFF_S[1], BACKOFF_S[0] * 2**attempt))
                attempt += 1
            else:
                await self._log.group_done(group, entries)
                return

    # --- looking ---------------------------------------------------------------------------------------------------

    async def latest(self, stream: str, partition: str) -> Entry | None:
        """Return the newest entry of a stream."""
        return await self._log.newest(stream, partition)

    async def subscribe(self, streams: Sequence[str], partition: str) -> AsyncIterator[Entry]:
        """Give the newest entry of each stream, then each time the newest of what has come."""
        after = dict.fromkeys(streams, NEVER)
        for stream in streams:
            newest = await self._log.newest(stream, partition)
            if newest is not None:
                after[stream] = newest.id
                yield newest
        while not self._stopping.is_set():
            entries = await self._log.read_any(after, partition, BATCH, BLOCK_MS)
            fresh = {entry.stream: entry for entry in entries}
            for stream, entry in fresh.items():
                after[stream] = entry.id
                yield entry

    # --- the rest --------------------------------------------------------------------------------------------------

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        await self._patiently(lambda: self._log.declare(partitions))

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        return await self._log.partitions()

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep this replica's status for ten seconds; while the log is away, nobody can read it anyway."""
        try:
            await self._log.put_status(service, replica, status)
            self._away = None
        except BusDown as error:
            self._away = str(error)

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica."""
        return await self._log.statuses()

    def held(self) -> Sequence[Held]:
        """Return what this replica owns."""
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
        ] + [
            Held(
                role="ingest",
                partition=partition,
                epoch=int(lease.epoch),
                cursor=lease.cursor,
                lag=0,
                restored=True,
                last_error=None,
            )
            for partition, (lease, _) in self._producing.items()
        ]

    def problems(self) -> Sequence[str]:
        """Return why this replica is not ready."""
        found = [] if self._away is None else [self._away]
        for seat in self._seats.values():
            name = f"{seat.role.name} of {seat.partition}"
            if not seat.restored:
                found.append(f"{name} is being restored from the log")
            elif seat.lag > MAX_LAG:
                found.append(f"{name} is {seat.lag} entries behind")
        return found

    async def stop(self) -> None:
        """Let loops finish the batch in hand and sinks drain; give back what was produced."""
        self._stopping.set()
        for lease, _ in self._producing.values():
            with contextlib.suppress(BusDown):
                await self._log.release(lease)

    async def close(self) -> None:
        """Close connections."""
        await self._log.close()


def _draft(output: Output, entry: Entry) -> Draft:
    return Draft(output.id or entry.id, codec.kind_of(output.message), codec.encode(output.message))


def _stamp(entry_id: str) -> tuple[int, int]:
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)
