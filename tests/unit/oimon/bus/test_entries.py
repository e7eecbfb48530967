import pytest

from oimon.bus.redis.entries import entry


@pytest.mark.parametrize("number", [b"", b"-1", b"1.5", b"one", b"9" * 5000])
def test_a_number_that_is_none_of_ours_is_nought(number):
    read = entry("oi.ticks.v1", "NIFTY", b"1-0", {b"n": number, b"v": number, b"at": number})

    assert (read.n, read.version, read.at_ms) == (0, 0, 0)


def test_a_number_is_read_to_its_last_digit():
    read = entry("oi.ticks.v1", "NIFTY", b"1-0", {b"n": b"12", b"v": b"1", b"at": b"1800000000000"})

    assert (read.n, read.version, read.at_ms) == (12, 1, 1_800_000_000_000)
