"""What sinks ask of Redis: consumer groups, and what was set aside. Source: bus contract, sections 5 and 10."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from oimon.bus import Entry
from oimon.bus.log import PARKED_KEPT, Parked, stamp
from oimon.bus.redis.client import Client
from oimon.bus.redis.entries import aside, entries, entry, parked, text
from oimon.bus.redis.keys import dead_key, key

CLAIM_IDLE_MS = 30_000
PAGE = 100  # parked entries a call: each may be large
FIRST = "0-0"
_NO_GROUP = "NOGROUP"
"""The log was emptied: the group has to be made anew."""


def _by_key(entries: Sequence[Entry]) -> Mapping[str, list[Any]]:
    """Return the entries' ids by the key of their stream."""
    found: dict[str, list[Any]] = {}
    for each in entries:
        found.setdefault(key(each.stream, each.partition), []).append(each.id)
    return found


class Groups:
    """Groups of sinks; what roles and groups have set aside."""

    _client: Client
    _me: str
    _groups: set[tuple[str, str]]

    async def group_read(
        self, group: str, streams: Sequence[str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries new to the group."""
        client = self._client
        keys: dict[Any, Any] = {key(stream, partition): ">" for stream in streams}
        await self._join(group, keys)
        read = client.blocking.xreadgroup(
            group, self._me, keys, count=count, block=block_ms or None
        )
        try:
            return entries(await client.ask(read), partition)
        except ResponseError as error:
            self._forget(group, error)
            return ()

    async def group_claim(
        self, group: str, streams: Sequence[str], partition: str, count: int
    ) -> Sequence[tuple[Entry, int]]:
        """Take over what a dead member left; each with how often it was handed out before."""
        await self._join(group, [key(stream, partition) for stream in streams])
        found: list[tuple[Entry, int]] = []
        try:
            for stream in streams:
                found += await self._claim(group, stream, partition, count)
        except ResponseError as error:
            self._forget(group, error)
        return found

    async def _claim(
        self, group: str, stream: str, partition: str, count: int
    ) -> list[tuple[Entry, int]]:
        client, stream_key, start = self._client, key(stream, partition), FIRST
        while True:  # a look covers a few of the pending entries only
            reply = await client.ask(
                client.redis.xautoclaim(
                    stream_key, group, self._me, CLAIM_IDLE_MS, start_id=start, count=count
                )
            )
            start, rows = text(reply[0]), [row for row in reply[1] if row[1]]
            if rows or start == FIRST:
                break
        claimed = [entry(stream, partition, *row) for row in rows]
        return list(zip(claimed, await self._handed_out(group, stream_key, claimed), strict=True))

    async def _handed_out(
        self, group: str, stream_key: str, claimed: Sequence[Entry]
    ) -> Sequence[int]:
        """Return how often each was handed out before this time."""
        client = self._client
        if not claimed:
            return ()
        async with client.redis.pipeline(transaction=False) as pipe:
            for each in claimed:
                pipe.xpending_range(stream_key, group, min=each.id, max=each.id, count=1)
            rows = await client.ask(pipe.execute())
        return [row[0]["times_delivered"] - 1 if row else 0 for row in rows]

    async def group_done(self, group: str, entries: Sequence[Entry]) -> None:
        """Say that the entries' effects are safe."""
        for stream_key, ids in _by_key(entries).items():
            await self._client.ask(self._client.redis.xack(stream_key, group, *ids))

    async def group_uncount(self, group: str, entries: Sequence[Entry]) -> None:
        """Count the entries as never handed out; what is not pending stays so."""
        client = self._client
        try:
            for stream_key, ids in _by_key(entries).items():
                claim = client.redis.xclaim(
                    stream_key, group, self._me, 0, ids, retrycount=0, justid=True
                )
                await client.ask(claim)
        except ResponseError as error:
            self._forget(group, error)

    async def group_park(self, group: str, entry: Entry, why: str, tries: int = 1) -> None:
        """Set an entry aside and be done with it."""
        keys = [key(entry.stream, entry.partition), dead_key(group, entry.partition)]
        args = [group, entry.id, entry.n, PARKED_KEPT, *aside(entry, why, tries)]
        try:
            await self._client.run("park_shared", keys, args)
        except ResponseError as error:
            self._forget(group, error)

    async def _join(self, group: str, keys: Iterable[str]) -> None:
        """Become a member; who does forgets those who died and left nothing to take over."""
        for each in keys:
            if (group, each) not in self._groups:
                await self._client.run("join", [each], [group, CLAIM_IDLE_MS])
                self._groups.add((group, each))

    def _forget(self, group: str, error: ResponseError) -> None:
        """Make a group anew next time; raise what is not about its absence."""
        if _NO_GROUP not in str(error):
            raise error
        self._groups -= {known for known in self._groups if known[0] == group}

    # --- what was set aside ----------------------------------------------------------------------------------------

    async def parked(self, role: str, partition: str) -> Sequence[Parked]:
        """Return what was set aside, oldest first."""
        client, found, after = self._client, list[Parked](), "-"
        while True:
            rows = await client.ask(
                client.redis.xrange(dead_key(role, partition), min=after, count=PAGE)
            )
            found += [parked(role, partition, *row) for row in rows]
            if len(rows) < PAGE:
                break
            after = f"({found[-1].id}"
        return sorted(found, key=lambda each: stamp(each.entry.id))  # a group parks in any order

    async def unpark(self, parked: Parked) -> None:
        """Take a parked entry off the list."""
        client, listed = self._client, dead_key(parked.role, parked.entry.partition)
        await client.ask(client.redis.xdel(listed, parked.id))

    async def redeliver(self, group: str, entry: Entry) -> bool:
        """Make an entry pending once more: idle for long already, so that it is taken over at the next look."""
        client, stream_key = self._client, key(entry.stream, entry.partition)
        await self._client.run("join", [stream_key], [group])
        claim = client.redis.xclaim(
            stream_key,
            group,
            "redelivered",
            0,
            [entry.id],
            idle=CLAIM_IDLE_MS,
            retrycount=0,
            force=True,
            justid=True,
        )
        return bool(await client.ask(claim))
