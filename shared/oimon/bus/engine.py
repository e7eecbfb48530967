"""The bus over any log: what services call, put together from loops that own and loops that share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from oimon import codec, metrics
from oimon.bus import Entry, Held, Pulse, Role, Sink
from oimon.bus.log import NEVER, Lease, Log
from oimon.bus.owner import POLL_S, Owner
from oimon.bus.patience import BATCH, BLOCK_MS, Patience
from oimon.bus.sharing import Sharer
from oimon.errors import BusDown, LostOwnership
from oimon.messages import TICKS, Message


class Engine:
    """The bus over a log. See the ``Bus`` protocol for what each method promises."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._patience = Patience()
        self._owner = Owner(log, self._patience)
        self._sharer = Sharer(log, self._patience)
        self._producing: dict[str, tuple[Lease, int]] = {}

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
                if self._patience.is_over:
                    raise
                await self._patience.wait_out(error)
            except LostOwnership:
                metrics.FENCED.inc()
                self._producing.pop(partition, None)
                first = True
            else:
                self._patience.answered()
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
            self._patience.answered()
            if lease is not None:
                return lease
            await asyncio.sleep(POLL_S)

    async def own(self, role: Role[Any]) -> None:
        """Own the role's partitions and answer their entries until stopped."""
        await self._owner.own(role)

    async def share(self, group: str, streams: Sequence[str], sink: Sink) -> None:
        """Hand every entry to the sink, at least once; when stopped, until nothing is left."""
        await self._sharer.share(group, streams, sink)

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
        while not self._patience.is_over:
            entries = await self._log.read_any(after, partition, BATCH, BLOCK_MS)
            fresh = {entry.stream: entry for entry in entries}
            for stream, entry in fresh.items():
                after[stream] = entry.id
                yield entry

    # --- the rest --------------------------------------------------------------------------------------------------

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        await self._patience.until_done(lambda: self._log.declare(partitions))

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        return await self._log.partitions()

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep this replica's status for ten seconds; while the log is away, nobody can read it anyway."""
        try:
            await self._log.put_status(service, replica, status)
            self._patience.answered()
        except BusDown as error:
            self._patience.away = str(error)

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica."""
        return await self._log.statuses()

    def held(self) -> Sequence[Held]:
        """Return what this replica owns."""
        produced = [
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
        return [*self._owner.held(), *produced]

    def problems(self) -> Sequence[str]:
        """Return why this replica is not ready."""
        away = self._patience.away
        return [*([] if away is None else [away]), *self._owner.problems()]

    async def stop(self) -> None:
        """Let loops finish the batch in hand and sinks drain; give back what was produced."""
        self._patience.stopping.set()
        for lease, _ in self._producing.values():
            with contextlib.suppress(BusDown):
                await self._log.release(lease)

    async def close(self) -> None:
        """Close connections."""
        await self._log.close()
