"""Publishing: one replica leads, the others stand by, since a feed has one source. Source: bus contract, sections 4 and 5."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from oimon import codec, metrics
from oimon.bus import Held, Place, Pulse
from oimon.bus.log import Lease, Log, Taken
from oimon.bus.owner import LOOK_S, POLL_S, View
from oimon.bus.patience import Patience
from oimon.errors import BusDown, LostOwnership
from oimon.messages import TICKS, Message
from oimon.terms import FeedState, MarketState

logger = logging.getLogger(__name__)

ROLE = "ingest"
LEAD = "all"
"""The partition whose owner publishes into all others."""
RENEW_S = 1.0


@dataclass
class _Desk:
    """What is known of one partition that this replica publishes."""

    lease: Lease
    place: Place
    pseq: int = 0
    calling: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One call at a time: of one that is repeated after a later one nobody could say whether it is in."""


class Producer:
    """Publishes, while this replica is the one that may."""

    def __init__(self, log: Log, patience: Patience, me: str) -> None:
        self._log = log
        self._patience = patience
        self._view = View(log, me, ROLE, (LEAD,))
        self._desks: dict[str, _Desk] = {}
        self._asked: set[str] = set()  # may be held without a desk, when cancelled midway
        self._lead: Lease | None = None

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` whenever this replica is the one that publishes, until stopped."""
        attempt = 0
        while not self._patience.is_over:
            try:
                if await self._takes_the_lead():
                    await self._lead_on(work)
                self._patience.answered()
                attempt = 0
                await self._patience.sleep(POLL_S)
            except BusDown as error:
                await self._patience.wait_out(error, attempt)
                attempt += 1

    async def _takes_the_lead(self) -> bool:
        if LEAD not in await self._view.wanted():
            return False
        grant = await self._log.acquire(ROLE, LEAD)
        self._lead = None if grant is None else grant.lease
        return grant is not None

    async def _lead_on(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until stopped or until another leads, also when the work has ended; then give back what was held."""
        try:
            async with asyncio.TaskGroup() as tasks:
                working = tasks.create_task(_as_coroutine(work), name="publishing")
                await self._keep_lead()
                working.cancel()
        except* LostOwnership as lost:
            metrics.FENCED.inc()
            logger.warning(
                "another replica publishes now", extra={"error": str(lost.exceptions[0])}
            )
        except* BusDown as away:
            if not self._patience.is_over:
                await self._patience.wait_out(BusDown(str(away.exceptions[0])))
        finally:
            await self._give_back()

    async def _keep_lead(self) -> None:
        """Return when another leads or this replica is told to stop; wait out a log that is away."""
        attempt, renewed_s = 0, float("-inf")
        clock = asyncio.get_running_loop().time
        while not self._patience.is_over:
            try:
                await self._view.wanted()
                if clock() - renewed_s >= RENEW_S:
                    grant = await self._log.acquire(ROLE, LEAD)
                    if grant is None:
                        return
                    self._lead, renewed_s = grant.lease, clock()
                self._patience.answered()
                attempt = 0
            except BusDown as error:
                await self._patience.wait_out(error, attempt)
                attempt += 1
            await self._patience.sleep(LOOK_S)

    async def _give_back(self) -> None:
        leases = [desk.lease for desk in self._desks.values()]
        if self._lead is not None:
            leases.append(self._lead)
        asked, self._asked = self._asked, set()
        self._desks, self._lead = {}, None
        with contextlib.suppress(BusDown):
            for partition in sorted(asked):
                grant = await self._log.acquire(ROLE, partition)
                leases += [] if grant is None else [grant.lease]
        for lease in leases:
            with contextlib.suppress(BusDown):  # it runs out by itself
                await self._log.release(lease)

    async def leave(self) -> None:
        """Let a successor know; what is held is given back when the work has ended, or here when there is none."""
        with contextlib.suppress(BusDown):
            await self._view.leave()
        if self._lead is None:
            await self._give_back()

    # --- writing ---------------------------------------------------------------------------------------------------

    async def place(self, partition: str) -> Place:
        """Return how far a partition was published."""
        return (await self._patience.until_done(lambda: self._desk(partition))).place

    async def publish(self, partition: str, messages: Sequence[Message], pulse: Pulse) -> int:
        """Append messages and the beat that is due, and return its time in us, 0 without one; with the same number again as long as nobody knows whether they are in.

        Raises:
            LostOwnership: another replica publishes now.
            BusDown: the log is away and the replica is to stop.
        """
        drafts = [(codec.kind_of(message), codec.encode(message)) for message in messages]
        desk = await self._patience.until_done(lambda: self._desk(partition))
        try:
            async with desk.calling:
                desk.pseq += 1
                beat = await self._patience.until_done(
                    lambda: self._log.publish(desk.lease, TICKS, desk.pseq, drafts, pulse)
                )
        except LostOwnership:
            self._desks.pop(partition, None)
            raise
        if beat:
            metrics.BEATS.labels(partition).inc()
        if beat or desk.pseq == 1:  # none has come here before
            metrics.BEAT_DUE.labels(partition).set(_next_beat_s(pulse))
        return beat

    async def _desk(self, partition: str) -> _Desk:
        """Return the partition's desk; take it over, however long another has it."""
        desk = self._desks.get(partition)
        while desk is None:
            self._asked.add(partition)
            grant = await self._log.acquire(ROLE, partition)
            desk = self._desks.get(partition)  # another call may have been quicker
            if desk is not None:
                break
            if grant is None:
                await asyncio.sleep(POLL_S)
            elif grant.taken is Taken.HELD:  # how many calls were numbered is forgotten: begin anew
                await self._log.release(grant.lease)
            else:
                desk = _Desk(grant.lease, Place(run=grant.run, beat_us=grant.beat_us))
                self._desks[partition] = desk
            self._asked.discard(partition)
        return desk

    def held(self) -> list[Held]:
        """Return what is published here."""
        return [
            Held(role=ROLE, partition=name, epoch=int(desk.lease.epoch), cursor=desk.lease.cursor)
            for name, desk in self._desks.items()
        ]


def _next_beat_s(pulse: Pulse) -> float:
    """Return by when another beat should be there, in epoch seconds; never, when the feed has ended."""
    if pulse.feed is FeedState.ENDED:
        return math.inf
    return time.time() + (1 if pulse.market is MarketState.OPEN else 60)


async def _as_coroutine(work: Callable[[], Awaitable[None]]) -> None:
    await work()
