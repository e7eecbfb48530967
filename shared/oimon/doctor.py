"""``oi doctor``: what would stop OI Monitor from running here; one line each, with the remedy. Secrets are never shown."""

import asyncio
import importlib.util
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from oimon import embedded
from oimon.broker_keys import BROKER_KEYS, has_broker_keys
from oimon.bus.redis import RedisBus
from oimon.config import Settings, bus_address, load
from oimon.environment import given
from oimon.errors import BusDown, ConfigError
from oimon.log import redact
from oimon.service import find, names
from oimon.up import REDIS_PORT

LIVE = "oimon.doctor"
"""Entry points of what services examine when asked for the live feed: functions that give findings as they are made."""
ROOM_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    what: str
    ok: bool
    words: str
    stops: bool = True
    """Whether it would stop OI Monitor, when not ok."""


def examine() -> Iterator[Finding]:
    """Give each finding as it is made."""
    yield _python()
    yield from _packages()
    yield from _settings()
    try:
        settings = load(Settings)
    except ConfigError:
        return  # told above
    yield _folder(settings.data_dir)
    yield from _ports()
    yield asyncio.run(_redis(settings))
    yield _database()
    yield from _keys()


def report(out: Console, *, live: bool = False) -> int:
    """Print the findings; return 1 if any of them would stop OI Monitor, else 0.

    Args:
        out: where to.
        live: examine the live feed too: it asks the broker, and logs in.
    """
    worst = 0

    def tell(finding: Finding) -> None:
        nonlocal worst
        mark = "ok  " if finding.ok else "STOP" if finding.stops else "note"
        out.print(
            f"{mark}  {finding.what}: {finding.words}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        worst = max(worst, int(not finding.ok and finding.stops))

    for finding in examine():
        tell(finding)
    if live:
        asyncio.run(_live(tell))
    return worst


async def _live(tell: Callable[[Finding], None]) -> None:
    for point in sorted(entry_points(group=LIVE), key=lambda point: point.name):
        findings: Callable[[], AsyncIterator[Finding]] = point.load()
        async for finding in findings():
            tell(finding)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), f"{version} (3.11 or newer is needed)")


def _packages() -> Iterator[Finding]:
    needed = ("numpy", "orjson", "msgspec", "redis", "fastapi", "sqlalchemy", "telegram", "rich")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    remedy = (
        f"missing {', '.join(missing)}: remove .venv and start ./oi again"
        if missing
        else "all there"
    )
    yield Finding("packages", not missing, remedy)
    try:
        which = embedded.kind()
    except ConfigError as error:
        yield Finding(
            "embedded Redis", ok=False, words=str(error), stops=given("REDIS_URL") is None
        )
    else:
        yield Finding(
            "embedded Redis",
            which == "valkey",
            which if which == "valkey" else embedded.FALLBACK,
            stops=False,
        )


def _settings() -> Iterator[Finding]:
    """Give each wrong setting once, with all whose it is."""
    found: dict[tuple[str, bool], list[str]] = {}
    for name in names():
        try:
            lines, stops = load(find(name).settings).notes, False
        except ConfigError as error:
            lines, stops = tuple(str(error).splitlines()), True
        for line in lines:
            found.setdefault((line, stops), []).append(name)
    for (line, stops), whose in found.items():
        owners = "every service" if len(whose) == len(names()) else ", ".join(whose)
        yield Finding(f"settings of {owners}", ok=False, words=line, stops=stops)


def _folder(path: Path) -> Finding:
    probe = path / ".doctor"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding(
            "DATA_DIR",
            ok=False,
            words=f"cannot write to {path}: {error.strerror}; name another folder",
        )
    free = shutil.disk_usage(path).free
    words = f"{path} can be written, {free / 1e9:.1f} GB free"
    if free < ROOM_BYTES:
        return Finding("DATA_DIR", ok=False, words=f"{words}; a day needs about 1 GB", stops=False)
    return Finding("DATA_DIR", ok=True, words=words)


def _ports() -> Iterator[Finding]:
    wanted = {name: load(find(name).settings).http_port for name in names() if _loads(name)}
    for name, port in {**wanted, "embedded Redis": REDIS_PORT}.items():
        with socket.socket() as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        words = "taken, the next free one will be used" if taken else "free"
        yield Finding(f"port {port} ({name})", not taken, words, stops=False)


def _loads(name: str) -> bool:
    try:
        load(find(name).settings)
    except ConfigError:
        return False
    return True


async def _redis(settings: Settings) -> Finding:
    url = bus_address(settings)
    mine = "redis_url" in settings.model_fields_set
    bus = RedisBus(url, "oi-doctor")
    try:
        await bus.partitions()
    except BusDown as error:
        words = (
            f"{redact(str(error))}; start it, or unset REDIS_URL to use the embedded one"
            if mine
            else "none runs; `oi up` starts one"
        )
        return Finding("Redis", not mine, words)
    finally:
        await bus.close()
    return Finding("Redis", ok=True, words=f"{redact(url)} answers")


def _database() -> Finding:
    url = given("DATABASE_URL") or _read("DATABASE_URL_FILE")
    if not url:
        return Finding("database", ok=True, words=f"SQLite {sqlite3.sqlite_version} in DATA_DIR")
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return Finding("database", ok=True, words="SQLite, by DATABASE_URL")
    host, port = parts.hostname or "127.0.0.1", parts.port or 5432
    try:
        socket.create_connection((host, port), 3).close()
    except OSError as error:
        return Finding(
            "database",
            ok=False,
            words=f"{redact(url)}: {error}; start it, or unset DATABASE_URL to use SQLite",
        )
    return Finding("database", ok=True, words=f"{host}:{port} takes connections")


def _read(variable: str) -> str:
    """Return what is in the file that a variable names; one that cannot be read is told as a wrong setting."""
    try:
        return Path(given(variable) or os.devnull).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _keys() -> Iterator[Finding]:
    is_live = (given("FEED") or "").strip().lower() == "live"
    without = "the live feed (FEED) needs them; docs/operations.md tells where to get them"
    words = f"not all set ({', '.join(BROKER_KEYS)}): {without if is_live else 'a recorded day is played'}"
    has_keys = has_broker_keys()
    yield Finding("broker keys", has_keys, "present" if has_keys else words, stops=is_live)
    yield from _optional()


def _optional() -> Iterator[Finding]:
    """Give what is off unless it is set."""
    model = _first_set("MODEL_BASE_URL", "MODEL_API_KEY", "OPENROUTER_API_KEY")
    by_rule = "OPENROUTER_API_KEY: not set: coaches decide by rule; set it, or MODEL_BASE_URL, to ask a model"
    yield _present(model, by_rule)
    token, chats = _first_set("TELEGRAM_BOT_TOKEN"), _first_set("TELEGRAM_CHAT_IDS")
    if token and not chats:
        nobody = "TELEGRAM_CHAT_IDS: not set: nobody is told anything; set the ids of the chats"
        yield _present(None, nobody)
    else:
        none = "TELEGRAM_BOT_TOKEN: not set: no Telegram messages; set it and TELEGRAM_CHAT_IDS to get them"
        yield _present(token, none)


def _present(variable: str | None, without: str) -> Finding:
    if variable is not None:
        return Finding(variable, ok=True, words="present")
    name, _, words = without.partition(": ")
    return Finding(name, ok=False, words=words, stops=False)


def _first_set(*variables: str) -> str | None:
    return next((name for name in variables if given(name) or given(f"{name}_FILE")), None)
