import asyncio

import pytest

from ingest.smartapi.limits import KEPT, PUBLISHED, Endpoint, Limit, Limits, Pace
from tests.unit.ingest.smartapi.virtual import LoopClock, run


def test_every_endpoint_has_a_limit_and_none_that_is_kept_is_above_the_published():
    assert set(PUBLISHED) == set(KEPT) == set(Endpoint)
    for endpoint, published in PUBLISHED.items():
        assert KEPT[endpoint].interval_s >= published.interval_s
    assert KEPT[Endpoint.QUOTE].interval_s >= 1.0


@pytest.mark.parametrize("endpoint", [Endpoint.QUOTE, Endpoint.OI, Endpoint.RENEW, Endpoint.GREEKS])
def test_no_window_ever_holds_more_than_is_published(endpoint):
    async def main():
        pace = Limits(LoopClock())[endpoint]
        at_s = []
        while asyncio.get_running_loop().time() < 4000:
            await pace.turn()
            at_s.append(asyncio.get_running_loop().time())
        return at_s

    at_s = run(main())
    limit = PUBLISHED[endpoint]

    for span_s, most in ((1, limit.second), (60, limit.minute), (3600, limit.hour)):
        if most:
            # Seen by the broker a little nearer together than they were sent.
            assert all(b - a > span_s - 0.05 for a, b in zip(at_s, at_s[most:], strict=False))
    assert len(at_s) > 3000 or limit.hour == 1000


def test_turns_that_are_waited_for_together_are_spread():
    async def main():
        pace = Pace(Limit(second=1), LoopClock())
        at_s = []

        async def ask():
            await pace.turn()
            at_s.append(round(asyncio.get_running_loop().time(), 3))

        await asyncio.gather(*(ask() for _ in range(4)))
        return at_s

    assert run(main()) == [0.0, 1.1, 2.2, 3.3]


def test_a_refusal_silences_the_endpoint_and_an_answer_starts_over():
    async def main():
        pace = Pace(Limit(second=1), LoopClock(), jitter=lambda: 0.5)
        waits = []
        for _ in range(8):
            pace.throttled()
            waits.append(pace.back_off_s())
        pace.answered()
        pace.throttled()
        return [*waits, pace.back_off_s()]

    assert run(main()) == [1, 2, 4, 8, 16, 32, 60, 60, 1]


def test_what_is_left_of_the_hour_is_counted():
    async def main():
        limits = Limits(LoopClock())
        for _ in range(3):
            await limits[Endpoint.QUOTE].turn()
        first = limits.left()
        await asyncio.sleep(3601)
        return first, limits.left()

    first, later = run(main())

    assert first == {"generateTokens": 1000, "quote": 4997, "getOIData": 5000}
    assert later["quote"] == 5000
