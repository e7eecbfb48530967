"""What a service is: its declaration, what its ``run`` is handed, what else it offers, and how it is found."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from fastapi import APIRouter

from oimon import bus
from oimon.bus import Held
from oimon.clock import Clock
from oimon.config import Settings
from oimon.errors import ConfigError
from oimon.messages import Message

C = TypeVar("C", bound=Settings)

VERSION = version("oimon")
"""Read once: asking for it opens a file, which a process that has run out of descriptors cannot."""
GROUP = "oimon.services"


@dataclass(kw_only=True)
class Running(Generic[C]):
    """What a service's ``run`` is handed: everything from outside that it may use."""

    name: str
    replica: str
    settings: C
    bus: bus.Bus
    clock: Clock
    stop: asyncio.Event
    facts: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """More of ``/status``: name to a function that returns a JSON value."""
    blockers: dict[str, str] = field(default_factory=dict)
    """Why the service is not ready, beside what the bus says: name to a sentence; remove it when it is over."""
    last_error: str | None = None

    def problems(self) -> list[str]:
        """Return, in plain words, why the service is not ready."""
        return [*self.bus.problems(), *self.blockers.values()]

    def status(self) -> dict[str, Any]:
        """Return the service's ``/status``."""
        problems, held = self.problems(), self.bus.held()
        return {
            "service": self.name,
            "replica": self.replica,
            "pid": os.getpid(),
            "version": VERSION,
            "state": "stopping" if self.stop.is_set() else "ready" if not problems else "not ready",
            "problems": problems,
            "partitions": [self._shown(each) for each in held],
            "parked": sum(each.parked for each in held),
            "last_error": self.last_error,
            "notes": list(self.settings.notes),
            "at_us": self.clock.now_us(),
            **{name: fact() for name, fact in self.facts.items()},
        }

    def _shown(self, held: Held) -> dict[str, Any]:
        """Return what is known of a partition; ``age_s``: since the last entry it has worked was written, if it worked any."""
        written_ms = int(held.cursor.partition("-")[0])
        age_s = max(0.0, self.clock.now_us() / 1e6 - written_ms / 1e3) if written_ms else None
        return {**vars(held), "age_s": age_s}


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a recorded feed publishes next: at ``due_us`` of its own clock, messages and the beat that has come."""

    due_us: int
    messages: Sequence[Message]
    pulse: bus.Pulse


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A recording that is ready to be played."""

    underlying: str
    first_us: int
    last_us: int
    steps: Callable[[int | None], Iterator[Step]]
    """Gives the steps in order; the argument bounds how many frames are handed over at a time (``None``: as they fall)."""
    warnings: Sequence[str] = ()
    """What a user should know of it, in plain words."""


class Archive(Protocol):
    """A database that holds a row of each entry, as ``oi audit`` looks at it. It is only read."""

    def row_name(self, entry: bus.Entry) -> str | None:
        """Return what the entry's row is known by; ``None`` for an entry that has none."""
        ...

    async def row_names(self, stream: str, partition: str, oldest: str) -> Mapping[str, str]:
        """Return what each row of a stream's entries is known by, with the id of the entry that it was made from.

        Args:
            stream: the stream.
            partition: the partition.
            oldest: id of the oldest entry that matters; rows of older ones may be left out.

        Raises:
            TransientError: the database is away.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, kw_only=True)
class Service(Generic[C]):
    """A service as its ``main.py`` declares it: ``service = Service(name=…, settings=…, run=…)``."""

    name: str
    settings: type[C]
    run: Callable[[Running[C]], Awaitable[None]]
    """Works until ``running.stop`` is set, then finishes what it has in hand and returns."""
    routes: Callable[[Running[C]], APIRouter] | None = None
    """More addresses than the four of every service; they win over them."""
    offline_role: Callable[[], bus.Role[Any]] | None = None
    """The same handlers for the in-memory bus, without a model: what ``oi replay`` runs."""
    tellers: Callable[[], Sequence[bus.Role[Any]]] | None = None
    """The roles of this service that put texts in the outbox: what ``oi dead`` knows them by."""
    replay: Callable[[Path], Recorded] | None = None
    """Opens a recording for ``oi replay``."""
    archive: Callable[[C], Archive] | None = None
    """Opens the database in which this service keeps rows of entries, to be read."""


def names() -> Sequence[str]:
    """Return the names of the installed services, without loading them."""
    return sorted(_points())


def find(name: str) -> Service[Any]:
    """Return an installed service.

    Raises:
        ConfigError: there is none of that name.
    """
    point = _points().get(name)
    if point is None:
        raise ConfigError(f"no service is called {name!r}; installed are {', '.join(names())}")
    service: Service[Any] = point.load()
    return service


@cache
def _points() -> Mapping[str, EntryPoint]:
    """Return where each service is found; looked up once, since all installed packages are gone through for it."""
    return {point.name: point for point in entry_points(group=GROUP)}
