from ingest.fakebroker.limits import PUBLISHED, RollingLimits
from oimon.clock import ManualClock


def allowed(limits, endpoint, count):
    return sum(limits.lets(endpoint) for _ in range(count))


def test_the_window_of_a_second_rolls():
    clock = ManualClock()
    limits = RollingLimits(clock)

    assert allowed(limits, "getCandleData", 5) == 3
    clock.advance(0.999)
    assert allowed(limits, "getCandleData", 1) == 0
    clock.advance(0.001)
    assert allowed(limits, "getCandleData", 5) == 3


def test_a_minute_and_an_hour_have_limits_of_their_own():
    clock = ManualClock()
    limits = RollingLimits(clock)
    a_minute = 0
    for _ in range(59):
        a_minute += allowed(limits, "quote", 10)
        clock.advance(1)
    an_hour = a_minute
    for _ in range(3600 - 59):
        an_hour += allowed(limits, "quote", 2)
        clock.advance(1)

    assert a_minute == 500
    assert an_hour == 5000


def test_open_interest_counts_against_the_candles():
    limits = RollingLimits(ManualClock())

    assert allowed(limits, "getOIData", 2) == 1
    assert allowed(limits, "getCandleData", 5) == 2
    assert allowed(limits, "getOIData", 1) == 0


def test_an_endpoint_without_limits_has_none():
    assert allowed(RollingLimits(ManualClock(), {}), "quote", 100) == 100
    assert PUBLISHED["loginByPassword"] == {1: 1}
