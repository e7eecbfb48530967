"""A role's work done again beside the log: what it would have answered, where the log keeps enough to know."""

from collections.abc import Collection, Sequence
from typing import Generic, TypeVar

from oimon.bus import Entry, Output, Role
from oimon.bus.log import NEVER, Log, stamp
from oimon.bus.snapshot import Snapshot, unpack
from oimon.errors import PoisonMessage
from oimon.messages import Session

S = TypeVar("S")


class Recomputation(Generic[S]):
    """Works a role's input again, in order, from the first place where the state is known.

    That is the beginning of the log, or of a run in it, or the place of the newest snapshot, whichever comes first.

    Args:
        log: where it looks up what was answered before a run.
        role: the duty, without a model and without a clock.
        partition: whose input it is.
        passed_over: ids of entries that the role has set aside.
        snapshot: the newest, if there is one that fits.
        answers_from: id of the first entry whose answer matters; before it only the state does.
    """

    def __init__(
        self,
        log: Log,
        role: Role[S],
        partition: str,
        *,
        passed_over: Collection[str],
        snapshot: Snapshot | None,
        answers_from: str = NEVER,
    ) -> None:
        self._log = log
        self._role = role
        self._partition = partition
        self._passed_over = passed_over
        self._snapshot = snapshot
        self._answers_from = stamp(answers_from)
        self._run: str | None = None  # of the session before
        self._known_to = stamp(NEVER)  # the state has the effects of everything up to here
        self.state: S = role.start(partition)
        self.is_known = False
        """Whether the state is that after the last entry taken; nobody can know it before the first place."""
        self.failed: list[str] = []
        """The entries on which the role failed, each with why."""

    async def take(self, entry: Entry) -> Sequence[Output] | None:
        """Return what the role answers to the next entry; ``None`` where the state that it met is not known."""
        begins = await self._begins(entry)
        if not self.is_known:
            self._know(entry, begins=begins)
        if not self.is_known or stamp(entry.id) <= self._known_to:
            return None
        return () if entry.id in self._passed_over else self._work(entry)

    def _work(self, entry: Entry) -> Sequence[Output] | None:
        outputs: Sequence[Output] = ()
        try:
            if self._role.replay is not None and stamp(entry.id) < self._answers_from:
                self.state = self._role.replay(self.state, entry)
            else:
                self.state, outputs = self._role.handle(self.state, entry)
        except PoisonMessage:  # set aside long ago, and off that list since
            return ()
        except Exception as error:  # noqa: BLE001 - whatever a handler fails with is a finding
            self.failed.append(f"{entry.id} (the handler fails: {type(error).__name__}: {error})")
            self.is_known = False
            return None
        return outputs

    async def _begins(self, entry: Entry) -> bool:
        """Say whether whatever was before an entry does not count, and there is proof of it."""
        if entry.kind != "session":
            return entry.n == 1
        try:
            session = entry.message
        except PoisonMessage:
            return entry.n == 1
        if not isinstance(session, Session):
            return entry.n == 1
        before, self._run = self._run, session.run
        if before is not None:
            return before != session.run
        begins = self._role.begins
        last = await self._log.newest(self._role.writes, self._partition, entry.id)
        is_other = last is not None and begins is not None and begins(entry, last)
        return is_other or entry.n == 1

    def _know(self, entry: Entry, *, begins: bool) -> None:
        """Set the state from which the entry is to be worked, if it is to be had."""
        snapshot, keeping = self._snapshot, self._role.keeping
        if begins:
            self.state, self.is_known = self._role.start(self._partition), True
        elif snapshot is None or keeping is None:
            return
        elif entry.id == snapshot.cursor or entry.n == snapshot.n + 1:
            self.state, self.is_known = keeping.thaw(self._partition, snapshot.state), True
            self._known_to = stamp(snapshot.cursor)


def kept_snapshot(
    role: Role[S], partition: str, data: bytes | None, *, at_most: str
) -> Snapshot | None:
    """Return a role's snapshot; ``None`` when there is none that an owner at that place would use.

    Args:
        role: whose it is.
        partition: of which partition.
        data: what the log keeps.
        at_most: cursor that it must not be beyond.
    """
    if role.keeping is None or data is None:
        return None
    try:
        snapshot = unpack(role.keeping.schema, data, at_most=at_most)
        role.keeping.thaw(partition, snapshot.state)
    except ValueError:
        return None
    return snapshot
