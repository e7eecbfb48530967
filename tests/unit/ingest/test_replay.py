from collections import Counter

import pytest

from ingest.blocks import Block
from ingest.frames import Drop
from ingest.recorder import BLOCK_FRAMES
from ingest.recording import Renewed
from ingest.recordings import BUNDLED
from ingest.replay import SESSION_EVERY, Replay, recorded
from oimon import codec
from oimon.codec import MAX_TICKS
from oimon.messages import Gap, Session, TickBatch
from oimon.terms import FeedState, MarketState
from tests.builders import (
    make_beat,
    make_frame,
    make_header,
    make_recording,
    make_row,
    make_session,
    make_tick,
)

SECOND = 1_000_000
START_US = 1_795_578_301_000_000  # a whole second: 25 November 2026, 09:15:01 in India


def frames_at(*seconds):
    return [
        (START_US + round(at * SECOND), make_frame(sequence=n)) for n, at in enumerate(seconds, 1)
    ]


def play(tmp_path, arrivals, frames_at_a_time=None, **replay):
    """Return the steps of a recording with these arrivals."""
    told = replay.pop("told", ())
    recording = make_recording(tmp_path / "day.oirec", arrivals, told=told)
    return list(Replay(recording, "run-1", **replay).steps(frames_at_a_time))


def log_of(steps):
    """Return what the bus would write: (``tick``, sequence), (``beat``, seconds after the start), ``session``."""
    written, newest = [], 0
    for step in steps:
        for message in step.messages:
            if isinstance(message, TickBatch):
                written += [("tick", int(seq)) for seq in message.records["seq"]]
            else:
                written.append("session")
        if step.pulse.event_us > newest:
            newest = step.pulse.event_us
            written.append(("beat", (newest - START_US) / SECOND))
    return written


def test_the_session_comes_first_and_names_the_run(tmp_path):
    first = play(tmp_path, frames_at(0.2))[0]

    (session,) = first.messages
    assert isinstance(session, Session)
    assert session.run == first.pulse.run == "run-1"
    assert first.pulse.event_us == 0  # no beat has come


def test_a_beat_stands_before_the_first_frame_of_its_time_or_later(tmp_path):
    steps = play(tmp_path, frames_at(0.2, 0.999999, 1.0, 1.5))

    assert log_of(steps) == [
        "session",
        ("tick", 1),
        ("tick", 2),
        ("beat", 1),
        ("tick", 3),
        ("tick", 4),
        ("beat", 2),
        ("beat", 3),
    ]


def test_the_first_beat_is_the_first_whole_second_after_the_first_frame(tmp_path):
    on_a_second = play(tmp_path, frames_at(0))

    assert log_of(on_a_second) == ["session", ("tick", 1), ("beat", 1), ("beat", 2)]


def test_quiet_seconds_get_their_beats(tmp_path):
    steps = play(tmp_path, frames_at(0.5, 3.5))

    assert log_of(steps) == [
        "session",
        ("tick", 1),
        ("beat", 1),
        ("beat", 2),
        ("beat", 3),
        ("tick", 2),
        ("beat", 4),
        ("beat", 5),
    ]


def test_no_batch_straddles_a_beat(tmp_path):
    steps = play(tmp_path, frames_at(*(n / 10 for n in range(50))), window_us=60 * SECOND)

    batches = [step for step in steps if any(isinstance(m, TickBatch) for m in step.messages)]
    assert len(batches) == 5
    for step in batches:
        (batch,) = step.messages
        assert batch.received_us // SECOND == step.due_us // SECOND


def test_after_the_last_frame_comes_one_more_beat_and_then_one_that_says_ended(tmp_path):
    steps = play(tmp_path, frames_at(0.5, 1.5))

    beats = [(s.pulse.event_us - START_US, s.pulse.feed) for s in steps if not s.messages]
    assert beats == [
        (1 * SECOND, FeedState.OK),
        (2 * SECOND, FeedState.OK),
        (3 * SECOND, FeedState.ENDED),
    ]


def test_recorded_beats_are_used_where_they_fell(tmp_path):
    told = [(n, make_beat(START_US + at * SECOND)) for n, at in ((0, 0), (1, 1), (1, 2))]

    # the second frame came late by its own time: live, the server's clock had already beaten
    steps = play(tmp_path, frames_at(0.9, 1.2), told=told)

    assert log_of(steps) == [
        "session",
        ("beat", 0),
        ("tick", 1),
        ("beat", 1),
        ("beat", 2),
        ("tick", 2),
        ("beat", 4),
    ]
    assert steps[-1].pulse.feed is FeedState.ENDED


