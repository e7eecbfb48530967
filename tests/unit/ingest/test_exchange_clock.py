from ingest.exchange_clock import ExchangeClock, FeedClock, timed
from ingest.packets import LTP
from ingest.recording import open_recording
from ingest.recordings import BUNDLED
from ingest.replay import Replay
from oimon.messages import TickBatch
from tests.builders import NINE_FIFTEEN_MS, make_frame

AT_US = NINE_FIFTEEN_MS * 1000


def frame(later_s=0, **fields):
    return make_frame(exchange_ms=NINE_FIFTEEN_MS + later_s * 1000, **fields)


def test_a_frame_comes_at_its_exchange_time_and_time_never_falls():
    clock = ExchangeClock()

    times = clock.times([frame(0), frame(2, mode=LTP), frame(1)])

    assert (times - AT_US).tolist() == [0, 2_000_000, 2_000_000]
    assert (clock.times([frame(1), frame(3)]) - AT_US).tolist() == [2_000_000, 3_000_000]


def test_what_holds_no_time_comes_with_the_one_before():
    clock = ExchangeClock()
    junk = [b"", b"\x03", b"\xff" * 379, frame()[:100], frame()[:50]]

    times = clock.times([frame(), *junk])

    assert set(times.tolist()) == {AT_US}
    assert ExchangeClock().times(junk).tolist() == [0] * 5


def test_a_recorded_day_by_the_exchange_has_its_ticks_and_beats_at_whole_times():
    day = timed(open_recording(BUNDLED), FeedClock.EXCHANGE)
    steps = Replay(day, "run").steps()

    some = [next(steps) for _ in range(400)]

    batches = [m for step in some for m in step.messages if isinstance(m, TickBatch)]
    assert batches
    assert all(not batch.records["received_after_us"].any() for batch in batches)
    assert {batch.received_us % 1_000_000 for batch in batches} == {0}
    assert timed(day, FeedClock.ARRIVAL) is day
