"""A day played by its own clock: what to publish next, and when. Knows no other time.

Beat ``s`` stands before the first frame whose time is ``s`` or later, no batch straddles a beat, and quiet seconds get their beats
too. The first beat is the first whole second after the first frame; after the last frame comes one more, then one that says
``ended``. A live recording holds its beats where they fell, with what they said, and those are used; only the one that says
``ended`` is added. So a day gives the same beats, each after the same ticks, at any speed and however frames are cut into batches.
Source: rulings, 5 and 11.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ingest.blocks import Block
from ingest.day import with_day
from ingest.exchange_clock import FeedClock, timed
from ingest.frames import Drop, decode
from ingest.header import Header
from ingest.recording import Day, Renewed, open_recording
from ingest.told import Told, What
from oimon.bus import Pulse
from oimon.calendar import market_state
from oimon.codec import MAX_TICKS
from oimon.messages import Beat, Message, TickBatch
from oimon.service import Recorded, Step
from oimon.terms import FeedState, Segment

SECOND_US = 1_000_000
SESSION_EVERY = 60
"""Beats after which the session is said again, so that whatever is kept of the log holds one."""


class Replay:
    """One run through a recording."""

    def __init__(
        self,
        recording: Day,
        run: str,
        *,
        window_us: int = SECOND_US,
        beat_us: int = SECOND_US,
    ) -> None:
        """Prepare a run.

        Args:
            recording: what to play.
            run: name of the run.
            window_us: frames so close together, of the recording's time, go in one batch.
            beat_us: from beat to beat; 0 makes every batch a beat.
        """
        self.dropped: Counter[Drop] = Counter()
        """Frames that were no ticks, so far."""
        self.frames = 0
        """Frames played, so far."""
        self._recording = recording
        self._run = run
        self.session = recording.session(run)
        """What the ticks mean."""
        self._is_quoted = self.session.segment in (Segment.MCX, Segment.NSE)
        self._window_us = window_us
        self._beat_us = beat_us
        self._beats = 0
        self._beat = 0  # the newest
        self._data_us: int | None = None  # when the newest tick came
        self._first_us: int | None = None  # when the first frame came
        self._newest_us = 0  # and the newest
        self._is_said = False  # whether the session has been said

    def steps(self, frames_at_a_time: int | None = None) -> Iterator[Step]:
        """Give what to publish, in order, from the session to the beat that says ``ended``; once.

        Args:
            frames_at_a_time: hand over at most so many frames at a time; the beats and what they see are the same.

        Raises:
            InputError: a block of the recording is damaged.
        """
        for block in self._recording.blocks():
            yield from self.block_steps(block, frames_at_a_time)
        yield from self.last_steps()

    def block_steps(self, block: Block, frames_at_a_time: int | None = None) -> Iterator[Step]:
        """Give what one block comes to; blocks are given in their order, each with frames."""
        at_most = min(frames_at_a_time or MAX_TICKS, MAX_TICKS)
        if not self._is_said and (len(block.frames) or block.told):
            is_first = self._first_us is None
            begins_us = self._recording.last.first_us
            first_us = int(block.received_us[0]) if len(block.frames) else begins_us
            self._first_us = first_us if self._first_us is None else self._first_us
            self._is_said = True
            yield self._step(first_us, [self.session], event_us=0 if is_first else self._beat)
        start = 0
        for end, what in self._cuts(block):
            yield from self._batches(block, start, end, at_most)
            if isinstance(what, int):
                yield self._beat_step(what, self._recording.state(what))
            else:
                yield self._told_step(what)
            start = end
        yield from self._batches(block, start, len(block.frames), at_most)

    def go_on_with(self, recording: Day) -> None:
        """Go on with a day that has instruments added at the end, or of which more is known; the session is said before what comes next."""
        self._recording, session = recording, recording.session(self._run)
        self._is_said = self._is_said and session == self.session
        self.session = session

    def last_steps(self) -> Iterator[Step]:
        """Give the beat after the last frame, and the one that says ``ended``."""
        step_us = self._beat_us or SECOND_US
        end_us = _next_whole(max(self._newest_us, self._beat), step_us)
        if not self._has_beats:
            yield self._beat_step(end_us, self._recording.state(end_us))
        yield self._beat_step(end_us + step_us, FeedState.ENDED)

    @property
    def _has_beats(self) -> bool:
        return self._recording.header.has_beats

    def _cuts(self, block: Block) -> Sequence[tuple[int, int] | Told]:
        """Return what falls among a block's frames: how many of them come before each, and when a beat is, or what was told."""
        if self._has_beats:
            return block.told
        times = block.received_us
        if not self._beat_us or not len(times):
            return []
        assert self._first_us is not None  # noqa: S101 - a block with frames has set it
        before_us = self._beat or _whole(self._first_us, self._beat_us)
        first = before_us + self._beat_us
        beats = np.arange(first, int(times[-1]) + 1, self._beat_us)
        return list(zip(times.searchsorted(beats).tolist(), beats.tolist(), strict=True))

    def _batches(self, block: Block, start: int, end: int, at_most: int) -> Iterator[Step]:
        times = block.received_us
        while start < end:
            until = int(times.searchsorted(times[start] + self._window_us))
            stop = min(start + at_most, max(until, start + 1), end)
            came_us, self._newest_us = int(times[start]), int(times[stop - 1])
            came, day = block.frames[start:stop], None
            ticks, drops = decode(came, times[start:stop], self._recording.tokens)
            self.frames += stop - start
            self.dropped.update(drops)
            start = stop
            if len(ticks):
                newest_us = self._data_us = came_us + int(ticks["received_after_us"][-1])
                if self._is_quoted:
                    ticks, day = with_day(ticks, came, self._recording.tokens)
                batch = TickBatch(
                    received_us=came_us, table=self.session.table, records=ticks, day=day
                )
                event_us = self._beat if self._beat_us or self._has_beats else newest_us
                yield self._step(newest_us, [batch], event_us=event_us)

    def _told_step(self, what: What) -> Step:
        """Tell again what was told live: beats say what they said, as nobody could work out what a feed was like."""
        match what:
            case Beat():
                self._beat = what.ts_us
                pulse = Pulse(
                    run=self._run,
                    market=what.market,
                    feed=what.feed,
                    age_ms=what.age_ms,
                    conflated=what.conflated,
                    event_us=what.ts_us,
                )
                return Step(due_us=what.ts_us, messages=self._again(), pulse=pulse)
            case Header():
                self.go_on_with(Renewed(self._recording, what))
                self._is_said = True
                return self._step(self._now_us, [self.session], event_us=self._beat)
            case TickBatch():
                self._data_us = what.received_us + int(what.records["received_after_us"][-1])
                self._newest_us = max(self._newest_us, self._data_us)
        return self._step(self._now_us, [what], event_us=self._beat)

    @property
    def _now_us(self) -> int:
        return max(self._newest_us, self._beat)

    def _again(self) -> Sequence[Message]:
        """Count a beat; return what is said again with it."""
        self._beats += 1
        return [self.session] if self._beats % SESSION_EVERY == 0 else []

    def _beat_step(self, ts_us: int, feed: FeedState) -> Step:
        self._beat = ts_us
        return self._step(ts_us, self._again(), event_us=ts_us, feed=feed)

    def _step(
        self,
        due_us: int,
        messages: Sequence[Message],
        *,
        event_us: int,
        feed: FeedState = FeedState.OK,
    ) -> Step:
        age_ms = None if self._data_us is None else max(0, due_us - self._data_us) // 1000
        return Step(
            due_us=due_us,
            messages=messages,
            pulse=Pulse(
                run=self._run,
                market=market_state(self._recording.header.segment, due_us),
                feed=feed,
                age_ms=age_ms,
                event_us=event_us,
            ),
        )


def recorded(path: Path, clock: FeedClock = FeedClock.ARRIVAL) -> Recorded:
    """Open a recording for ``oi replay``; its run is the recorded one, or named after its contents, so that two replays give the same bytes.

    Raises:
        InputError: it cannot be used.
    """
    found = open_recording(path)
    run = found.header.run or f"{found.header.date}-{found.last.digest[:8]}"
    day = timed(found, clock)
    return Recorded(
        underlying=found.header.underlying,
        first_us=found.last.first_us,
        last_us=found.last.last_us,
        steps=lambda frames_at_a_time: Replay(day, run).steps(frames_at_a_time),
        warnings=found.warnings,
    )


def _whole(ts_us: int, step_us: int) -> int:
    return ts_us // step_us * step_us


def _next_whole(ts_us: int, step_us: int) -> int:
    return _whole(ts_us, step_us) + step_us
