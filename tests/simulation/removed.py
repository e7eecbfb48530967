"""The bus's protections, each of which can be taken away, to see that the simulation notices."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from unittest import mock

from oimon.bus.cursor import Cursor
from oimon.bus.log import Draft
from oimon.bus.memory.log import MemoryLog
from oimon.bus.memory.store import MemoryStore
from oimon.bus.seat import Seat
from oimon.bus.sending import _Parcel


async def _restores_nothing(self, first) -> None:
    pass


def _checks_nothing(self, *args) -> None:
    pass


_append = MemoryStore.append


def _gives_any_id(self, name, partition, own, draft, message=None):
    return _append(self, name, partition, own, replace(draft, id=""), message)


async def _enqueues_again(self, partition, stream, name, kind, data):
    self._store.append(stream, partition, self._store.own(stream, partition), Draft("", kind, data))
    return True


async def _notes_nothing(self):
    pass


def _tells_after(self, last, drafts, state, *, is_whole=True):
    """Move the cursor first, and only then put in the outbox what is said."""
    role = self._role
    if role.to is None:
        return _moves(self, last, drafts, state, is_whole=is_whole)

    async def work():
        await _moves(self, last, (), state, is_whole=is_whole)
        for draft in drafts:
            await self._log.enqueue(role.to, role.writes, draft.id, draft.kind, draft.data)

    return work()


_moves = Cursor._commit


PROTECTIONS = {
    "restore": (Seat, "_restore", _restores_nothing),
    "cursor check": (MemoryLog, "_check_cursor", _checks_nothing),
    "input check": (MemoryLog, "_check_input", _checks_nothing),
    "fence": (MemoryLog, "_check_fence", _checks_nothing),
    "explicit ids": (MemoryStore, "append", _gives_any_id),
    "names": (MemoryLog, "enqueue", _enqueues_again),
    "note before the call": (_Parcel, "begin", _notes_nothing),
    "outbox before cursor": (Cursor, "_commit", _tells_after),
}


@contextlib.contextmanager
def without(names: Sequence[str]) -> Iterator[None]:
    """Take protections away for a while."""
    with contextlib.ExitStack() as stack:
        for name in names:
            owner, attribute, instead = PROTECTIONS[name]
            stack.enter_context(mock.patch.object(owner, attribute, instead))
        yield
