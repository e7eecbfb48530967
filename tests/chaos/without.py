"""Runs a service, or the feeder, with protections removed or mistakes planted, to see a row fail.

``python -m tests.chaos.without fence,cursor,ids run analytics`` · ``python -m tests.chaos.without pseq feed SETTINGS``
"""

import asyncio
import os
import pathlib
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.resources import files
from typing import Any

import numpy as np
import orjson
from prometheus_client import Gauge

from oimon.bus import Entry
from oimon.errors import BusDown, PoisonMessage
from oimon.terms import MarketState
from tests.chaos.planted import MISTAKES
from tests.chaos.processes import clean_environment, python

_SCRIPTS = pathlib.Path(str(files("oimon.bus") / "scripts"))

Change = tuple[str, str]
"""What stands in a script, and what stands there instead."""

_FENCE = (
    "if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end",
    "",
)
_SCRIPT_CHANGES: Mapping[str, Mapping[str, Sequence[Change]]] = {
    "fence": {script: [_FENCE] for script in ("attempt", "commit", "mark", "park", "publish")},
    "cursor": {
        "commit": [
            (
                "if (own[3] or '0-0') ~= ARGV[3] then return redis.error_reply('DIVERGED cursor is ' .. (own[3] or '0-0')) end",
                "",
            )
        ]
    },
    "input": {
        "commit": [
            ("if #redis.call('XRANGE', KEYS[2], ARGV[4], ARGV[4]) == 0 then", "if false then")
        ]
    },
    "ids": {"commit": [("'XADD', KEYS[3], ARGV[i]", "'XADD', KEYS[3], '*'")]},
    "pseq": {
        "publish": [
            (
                "if tonumber(ARGV[3]) <= tonumber(own[3] or '0') then return {0, tonumber(own[8] or '0')} end",
                "",
            )
        ]
    },
    "beat-once": {"publish": [("if due > last then", "if true then")]},
    "trim": {
        "commit": [("if math.floor(n / pace) > math.floor(before / pace) then", "if false then")],
        "publish": [
            ("if math.floor(n / 16) > math.floor(before / 16) then", "if false then"),
        ],
    },
    "void-deadline": {"acquire": [("if deadline > now + 4 * ttl then deadline = 0 end", "")]},
}
"""Protections that are lines of scripts: name, script, its changes."""


def script_text(name: str, removed: Sequence[str] = ()) -> str:
    """Return a script as a process without these protections runs it.

    Raises:
        ValueError: a line that is to be changed is not there, so this module has to be brought up to date.
    """
    text = (_SCRIPTS / f"{name}.lua").read_bytes().decode()
    for protection in removed:
        for old, new in _SCRIPT_CHANGES.get(protection, {}).get(name, ()):
            if old not in text:
                raise ValueError(
                    f"{name}.lua has no line {old!r}, so {protection} cannot be removed"
                )
            text = text.replace(old, new)
    return text


def _rewrite_scripts(removed: Sequence[str]) -> None:
    """Let whoever reads a script read it without these protections."""
    read_text = pathlib.Path.read_text

    def read(path: pathlib.Path, *args: object, **options: object) -> str:
        if path.parent == _SCRIPTS and path.suffix == ".lua":
            return script_text(path.stem, removed)
        return read_text(path, *args, **options)

    pathlib.Path.read_text = read


# --- protections that are code -----------------------------------------------------------------------------------------
# What is changed is imported by the one who changes it: a script is read, and a limit taken over, when its module is loaded.


def _put(place: str, name: str, instead: object) -> None:
    """Replace what a module, or a class of it (``module:class``), calls ``name``.

    Raises:
        AttributeError: there is no such thing any more.
    """
    module, _, cls = place.partition(":")
    owner: Any = import_module(module)
    if cls:
        owner = getattr(owner, cls)
    getattr(owner, name)
    setattr(owner, name, instead)


async def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def _lease(ttl_ms: int) -> None:
    _put("oimon.bus.log", "LEASE_TTL_MS", ttl_ms)