def test_a_recorded_beat_says_again_what_it_said(tmp_path):
    beat = make_beat(
        START_US, market=MarketState.PREOPEN, feed=FeedState.DOWN, age_ms=4321, conflated=7
    )

    pulse = play(tmp_path, frames_at(0.5), told=[(0, beat)])[1].pulse

    assert (pulse.event_us, pulse.market, pulse.feed) == (START_US, beat.market, beat.feed)
    assert (pulse.age_ms, pulse.conflated) == (4321, 7)


def test_what_was_told_among_frames_is_told_there_again(tmp_path):
    gap = Gap(from_us=1, to_us=2, why="closed")
    grown = make_header(
        master=[make_row("99926000", kind="INDEX"), make_row(), make_row("40638", strike=24_250)],
        has_beats=True,
    )
    lost = TickBatch(
        received_us=START_US + 800_000, table=make_session().table, records=make_tick(row=1, seq=9)
    )
    told = [
        (0, make_beat(START_US)),
        (1, gap),
        (1, lost),
        (2, grown),
        (3, make_beat(START_US + SECOND)),
    ]
    arrivals = [*frames_at(0.1, 0.9), (START_US + 950_000, make_frame("40638", sequence=3))]

    steps = play(tmp_path, arrivals, told=told)

    said = [message for step in steps for message in step.messages]
    assert [type(each) for each in said] == [
        Session, TickBatch, Gap, TickBatch, TickBatch, Session, TickBatch,
    ]  # fmt: skip
    assert said[2] == gap
    assert said[3].records.tobytes() == lost.records.tobytes()
    assert len(said[5].instruments.token) == 3
    assert said[6].table == said[5].table
    assert said[6].records["row"].tolist() == [2]


def test_a_beat_says_how_old_the_newest_tick_is(tmp_path):
    steps = play(tmp_path, frames_at(0.25, 3.5))

    ages = [s.pulse.age_ms for s in steps if not s.messages]
    assert ages == [750, 1750, 2750, 500, 1500]
    assert steps[0].pulse.age_ms is None


def test_a_beat_says_the_state_of_the_market(tmp_path):
    before_opening = [(START_US - 3 * SECOND, make_frame(sequence=1))]

    steps = play(tmp_path, [*before_opening, *frames_at(0.5)])

    states = [s.pulse.market for s in steps if not s.messages]
    assert states == [MarketState.PREOPEN, *[MarketState.OPEN] * 4]


def test_the_session_is_said_again_every_sixty_beats(tmp_path):
    steps = play(tmp_path, frames_at(0.5, 2 * SESSION_EVERY + 0.5))

    said = [
        step.pulse.event_us
        for step in steps
        for message in step.messages
        if isinstance(message, Session)
    ]
    assert said == [0, START_US + SESSION_EVERY * SECOND, START_US + 2 * SESSION_EVERY * SECOND]


def test_frames_that_are_no_ticks_are_counted_and_are_no_market_data(tmp_path):
    arrivals = [*frames_at(0.2), (START_US + 700_000, b"rubbish"), *frames_at(1.5)]
    recording = make_recording(tmp_path / "day.oirec", arrivals)

    replay = Replay(recording, "run-1")
    steps = list(replay.steps())

    assert replay.dropped == Counter({Drop.LENGTH: 1})
    assert replay.frames == 3
    assert next(s.pulse.age_ms for s in steps if not s.messages) == 800


def test_every_batch_is_a_beat_when_the_step_is_zero(tmp_path):
    steps = play(tmp_path, frames_at(0.2, 0.3, 2.0), window_us=1, beat_us=0)

    assert log_of(steps) == [
        "session",
        ("tick", 1),
        ("beat", 0.2),
        ("tick", 2),
        ("beat", 0.3),
        ("tick", 3),
        ("beat", 2.0),
        ("beat", 3),
        ("beat", 4),
    ]


def test_beats_may_come_faster_than_each_second(tmp_path):
    steps = play(tmp_path, frames_at(0.05, 0.25), beat_us=100_000)

    assert log_of(steps) == [
        "session",
        ("tick", 1),
        ("beat", 0.1),
        ("beat", 0.2),
        ("tick", 2),
        ("beat", 0.3),
        ("beat", 0.4),
    ]


