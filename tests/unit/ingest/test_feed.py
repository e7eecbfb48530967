import threading

import numpy as np
import pytest

from ingest.feed import TICKS_CACHE, CachedTick, FrameBuffer, Interest, TicksCache, flush_s
from oimon.messages import TickFlag
from tests.builders import NINE_FIFTEEN_MS, make_frame, make_session, make_tick


def ticks(*each):
    return np.concatenate(each)


@pytest.fixture
def cache():
    found = TicksCache()
    found.start(make_session())
    return found


def test_the_cache_holds_the_fields_that_the_description_names(cache):
    cache.apply(ticks(make_tick(row=1, ltp=12_385, bid=12_380, ask=12_390, volume=650)))

    (symbol,) = [name for name in cache if name.endswith("CE")]
    assert cache[symbol] == CachedTick(
        ltp=123.85, bid=123.80, ask=123.90, volume=650, timestamp=NINE_FIFTEEN_MS / 1000
    )
    assert CachedTick._fields == ("ltp", "bid", "ask", "volume", "timestamp")


def test_what_is_not_known_yet_is_none(cache):
    assert cache["Nifty 50"] == CachedTick(None, None, None, None, None)


def test_of_one_instrument_the_last_tick_wins(cache):
    cache.apply(ticks(make_tick(row=1, ltp=1), make_tick(row=0, ltp=5), make_tick(row=1, ltp=2)))

    assert [tick.ltp for tick in cache.values()] == [0.05, 0.02]


def test_a_tick_without_a_field_leaves_what_was_known(cache):
    cache.apply(ticks(make_tick(row=1)))
    cache.apply(ticks(make_tick(row=1, flags=TickFlag.PRICE, ltp=500, bid=0, volume=0)))

    (_, option) = cache.values()
    assert (option.ltp, option.bid, option.volume) == (5.0, 123.80, 9_876_555)


def test_open_interest_is_known_with_its_own_time(cache):
    assert cache.interest("Nifty 50") is None
    assert cache.interest("unheard of") is None
    cache.apply(ticks(make_tick(row=1, oi=650, exchange_us=5_000_001)))
    cache.apply(ticks(make_tick(row=1, oi=0, exchange_us=9_000_000, flags=TickFlag.PRICE)))

    (symbol,) = [name for name in cache if name.endswith("CE")]
    assert cache.interest(symbol) == Interest(oi=650, at_us=5_000_001)


def test_an_empty_side_is_none(cache):
    cache.apply(ticks(make_tick(row=1)))
    cache.apply(ticks(make_tick(row=1, ask=0)))

    (_, option) = cache.values()
    assert (option.bid, option.ask) == (123.80, None)


def test_a_new_session_forgets_the_one_before(cache):
    cache.apply(ticks(make_tick(row=1)))

    cache.start(make_session())

    assert {tick.ltp for tick in cache.values()} == {None}
    assert len(cache) == 2


def test_the_cache_of_the_description_is_there():
    assert isinstance(TICKS_CACHE, TicksCache)


# --- the buffer ----------------------------------------------------------------------------------------------------


def nothing():
    pass


def test_the_buffer_gives_what_came_in_order_and_is_empty_then():
    buffer = FrameBuffer(nothing)
    buffer.put(b"first", 5)
    buffer.put(b"second", 7)

    frames, times, conflated = buffer.take()

    assert (frames, list(times), conflated) == ([b"first", b"second"], [5, 7], 0)
    assert [len(part) for part in buffer.take()[:2]] == [0, 0]


def test_the_reader_is_woken_once_until_it_takes():
    woken = []
    buffer = FrameBuffer(lambda: woken.append(1))

    buffer.put(b"a", 1)
    buffer.put(b"b", 2)
    buffer.take()
    buffer.put(b"c", 3)

    assert len(woken) == 2


def test_a_clock_that_was_set_back_does_not_make_times_fall():
    buffer = FrameBuffer(nothing)
    for at_us in (100, 40, 120):
        buffer.put(b"a", at_us)

    assert list(buffer.take()[1]) == [100, 100, 120]


def test_a_full_buffer_keeps_the_newest_of_each_instrument_and_counts_the_rest():
    buffer = FrameBuffer(nothing, most=8)
    for n in range(9):
        buffer.put(make_frame(str(n % 3), sequence=n), n)

    frames, times, conflated = buffer.take()

    assert frames == [make_frame(str(n % 3), sequence=n) for n in (6, 7, 8)]
    assert list(times) == [6, 7, 8]
    assert conflated == 6


def test_frames_of_two_modes_do_not_replace_each_other():
    buffer = FrameBuffer(nothing, most=4)
    snap, price = make_frame(sequence=1), make_frame(mode=1, sequence=2)

    for n, frame in enumerate((snap, price, price, price, price)):
        buffer.put(frame, n)

    assert buffer.take()[0] == [snap, price]


def test_a_flood_of_strangers_does_not_grow_without_bound():
    buffer = FrameBuffer(nothing, most=100)
    for n in range(1000):
        buffer.put(make_frame(str(n)), n)

    frames, _, conflated = buffer.take()

    assert len(frames) <= 100
    assert len(frames) + conflated == 1000
    assert frames[-1] == make_frame("999")


def test_nothing_is_lost_between_two_threads():
    buffer = FrameBuffer(nothing)
    total, taken = 20_000, []
    frames = [n.to_bytes(4, "big") for n in range(total)]

    def feed():
        for n, frame in enumerate(frames):
            buffer.put(frame, n)

    thread = threading.Thread(target=feed)
    thread.start()
    conflated = 0
    while thread.is_alive() or not taken or taken[-1] != frames[-1]:
        some, times, gave_way = buffer.take()
        assert len(some) == len(times)
        taken += some
        conflated += gave_way
    thread.join()

    assert len(taken) + conflated == total
    assert taken == sorted(taken)


@pytest.mark.parametrize(
    ("flush_ms", "partitions", "seconds"),
    [(5, 1, 0.005), (5, 10, 0.005), (5, 200, 0.1), (0, 200, 0.0), (0.1, 1, 0.0005)],
)
def test_many_partitions_flush_less_often(flush_ms, partitions, seconds):
    assert flush_s(flush_ms, partitions) == pytest.approx(seconds)
