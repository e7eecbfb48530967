from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.direction import (
    NOT_APPLICABLE,
    WEIGHTS,
    Component,
    Part,
    against,
    confidence_factor,
    direction_score,
)
from oimon.core.direction_filter import DirectionState, direction_filter
from oimon.core.futures import futures_score
from oimon.core.skew import skew_reference, skew_score
from oimon.terms import BuildUp, Direction, Quality

parts_of = st.dictionaries(
    st.sampled_from(list(Component)),
    st.one_of(st.floats(-1, 1).map(Part.of), st.just(NOT_APPLICABLE), st.just(Part.of(None))),
)


def walk(scores, *, step_s=15.0, agreement=0.8, coverage=1.0, quality=Quality.OK):
    state, labels = None, []
    for i, score in enumerate(scores):
        state = direction_filter(
            state,
            i * step_s,
            score=score,
            agreement=agreement,
            coverage=coverage,
            quality=quality,
        )
        labels.append(state.label)
    return labels


def test_weights_are_whole():
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


def test_a_missing_component_lowers_coverage_and_one_that_does_not_apply_leaves():
    one = {Component.PCR_LEVEL: Part.of(0.5)}

    assert direction_score(one).coverage == pytest.approx(0.10)
    assert direction_score(one | {Component.MAX_PAIN: NOT_APPLICABLE}).coverage == pytest.approx(
        0.10 / 0.95
    )


@given(parts_of)
def test_contributions_sum_to_the_score(parts):
    found = direction_score(parts)

    assert sum(value for _, value in found.contributions) == pytest.approx(found.score)
    assert -1 <= found.score <= 1
    assert 0 <= found.agreement <= 1 + 1e-12
    assert 0 <= found.coverage <= 1 + 1e-12


@given(parts_of)
def test_turning_every_component_turns_the_score(parts):
    turned = {
        name: part if part.score is None else Part.of(-part.score) for name, part in parts.items()
    }

    assert direction_score(turned).score == pytest.approx(-direction_score(parts).score)


def test_the_strongest_contrary_evidence_is_named():
    parts = {
        Component.NET_BUILDUP: Part.of(0.9),
        Component.PCR_LEVEL: Part.of(-0.5),
        Component.SR_POSITION: Part.of(-0.9),
    }

    assert against(direction_score(parts), Direction.BULLISH)[0][0] is Component.SR_POSITION
    assert against(direction_score({Component.FUTURES: Part.of(1.0)}), Direction.BULLISH) == []


def test_what_is_shown_as_nothing_contradicts_nothing():
    def contrary(score):
        parts = {Component.NET_BUILDUP: Part.of(0.9), Component.SR_POSITION: Part.of(score)}
        return [name for name, _ in against(direction_score(parts), Direction.BULLISH)]

    assert contrary(-0.1) == [Component.SR_POSITION]
    assert contrary(-0.01) == []


def test_what_is_contrary_to_a_label_that_lasts_is_what_turned_the_score():
    scored = direction_score({Component.NET_BUILDUP: Part.of(0.9), Component.PCR_LEVEL: Part.of(-0.5)})  # fmt: skip

    assert scored.score > 0
    assert [name for name, _ in against(scored, Direction.BEARISH)] == [Component.NET_BUILDUP]
    assert [name for name, _ in against(scored, Direction.NEUTRAL)] == [Component.PCR_LEVEL]


def test_bad_data_leave_no_confidence():
    assert confidence_factor(0.6, 1.0, 1.0, Quality.OK) == 1.0
    assert confidence_factor(0.6, 1.0, 1.0, Quality.DEGRADED) == 0.7
    assert confidence_factor(0.6, 1.0, 1.0, Quality.BAD) == 0.0


def test_a_label_needs_thirty_seconds_of_wanting_and_sixty_of_the_one_before():
    labels = walk([0.5] * 13, step_s=10.0)

    assert labels.index(Direction.BULLISH) == 6


BULLISH, BEARISH, NEUTRAL = Direction.BULLISH, Direction.BEARISH, Direction.NEUTRAL
TURNED = {BULLISH: BEARISH, BEARISH: BULLISH, NEUTRAL: NEUTRAL}


def after(at_s, *, smoothed, label, coverage=1.0, agreement=0.8, quality=Quality.OK, **state):
    """Return the state after a score that leaves a smoothed one of the instant 0 as it is."""
    before = DirectionState(
        at_s=0.0, smoothed=smoothed, label=label, **{"label_since_s": -100.0} | state
    )
    return direction_filter(
        before, at_s, score=smoothed, agreement=agreement, coverage=coverage, quality=quality
    )


