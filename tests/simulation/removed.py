"""The bus's protections, each of which can be taken away, to see that the simulation notices."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from unittest import mock

from oimon.bus.memory.log import MemoryLog
from oimon.bus.memory.store import MemoryStore
from oimon.bus.seat import Seat


async def _restores_nothing(self, first) -> None:
    pass


def _checks_nothing(self, *args) -> None:
    pass


_append = MemoryStore.append


def _gives_any_id(self, name, partition, own, draft, message=None):
    return _append(self, name, partition, own, replace(draft, id=""), message)


PROTECTIONS = {
    "restore": (Seat, "_restore", _restores_nothing),
    "cursor check": (MemoryLog, "_check_cursor", _checks_nothing),
    "input check": (MemoryLog, "_check_input", _checks_nothing),
    "fence": (MemoryLog, "_check_fence", _checks_nothing),
    "explicit ids": (MemoryStore, "append", _gives_any_id),
}


@contextlib.contextmanager
def without(names: Sequence[str]) -> Iterator[None]:
    """Take protections away for a while."""
    with contextlib.ExitStack() as stack:
        for name in names:
            owner, attribute, instead = PROTECTIONS[name]
            stack.enter_context(mock.patch.object(owner, attribute, instead))
        yield
