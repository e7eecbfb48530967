"""Sending what waits in the outbox: one replica does, and each text is sent once, as far as the other side lets one know.

What becomes of a text is noted in the log before the call and after it, so that a successor knows which of them may be out. To each
recipient in order; a recipient that has to wait holds up nobody else. The cursor follows what is noted and written down.
Source: bus contract, sections 4 and 12.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from oimon import metrics
from oimon.bus import Courier, Entry, Held, Outcome
from oimon.bus.cursor import RolledBack
from oimon.bus.log import SENDER, SENDER_TTL_MS, Grant, Lease, Log
from oimon.bus.owner import count_loss
from oimon.bus.patience import BATCH, BLOCK_MS, Patience
from oimon.errors import BusDown, LostOwnership, PoisonMessage, TransientError
from oimon.messages import OUTBOX, Text

logger = logging.getLogger(__name__)

POLL_S = 0.25
"""How often a lease that another holds is asked for."""
RENEW_S = 1.0
WINDOW = 1000
"""Texts that are read and not yet done with, at most."""
LAST_CALL_S = 3.0
"""At the stop, a call in hand gets this long, less than a notifier has to stop in; what becomes of it is unknown then."""
LAST_ROWS_S = 0.5
"""… and then the database, to take their rows."""
CALL_S = 10.0
"""The longest that a call may take; the lease outlives it."""
SENDING, NOT_SENT = "sending", "not_sent"
FAILED = "failed"


class Sending:
    """Sends whenever this replica is the one that does."""

    def __init__(self, log: Log, patience: Patience) -> None:
        self._log = log
        self._patience = patience
        self._shift: _Shift | None = None

    async def send(self, courier: Courier) -> None:
        """Have the outbox's texts delivered, whenever no other replica does; until stopped."""
        attempt = 0
        while not self._patience.is_over:
            try:
                grant = await self._log.acquire(SENDER, SENDER, OUTBOX)
                self._patience.answered()
                attempt = 0
                if grant is None:
                    await self._patience.sleep(POLL_S)
                    continue
                if grant.is_rolled_back:
                    count_loss(RolledBack())
                self._shift = _Shift(self._log, self._patience, grant, courier)
                await self._shift.work()
            except* BusDown as away:
                await self._patience.wait_out(BusDown(str(away.exceptions[0])), attempt)
                attempt += 1
            except* LostOwnership as lost:
                count_loss(lost.exceptions[0])
                logger.warning("outbox lost", extra={"error": str(lost.exceptions[0])})
            finally:
                self._shift = None

    def held(self) -> list[Held]:
        """Return what this replica owns of it."""
        return [] if self._shift is None else [self._shift.held()]


@dataclass(eq=False)
class _Parcel:
    """One text, from being read to being done with."""

    shift: "_Shift"
    entry: Entry
    text: Text
    may_be_out: bool = False
    outcome: Outcome | None = None
    is_recorded: bool = False

    @property
    def parks(self) -> str | None:
        """Why it is set aside, if it is: the other side refused it for good."""
        outcome = self.outcome
        return outcome.why if outcome is not None and outcome.name == FAILED else None

    @property
    def is_outdated(self) -> bool:
        """Whether a newer text of its family waits for the same recipient."""
        waiting = self.shift.lanes[self.text.recipient].waiting
        return any(other.text.family == self.text.family for other in waiting)

    async def begin(self) -> None:
        """Note that it is being sent now."""
        clock = asyncio.get_running_loop().time
        while True:  # whoever was held up since has to ask again whether it is still his
            asked_s = clock()
            await self.shift.mark(self.entry, SENDING)
            if clock() - asked_s + CALL_S < SENDER_TTL_MS / 1000:
                return

    async def not_sent(self) -> None:
        """Note that the call did not send it."""
        await self.shift.mark(self.entry, NOT_SENT)


@dataclass
class _Unusable:
    """An entry of the outbox that is no text."""

    entry: Entry
    parks: str
    is_recorded = True


