"""Everything on this machine: ``oi up``. Chooses what to play, starts it under the supervisor, stops it without a trace."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from oimon import embedded
from oimon.config import Settings, load, run_file, times_real_time
from oimon.errors import ConfigError
from oimon.http import bound_socket
from oimon.lock import is_ours
from oimon.replicas import names_of
from oimon.service import find, names
from oimon.starting import tell_notes, wait_ready
from oimon.supervisor import Child, Supervisor
from oimon.terms import Segment

REDIS_PORT = 6390
DASHBOARD = "dashboard"
LEAST_TICKS_S = 300  # of ticks, at whatever speed: a reader may lag
_STOP = {"ingest": (0, 1.5), "notifier": (2, 4.0)}
"""Stage and seconds of stopping, of who differs: ingest first, so that what it published is answered; notifier last, since it
takes what the others leave in the log. All of it, with Valkey, within ten seconds."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user wants to see."""

    segment: Segment
    commodity: str | None
    feed: str  # replay, sim, live
    recording: Path | None = None
    speed: str | None = None
    simulator: Mapping[str, str] = field(default_factory=dict)
    """Settings of the simulated feed, by their names."""
    for_s: float | None = None
    table: bool = True
    replicas: Mapping[str, int]
    """How many processes of each service."""


def up(choice: Choice, say: Callable[[str], None]) -> None:
    """Run everything until Ctrl-C, SIGTERM or the end of ``choice.for_s``.

    Args:
        choice: what to play and how.
        say: told, a sentence at a time, what goes on.

    Raises:
        ConfigError: settings are wrong, another ``oi up`` runs in the same folder, or Valkey does not start.
    """
    _check_all_settings(choice.simulator)
    settings = load(Settings)
    with _alone(settings):
        asyncio.run(_up(choice, settings, say))


def _check_all_settings(flags: Mapping[str, str]) -> None:
    """Tell every mistake of every service, and of the flags, before anything is started."""
    problems: dict[str, None] = {}
    overrides = {name.lower(): value for name, value in flags.items()}
    for name in names():
        try:
            load(find(name).settings, overrides)
        except ConfigError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
    if problems:
        raise ConfigError("\n".join(problems))


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the data folder, so that a second run does not start in it, and its ``run.json``, so that a second terminal finds this run."""
    path = run_file(settings)
    with contextlib.ExitStack() as held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = held.enter_context((path.parent / "run.lock").open("ab"))
            is_first = is_ours(lock)
            if is_first:
                _note_run(settings)
        except OSError as error:
            raise ConfigError(
                f"DATA_DIR: cannot write {error.filename or path}: {error.strerror}. Name a folder that you may write to"
            ) from error
        if not is_first:
            raise ConfigError(
                f"OI Monitor already runs in {settings.data_dir}. Look at it with `oi watch` or `oi status`, "
                "stop it with Ctrl-C in its terminal, or give this one another DATA_DIR"
            )
        held.callback(path.unlink, missing_ok=True)
        yield


def _note_run(settings: Settings, **addresses: str) -> None:
    run_file(settings).write_text(json.dumps({"pid": os.getpid(), **addresses}), encoding="utf-8")


async def _up(choice: Choice, settings: Settings, say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            _on_signal(loop, number, stop)
    supervisor = Supervisor(say)
    running = asyncio.ensure_future(_run(supervisor, choice, settings, say))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    except RuntimeError as error:
        raise ConfigError(str(error)) from error
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
        await supervisor.stop()
    say("Stopped; nothing of it is left running")


async def _run(
    supervisor: Supervisor, choice: Choice, settings: Settings, say: Callable[[str], None]
) -> None:
    """Start everything, and return when ``choice.for_s`` is over; wherever it is cancelled, the supervisor knows what runs."""
    redis_url = await _redis(supervisor, settings, say)
    _note_run(settings, redis_url=redis_url)
    dashboard = await _services(supervisor, choice, settings, redis_url)
    _note_run(settings, redis_url=redis_url, dashboard=dashboard)
    say(f"Status: {dashboard}/status   Stop: Ctrl-C")
    waiting = asyncio.ensure_future(wait_ready(redis_url, choice.replicas, say))
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(choice.for_s):
                await tell_notes(redis_url, say)
                if choice.table:
                    await supervisor.start(_table(redis_url))
                await asyncio.Event().wait()
    finally:
        waiting.cancel()


def _on_signal(loop: asyncio.AbstractEventLoop, number: int, stop: asyncio.Event) -> None:
    try:
        loop.add_signal_handler(number, stop.set)
    except (NotImplementedError, RuntimeError):  # Windows has no loop handlers
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


async def _redis(supervisor: Supervisor, settings: Settings, say: Callable[[str], None]) -> str:
    """Return the address of the user's own server, or of one started here."""
    if "redis_url" in settings.model_fields_set:
        say("Using the Redis that REDIS_URL names")
        return settings.redis_url.get_secret_value()
    port, announced = _free_port(REDIS_PORT), None
    while announced is None:
        try:
            announced = json.loads(await supervisor.start(_embedded(settings, port)))
        except RuntimeError:
            wanted, port = port, _free_port(port)
            if port == wanted:  # not because another program took it meanwhile
                raise
    if announced["kind"] != "valkey":
        say(f"Note: {embedded.FALLBACK}")
    return str(announced["url"])


