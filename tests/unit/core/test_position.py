"""The life of one bought option."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.position import Reason, Sight, coach_in_position, invalidation, opened
from oimon.terms import Action, Direction, OptionKind

CALL = opened(OptionKind.CE, 150.0, 0.0, invalidation=25987.0)
FINE = Sight(
    ts_s=10.0,
    is_square_off=False,
    bid=151.0,
    quote_age_s=1.0,
    x=26050.0,
    direction=Direction.BULLISH,
    confidence=0.6,
)


def at(ts_s=10.0, **changed):
    return dataclasses.replace(FINE, ts_s=ts_s, **changed)


def test_a_fill_sets_stop_and_target():
    put = opened(OptionKind.PE, 150.0, 7.0, invalidation=26156.0)

    assert (put.stop, put.target, put.peak) == (112.5, pytest.approx(210.0), 150.0)
    assert (put.side, put.entry, put.entry_s, put.invalidation) == (OptionKind.PE, 150.0, 7.0, 26156.0)  # fmt: skip
    assert (put.is_trailing, put.pending_exit) == (False, None)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (at(is_square_off=True), Reason.SQUARE_OFF),
        (at(bid=112.5), Reason.STOP_LOSS),
        (at(bid=210.0), Reason.TARGET),
        (at(x=25986.9), Reason.INVALIDATION),
        (at(direction=Direction.BEARISH, confidence=0.5), Reason.REVERSAL),
        (at(2700.0, bid=164.9), Reason.TIME_STOP),
    ],
)
def test_each_exit_has_its_reason(seen, reason):
    assert coach_in_position(CALL, seen)[1:] == (Action.EXIT, reason)


@pytest.mark.parametrize(
    "seen",
    [
        at(x=25987.0),
        at(x=None),
        at(direction=Direction.BEARISH, confidence=0.49),
        at(2700.0, bid=165.1),
        at(2699.0, bid=150.0),
    ],
)
def test_just_short_of_an_exit_is_held(seen):
    assert coach_in_position(CALL, seen)[1:] == (Action.HOLD, Reason.IN_POSITION)


def test_a_put_is_invalid_above_its_level():
    put = opened(OptionKind.PE, 88.0, 0.0, invalidation=26156.0)

    for x, reason in ((26156.0, Reason.IN_POSITION), (26156.1, Reason.INVALIDATION)):
        seen = at(bid=88.0, x=x, direction=Direction.BEARISH)
        assert coach_in_position(put, seen)[2] is reason


def test_without_a_level_nothing_is_invalid():
    assert coach_in_position(opened(OptionKind.CE, 150.0, 0.0), at(x=1.0))[1] is Action.HOLD


def test_a_stop_once_trailing_never_falls():
    held, _, _ = coach_in_position(CALL, at(bid=185.0))
    later, action, reason = coach_in_position(held, at(20.0, bid=162.9))

    assert (held.stop, later.stop) == (pytest.approx(162.8), pytest.approx(162.8))
    assert action is Action.HOLD
    assert coach_in_position(later, at(30.0, bid=162.8))[2] is Reason.TRAILING_STOP
    assert reason is Reason.IN_POSITION


def test_neutral_time_counts_while_the_quote_is_stale():
    held, _, _ = coach_in_position(CALL, at(0.0, bid=None, direction=Direction.NEUTRAL))

    _, action, reason = coach_in_position(held, at(300.0, bid=150.0, direction=Direction.NEUTRAL))

    assert (action, reason) == (Action.EXIT, Reason.FADE)


def test_a_direction_ends_neutral_time():
    held, _, _ = coach_in_position(CALL, at(0.0, direction=Direction.NEUTRAL))
    held, _, _ = coach_in_position(held, at(100.0))

    assert held.neutral_since_s is None


@pytest.mark.parametrize("quote", [{"bid": None}, {"quote_age_s": None}, {"quote_age_s": 30.1}])
def test_no_price_is_invented_for_a_stale_quote(quote):
    held, action, reason = coach_in_position(CALL, at(bid=100.0) if not quote else at(**quote))

    assert (action, reason) == (Action.HOLD, Reason.STALE_QUOTE)
    assert held.stale_since_s == 10.0


def test_two_minutes_without_a_quote_exit_at_the_first_one():
    held, _, _ = coach_in_position(CALL, at(0.0, bid=None))
    held, action, _ = coach_in_position(held, at(120.0, bid=None))

    assert action is Action.HOLD
    assert coach_in_position(held, at(130.0))[2] is Reason.STALE_EXIT


def test_square_off_without_a_quote_is_remembered():
    held, action, _ = coach_in_position(CALL, at(bid=None, is_square_off=True))

    assert action is Action.HOLD
    assert coach_in_position(held, at(20.0))[2] is Reason.SQUARE_OFF


def test_a_slow_source_has_a_wider_limit():
    assert coach_in_position(CALL, at(quote_age_s=80.0), 90.0)[2] is Reason.IN_POSITION


@pytest.mark.parametrize(
    ("side", "support", "resistance", "level"),
    [
        (OptionKind.CE, 26000.0, 26200.0, 25987.0),
        (OptionKind.CE, None, 26200.0, 26052.4 * 0.996),
        (OptionKind.CE, 26052.0, None, 26052.4 * 0.996),
        (OptionKind.PE, 26000.0, 26150.0, 26150.0 * 1.0005),
        (OptionKind.PE, 26000.0, 26300.0, 26052.4 * 1.004),
    ],
)
def test_a_near_level_stands_for_the_idea(side, support, resistance, level):
    assert invalidation(side, 26052.4, support, resistance) == pytest.approx(level)


prices = st.one_of(st.none(), st.floats(0.05, 1e5))
sights = st.builds(
    Sight,
    ts_s=st.floats(0, 1e5),
    is_square_off=st.booleans(),
    bid=prices,
    quote_age_s=st.one_of(st.none(), st.floats(0, 1e4)),
    x=prices,
    direction=st.sampled_from(Direction),
    confidence=st.floats(0, 1),
)


@given(st.lists(sights, max_size=20))
def test_whatever_is_seen_stop_and_peak_never_fall_and_stay_numbers(seen):
    held = CALL

    for sight in sorted(seen, key=lambda s: s.ts_s):
        before = held
        held, action, reason = coach_in_position(held, sight)
        assert held.stop >= before.stop
        assert held.peak >= before.peak
        assert action is Action.HOLD or reason not in (Reason.IN_POSITION, Reason.STALE_QUOTE)


def test_a_fresh_quote_starts_the_clock_of_stale_ones_anew():
    held = CALL
    for ts_s, bid in ((10.0, None), (100.0, None), (110.0, 149.0), (120.0, None), (239.0, None)):
        held, action, _ = coach_in_position(held, at(ts_s, bid=bid))
        assert (action, held.pending_exit) == (Action.HOLD, None)

    held, _, _ = coach_in_position(held, at(240.0, bid=None))

    assert held.pending_exit is Reason.STALE_EXIT


def test_a_trailing_stop_follows_the_peak():
    held = CALL
    for ts_s, bid, stop in ((10.0, 179.9, 112.5), (20.0, 180.0, 158.4), (30.0, 200.0, 176.0), (40.0, 190.0, 176.0)):  # fmt: skip
        held, action, _ = coach_in_position(held, at(ts_s, bid=bid))
        assert (action, held.stop) == (Action.HOLD, pytest.approx(stop))

    assert coach_in_position(held, at(50.0, bid=176.0))[2] is Reason.TRAILING_STOP


def test_what_fell_due_first_without_a_quote_is_what_is_done():
    held, _, _ = coach_in_position(CALL, at(10.0, bid=None))
    held, _, _ = coach_in_position(held, at(130.0, bid=None))
    held, _, _ = coach_in_position(held, at(140.0, bid=None, is_square_off=True))

    assert coach_in_position(held, at(150.0))[2] is Reason.STALE_EXIT


def test_a_square_off_that_waits_for_a_quote_stays_one():
    held, _, _ = coach_in_position(CALL, at(10.0, bid=None, is_square_off=True))
    held, _, _ = coach_in_position(held, at(200.0, bid=None))

    assert coach_in_position(held, at(210.0))[2] is Reason.SQUARE_OFF


def test_a_fade_counts_from_when_neutral_began():
    held, _, _ = coach_in_position(CALL, at(1_000.0, bid=150.0, direction=Direction.NEUTRAL))

    for ts_s, action in ((1_299.0, Action.HOLD), (1_300.0, Action.EXIT)):
        seen = at(ts_s, bid=150.0, direction=Direction.NEUTRAL)
        assert coach_in_position(held, seen)[1] is action
    dearer = at(1_300.0, bid=150.05, direction=Direction.NEUTRAL)
    assert coach_in_position(held, dearer)[1] is Action.HOLD


@pytest.mark.parametrize(
    ("support", "level"),
    [(9_990.0, 9_985.005), (9_991.0, 9_960.0), (9_940.0, 9_935.03), (9_939.0, 9_960.0)],
)
def test_a_level_stands_for_the_idea_from_a_tenth_to_six_tenths_of_a_per_cent(support, level):
    assert invalidation(OptionKind.CE, 10_000.0, support, None) == pytest.approx(level)
