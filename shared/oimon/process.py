"""Services as one process: settings, loop, bus, web, signals, stop."""

import asyncio
import contextlib
import gc
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, TypeVar

from oimon import http, log, metrics
from oimon.bus.log import Retention
from oimon.bus.redis import RedisBus
from oimon.clock import SystemClock
from oimon.config import Settings, bus_address, load
from oimon.errors import BusDown, ConfigError
from oimon.service import Running, Service, find
from oimon.signals import stop_on_signals, stop_with_stdin
from oimon.watchdog import Watchdog

C = TypeVar("C", bound=Settings)
logger = logging.getLogger(__name__)

STOP_WITHIN_S = 6.0
LAST_STATUS_S = 0.5


def run_services(wanted: Sequence[str], *, attached: bool = False) -> None:
    """Run the named services in this process until SIGINT or SIGTERM.

    Args:
        wanted: their names.
        attached: to the process that started this one, which is told each service's address on standard output; stop as well
            when standard input ends, as it does when that process dies.

    Raises:
        ConfigError: no such service, or wrong settings; all of them are named.
    """
    chosen, problems = [], dict[str, None]()  # what services share is told once
    for name in wanted:
        try:
            service = find(name)
            chosen.append((service, load(service.settings)))
        except ConfigError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
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
                tasks.create_task(
                    _run(service, settings, stop, watchdog, attached=attached), name=service.name
                )
    finally:
        watchdog.stop()


async def _run(
    service: Service[C],
    settings: C,
    stop: asyncio.Event,
    watchdog: Watchdog,
    *,
    attached: bool,
) -> None:
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
        if attached:
            print(address, flush=True)  # noqa: T201 - read by the parent
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
            try:
                await running.bus.put_status(running.name, running.replica, running.status())
            except Exception as error:
                # the next may be told; a service that says nothing passes for dead
                if str(error) != running.last_error:
                    logger.exception("status not told")
                running.last_error = str(error)
            now_s = running.clock.monotonic_s()
            due = max(due, now_s)  # a log that answers late is not a loop that does
            await asyncio.sleep(due - now_s)
            metrics.LOOP_LAG.set(max(0.0, running.clock.monotonic_s() - due))

    reporting = asyncio.ensure_future(report())
    try:
        yield
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting
