import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import blocks
from ingest.recorder import BLOCK_FRAMES, RecordingWriter
from ingest.recording import BLOCK_START, FRAMES, MAGIC, open_recording
from oimon.errors import InputError
from oimon.terms import Kind, Mode
from tests.builders import make_frame, make_header, make_recording, make_row

START_US = 1_795_578_301_000_000


def arrivals(count):
    return [(START_US + 1000 * n, make_frame(sequence=n)) for n in range(count)]


def contents(recording):
    return [
        (int(at_us), frame)
        for block in recording.blocks()
        for at_us, frame in zip(block.received_us, block.frames, strict=True)
    ]


@given(
    st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=60)), max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**60)), max_size=5),
)
def test_a_block_gives_back_frames_times_and_beats(steps, beats):
    times = np.cumsum([step for step, _ in steps]).astype(np.int64).tolist()
    frames = [frame for _, frame in steps]

    block = blocks.unpack(blocks.pack(frames, times, beats))

    assert block.frames == frames
    assert block.received_us.tolist() == times
    assert block.beats == beats


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


def test_a_file_cut_anywhere_says_in_which_block(tmp_path):
    whole = make_recording(tmp_path / "whole.oirec", arrivals(30)).path.read_bytes()
    path = tmp_path / "cut.oirec"

    for length in range(len(MAGIC) + 2, len(whole), 11):
        path.write_bytes(whole[:length])
        error = refused(path)
        assert "cut short" in error.what
        assert error.place.startswith("block ")


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    whole = make_recording(tmp_path / "whole.oirec", arrivals(30)).path.read_bytes()
    path = tmp_path / "flipped.oirec"

    for place in range(0, len(whole), 7):
        data = bytearray(whole)
        data[place] ^= 0x10
        path.write_bytes(data)
        error = refused(path)
        assert str(path) in str(error)


def test_a_flipped_bit_in_the_frames_is_told_on_opening_with_their_block(tmp_path):
    path = make_recording(tmp_path / "day.oirec", arrivals(BLOCK_FRAMES + 20)).path
    data = bytearray(path.read_bytes())
    place = data.rindex(b"FRAM") + BLOCK_START.size + 20
    data[place] ^= 1
    path.write_bytes(data)

    assert "block 3: its checksum is wrong" in str(refused(path))


def test_frames_that_cannot_be_unpacked_name_their_block(tmp_path):
    path = make_recording(tmp_path / "day.oirec", arrivals(30)).path
    data = path.read_bytes()
    start = data.index(FRAMES)
    _, length, _ = BLOCK_START.unpack_from(data, start)
    junk = bytes(length)
    block = BLOCK_START.pack(FRAMES, length, zlib.crc32(junk, zlib.crc32(FRAMES))) + junk
    path.write_bytes(data[:start] + block + data[start + len(block) :])

    recording = open_recording(path)

    with pytest.raises(InputError, match="block 2"):
        contents(recording)


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
