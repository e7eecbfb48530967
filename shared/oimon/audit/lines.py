"""Entries of a log, read in pages, and what is kept of each while the log is judged."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import blake2b

import msgspec

from oimon.audit.judging import BATCH, Line
from oimon.bus import Entry
from oimon.bus.log import NEVER, Log, stamp

PAGE = 200  # entries; an analysis has up to 40 KB


class _Named(msgspec.Struct):
    run: str | None = None
    ts_us: int | None = None


_NAMED = msgspec.json.Decoder(_Named)


async def entries(log: Log, stream: str, partition: str, *, until: str) -> AsyncIterator[Entry]:
    """Give every entry that is kept, in order, up to an id.

    Raises:
        BusDown: the log cannot be reached.
    """
    after, end = NEVER, stamp(until)
    while stamp(after) < end:
        page = await log.read(stream, partition, after, PAGE, 0)
        if not page:
            return
        for entry in page:
            if stamp(entry.id) > end:
                return
            yield entry
        after = page[-1].id
        await asyncio.sleep(0)


class Reading:
    """Makes lines of one stream's entries, in order: what names no run is of the run before it."""

    def __init__(self) -> None:
        self._run = ""

    def line(self, entry: Entry, row: str | None) -> Line:
        """Return what is kept of an entry.

        Args:
            entry: the next one.
            row: what its row is known by, where it should have one.
        """
        named = _named(entry)
        if named.run is not None:
            self._run = named.run
        return Line(
            id=entry.id,
            n=entry.n,
            at_ms=entry.at_ms,
            kind=entry.kind,
            digest=digest(entry.kind, entry.version, entry.data),
            run=self._run,
            moment=None if named.ts_us is None else (self._run, named.ts_us),
            row=row,
        )


def digest(kind: str, version: int, data: bytes) -> bytes:
    """Return a short word for what makes two entries of one id equal (bus contract, section 2)."""
    return blake2b(f"{kind} {version}\n".encode() + data, digest_size=16).digest()


def _named(entry: Entry) -> _Named:
    """Return the run and the second that an entry names; neither where it cannot be read."""
    if entry.kind == BATCH:
        return _Named()
    try:
        return _NAMED.decode(entry.data)
    except msgspec.MsgspecError:
        return _Named()
