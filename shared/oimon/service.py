"""A service's life: settings, bus, web, signals, stop."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points, version
from typing import Any, Generic, TypeVar

import uvicorn
from fastapi import APIRouter
from typing_extensions import override

from oimon import bus, http, log, metrics
from oimon.bus.redis import RedisBus
from oimon.clock import Clock, SystemClock
from oimon.config import Settings, load
from oimon.errors import ConfigError

C = TypeVar("C", bound=Settings)
logger = logging.getLogger(__name__)
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
        problems = self.problems()
        return {
            "service": self.name,
            "replica": self.replica,
            "pid": os.getpid(),
            "version": version("oimon"),
            "state": "stopping" if self.stop.is_set() else "ready" if not problems else "not ready",
            "problems": problems,
            "partitions": [vars(held) for held in self.bus.held()],
            "last_error": self.last_error,
            "notes": list(self.settings.notes),
            "at_us": self.clock.now_us(),
            **{name: fact() for name, fact in self.facts.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Service(Generic[C]):
    """A service as its ``main.py`` declares it: ``service = Service(name=…, settings=…, run=…)``."""

    name: str
    settings: type[C]
    run: Callable[[Running[C]], Awaitable[None]]
    """Works until ``running.stop`` is set, then finishes what it has in hand and returns."""
    routes: Callable[[Running[C]], APIRouter] | None = None


def services() -> Mapping[str, Service[Any]]:
    """Return the installed services by name."""
    return {
        point.name: point.load()
        for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)
    }


class _Web(uvicorn.Server):
    """A web server that leaves signals to us."""

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket on ``port``, or on the next free one.

    Raises:
        ConfigError: none of the next 100 ports is free, or the address is not of this machine.
    """
    error: OSError | None = None
    for candidate in range(port, port + 100) if port else (0,):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(64)
        except OSError as problem:
            listener.close()
            error = problem
        else:
            return listener
    raise ConfigError(
        f"HTTP_HOST {host}, HTTP_PORT {port}: cannot listen there or on the next 100 ports: {error}"
    )


async def run_services(names: list[str]) -> None:
    """Run the named services in this process until SIGINT or SIGTERM.

    Raises:
        ConfigError: no such service, or wrong settings; all of them are named.
    """
    known = services()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f"no service is called {', '.join(unknown)}; there are {', '.join(known)}"
        )
    chosen, problems = [], []
    for name in names:
        try:
            chosen.append((known[name], load(known[name].settings)))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    log.configure("+".join(names), level=chosen[0][1].log_level, file=chosen[0][1].log_file)
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with asyncio.TaskGroup() as tasks:
        for service, settings in chosen:
            tasks.create_task(_run(service, settings, stop), name=service.name)


async def _run(service: Service[C], settings: C, stop: asyncio.Event) -> None:
    replica = f"{service.name}-{socket.gethostname()[:24]}-{secrets.token_hex(3)}"
    shared_bus = RedisBus(settings.redis_url.get_secret_value(), me=replica)
    running = Running(
        name=service.name,
        replica=replica,
        settings=settings,
        bus=shared_bus,
        clock=SystemClock(),
        stop=stop,
    )
    for note in settings.notes:
        logger.warning("setting fell back to its default", extra={"note": note})
    async with _serving(service, running), _reporting(running):
        logger.info("service started", extra={"replica": replica})
        work = asyncio.ensure_future(service.run(running))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            await shared_bus.stop()
            await work
        finally:
            stopping.cancel()
            work.cancel()
            await shared_bus.close()
            logger.info("service stopped", extra={"replica": replica})


@contextlib.asynccontextmanager
async def _serving(service: Service[C], running: Running[C]) -> AsyncIterator[None]:
    listener = bound_socket(running.settings.http_host, running.settings.http_port)
    host, port = listener.getsockname()[:2]
    running.facts.setdefault("http", lambda: f"http://{host}:{port}")
    routes = service.routes(running) if service.routes else None
    web = _Web(
        uvicorn.Config(
            http.app(service.name, problems=running.problems, status=running.status, routes=routes),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.ensure_future(web.serve(sockets=[listener]))
    try:
        yield
    finally:
        web.should_exit = True
        await serving
        listener.close()


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


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():  # a second signal: at once
            os._exit(1)
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, on_signal)
        except NotImplementedError:  # Windows has no loop handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
