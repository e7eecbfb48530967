import contextlib
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import blocks
from ingest.oirec import BLOCK_START, FRAMES, HEAD, LAST, MAGIC, START, block_bytes, pieces
from ingest.parts import is_empty
from ingest.recorder import BLOCK_FRAMES, BlockWriter, RecordingWriter
from ingest.recording import open_recording
from oimon.codec import encode
from oimon.errors import InputError
from oimon.messages import Gap, TickBatch
from oimon.terms import Kind, Mode
from tests.builders import (
    make_beat,
    make_frame,
    make_header,
    make_recording,
    make_row,
    make_tick,
)

START_US = 1_795_578_301_000_000


@contextlib.contextmanager
def files_no_longer_than(size):
    """Let no file of this process grow beyond so many bytes, as a full disk does."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def arrivals(count):
    return [(START_US + 1000 * n, make_frame(sequence=n)) for n in range(count)]


def contents(recording):
    return [
        (int(at_us), frame)
        for block in recording.blocks()
        for at_us, frame in zip(block.received_us, block.frames, strict=True)
    ]


WHAT = st.one_of(
    st.builds(make_beat, st.integers(0, 2**60)),
    st.builds(Gap, from_us=st.just(1), to_us=st.integers(2, 9), why=st.text(max_size=5)),
    st.just(make_header(has_beats=True)),
)


@given(
    st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=60)), max_size=40),
    st.lists(WHAT, max_size=5),
)
def test_a_block_gives_back_frames_times_and_what_was_told(steps, said):
    times = np.cumsum([step for step, _ in steps]).astype(np.int64).tolist()
    frames = [frame for _, frame in steps]
    told = [(min(place, len(frames)), what) for place, what in enumerate(said)]

    data = blocks.pack(frames, times, told)
    block, inside = blocks.unpack(data), blocks.peek(data)

    assert block.frames == frames
    assert block.received_us.tolist() == times
    assert block.told == inside.told == told
    assert (inside.frames, inside.first_us) == (len(frames), times[0] if times else 0)


def test_ticks_in_a_block_are_what_they_were():
    batch = TickBatch(received_us=START_US, table="0" * 16, records=make_tick(row=1))

    ((place, told),) = blocks.unpack(blocks.pack([], [], [(0, batch)])).told

    assert place == 0
    assert encode(told) == encode(batch)


@given(st.binary(max_size=200))
def test_no_bytes_but_a_block_are_one(data):
    with pytest.raises(ValueError, match=r"^it"):
        blocks.unpack(data)


def test_a_recording_gives_back_what_was_put_in(tmp_path):
    came = [(START_US - 5, make_frame("99926000", exchange="NSE", mode=1)), *arrivals(BLOCK_FRAMES)]

    recording = make_recording(tmp_path / "day.oirec", came)

    assert contents(recording) == came
    assert len(list(recording.blocks())) == 2
    assert (recording.last.frames, recording.last.first_us, recording.last.last_us) == (
        BLOCK_FRAMES + 1,
        START_US - 5,
        came[-1][0],
    )


def test_the_header_is_the_session(tmp_path):
    recording = make_recording(
        tmp_path / "day.oirec", arrivals(1), oi_prev=[None, 6500], quotes_assumed=0.003
    )

    session = recording.session("run-1")

    assert (session.run, session.mode, session.underlying) == ("run-1", Mode.REPLAY, "NIFTY")
    assert session.instruments.kind == [Kind.INDEX, Kind.CE]
    assert session.instruments.oi_prev == [None, 6500]
    assert session.quotes_assumed == 0.003


def test_frames_of_one_feed_shrink_to_a_fraction(tmp_path):
    random = np.random.default_rng(1)
    came = [
        (START_US + n, make_frame(sequence=n, ltp=int(random.integers(9000, 12000)), oi=65 * n))
        for n in range(5000)
    ]

    path = make_recording(tmp_path / "day.oirec", came).path

    assert path.stat().st_size < 5000 * 379 / 25


def test_equal_recordings_have_one_digest_and_others_another(tmp_path):
    first = make_recording(tmp_path / "a.oirec", arrivals(3))
    same = make_recording(tmp_path / "b.oirec", arrivals(3))
    other = make_recording(tmp_path / "c.oirec", arrivals(4))

    assert first.last.digest == same.last.digest != other.last.digest


# --- writing -------------------------------------------------------------------------------------------------------


def test_a_recording_that_fails_leaves_nothing_behind(tmp_path):
    frames = [make_frame()] * 2
    with (
        pytest.raises(ValueError, match="fall"),
        RecordingWriter(tmp_path / "day.oirec", make_header()) as writer,
    ):
        writer.put(frames, [START_US, START_US - 1])

    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path):
    writer = RecordingWriter(tmp_path / "day.oirec", make_header()).__enter__()
    at_us, frames = zip(*arrivals(3), strict=True)
    writer.put(frames, at_us)

    with files_no_longer_than(10), pytest.raises(OSError, match="too large"):
        writer.__exit__(None, None, None)

    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_fails_leaves_the_one_before(tmp_path):
    path = make_recording(tmp_path / "day.oirec", arrivals(3)).path

    with pytest.raises(ValueError, match="fall"), RecordingWriter(path, make_header()) as writer:
        writer.put([make_frame()] * 2, [START_US, START_US - 1])

    assert contents(open_recording(path)) == arrivals(3)
    assert list(tmp_path.iterdir()) == [path]


# --- bad files -----------------------------------------------------------------------------------------------------


def refused(path):
    """Return the error of opening a file."""
    with pytest.raises(InputError) as caught:
        open_recording(path)
    return caught.value


def test_a_missing_file_is_named(tmp_path):
    error = refused(tmp_path / "none.oirec")

    assert str(tmp_path / "none.oirec") in str(error)
    assert "No such file" in error.what


@pytest.mark.parametrize("data", [b"", b"ts,underlying,expiry\n", b"\x1f\x8b" + bytes(40), MAGIC])
def test_a_foreign_file_is_told_from_a_recording(tmp_path, data):
    path = tmp_path / "day.csv"
    path.write_bytes(data)

    error = refused(path)

    assert "not a recording" in error.what
    assert "oi import" in error.remedy


def test_a_newer_version_asks_for_an_update(tmp_path):
    path = make_recording(tmp_path / "day.oirec", arrivals(3)).path
    data = bytearray(path.read_bytes())
    data[len(MAGIC)] = 2
    path.write_bytes(data)

    error = refused(path)

    assert "version 2" in error.what
    assert error.remedy == "Update OI Monitor"


def test_the_name_of_a_block_in_the_end_that_was_cut_off_is_no_whole_block(tmp_path):
    path = tmp_path / "day.oirec"
    path.write_bytes(
        START
        + block_bytes(HEAD, b"{}")
        + block_bytes(FRAMES, b"a FRAM and a LAST are in it " * 3)[:-1]
    )

    with path.open("rb") as file:
        found = [piece.kind for piece in pieces(path, file)]

    assert found == [HEAD]
    assert LAST in path.read_bytes()


def test_a_file_cut_anywhere_is_what_was_written_up_to_there(tmp_path):
    path, whole = many_blocks(tmp_path)
    all_of_it, size = contents(open_recording(path)), path.stat().st_size
    last = path.read_bytes().rindex(b"LAST")
    seen = set()

    for length in range(size):
        path.write_bytes(whole[:length])
        if is_empty(path):
            refused(path)
            continue
        recording = open_recording(path)
        found = contents(recording)
        assert found == all_of_it[: len(found)]
        assert recording.last.frames == len(found)
        assert recording.last.last_us == found[-1][0]
        assert len(recording.warnings) == 1
        assert "has no end" in recording.warnings[0]
        seen.add(len(found))
        assert len(found) == len(all_of_it) or length < last

    assert seen == {5, 10, 15, 20}


def many_blocks(tmp_path):
    """Write a recording of four blocks; return its path and its bytes."""
    path, came = tmp_path / "day.oirec", arrivals(20)
    with path.open("wb") as file:
        writer = BlockWriter(file)
        writer.begin(make_header(has_beats=True))
        for start in range(0, 20, 5):
            some = came[start : start + 5]
            beat = (5, make_beat(some[-1][0]))
            writer.put([frame for _, frame in some], [at_us for at_us, _ in some], [beat])
        writer.end()
    return path, path.read_bytes()


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    path, whole = many_blocks(tmp_path)
    all_of_it = contents(open_recording(path))
    last = whole.rindex(b"LAST")

    for place in range(0, len(whole), 3):
        data = bytearray(whole)
        data[place] ^= 0x10
        path.write_bytes(data)
        if place >= last:  # nothing is lost but the summary
            recording = open_recording(path)
            assert recording.warnings
            assert contents(recording) == all_of_it
        else:
            assert str(path) in str(refused(path))


def test_a_kind_of_block_that_is_not_known_is_passed_over(tmp_path):
    path, whole = many_blocks(tmp_path)
    all_of_it, first = contents(open_recording(path)), whole.index(b"LIVE")

    path.write_bytes(whole[:first] + block_bytes(b"NEWS", b"of a later version") + whole[first:])

    assert contents(open_recording(path)) == all_of_it


def test_a_flipped_bit_in_the_frames_is_told_on_opening_with_their_block(tmp_path):
    path = make_recording(tmp_path / "day.oirec", arrivals(BLOCK_FRAMES + 20)).path
    data = bytearray(path.read_bytes())
    place = data.rindex(b"FRAM") + BLOCK_START.size + 20
    data[place] ^= 1
    path.write_bytes(data)

    assert "block 3: it is not what was written" in str(refused(path))


def test_frames_that_cannot_be_unpacked_name_their_block(tmp_path):
    path = make_recording(tmp_path / "day.oirec", arrivals(30)).path
    data = path.read_bytes()
    start = data.index(FRAMES)
    _, length, _ = BLOCK_START.unpack_from(data, start)
    junk = bytes(length)
    block = BLOCK_START.pack(FRAMES, length, zlib.crc32(junk, zlib.crc32(FRAMES))) + junk
    path.write_bytes(data[:start] + block + data[start + len(block) :])

    assert refused(path).place == "block 2"


def test_a_recording_without_frames_is_refused(tmp_path):
    with RecordingWriter(tmp_path / "day.oirec", make_header()):
        pass

    assert "no frame" in refused(tmp_path / "day.oirec").what


@pytest.mark.parametrize(
    "header",
    [
        make_header(oi_prev=[None]),
        make_header(master=[make_row(), make_row()]),
        make_header(master=[make_row(expiry="sometime")]),
    ],
    ids=["columns of two lengths", "a token twice", "a row that cannot be read"],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, header):
    with RecordingWriter(tmp_path / "day.oirec", header) as writer:
        writer.put([make_frame()], [START_US])

    assert refused(tmp_path / "day.oirec").place == "block 1"
