import errno
from pathlib import Path

import pytest

from ingest.live_file import LiveFile, Piece
from ingest.live_folder import Limits, make_room
from ingest.parts import is_empty
from ingest.recorder import BlockWriter
from ingest.recording import open_recording
from oimon.errors import InputError
from oimon.messages import Beat, Gap
from tests.builders import make_beat, make_frame, make_header, make_row

SECOND = 1_000_000
START_US = 1_795_578_301_000_000
RUN = "2026-11-25-live-abc123"


def header(**fields):
    return make_header(has_beats=True, run=RUN, **fields)


def grown():
    """Return the header with an option added."""
    index, option = header().master
    return header(master=[index, option, make_row("40638", strike=24_250)])


def piece(second, *told):
    """Return two frames of a second, what was told between them, and its beat."""
    times = [START_US + second * SECOND + at for at in (100, 200)]
    beat = make_beat(START_US + (second + 1) * SECOND)
    frames = [make_frame(sequence=2 * second + n) for n in (1, 2)]
    return Piece(frames=frames, times=times, told=[*((1, each) for each in told), (2, beat)])


@pytest.fixture
def opened():
    """Make files that are closed, as they are, when the test is over."""
    made = []

    def new(folder, first=None, **options):
        made.append(LiveFile(folder, first or header(), **options))
        return made[-1]

    yield new
    for file in made:
        file.close()


@pytest.fixture
def written(opened):
    """Write so many blocks, and leave the file as a crash would."""

    def write(folder, seconds, **options):
        file = opened(folder, **options)
        for second in range(seconds):
            file.write(piece(second))
        return file

    return write


