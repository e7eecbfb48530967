"""Everything on this machine: ``oi up``. Chooses what to play, starts it under the supervisor, stops it without a trace."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from oimon import embedded
from oimon.bus.redis import RedisBus
from oimon.config import Settings, load, run_file, times_real_time
from oimon.errors import BusDown, ConfigError
from oimon.feed_words import notes
from oimon.http import bound_socket
from oimon.replicas import names_of
from oimon.service import find, names
from oimon.supervisor import Child, Supervisor
from oimon.system import System
from oimon.terms import Mode, Segment

REDIS_PORT = 6390
READY_WITHIN_S = 45.0
NOTES_WITHIN_S = 10.0
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
    """Hold the data folder's ``run.json``, so that a second terminal finds this run and a second run does not start."""
    path = run_file(settings)
    try:
        pid = int(json.loads(path.read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        pid = 0
    if pid and pid != os.getpid() and _is_alive(pid):
        raise ConfigError(
            f"OI Monitor already runs in {settings.data_dir} (process {pid}). Look at it with `oi watch` or `oi status`, "
            "stop it with Ctrl-C in its terminal, or give this one another DATA_DIR"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"DATA_DIR: cannot write {path}: {error.strerror}. Name a folder that you may write to"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # os.kill would end it there
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _up(choice: Choice, settings: Settings, say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            _on_signal(loop, number, stop)
    supervisor = Supervisor(say)
    try:
        redis_url = await _redis(supervisor, settings, say)
        environment = _environment(choice, settings, redis_url)
        run_file(settings).write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "redis_url": redis_url,
                    "dashboard": environment["dashboard"]["URL"],
                }
            ),
            encoding="utf-8",
        )
        for name, count in choice.replicas.items():
            for child in names_of(name, count):
                await supervisor.start(_service(name, child, settings, environment[child]))
        say(f"Status: {environment['dashboard']['URL']}/status   Stop: Ctrl-C")
        waiting = asyncio.create_task(_wait_ready(redis_url, choice.replicas, say))
        until = None if choice.for_s is None else loop.time() + choice.for_s
        await _tell_notes(redis_url, say)
        if choice.table:
            await supervisor.start(_table(redis_url))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                stop.wait(), None if until is None else max(0.0, until - loop.time())
            )
        waiting.cancel()
    except RuntimeError as error:
        raise ConfigError(str(error)) from error
    finally:
        await supervisor.stop()
    say("Stopped; nothing of it is left running")


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
    with bound_socket("127.0.0.1", REDIS_PORT) as listener:
        port = listener.getsockname()[1]
    folder = settings.data_dir / "valkey"
    argv = ["-P", "-m", "oimon.embedded", str(folder), str(port)]
    log = settings.data_dir / "logs" / "embedded.out"
    child = Child(name="valkey", argv=argv, stage=3, grace_s=2.0, output=log, announces=True)
    announced = json.loads(await supervisor.start(child))
    if announced["kind"] != "valkey":
        say(f"Note: {embedded.FALLBACK}")
    return str(announced["url"])


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
            "URL": f"http://127.0.0.1:{port}",
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
        argv=["-P", "-m", "oimon.cli", "watch"],
        stage=0,
        grace_s=1.5,
        environment={"REDIS_URL": redis_url},
    )


async def _tell_notes(redis_url: str, say: Callable[[str], None]) -> None:
    """Say what ingest plays otherwise than it was asked, before the table covers the screen."""
    bus = RedisBus(redis_url, "oi-up")
    until = time.monotonic() + NOTES_WITHIN_S
    try:
        while time.monotonic() < until:
            with contextlib.suppress(BusDown):
                for status in await bus.statuses():
                    if status["service"] == "ingest" and _knows_what_it_plays(status):
                        for note in notes(status):
                            say(note)
                        return
            await asyncio.sleep(0.2)
    finally:
        await bus.close()


def _knows_what_it_plays(status: Mapping[str, Any]) -> bool:
    """Say whether a status holds all notes: those of a live feed come with its instruments."""
    feed = status.get("feed")
    return isinstance(feed, Mapping) and (feed.get("mode") != Mode.LIVE or "notes" in feed)


async def _wait_ready(
    redis_url: str, wanted: Mapping[str, int], say: Callable[[str], None]
) -> None:
    """Say when all services are ready, or after a while which are not and why."""
    bus = RedisBus(redis_url, "oi-up")
    until = time.monotonic() + READY_WITHIN_S
    missing: Sequence[str] = list(wanted)
    try:
        while time.monotonic() < until:
            with contextlib.suppress(BusDown):
                missing = System(services=await bus.statuses()).waits_for(wanted)
                if not missing:
                    return
            await asyncio.sleep(0.3)
        say(
            "Not ready yet: "
            + "; ".join(missing)
            + ". `oi doctor` and the logs in the data folder say more"
        )
    finally:
        await bus.close()
