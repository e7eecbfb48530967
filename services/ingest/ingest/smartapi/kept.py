"""The recorder of a live day: where it writes, and what an ingest that was ended had published and not recorded."""

from collections.abc import Sequence
from itertools import dropwhile

from ingest.header import Header
from ingest.live_folder import Limits
from ingest.live_recorder import LiveRecorder, Track
from ingest.parts import Part
from ingest.recording import Day
from ingest.smartapi.again import Unfinished, since
from ingest.smartapi.backing import Tools
from ingest.smartapi.day import as_said
from oimon.bus import Bus
from oimon.messages import Beat, Gap, Session, TickBatch


async def new_recorder(
    tools: Tools, days: Sequence[Day], before: Unfinished
) -> LiveRecorder | None:
    """Return what records the run, with all that was published of it before; ``None`` where nothing is to be recorded.

    Args:
        tools: what the day uses: its settings say whether, where, and how much is kept; its bus' log has what was published.
        days: what is known of each partition now.
        before: the run, and what of it was published.
    """
    settings = tools.settings
    if not settings.record:
        return None
    folder = (settings.record_dir or settings.data_dir / "recordings") / before.run
    limits = Limits(days=settings.record_keep_days, most_bytes=settings.record_keep_gb * 10**9)
    recorder = LiveRecorder(folder, tools.clock, limits)
    recorder.start()
    try:
        for day in days:
            if day.header.underlying in before.partitions:
                part = await recorder.resume(day.header)
                await _catch_up(recorder.track(day.header), tools.bus, day.header, part)
    except OSError as error:
        await recorder.give_up(f"{folder}: {str(error) or 'the disk does not answer'}")
    return recorder


async def _catch_up(track: Track, bus: Bus, header: Header, part: Part | None) -> None:
    """Put behind what was recorded, or before what will be, what the log has of the run."""
    known_us = 0 if part is None else part.beat_us
    missing, is_all = await since(bus, header.underlying, header.run, known_us)
    if not is_all:  # nobody knows what ticks before a session are of
        missing = list(dropwhile(lambda each: not isinstance(each, Session), missing))
    if part is not None and not is_all:
        first_us = next((each.ts_us for each in missing if isinstance(each, Beat)), known_us)
        gap = Gap(from_us=known_us, to_us=first_us, why="not recorded, and no longer in the log")
        track.take([gap])
    for message in missing:
        match message:
            case Beat():
                track.take(beat=message)
            case Session():
                track.take([as_said(header, message)])
            case Gap() | TickBatch():
                track.take([message])
