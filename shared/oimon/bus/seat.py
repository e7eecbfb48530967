"""One owned partition at work: restore, answer, set aside what cannot be used, give back.

Source: bus contract, sections 4, 8, 9 and 10.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Generic, TypeVar

from oimon import metrics
from oimon.bus import Entry, Held, Output, Role
from oimon.bus.answers import UnusableEntry, drafted, handled
from oimon.bus.cursor import MINE, MOVE_S, Cursor
from oimon.bus.log import NEVER, Draft, Grant, Log, stamp
from oimon.bus.patience import BATCH, BLOCK_MS
from oimon.bus.restore import Restoring
from oimon.bus.standing import Standing
from oimon.errors import LostOwnership

S = TypeVar("S")
logger = logging.getLogger(__name__)

MAX_TRIES = 3  # at an entry that may have killed its owner; then it is parked


class Seat(Generic[S]):
    """One (role, partition) as this replica works it, from acquiring to giving back."""

    def __init__(self, log: Log, role: Role[S], grant: Grant) -> None:
        self._log = log
        self._role = role
        self._cursor = Cursor(log, role, grant.lease)
        self._partition = grant.lease.partition
        self._grant = grant
        self._state: S = role.start(self._partition)
        self._is_leaving = False
        self._waiting: asyncio.Timeout | None = None
        self._careful_until: tuple[int, int] | None = None
        self._consulted = NEVER
        self._standing = Standing(log, grant.lease)

    # --- the life of a seat ----------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Restore and answer until told to leave, then give the partition back.

        Raises:
            LostOwnership: memory cannot be trusted any more.
            BusDown: the log is away, so nobody knows what of the last write has happened.
        """
        started_s = asyncio.get_running_loop().time()
        if self._grant.stuck:
            await self._be_careful()
        entries = await self._first()
        await self._restore(entries[0] if entries else None)
        self._standing.is_restored = True
        if self._grant.taken not in MINE:
            metrics.TAKEOVERS.labels(self._grant.taken.value).inc()
            metrics.TAKEOVER_SECONDS.observe(asyncio.get_running_loop().time() - started_s)
        while not self._is_leaving:
            if entries:
                await self._answer(entries)
            entries = await self._read()
        await self._cursor.give_back(self._state)

    async def _first(self) -> Sequence[Entry]:
        """Return what is unread; of one who only compares, and never had it, where he begins."""
        role, is_new = self._role, self.cursor == NEVER and not self._grant.is_rolled_back
        if role.compares and is_new:
            newest = await self._log.newest(role.reads, self._partition)
            return () if newest is None else (newest,)
        return await self._log.read(role.reads, self._partition, self.cursor, self._count, 0)

    def leave(self) -> None:
        """Finish the batch in hand and give back; whoever waits for entries waits no longer."""
        self._is_leaving = True
        if self._waiting is not None:
            self._waiting.reschedule(0)
            self._waiting = None

    @property
    def _count(self) -> int:
        # begun with for certain, or a failure after it would begin with a newer one
        is_first = self._role.compares and self.cursor == NEVER
        return 1 if is_first or self._careful_until is not None else BATCH

    async def _read(self) -> Sequence[Entry]:
        """Return what is new, once there is something; nothing when told to leave."""
        while not self._is_leaving:
            try:
                async with asyncio.timeout(None) as self._waiting:
                    entries = await self._log.read(
                        self._role.reads,
                        self._partition,
                        self._cursor.position[0],
                        self._count,
                        BLOCK_MS,
                    )
            except TimeoutError:
                return ()
            finally:
                self._waiting = None
            if entries:
                return entries
            self._standing.no_lag()
            if not await self._cursor.catch_up(self._state):
                await self._cursor.renew()
        return ()

    async def _restore(self, first: Entry | None) -> None:
        """Bring the state to where the cursor stands; ``first`` is the first unread entry, if there is one."""
        restoring = Restoring(self._log, self._role, self._cursor.lease, self._state)
        await restoring.run(first, self._goes_on)
        self._state = restoring.state
        self._standing.last_error = restoring.refused or self._standing.last_error

    async def _goes_on(self) -> bool:
        """Keep the lease while a long restore runs, unless it need not go on."""
        await self._cursor.renew()
        return not self._is_leaving

    # --- answering -------------------------------------------------------------------------------------------------

    async def _answer(self, entries: Sequence[Entry]) -> None:
        """Handle entries and commit what comes of them, in one write unless one of them has to be parked or it takes long."""
        role, last, is_full = self._role, entries[-1], len(entries) >= self._count
        if role.newest_only and len(entries) > 1:
            if role.to is None:  # who only tells what changed gives no advice
                metrics.ADVICE_SKIPPED.labels(role.name).inc(len(entries) - 1)
            entries = entries[-1:]
        lost = self._cursor.check_numbers(entries[0])
        self._standing.last_error = lost or self._standing.last_error
        drafts: list[Draft] = []
        done: Entry | None = None
        clock = asyncio.get_running_loop().time
        since_s = clock()
        for entry in entries:
            if done is not None and clock() - since_s >= MOVE_S:  # or the lease would run out
                await self._cursor.move(done, drafts, self._state, at_once=True)
                drafts, done, since_s = [], None, clock()
            if self._careful_until is not None and await self._was_tried(entry):
                return
            if role.consults is not None:
                await self._consult(role.consults, entry)
            try:
                async with self._log.turn:
                    drafts += self._drafts(entry, self._handle(entry))
            except UnusableEntry as problem:
                if done is not None:
                    await self._cursor.move(
                        done,
                        drafts,
                        self._state,
                        at_once=self._careful_until is not None,
                        is_whole=problem.kind != "failed",
                    )
                drafts, done = [], None
                await self._park(entry, problem)
                continue
            done = entry
        if done is not None:
            await self._cursor.move(
                done, drafts, self._state, at_once=self._careful_until is not None
            )
        await self._standing.measure_lag(last, full=is_full)

    def _handle(self, entry: Entry) -> Sequence[Output]:
        """Hand an entry to the role.

        Raises:
            UnusableEntry: it cannot be decoded, or the role failed on it.
        """
        self._state, outputs = handled(self._role, self._state, entry)
        return outputs

    def _drafts(self, entry: Entry, outputs: Sequence[Output]) -> list[Draft]:
        drafts, problem = drafted(entry, outputs, is_in_process=self._log.is_in_process)
        self._standing.last_error = problem or self._standing.last_error
        return drafts

    async def _consult(self, stream: str, entry: Entry) -> None:
        look = self._log.entry if self._role.consults_answered else self._log.newest
        other = await look(stream, self._partition, entry.id)
        if other is None or other.id == self._consulted:
            return
        self._consulted = other.id
        try:
            self._handle(other)
        except UnusableEntry as problem:  # it is not of the input: whoever reads it there parks it
            self._standing.last_error = f"{other.key} was passed over: {problem}"
            logger.warning("consulted entry passed over", extra={"entry": other.key})

    # --- what cannot be used ---------------------------------------------------------------------------------------

    async def _be_careful(self) -> None:
        """Go on one entry at a time, counting the tries, as far as the log reaches now: one of them kills."""
        newest = await self._log.newest(self._role.reads, self._partition)
        if newest is not None:
            self._careful_until = stamp(newest.id)

    async def _was_tried(self, entry: Entry) -> bool:
        """Count a try at an entry that may kill; park it when it has had enough of them."""
        if self._careful_until is not None and stamp(entry.id) > self._careful_until:
            self._careful_until = None
            return False
        tries = await self._log.attempt(self._cursor.lease, entry.id)
        if tries < MAX_TRIES:
            return False
        await self._park(
            entry, UnusableEntry("kills", "whoever worked it died, twice in a row"), tries
        )
        return True

    async def _park(self, entry: Entry, problem: UnusableEntry, tries: int = 1) -> None:
        """Set an entry aside and go on after it.

        Raises:
            StateDropped: the role failed on it midway, so what it made of the state until then must go.
        """
        await self._cursor.park(entry, str(problem), tries)
        metrics.PARKED.labels(problem.kind).inc()
        self._standing.parked += 1
        self._standing.last_error = f"{entry.key} was parked: {problem}"
        logger.error(
            "entry parked",
            extra={"entry": entry.key, "why": str(problem)},
            exc_info=problem.__cause__ if problem.kind == "failed" else None,
        )
        if problem.kind == "failed":
            raise StateDropped(f"the state that {entry.key} left half changed is made anew")

    # --- how it stands ---------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> str:
        """Id of the last entry whose effects are in the log, as far as this replica knows."""
        return self._cursor.lease.cursor

    def held(self) -> Held:
        """Return what is known of it, for ``/status``."""
        return self._standing.held(self._cursor.lease, self._cursor.position[0])

    def problem(self) -> str | None:
        """Return why it is not worked as it should be, if so."""
        return self._standing.problem()


class StateDropped(LostOwnership):
    """The state cannot be trusted and is made anew; the partition is still owned here."""