@pytest.mark.parametrize("frames_at_a_time", [1, 2, 3, 7])
@pytest.mark.parametrize("window_us", [1, 30_000, 60 * SECOND])
def test_however_frames_are_batched_the_log_says_the_same(tmp_path, frames_at_a_time, window_us):
    arrivals = frames_at(*(n * n / 37 for n in range(60)))
    arrivals.insert(30, (arrivals[30][0], b"rubbish"))

    whole = play(tmp_path, arrivals)
    parts = play(tmp_path, arrivals, frames_at_a_time, window_us=window_us)

    assert log_of(parts) == log_of(whole)
    pulses = [[s.pulse for s in steps if not s.messages] for steps in (whole, parts)]
    assert pulses[0] == pulses[1]


def test_a_batch_is_never_larger_than_an_entry_may_be(tmp_path):
    crowd = [(START_US + n, make_frame(sequence=n)) for n in range(MAX_TICKS + 10)]

    batches = [s.messages[0] for s in play(tmp_path, crowd)[1:] if s.messages]

    assert [len(batch.records) for batch in batches] == [MAX_TICKS, 10]
    assert len(codec.encode(batches[0])) <= codec.MAX_BYTES


def test_a_beat_between_two_blocks_of_the_file_is_not_lost(tmp_path):
    crowd = [(START_US + 100 * n, make_frame(sequence=n)) for n in range(BLOCK_FRAMES)]
    late = [(START_US + 2_500_000, make_frame(sequence=BLOCK_FRAMES))]

    log = log_of(play(tmp_path, [*crowd, *late]))

    assert [second for what, second in log[1:] if what == "beat"] == [1, 2, 3, 4]
    assert log.index(("beat", 1)) == 1 + BLOCK_FRAMES


def test_steps_are_due_in_order_and_no_batch_before_its_last_frame(tmp_path):
    steps = play(tmp_path, frames_at(*(n / 7 for n in range(60))))

    due = [step.due_us for step in steps]
    assert due == sorted(due)
    for step in steps:
        for message in step.messages:
            if isinstance(message, TickBatch):
                newest = message.received_us + int(message.records["received_after_us"][-1])
                assert step.due_us == newest


def test_the_bundled_day_has_a_beat_for_each_second_of_it():
    day = recorded(BUNDLED)

    steps = list(day.steps(None))

    beats = [step.pulse.event_us for step in steps]
    beats = [after for before, after in zip([0, *beats], beats, strict=False) if after > before]
    seconds = (day.last_us // SECOND - day.first_us // SECOND) + 1
    assert (day.underlying, len(beats)) == ("NIFTY", seconds + 1)  # and the one that says ended
    assert beats == list(range(beats[0], beats[-1] + SECOND, SECOND))


def test_a_live_day_is_replayed_as_the_run_that_was_recorded(tmp_path):
    make_recording(tmp_path / "day.oirec", frames_at(0.1), run="2026-11-25-live")

    first = next(recorded(tmp_path / "day.oirec").steps(None))

    assert first.pulse.run == first.messages[0].run == "2026-11-25-live"


@pytest.mark.parametrize(("grows", "said"), [(True, 2), (False, 1)])
def test_a_day_that_grew_says_its_session_again_before_what_comes_next_and_adds_no_beat(
    tmp_path, grows, said
):
    day = make_recording(tmp_path / "day.oirec", frames_at(0.1, 1.1, 2.1, 3.1))
    rows = [*day.header.master, *[make_row("40638", strike=24_250)] * grows]
    replay = Replay(day, "run-1")
    (block,) = day.blocks()
    first, rest = (
        Block(frames=block.frames[part], received_us=block.received_us[part])
        for part in (slice(2), slice(2, None))
    )

    steps = list(replay.block_steps(first))
    replay.go_on_with(Renewed(day, make_header(master=rows)))
    steps += replay.block_steps(rest)

    sessions = [
        step
        for step in steps
        if isinstance(step.messages[:1][0] if step.messages else None, Session)
    ]
    assert [len(step.messages[0].instruments.token) for step in sessions] == [2, 3][:said]
    assert [step.pulse.event_us for step in sessions] == [0, START_US + SECOND][:said]
    assert log_of(steps) == [
        "session", ("tick", 1), ("beat", 1.0), ("tick", 2), *["session"] * grows,
        ("beat", 2.0), ("tick", 3), ("beat", 3.0), ("tick", 4),
    ]  # fmt: skip


def test_a_day_renewed_before_it_begins_says_its_session_all_the_same(tmp_path):
    day = make_recording(tmp_path / "day.oirec", frames_at(0.1))
    replay = Replay(day, "run-1")

    replay.go_on_with(day)

    assert log_of(replay.steps())[0] == "session"


def test_two_replays_of_one_file_are_one_run():
    first, second = (next(recorded(BUNDLED).steps(None)) for _ in range(2))

    assert first.pulse.run == second.pulse.run
    assert first.pulse.run.startswith("2026-08-18-")
