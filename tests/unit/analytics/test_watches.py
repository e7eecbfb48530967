"""What is watched from beat to beat: each event once, with its words, and nothing of what cannot be trusted."""

import dataclasses

import pytest

from analytics.watches import Seen, Watches, watch
from coach_rich import trigger
from oimon.messages import Event
from oimon.terms import EventKind
from tests.unit.analytics.days import (
    START_US,
    Tape,
    make_batch,
    make_session,
    market_ticks,
    play,
)
from tests.unit.analytics.test_keeping import kept
from tests.unit.coach.market import NOON_US, later, make_analysis

CALM = Seen(0.05, max_pain=24_500.0, pcr=1.0, net=0.4, level=24_500.0, straddle=300.0, oi=1e6)


def walk(*stretches):
    """Watch (seconds, what changes of a calm market) beat by beat; return what happened, by second."""
    now, at_s, happened = Watches(), 0, []
    for seconds, change in stretches:
        for _ in range(seconds):
            now, events = watch(now, float(at_s), CALM._replace(**change))
            happened += [(at_s, event) for event in events]
            at_s += 1
    return happened


def kinds(happened):
    return [(at_s, event.kind) for at_s, event in happened]


def test_a_calm_market_tells_nothing_and_changes_nothing():
    first, none = watch(Watches(), 0.0, CALM)

    again, nothing = watch(first, 1.0, CALM)

    assert (none, nothing) == ([], [])
    assert again is first


def test_max_pain_that_lasts_three_minutes_has_moved():
    happened = walk((10, {}), (179, {"max_pain": 24_600.0}), (9, {}), (190, {"max_pain": 24_450.0}))

    ((at_s, event),) = happened
    assert (at_s, event.kind, event.strike) == (10 + 179 + 9 + 180, "MAX_PAIN_SHIFT", 24_450.0)
    assert (event.text, event.was, event.now) == (
        "max pain moved 24500 → 24450", "24500", "24450",
    )  # fmt: skip


def test_a_ratio_in_another_band_for_a_minute_has_crossed():
    ((at_s, event),) = walk((5, {}), (100, {"pcr": 1.14}))

    assert (at_s, event.kind, event.ts_us) == (65, "PCR_CROSS", 65_000_000)
    assert event.text == "PCR 1.14: neutral → mildly bullish"
    assert (event.was, event.now) == ("neutral", "mildly_bullish")


def test_a_net_build_up_on_the_other_side_for_a_minute_has_flipped_by_way_of_neither():
    ((at_s, event),) = walk((5, {}), (30, {"net": 0.0}), (100, {"net": -0.3}))

    assert (at_s, event.kind) == (95, "BUILD_UP_FLIP")
    assert event.text == "net build-up Bull → Bear, score -0.30"


def test_a_net_build_up_that_alternates_floods_nobody():
    swings = [(30, {"net": 0.9 if k % 2 else -0.9}) for k in range(100)]

    assert walk((5, {}), *swings) == []


def test_a_price_beyond_the_first_straddles_band_for_a_minute_has_left_it():
    out, back = {"level": 24_820.0}, {"level": 24_500.0}

    happened = walk((5, {}), (70, out), (70, back), (1000, out))

    assert kinds(happened) == [(65, "STRADDLE_BREAK"), (205, "STRADDLE_BREAK")]
    assert happened[0][1].text == (
        "the price is above the first straddle's band 24,200.00 to 24,800.00"
    )
    assert (happened[0][1].was, happened[0][1].now) == ("inside", "above")


def test_a_later_straddle_does_not_draw_the_band_again():
    wider = {"straddle": 900.0, "level": 24_820.0}

    assert kinds(walk((1, {}), (100, wider))) == [(61, "STRADDLE_BREAK")]


def test_the_band_is_drawn_once_the_level_is_known_too():
    happened = walk((5, {"level": None, "straddle": 900.0}), (5, {}), (70, {"level": 24_820.0}))

    assert kinds(happened) == [(70, "STRADDLE_BREAK")]