def _patience() -> None:
    async def give_up(_self: object, error: BusDown, _attempt: int = 0) -> None:
        raise error

    _put("oimon.bus.patience:Patience", "wait_out", give_up)


def _drop() -> None:
    """Keep the state when the log is away, and call again as if nothing had happened."""
    from oimon.bus.redis import RedisLog  # noqa: PLC0415 - see above

    def repeated(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def again(*args: object, **options: object) -> Any:
            while True:
                try:
                    return await call(*args, **options)
                except BusDown:
                    await asyncio.sleep(0.1)

        return again

    for name in ("acquire", "commit", "read"):
        _put("oimon.bus.redis:RedisLog", name, repeated(getattr(RedisLog, name)))


def _rollback() -> None:
    async def renew(cursor: Any) -> None:
        await cursor._log.acquire(cursor._role.name, cursor.lease.partition)

    _put("oimon.bus.cursor:Cursor", "renew", renew)
    _put("oimon.bus.cursor:Cursor", "check_numbers", lambda *_: None)
    _put("oimon.bus.owner:_Share", "_compare", lambda *_: None)


async def _no_parking(_seat: object, entry: Entry, *_: object) -> None:
    """Fail on what cannot be used."""
    raise RuntimeError(f"{entry.key} cannot be used, and nobody parks it")


async def _first_attempt(*_: object) -> int:
    """Say that every entry is tried for the first time."""
    return 1


def _refusal() -> None:
    """Believe what a snapshot says of itself."""
    from oimon.bus.snapshot import Snapshot  # noqa: PLC0415 - see above

    def believe(_schema: int, data: bytes, **_: object) -> Snapshot:
        line, _, state = data.partition(b"\n")
        head = orjson.loads(line)
        return Snapshot(cursor=head["cursor"], n=head["n"], state=state)

    _put("oimon.bus.restore", "unpack", believe)


def _unknown_fields() -> None:
    """Refuse what says more than this version knows."""
    from oimon import codec  # noqa: PLC0415 - see above

    decode = codec.decode

    def strict(kind: str, version: int, data: bytes) -> Any:
        if version > 1:
            raise PoisonMessage(f"schema must be 1, was {version}")
        return decode(kind, version, data)

    _put("oimon.codec", "decode", strict)


def _unwritable() -> None:
    """Take a server that cannot write now for one that answers nonsense."""
    _put("oimon.bus.redis.client", "_UNWRITABLE", ())
    _put("oimon.bus.redis.client", "_UNWRITABLE_CODES", ())


# --- what protects from a broker ---------------------------------------------------------------------------------------


def _tolerance() -> None:
    """Fail on a frame that is no tick, as whoever trusts a broker's bytes does."""
    from ingest import frames  # noqa: PLC0415 - see above

    careful = frames._careful_tick

    def trusting(frame: bytes, after_us: int, tokens: Any) -> bytes:
        found = careful(frame, after_us, tokens)
        if isinstance(found, frames.Drop):
            raise ValueError(f"a frame of {len(frame)} bytes is no tick: {found}")  # noqa: TRY004
        return found

    _put("ingest.frames", "_careful_tick", trusting)


def _limits() -> None:
    def all_are(first: Any, *_: object, **__: object) -> Any:
        return np.ones(len(first), np.bool_)

    _put("analytics.intake", "is_sane", all_are)
    _put("analytics.intake", "believed", all_are)


def _unknown() -> None:
    """Take what is not known for 0."""
    from analytics import book  # noqa: PLC0415 - see above

    static = book._static
    _put("analytics.book", "_static", lambda session: np.nan_to_num(static(session), nan=0.0))


# --- what protects texts -----------------------------------------------------------------------------------------------


def _doubt() -> None:
    """Take a call of which nobody knows what became for one that sent nothing."""
    from notifier.telegram import Telegram  # noqa: PLC0415 - see above

    call = Telegram._call

    async def sure(sender: Telegram, text: Any) -> Any:
        found = await call(sender, text)
        return replace(found, name="not_sent") if found.name == "unknown" else found

    _put("notifier.telegram:Telegram", "_call", sure)


_CODE_CHANGES: Mapping[str, Callable[[], None]] = {
    "aof": lambda: None,  # the server's own
    "bounds": lambda: _put("ingest.feed:FrameBuffer", "_conflate", lambda _: None),
    "clock-offset": lambda: _put(
        "oimon.metrics", "CLOCK_OFFSET", Gauge("unseen", "", registry=None)
    ),
    "doubt": _doubt,
    "drop": _drop,
    "holes": lambda: _put("oimon.bus.cursor:Cursor", "check_numbers", lambda *_: None),
    "lease": lambda: _lease(300),
    "limits": _limits,
    "login-pace": lambda: _put("ingest.smartapi.login", "PACE_S", 0.0),
    "long-lease": lambda: _lease(15_000),
    "market-hours": lambda: _put("ingest.smartapi.watchdog", "_TRADING", frozenset(MarketState)),
    "newest-only": lambda: _put(
        "analytics.intake", "_is_new", lambda rows, *_: np.ones(len(rows), np.bool_)
    ),
    "note": lambda: _put("oimon.bus.sending:_Parcel", "begin", _nothing),
    "one-budget": lambda: _put("oimon.coach.budget", "PURSE", f"OWN-{os.getpid()}"),
    "parking": lambda: _put("oimon.bus.redis:RedisLog", "attempt", _first_attempt),
    "patience": _patience,
    "poison": lambda: _put("oimon.bus.seat:Seat", "_park", _no_parking),
    "refusal": _refusal,
    "release": lambda: _put("oimon.bus.redis:RedisLog", "release", _nothing),
    "restore": lambda: _put("oimon.bus.seat:Seat", "_restore", _nothing),
    "rollback": _rollback,
    "stream-watchdog": lambda: _put("ingest.smartapi.watchdog:Watchdog", "doubt", lambda *_: None),
    "tolerance": _tolerance,
    "unknown": _unknown,
    "unknown-fields": _unknown_fields,
    "unwritable": _unwritable,
    "watchdog": lambda: _put("oimon.watchdog:Watchdog", "_end", lambda _: None),
}
"""Protections that are code, or of the server: name, what removes it."""


def check(names: Sequence[str]) -> None:
    """Make sure that protections can be removed: otherwise a row would fail for a reason that proves nothing.

    Raises:
        ValueError: a name that is neither a protection nor a mistake, or something that is to be changed is not there any more.
    """
    command = python("tests.chaos.without", ",".join(names), "check")
    tried = subprocess.run(
        command, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if tried.returncode:
        raise ValueError(tried.stderr.splitlines()[-1])


def remove(names: Sequence[str]) -> None:
    """Remove protections and plant mistakes, before anything of the product is used.

    Raises:
        ValueError: a name that is neither, or a line of a script that is not there any more.
        AttributeError: the code that is to be changed is not there any more.
    """
    unknown = set(names) - {*_SCRIPT_CHANGES, *_CODE_CHANGES, *MISTAKES}
    if unknown:
        raise ValueError(f"neither protection nor mistake: {', '.join(sorted(unknown))}")
    for script in {script for name in names for script in _SCRIPT_CHANGES.get(name, {})}:
        script_text(script, names)
    _rewrite_scripts([name for name in names if name in _SCRIPT_CHANGES])
    for name in names:
        change = _CODE_CHANGES.get(name) or MISTAKES.get(name)
        if change is not None:
            change()


def main(names: str, what: str, *arguments: str) -> None:
    """Run a service (``run NAME …``) or the feeder (``feed SETTINGS``) so, or only try whether it can be done (``check``)."""
    remove(names.split(","))
    if what == "check":
        return
    if what == "feed":
        from tests.chaos import feeder  # noqa: PLC0415

        feeder.main(*arguments)
        return
    from oimon.cli import app  # noqa: PLC0415

    app([what, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