@pytest.mark.parametrize(
    ("label", "smoothed", "agreement", "wanted"),
    [
        (NEUTRAL, 0.20, 0.35, BULLISH),
        (NEUTRAL, 0.20, 0.34, None),
        (NEUTRAL, 0.19, 0.35, None),
        (NEUTRAL, 0.11, 0.35, None),
        (BULLISH, 0.11, 0.00, None),
        (BULLISH, 0.10, 0.35, NEUTRAL),
        (BULLISH, -0.15, 0.35, NEUTRAL),
        (BULLISH, -0.20, 0.35, BEARISH),
        (BULLISH, -0.20, 0.34, NEUTRAL),
    ],
)
def test_what_is_wanted_starts_at_a_fifth_and_stays_beyond_a_tenth(
    label, smoothed, agreement, wanted
):
    assert after(1, label=label, smoothed=smoothed, agreement=agreement).wanted is wanted

    mirrored = after(1, label=TURNED[label], smoothed=-smoothed, agreement=agreement)
    assert mirrored.wanted is (None if wanted is None else TURNED[wanted])


@pytest.mark.parametrize(
    ("wanted_s", "since_s", "at_s", "label"),
    [
        (100, 0, 129, BULLISH),
        (100, 0, 130, BEARISH),
        (60, 70, 129, BULLISH),
        (60, 70, 130, BEARISH),
    ],
)
def test_both_clocks_must_have_run(wanted_s, since_s, at_s, label):
    state = {"wanted": BEARISH, "wanted_since_s": wanted_s, "label_since_s": since_s}

    assert after(at_s, label=BULLISH, smoothed=-0.5, **state).label is label


def test_wanting_something_else_starts_the_clock_anew():
    state = {"wanted": NEUTRAL, "wanted_since_s": 60.0, "label_since_s": 0.0}

    found = after(130, label=BULLISH, smoothed=-0.5, **state)

    assert (found.label, found.wanted, found.wanted_since_s) == (BULLISH, BEARISH, 130)


@pytest.mark.parametrize(("coverage", "label"), [(0.50, BULLISH), (0.49, NEUTRAL)])
def test_less_than_half_of_the_components_force_neutral(coverage, label):
    assert after(1, label=BULLISH, smoothed=0.5, coverage=coverage).label is label


def test_a_neutral_that_is_forced_is_as_old_as_it_was():
    found = after(50, label=NEUTRAL, smoothed=0.5, quality=Quality.BAD, label_since_s=0.0)

    assert (found.label, found.label_since_s) == (NEUTRAL, 0)


def test_a_clock_that_went_back_lets_no_time_pass():
    before = DirectionState(at_s=1_000.0, smoothed=0.3, label=NEUTRAL, label_since_s=0.0)

    found = direction_filter(
        before, 0.0, score=-1.0, agreement=1.0, coverage=1.0, quality=Quality.OK
    )

    assert found.smoothed == 0.3


def test_conflict_keeps_a_direction_but_never_starts_one():
    assert set(walk([0.5] * 20, agreement=0.3)) == {Direction.NEUTRAL}


def test_chatter_around_the_threshold_does_not_flap():
    labels = walk([0.26, 0.16] * 40)

    assert sum(a != b for a, b in pairwise(labels)) == 1


def test_bad_quality_forces_neutral_at_once():
    state = None
    for at in range(0, 120, 10):
        state = direction_filter(
            state, at, score=0.5, agreement=1.0, coverage=1.0, quality=Quality.OK
        )
    assert state.label is Direction.BULLISH

    state = direction_filter(
        state, 121, score=0.5, agreement=1.0, coverage=1.0, quality=Quality.BAD
    )

    assert (state.label, state.label_since_s, state.wanted) == (Direction.NEUTRAL, 121, None)


def test_the_future_speaks_by_one_part_if_it_must():
    assert futures_score(BuildUp.LONG_BUILDUP, 0.0018, 0.00165) == pytest.approx(0.72)
    assert futures_score(None, 0.0012, 0.0016) == pytest.approx(-0.8)
    assert futures_score(None, 0.003, 0.001) == 1.0
    assert futures_score(None, 0.001, 0.003) == -1.0
    assert futures_score(BuildUp.SHORT_BUILDUP, 0.003, 0.001) == pytest.approx(-0.2)
    assert futures_score(BuildUp.SHORT_BUILDUP, None, None) == -1.0
    assert futures_score(None, None, 0.001) is None


def test_the_skew_is_read_against_today():
    assert skew_reference([0.01] * 9) is None
    assert skew_score(-0.018, skew_reference([-0.0215] * 10)) == pytest.approx(0.175)
    assert skew_score(None, 0.0) is None
