"""The coaches' transcripts as files: every advice a line of NDJSON for machines, changes and every deep advice as TXT for people.

One pair of files a day (IST, by the advice's own time), rotated by size. Delivery is at least once: the ids at the file's end
tell a repeat. Source: ruling 19 (``LOG_LOCK`` guards logging).
"""

import asyncio
import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import orjson

from notifier import render
from oimon import figures, metrics
from oimon.bus import Entry
from oimon.errors import PoisonMessage, TransientError
from oimon.messages import Advice
from oimon.terms import Coach

LOG_LOCK = threading.Lock()
"""Held while transcripts are written: sinks of several underlyings write to the same day's files."""
MAX_BYTES = 20_000_000
KEPT = 5
"""Older files of a day beside the one being written."""
TAIL_BYTES = 4_000_000
"""How much of the written end is read again at the start: far more than a repeated batch."""
IDS_KEPT = 100_000
"""How many of a day's ids are remembered: repeats come within half a minute."""
DAYS_OPEN = 4

log = logging.getLogger(__name__)


class _Line(msgspec.Struct):
    """What a written line is read back for."""

    id: str
    stream: str
    partition: str
    run: str
    call: str
    by: str


@dataclass
class _Day:
    """What is known of one day's files."""

    seen: dict[str, None] = field(default_factory=dict)  # oldest first
    calls: dict[tuple[str, str], tuple[str, str, str]] = field(
        default_factory=dict
    )  # run, call, by

    def add(self, line: _Line) -> None:
        self.seen[line.id] = None
        if len(self.seen) > IDS_KEPT:
            del self.seen[next(iter(self.seen))]
        self.calls[line.stream, line.partition] = (line.run, line.call, line.by)


class AiLog:
    """The transcripts' files.

    Args:
        folder: where they are; made when it is missing.
        max_bytes: a file that is longer is put aside before the next line.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.lines_written = 0
        self._folder = folder
        self._max_bytes = max_bytes
        self._days: dict[str, _Day] = {}

    async def write(self, entries: Sequence[Entry]) -> None:
        """Append the entries' advice; what is there already is not written again.

        Raises:
            TransientError: the folder cannot be written now.
        """
        await asyncio.to_thread(self._write, entries)

    def _write(self, entries: Sequence[Entry]) -> None:
        by_day: dict[str, list[tuple[Entry, Advice]]] = {}
        for entry, advice in _advice_of(entries):
            by_day.setdefault(figures.day(advice.ts_us), []).append((entry, advice))
        with LOG_LOCK:
            for day, items in by_day.items():
                try:
                    self._append(day, items)
                except OSError as error:
                    self._days.pop(day, None)  # what stands there now is read again
                    raise TransientError(f"the coaches' log in {self._folder}: {error}") from error

    def _append(self, day: str, items: Sequence[tuple[Entry, Advice]]) -> None:
        machines, people = (self._folder / f"ai-{day}.{suffix}" for suffix in ("ndjson", "txt"))
        known = self._days.get(day) or self._opened(day, machines)
        lines, texts = [], []
        for entry, advice in items:
            if entry.key in known.seen:
                continue
            line = _line(entry, advice)
            was = known.calls.get((entry.stream, entry.partition))
            if advice.coach is Coach.RICH or was != (line.run, line.call, line.by):
                before = was[1] if was is not None and was[0] == line.run else None
                texts.append(render.transcript(advice, before))
            lines.append(_json(line, entry, advice))
            known.add(line)
        # People's file first: a crash between the two repeats a text there and loses nothing.
        self._write_end(people, "".join(texts).encode())
        self._write_end(machines, b"".join(lines))
        self.lines_written += len(lines)

    def _opened(self, day: str, machines: Path) -> _Day:
        self._folder.mkdir(parents=True, exist_ok=True)
        _cut_unfinished_line(machines)
        known = _Day()
        for path in (_aside(machines, 1), machines):
            for line in _tail(path):
                known.add(line)
        while len(self._days) >= DAYS_OPEN:
            del self._days[next(iter(self._days))]
        self._days[day] = known
        return known

    def _write_end(self, path: Path, data: bytes) -> None:
        if not data:
            return
        if path.exists() and path.stat().st_size + len(data) > self._max_bytes:
            for number in range(KEPT - 1, 0, -1):
                if _aside(path, number).exists():
                    _aside(path, number).replace(_aside(path, number + 1))
            path.replace(_aside(path, 1))
        with path.open("ab") as file:
            file.write(data)


def _advice_of(entries: Iterable[Entry]) -> Iterable[tuple[Entry, Advice]]:
    for entry in entries:
        try:
            message = entry.message
        except PoisonMessage as error:
            metrics.PARKED.labels("undecodable").inc()
            log.error("an advice has no transcript", extra={"id": entry.key, "error": str(error)})  # noqa: TRY400 - a known cause needs no traceback
        else:
            if isinstance(message, Advice):
                yield entry, message


def _line(entry: Entry, advice: Advice) -> _Line:
    return _Line(
        id=entry.key,
        stream=entry.stream,
        partition=entry.partition,
        run=advice.run,
        call=render.call(advice),
        by=advice.by,
    )


def _json(line: _Line, entry: Entry, advice: Advice) -> bytes:
    whole = msgspec.structs.asdict(line) | {
        "ist": figures.date_time(advice.ts_us),
        "mode": advice.mode,
        "advice": orjson.Fragment(entry.data),
    }
    return orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE)


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _cut_unfinished_line(path: Path) -> None:
    """Remove what a process killed while writing left of its last line; the bus hands that entry over again."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = file.seek(0, 2)
        start = max(0, size - TAIL_BYTES)
        file.seek(start)
        end = file.read().rfind(b"\n")
        file.truncate(start + end + 1 if end >= 0 or start == 0 else size)


def _tail(path: Path) -> Iterable[_Line]:
    if not path.exists():
        return
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - TAIL_BYTES)
        file.seek(start)
        lines = file.read().splitlines()
    for line in lines[1:] if start else lines:
        try:
            yield msgspec.json.decode(line, type=_Line)
        except msgspec.MsgspecError:  # a line that a person or another program put there
            log.warning("a line of the coaches' log is not ours", extra={"file": str(path)})
