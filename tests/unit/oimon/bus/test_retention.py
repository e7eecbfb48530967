"""How much of each stream is kept, so that all of it stays within the server's memory."""

import pytest

from oimon.bus.log import Retention
from oimon.messages import ANALYSIS, TICKS

MEGABYTE = 1_000_000
ANALYSIS_BYTES = 31_400  # measured: five simulated indices with two expiries each


@pytest.mark.parametrize(
    ("partitions", "kept"), [(0, 7200), (1, 7200), (2, 7200), (5, 2880), (28, 514)]
)
def test_underlyings_share_the_room_that_analyses_have(partitions, kept):
    assert Retention().of(ANALYSIS, partitions).entries == kept
    assert partitions * kept * ANALYSIS_BYTES < 500 * MEGABYTE


def test_who_says_how_many_is_taken_at_his_word():
    assert Retention(analyses=9000).of(ANALYSIS, 5).entries == 9000


def test_ticks_are_kept_by_time():
    assert Retention(ticks_s=90).of(TICKS, 5).ms == 90_000