def beats(folder):
    """Return the seconds of the beats that a recording tells, having seen the frames of each."""
    found = []
    for block in open_recording(folder).blocks():
        told = [what.ts_us for _, what in block.told if isinstance(what, Beat)]
        assert len(block.frames) == 2 * len(told)
        found += [(ts_us - START_US) // SECOND for ts_us in told]
    return found


def test_a_file_that_was_cut_anywhere_is_gone_on_with_behind_its_last_whole_block(
    tmp_path, opened, written
):
    written(tmp_path / "whole", 3).close()
    whole = (tmp_path / "whole" / "NIFTY-001.oirec").read_bytes()
    path = tmp_path / "NIFTY-001.oirec"
    kept = set()

    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        was_empty = is_empty(path)
        file = opened(tmp_path)
        part = file.resume()
        file.write(piece(7))
        file.finish()
        found = beats(path)
        assert found[-1] == 8
        assert found[:-1] == list(range(1, len(found)))
        assert (part is None) == was_empty
        if part is not None:
            assert part.beat_us == START_US + found[-2] * SECOND
        recording = open_recording(path)
        assert recording.warnings == []
        assert recording.last.frames == 2 * len(found)
        assert recording.last.last_us == START_US + 8 * SECOND
        kept.add(len(found) - 1)
        path.unlink()

    assert kept == {0, 1, 2}


def test_what_was_told_last_is_what_explains_the_frames_after_a_crash(tmp_path, opened, written):
    file = written(tmp_path, 1)
    file.write(piece(1, grown()))
    file.close()

    again = opened(tmp_path)
    again.resume()

    assert again.header == grown()


def test_a_part_that_is_large_enough_is_finished_and_the_first_plays_all(tmp_path, opened, written):
    file = written(tmp_path, 3, part_bytes=1300)
    file.write(piece(3, grown()))
    file.write(piece(4))
    file.finish()

    parts = sorted(tmp_path.iterdir())
    assert [each.name for each in parts] == [f"NIFTY-00{n}.oirec" for n in range(1, len(parts) + 1)]
    assert len(parts) > 2
    assert beats(parts[0]) == beats(tmp_path) == [1, 2, 3, 4, 5]
    assert open_recording(parts[-1]).header == grown()
    assert beats(parts[-1])[-1] == 5, "each is a recording by itself"
    assert open_recording(tmp_path).last.frames == 10
    parts[1].unlink()
    with pytest.raises(InputError, match=r"NIFTY-002.oirec.*is missing"):
        open_recording(parts[0])


def test_a_part_that_was_begun_when_the_process_ended_is_left_out(tmp_path, opened, written):
    written(tmp_path, 2)
    (tmp_path / "NIFTY-002.oirec").write_bytes(b"OIREC")

    assert beats(tmp_path) == [1, 2]


def test_a_finished_part_and_one_that_another_process_holds_are_left_as_they_are(
    tmp_path, opened, written
):
    holder = written(tmp_path, 2)

    other = opened(tmp_path)
    part = other.resume()
    other.write(piece(2))
    holder.finish()
    third = opened(tmp_path)
    other.finish()
    assert third.resume().is_finished
    third.write(piece(3))
    third.finish()

    assert part.beat_us == START_US + 2 * SECOND
    assert [each.name[-9:-6] for each in sorted(tmp_path.iterdir())] == ["001", "002", "003"]
    assert beats(tmp_path) == [1, 2, 3, 4]


def test_a_folder_of_several_underlyings_asks_for_one_of_them(tmp_path, opened, written):
    written(tmp_path, 1)
    opened(tmp_path, header(underlying="BANKNIFTY")).write(piece(0))

    with pytest.raises(InputError, match=r"BANKNIFTY-001.oirec, NIFTY-001.oirec"):
        open_recording(tmp_path)
    assert beats(tmp_path / "NIFTY-001.oirec") == [1]


class FullDisk:
    """A file that takes so many bytes and no more until there is room again; what does not fit is torn."""

    def __init__(self, path, room):
        self.room, self._file = room, path.open("wb", buffering=0)

    def write(self, data):
        fits = min(self.room, len(data))
        if not fits:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= fits
        return self._file.write(data[:fits])

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("room", range(1000, 1900, 97))
def test_a_disk_that_is_full_in_the_middle_of_a_block_tears_nothing(tmp_path, room):
    path, failed = tmp_path / "NIFTY-001.oirec", []
    disk = FullDisk(path, room)
    writer = BlockWriter(disk)
    try:
        writer.begin(header())
    except OSError:
        disk.close()
        return  # no room for the first block

    for second in range(6):
        some = piece(second)
        try:
            writer.put(some.frames, some.times, some.told)
        except OSError:
            failed.append(second)
            disk.room = 10_000 if len(failed) == 2 else 0
    writer.end()
    disk.close()

    assert len(failed) == 2
    assert beats(path) == [second + 1 for second in range(6) if second not in failed]


def test_what_was_torn_off_at_the_very_end_is_cut_before_the_last_block(tmp_path):
    path = tmp_path / "NIFTY-001.oirec"
    disk = FullDisk(path, 10_000)
    writer = BlockWriter(disk)
    writer.begin(header())
    writer.put(piece(0).frames, piece(0).times, piece(0).told)
    disk.room = 270
    with pytest.raises(OSError, match="No space"):
        writer.put([], [], [(0, grown())])

    disk.room = 10_000
    writer.end()
    disk.close()

    assert beats(path) == [1]
    assert open_recording(path).warnings == []
    assert path.stat().st_size == writer.size


def test_parts_that_could_not_be_made_leave_no_number_out(tmp_path, monkeypatch, written):
    file = written(tmp_path, 1, part_bytes=1)
    with monkeypatch.context() as full:
        full.setattr(Path, "open", no_room)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                file.write(piece(1))

    file.write(piece(2))

    assert [path.name[-9:-6] for path in sorted(tmp_path.iterdir())] == ["001", "002"]
    assert beats(tmp_path) == [1, 3]


def test_a_part_whose_end_cannot_be_written_has_its_last_block_all_the_same(
    tmp_path, monkeypatch, written
):
    with monkeypatch.context() as full:
        full.setattr(BlockWriter, "end", no_room)
        file = written(tmp_path, 1, part_bytes=1)
    file.write(piece(1))

    assert beats(tmp_path) == [1, 2]
    assert len(open_recording(tmp_path).warnings) == 1


def no_room(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_block_that_was_lost_is_a_gap_and_what_it_explained_is_told(tmp_path, opened, written):
    file = written(tmp_path, 1)

    file.lose(piece(1, grown()), "No space left on device")
    file.lose(piece(2), "No space left on device")
    file.write(piece(3))
    file.finish()

    _, block = open_recording(tmp_path).blocks()
    told = [what for _, what in block.told]
    gap = Gap(
        from_us=START_US + SECOND + 100,
        to_us=START_US + 3 * SECOND,
        why="not recorded: No space left on device",
    )
    assert told == [grown(), gap, make_beat(START_US + 4 * SECOND)]
    assert file.header == grown()


# --- how much is kept ----------------------------------------------------------------------------------------------


def runs(root, **sizes):
    for day, size in sizes.items():
        folder = root / f"2026-11-{day[1:]}-live-abc"
        folder.mkdir(parents=True)
        (folder / "NIFTY-001.oirec").write_bytes(bytes(size))
    return root / "2026-11-25-live-new"


def left(root):
    return sorted(path.name[8:10] for path in root.iterdir())


def test_days_beyond_the_limit_are_deleted(tmp_path, caplog):
    caplog.set_level("INFO")
    now = runs(tmp_path, d20=10, d23=10, d24=10)

    make_room(now, Limits(days=2, most_bytes=100))

    assert left(tmp_path) == ["24"]
    assert [record.run for record in caplog.records] == [
        "2026-11-20-live-abc", "2026-11-23-live-abc",
    ]  # fmt: skip


def test_the_oldest_are_deleted_until_the_rest_fits(tmp_path, opened, written):
    now = runs(tmp_path, d20=50, d23=50, d24=50)
    now.mkdir()
    (now / "NIFTY-001.oirec").write_bytes(bytes(30))

    make_room(now, Limits(days=30, most_bytes=100))

    assert left(tmp_path) == ["24", "25"]


def test_what_is_no_run_is_never_touched_and_a_run_with_other_files_stays(
    tmp_path, opened, written
):
    now = runs(tmp_path, d20=10)
    (tmp_path / "2026-11-20-live-abc" / "notes.txt").write_text("mine")
    (tmp_path / "2020-01-01-holiday").mkdir()
    (tmp_path / "2020-01-01-holiday" / "NIFTY-001.oirec").write_bytes(b"x")

    make_room(now, Limits(days=1, most_bytes=1))

    assert (tmp_path / "2026-11-20-live-abc" / "notes.txt").exists()
    assert (tmp_path / "2020-01-01-holiday" / "NIFTY-001.oirec").exists()
