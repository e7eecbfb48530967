"""Sharing streams among the members of a group: at least once, in no order that matters. Source: bus contract, section 5."""

import asyncio
import logging
from collections.abc import Sequence

from oimon.bus import Entry, Sink
from oimon.bus.log import Log
from oimon.bus.patience import BACKOFF_S, BATCH, BLOCK_MS, WATCH_S, Patience
from oimon.errors import BusDown, TransientError

logger = logging.getLogger(__name__)

DRAIN_S = 3.5  # a stopping sink gets this long to take what is left


class Sharer:
    """Hands entries to sinks."""

    def __init__(self, log: Log, patience: Patience) -> None:
        self._log = log
        self._patience = patience

    async def share(self, group: str, streams: Sequence[str], sink: Sink) -> None:
        """Hand every entry to the sink, at least once; when stopped, until nothing is left."""
        async with asyncio.TaskGroup() as tasks:
            known: set[str] = set()
            while True:  # one look at least: also who is stopped at once drains
                for partition in await self._patience.partitions(self._log):
                    if partition not in known:
                        known.add(partition)
                        tasks.create_task(
                            self._feed(group, streams, partition, sink), name=f"{group} {partition}"
                        )
                if self._patience.is_over:
                    return
                await self._patience.sleep(WATCH_S)

    async def _feed(self, group: str, streams: Sequence[str], partition: str, sink: Sink) -> None:
        last_chance: float | None = None
        clock = asyncio.get_running_loop().time
        while True:
            if self._patience.is_over and last_chance is None:
                last_chance = clock() + DRAIN_S
            try:
                block = 0 if last_chance is not None else BLOCK_MS
                entries = await self._log.group_read(group, streams, partition, BATCH, block)
                if not entries and last_chance is not None:
                    return
                if entries:
                    await self._deliver(group, entries, sink, last_chance)
                self._patience.answered()
            except BusDown as error:
                await self._patience.wait_out(error)
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
                if last_chance is not None or self._patience.is_over:
                    raise
                await self._patience.sleep(min(BACKOFF_S[1], BACKOFF_S[0] * 2**attempt))
                attempt += 1
            else:
                await self._log.group_done(group, entries)
                return