@dataclass
class _Lane:
    """Texts to one recipient, the oldest first; the one in hand is not among them."""

    waiting: deque[_Parcel] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class _Shift:
    """The outbox as this replica sends it, from acquiring to giving back."""

    def __init__(self, log: Log, patience: Patience, grant: Grant, courier: Courier) -> None:
        self._log = log
        self._patience = patience
        self._lease: Lease = grant.lease
        self._read_to = grant.lease.cursor
        self._courier = courier
        self._known: Mapping[str, str] = {}
        self._window: deque[_Parcel | _Unusable] = deque()
        self._unwritten: deque[_Parcel] = deque()
        self._has_unwritten = asyncio.Event()
        self._moving = asyncio.Lock()
        self._parked = 0
        self._last_error: str | None = None
        self.lanes: dict[str, _Lane] = {}

    async def work(self) -> None:
        """Send until told to stop, then give the outbox back.

        Raises:
            ExceptionGroup: of ``LostOwnership`` or ``BusDown``; what is in hand is left as it is noted.
        """
        self._known = await self._log.marks(SENDER)
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep(), name="outbox lease")
            writing = tasks.create_task(self._write(), name="outbox rows")
            while not self._patience.is_over:
                await self._read(tasks)
            await self._finish()
            writing.cancel()
            with contextlib.suppress(
                TimeoutError
            ):  # a row that is left is its successor's to write
                async with asyncio.timeout(LAST_ROWS_S):
                    await self._is_all_written()
            async with (
                self._moving
            ):  # a write that is cut off may be in the log, and then nothing could follow it
                keeping.cancel()
        await self._move_on()
        with contextlib.suppress(BusDown):  # it runs out by itself
            await self._log.release(self._lease)

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        """Take in what is new, unless enough is in hand."""
        if len(self._window) >= WINDOW:
            await self._patience.sleep(POLL_S)
            return
        for entry in await self._log.read(OUTBOX, SENDER, self._read_to, BATCH, BLOCK_MS):
            self._read_to = entry.id
            self._take(entry, tasks)

    def _take(self, entry: Entry, tasks: asyncio.TaskGroup) -> None:
        """Put a text in its recipient's lane."""
        try:
            text = entry.message
        except PoisonMessage as error:
            self._window.append(_Unusable(entry, str(error)))
            return
        if not isinstance(text, Text):
            self._window.append(_Unusable(entry, f"the outbox holds texts, found {entry.kind!r}"))
            return
        noted, _, why = self._known.get(entry.id, "").partition(" ")
        parcel = _Parcel(self, entry, text, may_be_out=noted == SENDING)
        if noted not in ("", SENDING, NOT_SENT):
            parcel.outcome = Outcome(name=noted, why=why or None)
        self._window.append(parcel)
        lane = self.lanes.setdefault(text.recipient, _Lane())
        lane.waiting.append(parcel)
        if lane.task is None or lane.task.done():
            lane.task = tasks.create_task(self._serve(lane), name=f"texts to {text.recipient}")

    async def _serve(self, lane: _Lane) -> None:
        """Deliver what waits for one recipient; what an owner before was done with is only written down."""
        while lane.waiting and not self._patience.is_over:
            parcel = lane.waiting.popleft()
            if parcel.outcome is None:
                outcome = await self._delivered(parcel)
                await self.mark(parcel.entry, f"{outcome.name} {outcome.why or ''}".rstrip())
                parcel.outcome = outcome
            self._unwritten.append(parcel)
            self._has_unwritten.set()

    async def _delivered(self, parcel: _Parcel) -> Outcome:
        try:
            return await self._courier.deliver(parcel)
        except (BusDown, LostOwnership):
            raise
        except Exception as error:  # a bug that one text brings out must not stop the others
            logger.exception("a text could not be sent", extra={"entry": parcel.entry.key})
            return Outcome(name=FAILED, why=f"{type(error).__name__}: {error}")

    async def _is_recorded(self, parcel: _Parcel, outcome: Outcome) -> bool:
        """Have it written down; return whether it was, which it is not while the database is away."""
        try:
            await self._courier.record(parcel.text, parcel.entry, outcome)
        except TransientError as error:
            self._last_error = str(error)
            return False
        except Exception as error:
            # it was sent or not all the same, and the others have their rows
            self._last_error = f"{parcel.entry.key} has no row: {type(error).__name__}: {error}"
            logger.exception("a text has no row", extra={"entry": parcel.entry.key})
        parcel.is_recorded = True
        return True

    async def _write(self) -> None:
        """Have written down what becomes of texts, in a task of its own: a database that hangs holds up neither calls nor the lease."""
        while True:
            await self._has_unwritten.wait()
            self._has_unwritten.clear()
            while not await self._is_all_written():  # noqa: ASYNC110 - a database does not say when it is back
                await asyncio.sleep(RENEW_S)

    async def _is_all_written(self) -> bool:
        """Write down what the database takes now; return whether that was all."""
        while self._unwritten:
            parcel = self._unwritten[0]
            if parcel.outcome is not None and not await self._is_recorded(parcel, parcel.outcome):
                return False
            self._unwritten.popleft()
        return True

    async def mark(self, entry: Entry, what: str) -> None:
        """Note what becomes of a text, if it is still this replica's to say."""
        await self._log.mark(self._lease, entry.id, what)

    # --- the lease and the cursor ----------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Keep the lease, and move the cursor after what is done."""
        while True:
            async with self._moving:
                grant = await self._log.acquire(SENDER, SENDER, OUTBOX)
                mine = self._lease
                if grant is None or grant.lease.epoch != mine.epoch:
                    raise LostOwnership("another had the outbox since")
                if grant.is_rolled_back:
                    raise RolledBack("the log was rolled back: the outbox ends before its cursor")
            await asyncio.sleep(RENEW_S)
            await self._move_on()

    async def _move_on(self) -> None:
        """Move the cursor past what is done with; what nobody can use, or the other side refuses for good, is parked."""
        async with self._moving:
            done: Entry | None = None
            while self._window and self._window[0].is_recorded:
                parcel = self._window.popleft()
                if (why := parcel.parks) is None:
                    done = parcel.entry
                    continue
                if done is not None:
                    await self._commit(done)
                    done = None
                self._lease = await self._log.park(self._lease, parcel.entry, why)
                metrics.PARKED.labels(
                    "undecodable" if isinstance(parcel, _Unusable) else FAILED
                ).inc()
                self._parked += 1
                self._last_error = f"{parcel.entry.key} was parked: {why}"
            if done is not None:
                await self._commit(done)

    async def _commit(self, done: Entry) -> None:
        self._lease, _ = await self._log.commit(self._lease, OUTBOX, OUTBOX, done, ())

    async def _finish(self) -> None:
        """Let calls in hand end, within reason."""
        tasks = [lane.task for lane in self.lanes.values() if lane.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=LAST_CALL_S)
            for task in late:
                task.cancel()

    def held(self) -> Held:
        """Return what is known of it, for ``/status``."""
        lease = self._lease
        return Held(
            role=lease.role,
            partition=lease.partition,
            cursor=lease.cursor,
            epoch=int(lease.epoch),
            lag=len(self._window),
            parked=self._parked,
            last_error=self._last_error,
        )
