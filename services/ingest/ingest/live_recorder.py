"""Keeps a live day: what was published goes into files, by a thread of its own, so that no feed ever waits for a disk.

A block is handed to the thread at a beat, every ``WRITE_EVERY_S``; a crash loses no more than that of the files, and who goes on
with the run takes it from the log (``smartapi.kept``). A disk that is full, or too slow for what comes, costs blocks: that is told
once, counted, and stands in the recording as a gap.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.header import Header
from ingest.live_file import LiveFile, Piece
from ingest.live_folder import Limits, make_room
from ingest.parts import Part
from ingest.recorder import BLOCK_FRAMES
from ingest.told import Told, What
from oimon import metrics
from oimon.clock import Clock
from oimon.messages import Beat, TickBatch

WRITE_EVERY_S = 3.0
"""From block to block of an underlying."""
MOST_WAITING = 64 * 1024 * 1024
"""Bytes of frames that may wait for the disk; what comes beyond is lost."""
LOOK_THROUGH_S = 20.0
"""What was recorded before is looked through within this, else the day is recorded anew."""
END_S = 1.0
"""The last blocks are written within this, else the files are left without an end."""
SLOW = "the disk is too slow"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    """One block for the thread."""

    file: LiveFile
    piece: Piece
    bytes: int
    lost: str = ""
    """Why it is not to be written."""


class Track:
    """What was published of one underlying, until it is a block."""

    def __init__(
        self, file: LiveFile, clock: Clock, hand_over: Callable[[LiveFile, Piece], None]
    ) -> None:
        self._file, self._clock, self._hand_over = file, clock, hand_over
        self._header, self._beat_us = file.header, 0
        self._since_s = clock.monotonic_s()
        self._frames: list[bytes] = []
        self._times: list[int] = []
        self._told: list[Told] = []
        self._ticks = 0  # among what was told

    def take(
        self,
        told: Sequence[What] = (),
        frames: Sequence[bytes] = (),
        times: Sequence[int] = (),
        beat: Beat | None = None,
    ) -> None:
        """Take what one call has published: what was told, frames with their times, and the beat after them.

        A header that says nothing new is left out, and so is a beat that is known.
        """
        for what in told:
            if what != self._header:
                self._told.append((len(self._frames), what))
                self._header = what if isinstance(what, Header) else self._header
            self._ticks += len(what.records) if isinstance(what, TickBatch) else 0
        self._frames += frames
        self._times += times
        if beat is not None and beat.ts_us > self._beat_us:
            self._beat_us = beat.ts_us
            self._told.append((len(self._frames), beat))
            is_due = self._clock.monotonic_s() - self._since_s >= WRITE_EVERY_S
            if is_due or len(self._frames) + self._ticks >= BLOCK_FRAMES:
                self.flush()
        elif len(self._frames) + self._ticks >= 8 * BLOCK_FRAMES:  # no beat to end a block with
            self.flush()

    def flush(self) -> None:
        """Hand over what there is."""
        if self._frames or self._told:
            self._hand_over(
                self._file, Piece(frames=self._frames, times=self._times, told=self._told)
            )
        self._frames, self._times, self._told, self._ticks = [], [], [], 0
        self._since_s = self._clock.monotonic_s()


class LiveRecorder:
    """Records one run of a live feed, a file or more an underlying."""

    def __init__(self, folder: Path, clock: Clock, limits: Limits) -> None:
        """Prepare; nothing is written before something was published.

        Args:
            folder: of the run; what stands beside it are older ones.
            clock: paces blocks.
            limits: how much is kept.
        """
        self._folder, self._clock, self._limits = folder, clock, limits
        self._files: dict[str, LiveFile] = {}
        self._tracks: dict[str, Track] = {}
        self._works: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting, self._lost, self._why, self._over = 0, 0, "", ""
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to write what is handed over."""
        self._thread.start()

    async def resume(self, header: Header) -> Part | None:
        """Go on with the files of an underlying of this run, before it has a track; return the newest, ``None`` where there is none.

        Raises:
            OSError: the disk does not answer, or not in time.
        """
        file = self._files[header.underlying] = LiveFile(self._folder, header)
        async with asyncio.timeout(LOOK_THROUGH_S):
            return await asyncio.to_thread(file.resume)

    def track(self, header: Header) -> Track:
        """Return where to put what is published of an underlying.

        Args:
            header: what explains its first frames, where it was not resumed.
        """
        name = header.underlying
        file = self._files.setdefault(name, LiveFile(self._folder, header))
        return self._tracks.setdefault(name, Track(file, self._clock, self._hand_over))

    async def close(self) -> None:
        """Write what is left, and end the files, unless the disk takes too long."""
        for track in self._tracks.values():
            track.flush()
        self._works.put(None)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, END_S)

    async def give_up(self, why: str) -> None:
        """Record nothing of what comes, and say why."""
        self._over = why
        await self.close()

    def facts(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of it; ``why`` is empty while all is recorded."""
        return {
            "folder": str(self._folder),
            "bytes": sum(file.bytes for file in self._files.values()),
            "frames_lost": self._lost,
            "why": self._why,
        }

    # --- the loop's side -------------------------------------------------------------------------------------------

    def _hand_over(self, file: LiveFile, piece: Piece) -> None:
        if self._over:
            self._lost_one(piece, self._over)
            return
        size = sum(map(len, piece.frames))
        with self._lock:
            has_room = self._waiting + size <= MOST_WAITING
            self._waiting += size if has_room else 0
        if has_room:
            self._works.put(_Work(file=file, piece=piece, bytes=size))
            return
        self._lost_one(piece, SLOW)
        rest = Piece(frames=[], times=[], told=piece.told)
        self._works.put(_Work(file=file, piece=rest, bytes=0, lost=SLOW))

    # --- the thread's side -----------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        while (work := self._works.get()) is not None:
            if work.lost:
                work.file.lose(work.piece, work.lost)
            else:
                self._write(work)
            with self._lock:
                self._waiting -= work.bytes
        for file in self._files.values():
            with contextlib.suppress(OSError):  # it is read up to its last whole block
                file.finish()

    def _write(self, work: _Work) -> None:
        file, before = work.file, work.file.bytes
        try:
            if file.is_between_parts:
                make_room(self._folder, self._limits)
            file.write(work.piece)
        except Exception as error:  # noqa: BLE001 - a thread that has ended records nothing any more
            why = str(error) or type(error).__name__
            self._lost_one(work.piece, why)
            file.lose(work.piece, why)
            return
        metrics.RECORDED_BYTES.inc(file.bytes - before)
        if self._why and self._works.empty():  # it has caught up
            logger.info("what is published is recorded again")
            self._why = ""

    def _lost_one(self, piece: Piece, why: str) -> None:
        metrics.RECORDING_LOST.inc(len(piece.frames))
        with self._lock:
            self._lost += len(piece.frames)
        if not self._why:
            logger.warning("what is published is not recorded", extra={"why": why})
        self._why = why
