"""Runs a service, or the feeder, with protections removed or mistakes planted, to see a row fail.

``python -m tests.chaos.without fence,cursor,ids run analytics`` · ``python -m tests.chaos.without pseq feed SETTINGS``
"""

import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files

from tests.chaos.planted import MISTAKES

_SCRIPTS = pathlib.Path(str(files("oimon.bus") / "scripts"))

Change = tuple[str, str]
"""What stands in a script, and what stands there instead."""

_FENCE = (
    "if own[1] ~= ARGV[1] or own[2] ~= ARGV[2] then return redis.error_reply('FENCED') end",
    "",
)
_SCRIPT_CHANGES: Mapping[str, Mapping[str, Sequence[Change]]] = {
    "fence": {"commit": [_FENCE], "publish": [_FENCE]},
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
        "publish": [("if tonumber(ARGV[3]) <= tonumber(own[3] or '0') then return {0} end", "")]
    },
    "beat-once": {"publish": [("if due > last then", "if true then")]},
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


def _restore() -> None:
    from oimon.bus import seat  # noqa: PLC0415 - after the scripts are rewritten

    async def start_empty(self, first) -> None:
        """Restore nothing."""

    seat.Seat._restore = start_empty


def _lease(ttl_ms: int) -> Callable[[], None]:
    def change() -> None:
        from oimon.bus import log  # noqa: PLC0415

        log.LEASE_TTL_MS = ttl_ms

    return change


def _release() -> None:
    from oimon.bus.redis import RedisLog  # noqa: PLC0415

    async def keep(self, lease, snapshot=None) -> None:
        """Let the lease run out instead."""

    RedisLog.release = keep


def _patience() -> None:
    from oimon.bus.patience import Patience  # noqa: PLC0415

    async def give_up(self, error, attempt=0) -> None:
        raise error

    Patience.wait_out = give_up


_CODE_CHANGES: Mapping[str, Callable[[], None]] = {
    "restore": _restore,
    "lease": _lease(300),
    "long-lease": _lease(15_000),
    "release": _release,
    "patience": _patience,
    "aof": lambda: None,  # the server's
}


def check(names: Sequence[str]) -> None:
    """Make sure that protections can be removed: otherwise a row would fail for a reason that proves nothing.

    Raises:
        ValueError: a name that is neither a protection nor a mistake, or a line of a script that is not there any more.
    """
    unknown = set(names) - {*_SCRIPT_CHANGES, *_CODE_CHANGES, *MISTAKES}
    if unknown:
        raise ValueError(f"neither protection nor mistake: {', '.join(sorted(unknown))}")
    for script in {script for name in names for script in _SCRIPT_CHANGES.get(name, {})}:
        script_text(script, names)


def remove(names: Sequence[str]) -> None:
    """Remove protections and plant mistakes, before anything of the product is used.

    Raises:
        ValueError: see ``check``.
    """
    check(names)
    _rewrite_scripts([name for name in names if name in _SCRIPT_CHANGES])
    for name in names:
        change = _CODE_CHANGES.get(name) or MISTAKES.get(name)
        if change is not None:
            change()


def main(names: str, what: str, *arguments: str) -> None:
    """Run a service (``run NAME …``) or the feeder (``feed SETTINGS``) so."""
    remove(names.split(","))
    if what == "feed":
        from tests.chaos import feeder  # noqa: PLC0415

        feeder.main(*arguments)
        return
    from oimon.cli import app  # noqa: PLC0415

    app([what, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
