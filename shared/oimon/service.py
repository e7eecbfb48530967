"""A service's life: settings, bus, web, signals, stop."""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from fastapi import APIRouter

from oimon import bus, http, log, metrics
from oimon.bus import Held
from oimon.bus.log import Retention
from oimon.bus.redis import RedisBus
from oimon.clock import Clock, SystemClock
from oimon.config import Settings, bus_address, load
from oimon.errors import BusDown, ConfigError
from oimon.messages import Message
from oimon.signals import stop_on_signals, stop_with_stdin
from oimon.watchdog import Watchdog

C = TypeVar("C", bound=Settings)
logger = logging.getLogger(__name__)

VERSION = version("oimon")
"""Read once: asking for it opens a file, which a process that has run out of descriptors cannot."""
GROUP = "oimon.services"
STOP_WITHIN_S = 6.0
LAST_STATUS_S = 0.5


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


def run_services(wanted: Sequence[str], *, attached: bool = False) -> None:
    """Run the named services in this process until SIGINT or SIGTERM.

    Args:
        wanted: their names.
        attached: stop as well when standard input ends, as it does when the process that started this one dies.

    Raises:
        ConfigError: no such service, or wrong settings; all of them are named.
    """
    chosen, problems = [], []
    for name in wanted:
        try:
            service = find(name)
            chosen.append((service, load(service.settings)))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    log.configure("+".join(wanted), level=chosen[0][1].log_level, file=chosen[0][1].log_file)
    calm_garbage()
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_run_all(chosen, attached=attached))
    except ExceptionGroup as group:
        wrong, others = group.split(ConfigError)
        if wrong is None or others is not None:
            raise
        raise ConfigError("\n".join(dict.fromkeys(_words(wrong)))) from group


def _words(group: ExceptionGroup[Any]) -> Iterator[str]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _words(error)
        else:
            yield str(error)


def calm_garbage() -> None:
    """Let the collector of cycles pass over what the start has made, and come less often: a beat makes no cycles."""
    gc.collect()  # what a day played before has left behind would be frozen too, and kept for ever
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's loop where there is one: half the CPU of small messages."""
    try:
        import uvloop  # noqa: PLC0415 - not on Windows
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _run_all(chosen: Sequence[tuple[Service[Any], Any]], *, attached: bool) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    if attached:
        stop_with_stdin(stop)
    watchdog = Watchdog()
    watchdog.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            for service, settings in chosen:
                tasks.create_task(_run(service, settings, stop, watchdog), name=service.name)
    finally:
        watchdog.stop()


async def _run(service: Service[C], settings: C, stop: asyncio.Event, watchdog: Watchdog) -> None:
    replica = f"{service.name}-{socket.gethostname()[:24]}-{secrets.token_hex(3)}"
    shared_bus = RedisBus(
        bus_address(settings),
        replica,
        retention=Retention(ticks_s=settings.ticks_keep_s, analyses=settings.analysis_keep),
        beat_ms=settings.beat_ms,
    )
    running = Running(
        name=service.name,
        replica=replica,
        settings=settings,
        bus=shared_bus,
        clock=SystemClock(),
        stop=stop,
    )
    for note in settings.notes:
        logger.warning("a setting was taken otherwise than written", extra={"note": note})
    web = http.app(
        service.name,
        problems=running.problems,
        status=running.status,
        routes=service.routes(running) if service.routes else None,
        watchdog=watchdog,
    )
    async with (
        http.serving(web, settings.http_host, settings.http_port) as address,
        _reporting(running),
    ):
        running.facts.setdefault("http", lambda: address)
        logger.info("service started", extra={"replica": replica})
        work = asyncio.ensure_future(service.run(running))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            await _finish(running, work)
            await _report_last(running)
        finally:
            stopping.cancel()
            work.cancel()
            await shared_bus.close()
            logger.info("service stopped", extra={"replica": replica})


async def _finish(running: Running[C], work: asyncio.Future[None]) -> None:
    """Hand back at once and let what is in hand finish, within reason; without its log a service has nothing to finish."""
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await running.bus.stop()
            await asyncio.wait((work,))
    except TimeoutError:
        logger.warning("not finished in time, ended all the same", extra={"seconds": STOP_WITHIN_S})
        return
    try:
        await work
    except* BusDown:
        if not running.stop.is_set():
            raise


async def _report_last(running: Running[C]) -> None:
    """Leave a status that owns nothing any more: the one before would be read for ten more seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_STATUS_S):
            await running.bus.put_status(running.name, running.replica, running.status())


@contextlib.asynccontextmanager
async def _reporting(running: Running[C]) -> AsyncIterator[None]:
    """Put the status where ``oi status`` reads it, each second, and measure how late the loop wakes up."""

    async def report() -> None:
        while True:
            due = running.clock.monotonic_s() + 1
            await running.bus.put_status(running.name, running.replica, running.status())
            await asyncio.sleep(max(0.0, due - running.clock.monotonic_s()))
            metrics.LOOP_LAG.set(max(0.0, running.clock.monotonic_s() - due))

    reporting = asyncio.ensure_future(report())
    try:
        yield
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting
