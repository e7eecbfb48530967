"""Sharing streams among the members of a group: at least once, in no order that matters. Source: bus contract, 5 and 10."""

import asyncio
import logging
from collections.abc import Sequence

from oimon import metrics
from oimon.bus import Entry, Sink
from oimon.bus.log import Log
from oimon.bus.patience import BATCH, BLOCK_MS, WATCH_S, Patience, backoff_s
from oimon.errors import BusDown, TransientError

logger = logging.getLogger(__name__)

DRAIN_S = 3.5  # a stopping sink gets this long to take what is left
CLAIM_S = 5.0  # how often it is looked for what a dead member left
MAX_TRIES = 4


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
                        feeding = _Feeding(self._log, self._patience, group, streams, sink)
                        tasks.create_task(feeding.run(partition), name=f"{group} {partition}")
                if self._patience.is_over:
                    return
                await self._patience.sleep(WATCH_S)


class _Feeding:
    """One partition's streams, on their way to one sink."""

    def __init__(
        self, log: Log, patience: Patience, group: str, streams: Sequence[str], sink: Sink
    ) -> None:
        self._log = log
        self._patience = patience
        self._group = group
        self._streams = streams
        self._sink = sink
        self._read_to: dict[str, int] = {}  # number of the newest entry that came, of each stream
        self._claimed_s = float("-inf")
        self._last_chance_s: float | None = None

    async def run(self, partition: str) -> None:
        """Hand over until stopped, and then what is left, within reason."""
        clock = asyncio.get_running_loop().time
        attempt = 0
        while True:
            if self._patience.is_over and self._last_chance_s is None:
                self._last_chance_s = clock() + DRAIN_S
            try:
                if clock() - self._claimed_s >= CLAIM_S:
                    await self._take_over(partition)
                    self._claimed_s = clock()
                block_ms = 0 if self._is_draining else BLOCK_MS
                entries = await self._log.group_read(
                    self._group, self._streams, partition, BATCH, block_ms
                )
                if not entries and self._is_draining:
                    return
                if entries:
                    await self._look_for_holes(partition, entries)
                    await self._deliver(entries)
                self._patience.answered()
                attempt = 0
            except BusDown as error:
                await self._patience.wait_out(error, attempt)
                attempt += 1
            except TransientError:
                return  # only when stopping: what the sink did not take stays with the group
            if self._last_chance_s is not None and clock() > self._last_chance_s:
                return

    @property
    def _is_draining(self) -> bool:
        return self._last_chance_s is not None

    async def _look_for_holes(self, partition: str, entries: Sequence[Entry]) -> None:
        """Count what was trimmed before the group was given it: then nothing of before is left.

        What other members were given since is counted with it, where that is trimmed as well.
        """
        for first in {entry.stream: entry for entry in reversed(entries)}.values():
            missing = first.n - self._read_to.get(first.stream, first.n) - 1
            if missing <= 0 or await self._log.newest(first.stream, partition, first.id):
                continue
            metrics.HOLES.inc(missing)
            logger.error(
                "hole in the log",
                extra={"group": self._group, "entries": missing, "stream": first.stream},
            )
        self._read_to |= {entry.stream: entry.n for entry in entries}

    async def _take_over(self, partition: str) -> None:
        """Hand over what a dead member was given; what was given too often has killed them."""
        left = await self._log.group_claim(self._group, self._streams, partition, BATCH)
        for entry, tries in left:
            if tries > MAX_TRIES:
                await self._deliver(())  # while its way out is away, nobody was killed by the entry
                await self._park(entry, f"whoever was given it died, {tries} times", "kills", tries)
            else:
                await self._deliver([entry])

    async def _deliver(self, entries: Sequence[Entry]) -> None:
        """Hand entries to the sink, again while its way out is away; of a batch that fails, each by itself."""
        attempt = 0
        while True:
            try:
                await self._sink(entries)
            except TransientError as error:
                logger.warning("sink is away", extra={"group": self._group, "error": str(error)})
                if not attempt and entries:
                    await self._log.group_uncount(self._group, entries)
                if self._is_draining or self._patience.is_over:
                    raise
                await self._patience.sleep(backoff_s(attempt))
                attempt += 1
            except Exception as error:  # noqa: BLE001 - what one entry brings out must not stop the others
                if len(entries) == 1:
                    await self._park(entries[0], f"{type(error).__name__}: {error}", "failed", 1)
                else:
                    for entry in entries:
                        await self._deliver([entry])
                return
            else:
                if entries:
                    await self._log.group_done(self._group, entries)
                return

    async def _park(self, entry: Entry, why: str, kind: str, tries: int) -> None:
        await self._log.group_park(self._group, entry, why, tries)
        metrics.PARKED.labels(kind).inc()
        logger.error("entry parked", extra={"group": self._group, "entry": entry.key, "why": why})