def test_fast_open_interest_is_told_with_what_is_usual():
    now, happened = Watches(), []
    for k in range(70):
        flow = 1000.0 + 100.0 * (k % 2) if k < 68 else 3000.0
        now, events = watch(now, 30.0 * k, CALM._replace(flow=flow))
        happened += events

    assert [(event.kind, event.was, event.now) for event in happened] == [("OI_SPEED", None, None)]
    assert happened[0].text.startswith("open interest moves fast: 3,000 in 3 min, usual 1,049 (z ")


def test_events_group_digits_as_india_does():
    silver = {"level": 152_000.0, "straddle": 2_500.0}
    ((_, left),) = walk((5, silver), (70, {"level": 155_000.0}))

    assert left.text.endswith("band 1,49,500.00 to 1,54,500.00")

    now, fast = Watches(), []
    for k in range(70):
        flow = 4e6 + 1e5 * (k % 2) if k < 68 else 12_345_675.0
        now, events = watch(now, 30.0 * k, CALM._replace(flow=flow))
        fast += events

    assert fast[0].text.startswith("open interest moves fast: 1,23,45,675 in 3 min, usual 40,49,")


def test_what_is_unknown_changes_nothing():
    first, _ = watch(Watches(), 0.0, CALM)

    after, events = watch(first, 1.0, Seen(0.05))

    assert (after, events) == (first, [])


@pytest.mark.parametrize(("first_row", "told"), [(0, True), (1, False)])
def test_a_chain_whose_underlying_is_silent_tells_no_event(first_row, told):
    """All put interest doubles: with the index's price it is a crossing, without it nobody knows what it is."""
    session, tape = make_session(strikes=11, cadence_s=10.0), Tape()
    tape.put(session)
    said = set()
    for second in range(0, 400, 5):
        ticks = market_ticks(session, second)
        if second >= 200:
            ticks["oi"][3::2] *= 3
            ticks = ticks[first_row:]
        tape.put(make_batch(session, ticks, START_US + second * 1_000_000))
        said |= {event.kind for event in tape.beat(second).events}

    assert ("PCR_CROSS" in said) == told


def test_a_day_with_events_goes_on_from_its_bytes_with_the_same_events():
    session, tape = make_session(strikes=11, cadence_s=60.0), Tape()
    tape.put(session)
    said = []
    for second in range(0, 1500, 10):
        if second % 60 == 0:
            level = 24_500.0 + (0.0 if second < 300 else 400.0)
            ticks = market_ticks(session, second, spot=level, oi_step=second // 60)
            tape.put(make_batch(session, ticks, START_US + second * 1_000_000))
        copy = kept(tape)
        answers = [one.beat(second, age_ms=200).events for one in (tape, copy)]
        assert answers[0] == answers[1], second
        said += answers[0]

    assert "STRADDLE_BREAK" in {event.kind for event in said}
    assert tape.desk.run.before[session.instruments.expiry[2]].watches.band is not None


def test_every_event_of_a_day_is_of_the_closed_list():
    answers = play(make_session(strikes=21, cadence_s=60.0), range(0, 2400, 20))

    told = {event.kind for answer in answers for event in answer.events}
    assert told <= set(EventKind)


@pytest.mark.parametrize("kind", list(EventKind))
def test_a_broken_level_or_band_wakes_the_deep_coach_and_nothing_else_does(kind):
    start = make_analysis()
    seen, _ = trigger.is_due(None, start)
    happened = [Event(kind=kind.value, text="", ts_us=NOON_US)]

    _, found = trigger.is_due(seen, later(start, 60, events=happened))

    wakes = kind in {EventKind.SUPPORT_BREAK, EventKind.RESISTANCE_BREAK, EventKind.STRADDLE_BREAK}
    assert (found is not None) == wakes


def test_the_watches_are_kept_by_their_types():
    assert {field.name for field in dataclasses.fields(Watches)} == {
        "max_pain", "pcr", "build_up", "straddle", "band", "speed",
    }  # fmt: skip