def _embedded(settings: Settings, port: int) -> Child:
    argv = ["-P", "-m", "oimon.embedded", str(settings.data_dir / "valkey"), str(port)]
    log = settings.data_dir / "logs" / "embedded.out"
    return Child(name="valkey", argv=argv, stage=3, grace_s=2.0, output=log, announces=True)


def _free_port(port: int) -> int:
    with bound_socket("127.0.0.1", port) as listener:
        return int(listener.getsockname()[1])


async def _services(
    supervisor: Supervisor, choice: Choice, settings: Settings, redis_url: str
) -> str:
    """Start every service; return the address of the dashboard.

    Ports are looked for here and bound there: who finds that another program was faster takes the next free one, so the one
    address that people are told is asked of who has it, and asked for again whenever that one is started again.
    """
    environment = _environment(choice, settings, redis_url)
    children = [
        _service(name, child, settings, environment[child])
        for name, count in choice.replicas.items()
        for child in names_of(name, count)
    ]
    [shown] = [replace(child, announces=True) for child in children if child.name == DASHBOARD]
    for child in children:
        if child.name != DASHBOARD:
            await supervisor.start(child)
    port = (await supervisor.start(shown)).rpartition(":")[2]
    shown.environment = {**shown.environment, "HTTP_PORT": port}
    return f"http://127.0.0.1:{port}"


def _environment(
    choice: Choice, settings: Settings, redis_url: str
) -> Mapping[str, Mapping[str, str]]:
    """Return the variables of each process; ports are free ones, from the service's default on."""
    common = {
        "REDIS_URL": redis_url,
        "DATA_DIR": str(settings.data_dir),
        "FEED": choice.feed,
        "FEED_SEGMENT": choice.segment.value,
        "RUN": secrets.token_hex(3),  # a run of its own, that a restarted ingest goes on with
    }
    if choice.commodity:
        common["MCX_NAME"] = choice.commodity
    if choice.recording:
        common["RECORDING"] = str(choice.recording)
    if choice.speed:
        common["SPEED"] = choice.speed
        if choice.feed == "sim" and "ticks_keep_s" not in settings.model_fields_set:
            common["TICKS_KEEP_S"] = str(ticks_kept_s(choice.speed, settings.ticks_keep_s))
    common |= choice.simulator
    found: dict[str, Mapping[str, str]] = {}
    taken = []
    children = [
        (name, child) for name, count in choice.replicas.items() for child in names_of(name, count)
    ]
    for name, child in children:
        wanted = load(find(name).settings)
        listener = bound_socket("127.0.0.1", wanted.http_port)
        taken.append(listener)
        port = listener.getsockname()[1]
        log = settings.data_dir / "logs" / f"{child}.log"
        found[child] = {
            **common,
            "HTTP_PORT": str(port),
            "LOG_FILE": str(log),
        }
    for listener in taken:
        listener.close()
    return found


def ticks_kept_s(speed: str, live_s: int) -> int:
    """Return how many seconds of the server's time ticks of a day at that speed are kept.

    As much of the day as is kept live, so that five indices at ten times real time stay within the server's memory; but five
    minutes, so that a reader may lag.
    """
    times = times_real_time(speed)
    return live_s if times is None else min(live_s, max(LEAST_TICKS_S, ceil(live_s / times)))


def _service(name: str, child: str, settings: Settings, environment: Mapping[str, str]) -> Child:
    stage, grace_s = _STOP.get(name, (1, 2.0))
    return Child(
        name=child,
        argv=["-P", "-m", "oimon.cli", "run", name, "--attached"],
        stage=stage,
        grace_s=grace_s,
        environment=environment,
        output=settings.data_dir / "logs" / f"{child}.out",
    )


def _table(redis_url: str) -> Child:
    return Child(
        name="table",
        argv=["-P", "-m", "oimon.cli", "watch", "--attached"],
        stage=0,
        grace_s=1.5,
        environment={"REDIS_URL": redis_url},
    )
