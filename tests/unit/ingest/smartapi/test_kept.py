"""What an ingest that was ended had published and not recorded comes from the log."""

from types import SimpleNamespace

import pytest

from ingest import live_recorder
from ingest.config import IngestSettings
from ingest.header import Header
from ingest.live_file import LiveFile, Piece
from ingest.master.plan import Ask
from ingest.packets import SNAP_QUOTE
from ingest.recording import open_recording
from ingest.smartapi.again import unfinished
from ingest.smartapi.kept import new_recorder
from ingest.smartapi.partition import Partition
from oimon.clock import ManualClock, SystemClock
from oimon.codec import encode
from oimon.messages import Beat, Gap, TickBatch
from tests.builders import make_beat, make_frame, make_tick
from tests.unit.ingest.smartapi.test_again import (
    DAY,
    LEGS,
    PART,
    RUN,
    START_US,
    MemoryStore,
    a_partition,
    published,
    replica,
)

SECOND = 1_000_000


@pytest.fixture
def store():
    return MemoryStore(ManualClock(START_US))


def batch(table, sequence):
    tick = make_tick(row=1, seq=sequence)
    return TickBatch(received_us=START_US + sequence, table=table, records=tick)


async def a_run(store):
    """Publish a session, then ticks, then a session with more, a gap and ticks: a second each; return the messages."""
    partition = a_partition((24_250.0,))
    first = partition.day(DAY, mcx_oi=False, run=RUN).session(RUN)
    partition.add(Ask(leg, SNAP_QUOTE) for leg in LEGS[24_200.0])
    second = partition.day(DAY, mcx_oi=False, run=RUN).session(RUN)
    gap = Gap(from_us=1, to_us=2, why="closed")
    calls = [[first], [batch(first.table, 1)], [second, batch(second.table, 2)], [gap]]
    await published(store, *calls)
    return calls


async def recorded(store, folder, **settings):
    """Go on with the run, and end at once; return what records it."""
    async with replica(store) as bus:
        before = await unfinished(bus, [PART], DAY, suffix="", mcx_oi=False)
        partition = Partition(part=PART)
        partition.go_on(before.partitions["NIFTY"])
        tools = SimpleNamespace(
            settings=IngestSettings(data_dir=folder, **settings), bus=bus, clock=SystemClock()
        )
        recorder = await new_recorder(tools, [partition.day(DAY, mcx_oi=False, run=RUN)], before)
        if recorder is not None:
            await recorder.close()
        return recorder


def told(folder):
    recording = open_recording(folder / "recordings" / RUN)
    assert recording.warnings == []
    return recording, [what for block in recording.blocks() for _, what in block.told]


async def test_without_a_file_the_recording_is_what_the_log_has_of_the_run(store, tmp_path):
    await published(store, [Gap(from_us=5, to_us=6, why="of another")], run=f"{DAY}-live-older")
    calls = await a_run(store)

    await recorded(store, tmp_path)

    recording, found = told(tmp_path)
    kinds = [type(each) for each in found]
    assert kinds == [Header, Beat, TickBatch, Beat, Header, TickBatch, Beat, Gap, Beat]
    assert encode(found[2]) == encode(calls[1][0])
    assert [len(each.master) for each in found if isinstance(each, Header)] == [3, 5]
    assert recording.header.run == RUN
    assert recording.last.last_us == START_US + 4 * SECOND


async def test_a_file_is_completed_from_its_last_beat_on(store, tmp_path):
    await a_run(store)
    header = a_partition((24_250.0,)).day(DAY, mcx_oi=False, run=RUN).header
    file = LiveFile(tmp_path / "recordings" / RUN, header)
    beat = make_beat(START_US + SECOND)
    file.write(
        Piece(frames=[make_frame()], times=[START_US], told=[(0, make_beat(START_US)), (1, beat)])
    )
    file.close()

    await recorded(store, tmp_path)

    _, found = told(tmp_path)
    assert [type(each) for each in found] == [Beat, Beat, Header, TickBatch, Beat, Gap, Beat]
    assert [each.ts_us for each in found if isinstance(each, Beat)] == [
        START_US + n * SECOND for n in range(4)
    ]


async def test_what_the_log_no_longer_has_is_a_gap(store, tmp_path):
    await a_run(store)
    header = a_partition((24_250.0,)).day(DAY, mcx_oi=False, run=RUN).header
    file = LiveFile(tmp_path / "recordings" / RUN, header)
    long_ago_us = START_US - 5000 * SECOND
    file.write(Piece(frames=[], times=[], told=[(0, make_beat(long_ago_us))]))
    file.close()

    await recorded(store, tmp_path)

    _, found = told(tmp_path)
    gap = next(each for each in found if isinstance(each, Gap))
    assert (gap.from_us, gap.to_us) == (long_ago_us, START_US)
    assert gap.why == "not recorded, and no longer in the log"


async def test_nothing_is_recorded_where_nothing_is_to_be(store, tmp_path):
    await a_run(store)

    assert await recorded(store, tmp_path, record=False) is None
    assert not (tmp_path / "recordings").exists()


async def test_a_disk_that_does_not_answer_costs_the_recording_and_nothing_else(
    store, tmp_path, monkeypatch
):
    await a_run(store)

    def hangs(_):
        raise TimeoutError

    monkeypatch.setattr(live_recorder.LiveFile, "resume", hangs)
    recorder = await recorded(store, tmp_path)
    track = recorder.track(a_partition().day(DAY, mcx_oi=False, run=RUN).header)
    track.take(frames=[make_frame()], times=[START_US], beat=make_beat(START_US))
    track.flush()

    facts = recorder.facts()
    assert facts["frames_lost"] == 1
    assert facts["why"].endswith(f"{RUN}: the disk does not answer")
    assert not (tmp_path / "recordings").exists()
