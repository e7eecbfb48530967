from itertools import pairwise

import pytest

from ingest.arrivals import Arrivals
from ingest.feed import FrameBuffer
from ingest.frames import MOST_AFTER_US
from tests.builders import make_frame
from tests.unit.ingest.test_pump import make_day

AT_US = 1_795_578_300_000_000
SECOND = 1_000_000


class Came:
    """What a stream and requests bring, and what is handed on of it."""

    def __init__(self):
        self.stream, self.asked = FrameBuffer(lambda: None), FrameBuffer(lambda: None)
        self._arrivals = Arrivals(self.stream, self.asked, [make_day()])

    def share(self):
        (share,) = self._arrivals.take(with_frames=True).shares
        return share


@pytest.fixture
def came():
    return Came()


def test_no_frame_is_handed_on_with_a_time_before_that_of_another(came):
    times = []
    came.stream.put(make_frame(), AT_US)
    times += came.share().times
    came.asked.put(make_frame(), AT_US - 5 * SECOND)  # the clock was set back
    times += came.share().times
    came.stream.put(make_frame(), AT_US - 4 * SECOND)
    times += came.share().times

    assert len(times) == 3
    assert all(before <= after for before, after in pairwise(times))


@pytest.mark.parametrize("first", ["stream", "asked"])
def test_two_hours_without_the_bus_are_survived(came, first):
    other = came.asked if first == "stream" else came.stream
    getattr(came, first).put(make_frame(sequence=1), AT_US)
    other.put(make_frame(sequence=2), AT_US + 7200 * SECOND)

    share = came.share()

    assert share.ticks["seq"].tolist() == [1, 2]
    assert share.ticks["received_after_us"].tolist() == [0, MOST_AFTER_US]
    assert share.times == [AT_US, AT_US + 7200 * SECOND]
