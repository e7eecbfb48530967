"""What a pump publishes, recorded: a replay of it gives the analyses of the log."""

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from analytics.desk import Desk, handle
from ingest import live_recorder
from ingest.feed import TICKS_CACHE
from ingest.header import Last
from ingest.live_file import LiveFile
from ingest.live_folder import Limits
from ingest.live_recorder import LiveRecorder
from ingest.pump import Pump
from ingest.recording import open_recording
from ingest.smartapi.day import LiveDay
from oimon import metrics, offline
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus
from oimon.clock import ManualClock, SystemClock
from oimon.codec import encode
from oimon.messages import ANALYSIS, TICKS, Beat, Gap, TickFlag
from oimon.terms import Mode, Segment
from tests.builders import make_beat, make_frame, make_header, make_row
from tests.eventually import eventually

RUN = "2026-11-25-live-abc123"
LIMITS = Limits(days=30, most_bytes=10**9)
SECOND = 1_000_000


def day(*legs, underlying="NIFTY", **fields):
    """Return a live day of the index and some calls and puts."""
    master = [make_row("99926000", kind="INDEX", name=underlying)]
    master += [
        make_row(leg, kind="CE" if place % 2 else "PE", strike=24_200 + 50 * (place // 2))
        for place, leg in enumerate(legs)
    ]
    header = make_header(underlying=underlying, master=master, has_beats=True, run=RUN, **fields)
    return LiveDay(header, Last(frames=0, first_us=0, last_us=0, digest=""))


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    monkeypatch.setattr(live_recorder, "WRITE_EVERY_S", 0.15)
    return LiveRecorder(tmp_path / RUN, SystemClock(), LIMITS)


@asynccontextmanager
async def pumping(recorder, *days):
    """A bus and a pump that runs and is recorded; what is recorded is whole when the context is left."""
    bus = MemoryBus(beat_ms=50)
    TICKS_CACHE.start(*(each.session(RUN) for each in days))
    recorder.start()
    pump = Pump(bus, SystemClock(), days, RUN, flush_ms=1, beat_ms=50, recorder=recorder)
    running = asyncio.ensure_future(pump.run())
    yield bus, pump
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await recorder.close()


async def log(bus, underlying="NIFTY"):
    return await bus.entries(TICKS, underlying, NEVER)


async def beats(bus, count, underlying="NIFTY"):
    """Wait for so many more beats."""
    before = len([1 for entry in await log(bus, underlying) if entry.kind == "beat"])

    async def are_there():
        found = [1 for entry in await log(bus, underlying) if entry.kind == "beat"]
        return len(found) >= before + count

    await eventually(are_there)


def analyses(entries):
    desk, answers = Desk(partition="NIFTY"), []
    for entry in entries:
        desk, outputs = handle(desk, entry)
        answers += [replace(output.message, mode=Mode.REPLAY) for output in outputs]
    return [encode(each) for each in answers]


async def replayed(path):
    found = []
    take = lambda entry: found.append(entry.data) if entry.stream == ANALYSIS else None  # noqa: E731
    await asyncio.to_thread(
        offline.run, offline.open_recording(path), speed=None, take=[take], services=["analytics"]
    )
    return found


def put(pump, token, sequence, **fields):
    exchange, mode = ("NSE", 1) if token == "99926000" else ("NFO", 3)
    given = {"ltp": 2_420_000} if mode == 1 else {"oi": 65 * (1000 + sequence)}
    frame = make_frame(token, exchange=exchange, mode=mode, sequence=sequence, **given | fields)
    pump.buffer.put(frame, SystemClock().now_us())


async def test_a_replay_gives_the_analyses_of_the_log(recorder, tmp_path):
    first, more = day("1", "2", oi_prev=[None, 6500, None]), day("1", "2", "3", "4")
    async with pumping(recorder, first) as (bus, pump):
        for sequence in range(1, 30):
            for token in ("99926000", "1", "2", "9"):
                put(pump, token, sequence)
            if sequence == 8:
                pump.tell("NIFTY", Gap(from_us=1, to_us=2, why="closed"))
            if sequence == 14:
                pump.renew([more])
            if sequence > 14:
                put(pump, "3", sequence)
                quote = make_frame("4", sequence=sequence)
                pump.beside.put_all([quote], SystemClock().now_us() - 2000)
            await beats(bus, 1)
    entries = await log(bus)

    recording = open_recording(tmp_path / RUN)
    *same, _ = await replayed(recording.path)
    assert same == analyses(entries)[: len(same)]
    assert len(same) >= 28
    told = [what for block in recording.blocks() for _, what in block.told]
    assert [type(each).__name__ for each in told if not isinstance(each, Beat)] == ["Gap", "Header"]
    assert len(list(recording.blocks())) > 3
    batches = [entry.message for entry in entries if entry.kind == "ticks"]
    assert any((batch.records["flags"] & TickFlag.REST).any() for batch in batches)


async def test_quotes_come_with_their_day_records_live_and_replayed(recorder, tmp_path):
    quoted = day("1", segment=Segment.NSE)
    async with pumping(recorder, quoted) as (bus, pump):
        for sequence in range(1, 8):
            put(pump, "1", sequence, open=12_000, high=12_400, low=11_900, average=12_100)
            await beats(bus, 1)
    entries = await log(bus)

    *same, _ = await replayed(tmp_path / RUN)
    assert same == analyses(entries)[: len(same)]
    batches = [entry.message for entry in entries if entry.kind == "ticks"]
    assert all(len(batch.day) == len(batch.records) for batch in batches)
    assert b'"low":119' in same[-1]


async def test_each_underlying_has_a_recording_of_its_own(recorder, tmp_path):
    days = [day("1", "2"), day("3", "4", underlying="BANKNIFTY")]
    master = replace(days[1].header.master[0], token="99926009", symbol="Nifty Bank")
    days[1].header.master[0] = master
    async with pumping(recorder, *days) as (bus, pump):
        for sequence in range(1, 6):
            for token in ("1", "3", "2", "4"):
                put(pump, token, sequence)
            await beats(bus, 1, "BANKNIFTY")

    for name, tokens in (("NIFTY", [b"1", b"2"]), ("BANKNIFTY", [b"3", b"4"])):
        recording = open_recording(tmp_path / RUN / f"{name}-001.oirec")
        frames = [frame for block in recording.blocks() for frame in block.frames]
        assert [frame[2:3] for frame in frames] == tokens * 5
        assert recording.warnings == []


# --- a disk that does not do what it should ------------------------------------------------------------------------


def fed(recorder, clock, seconds):
    """Take so many seconds of two frames each."""
    track = recorder.track(day("1").header)
    for second in seconds:
        clock.advance(1.0)
        at_us = second * SECOND
        frames = [make_frame("1", sequence=2 * second + n) for n in (1, 2)]
        track.take((), frames, [at_us + 1, at_us + 2], make_beat(at_us + SECOND))


def lost():
    return metrics.RECORDING_LOST._value.get()


@pytest.mark.parametrize(
    ("failure", "why"),
    [(OSError(28, "No space left on device"), "No space left"), (MemoryError(), "MemoryError")],
)
async def test_a_full_disk_is_told_once_counted_and_a_gap_when_there_is_room_again(
    tmp_path, monkeypatch, caplog, failure, why
):
    caplog.set_level("INFO")
    monkeypatch.setattr(live_recorder, "WRITE_EVERY_S", 1.0)
    clock, is_full, before = ManualClock(0), threading.Event(), lost()
    recorder, write = LiveRecorder(tmp_path / RUN, clock, LIMITS), LiveFile.write

    def full(file, piece):
        if is_full.is_set():
            raise failure
        write(file, piece)

    monkeypatch.setattr(LiveFile, "write", full)
    recorder.start()

    fed(recorder, clock, range(1, 3))
    await eventually(lambda: recorder._works.empty() and recorder._waiting == 0)
    is_full.set()
    fed(recorder, clock, range(3, 6))
    await eventually(lambda: recorder.facts()["frames_lost"] == 6)
    assert why in recorder.facts()["why"]
    is_full.clear()
    fed(recorder, clock, range(6, 8))
    await eventually(lambda: recorder.facts()["why"] == "")
    await recorder.close()

    assert lost() - before == 6
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    told = [what for block in open_recording(tmp_path / RUN).blocks() for _, what in block.told]
    (gap,) = [each for each in told if isinstance(each, Gap)]
    assert (gap.from_us, gap.to_us) == (3 * SECOND + 1, 6 * SECOND)
    assert [each.ts_us // SECOND for each in told if isinstance(each, Beat)] == [2, 3, 7, 8]


async def test_a_slow_disk_holds_nobody_up_and_costs_what_does_not_fit_into_memory(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(live_recorder, "WRITE_EVERY_S", 1.0)
    monkeypatch.setattr(live_recorder, "MOST_WAITING", 5 * 379)
    clock, may_write = ManualClock(0), threading.Event()
    recorder, write = LiveRecorder(tmp_path / RUN, clock, LIMITS), LiveFile.write

    def slow(file, piece):
        may_write.wait(10)
        write(file, piece)

    monkeypatch.setattr(LiveFile, "write", slow)
    recorder.start()

    fed(recorder, clock, range(1, 10))  # returns at once
    assert recorder.facts()["frames_lost"] == 14
    may_write.set()
    await eventually(lambda: recorder._waiting == 0)
    fed(recorder, clock, range(10, 11))
    await recorder.close()

    told = [what for block in open_recording(tmp_path / RUN).blocks() for _, what in block.told]
    assert [each.ts_us // SECOND for each in told if isinstance(each, Beat)] == [2, 3, 11]
    (gap,) = [each for each in told if isinstance(each, Gap)]
    assert gap.why == "not recorded: the disk is too slow"


async def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(live_recorder, "END_S", 0.05)
    clock, may_write = ManualClock(0), threading.Event()
    monkeypatch.setattr(LiveFile, "write", lambda *_: may_write.wait(10))
    recorder = LiveRecorder(tmp_path / RUN, clock, LIMITS)
    recorder.start()
    fed(recorder, clock, range(1, 9))

    await asyncio.wait_for(recorder.close(), 2)

    may_write.set()
    await asyncio.to_thread(recorder._thread.join, 5)
