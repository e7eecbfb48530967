"""When open interest has moved enough to speak of."""

import numpy as np
import pytest

from oimon.core.shift import HEARTBEAT, INITIAL, OI_CHANGE, Baseline, oi_trigger

LOT = 65
BASE = np.full(40, 650_000.0)


def moved(count, share=0.01):
    oi = BASE.copy()
    oi[:count] *= 1 + share
    return oi


def fired():
    memory, shift = oi_trigger(Baseline(oi=np.full(40, np.nan)), BASE, LOT, 0.0)
    assert shift.reason == INITIAL
    return memory


def test_nothing_fires_before_twenty_symbols_have_open_interest():
    few = np.where(np.arange(40) < 19, BASE, np.nan)

    memory, shift = oi_trigger(Baseline(oi=np.full(40, np.nan)), few, LOT, 0.0)

    assert (shift.eligible, shift.reason) == (19, None)
    assert memory.fired_s is None


def test_it_fires_once_armed_for_two_seconds():
    memory, first = oi_trigger(fired(), moved(4), LOT, 70.0)
    memory, second = oi_trigger(memory, moved(4), LOT, 72.0)

    assert (first.reason, second.reason) == (None, OI_CHANGE)
    assert (memory.fired_s, memory.armed_s) == (72.0, None)


@pytest.mark.parametrize(("symbols", "reason"), [(19, None), (20, OI_CHANGE)])
def test_twenty_symbols_can_move_and_fewer_cannot(symbols, reason):
    memory = Baseline(oi=BASE[:symbols], fired_s=0.0)

    for ts_s in (70.0, 72.0):
        memory, shift = oi_trigger(memory, moved(symbols)[:symbols], LOT, ts_s)

    assert (shift.fraction, shift.reason) == (1.0, reason)


def test_twenty_symbols_are_enough_for_a_first_word():
    _, first = oi_trigger(Baseline(oi=np.full(20, np.nan)), BASE[:20], LOT, 0.0)
    _, none = oi_trigger(Baseline(oi=np.full(0, np.nan)), BASE[:0], LOT, 0.0)

    assert (first.reason, none.reason, none.fraction) == (INITIAL, None, 0.0)


def test_falling_below_a_tenth_disarms():
    memory, _ = oi_trigger(fired(), moved(4), LOT, 70.0)
    memory, _ = oi_trigger(memory, moved(3), LOT, 71.0)
    _, shift = oi_trigger(memory, moved(4), LOT, 73.0)

    assert shift.reason is None


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        (650_000, 656_500, 1),  # a hundredth, 100 lots
        (650_000, 656_435, 0),
        (650_000, 643_500, 1),
        (6_500, 7_150, 1),  # ten lots
        (6_500, 7_085, 0),
        (0, 650, 1),
        (650, 0, 1),
    ],
)
def test_a_symbol_has_moved_by_a_hundredth_and_ten_lots_either_way(before, now, count):
    memory = Baseline(oi=np.array([float(before)]), fired_s=0.0)

    _, shift = oi_trigger(memory, np.array([float(now)]), LOT, 1.0)

    assert (shift.eligible, shift.moved) == (1, count)


def test_slow_drift_adds_up_against_the_last_firing():
    memory = fired()
    for second, share in ((70, 0.004), (130, 0.008), (190, 0.011), (192, 0.012)):
        memory, shift = oi_trigger(memory, moved(8, share), LOT, float(second))

    assert shift.reason == OI_CHANGE


def test_a_missing_symbol_is_not_eligible_and_keeps_its_baseline():
    oi = BASE.copy()
    oi[0] = np.nan

    memory, shift = oi_trigger(fired(), oi, LOT, 601.0)

    assert (shift.eligible, shift.reason) == (39, HEARTBEAT)
    assert memory.oi[0] == BASE[0]


def test_a_symbol_without_any_open_interest_is_not_eligible():
    oi = BASE.copy()
    oi[:5] = 0

    _, shift = oi_trigger(Baseline(oi=oi.copy(), fired_s=0.0), oi, LOT, 10.0)

    assert shift.eligible == 35


@pytest.mark.parametrize(("ts_s", "reason"), [(59.0, None), (60.0, "SUPPORT_BREAK")])
def test_an_event_is_heard_a_minute_after_the_last_word(ts_s, reason):
    _, shift = oi_trigger(fired(), BASE, LOT, ts_s, event="SUPPORT_BREAK")

    assert shift.reason == reason


def test_what_it_was_given_is_not_changed():
    memory, oi = fired(), moved(4)
    kept, given = memory.oi.copy(), oi.copy()

    oi_trigger(memory, oi, LOT, 700.0)

    assert np.array_equal(memory.oi, kept)
    assert np.array_equal(oi, given)
