"""The bus over any log: what services call, put together from the loops that publish, own and share."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from oimon.bus import Courier, Entry, Held, Place, Pulse, Role, Sink, Use
from oimon.bus.log import NEVER, Log
from oimon.bus.owner import Owner
from oimon.bus.patience import BATCH, BLOCK_MS, Patience
from oimon.bus.producer import Producer
from oimon.bus.sending import Sending
from oimon.bus.sharing import Sharer
from oimon.errors import BusDown
from oimon.messages import TICKS, Message


class Engine:
    """The bus over a log. See the ``Bus`` protocol for what each method promises.

    Args:
        log: where everything is kept.
        me: name of this replica, new at every start.
    """

    def __init__(self, log: Log, me: str) -> None:
        self._log = log
        self._patience = Patience()
        self._owner = Owner(log, self._patience, me)
        self._sharer = Sharer(log, self._patience)
        self._producer = Producer(log, self._patience, me)
        self._sending = Sending(log, self._patience)

    async def publish(self, partition: str, messages: Sequence[Message], pulse: Pulse) -> int:
        """Append messages to the partition's ticks, and the beat that is due; return its time in us, 0 without one."""
        return await self._producer.publish(partition, messages, pulse)

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` whenever this replica is the one that publishes."""
        await self._producer.lead(work)

    async def place(self, partition: str) -> Place:
        """Take a partition over and return how far it was published."""
        return await self._producer.place(partition)

    async def backwards(self, partition: str) -> AsyncIterator[Entry]:
        """Give what was published of a partition, the newest first."""
        before: str | None = None
        while entries := await self._patience.until_done(
            partial(self._log.older, TICKS, partition, before, BATCH)
        ):
            for entry in entries:
                yield entry
            before = entries[-1].id

    async def own(self, role: Role[Any]) -> None:
        """Own a share of the role's partitions and answer their entries until stopped."""
        await self._owner.own(role)

    async def share(self, group: str, streams: Sequence[str], sink: Sink) -> None:
        """Hand every entry to the sink, at least once; when stopped, until nothing is left."""
        await self._sharer.share(group, streams, sink)

    async def send(self, courier: Courier) -> None:
        """Have the outbox's texts delivered whenever this replica is the one that does."""
        await self._sending.send(courier)

    async def spend(
        self, purse: str, day: str, who: str, use: Use, limit: Use | None = None
    ) -> tuple[bool, Use]:
        """Take from what may be used on a day, unless the limit is reached."""
        return await self._log.spend(purse, day, who, use, limit)

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
        return [*self._owner.held(), *self._producer.held(), *self._sending.held()]

    def problems(self) -> Sequence[str]:
        """Return why this replica is not ready."""
        away = self._patience.away
        return [*([] if away is None else [away]), *self._owner.problems()]

    async def stop(self) -> None:
        """Leave the members, so that successors look; then have loops finish the batch in hand and give back."""
        await self._owner.leave()
        self._patience.stopping.set()
        await self._producer.leave()

    async def close(self) -> None:
        """Close connections."""
        await self._log.close()
